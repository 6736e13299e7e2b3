//! The identity of an input: digests of its lines under the key of the sink's journal.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{Chunk, Digest, Mark, Secret};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use siphasher::sip128::SipHasher24;

/// Inputs and pieces of fewer rows, or lines, have no digest that costs a single guess a single hash: whoever
/// has the key and knows the other cells would find a masked one by trying its values.
const FEW_ROWS: u64 = 64;
/// Rounds of PBKDF2 over the digest of so few.
const ROUNDS: NonZero<u32> = match NonZero::new(100_000) {
    Some(rounds) => rounds,
    None => NonZero::<u32>::MIN,
};

/// The key of a sink's journal, made ready. Where no journal is kept there is none, and no line is hashed:
/// rows are counted, and all digests are zeros.
#[derive(Clone)]
pub(crate) struct Key(Option<Derived>);

#[derive(Clone)]
struct Derived {
    lines: [u8; 32],
    marks: Hmac<Sha256>,
    chunks: Hmac<Sha256>,
    stored: Hmac<Sha256>,
    stretched: [u8; 32],
    check: u16,
    /// What was stretched already.
    few: Arc<Mutex<HashMap<Digest, Digest>>>,
}

impl Key {
    /// Keys for each use are derived, so that no digest of one kind is one of another.
    pub(crate) fn new(secret: &Secret) -> Self {
        let derive = |name: &str| -> [u8; 32] {
            let mut hmac = keyed(secret.expose());
            hmac.update(b"glovebox-identity-3 ");
            hmac.update(name.as_bytes());
            hmac.finalize().into_bytes().into()
        };
        let [first, second, ..] = derive("check");
        Key(Some(Derived {
            lines: derive("lines"),
            marks: keyed(&derive("marks")),
            chunks: keyed(&derive("chunks")),
            stored: keyed(&derive("stored")),
            stretched: derive("stretched"),
            check: u16::from_be_bytes([first, second]),
            few: Arc::default(),
        }))
    }

    pub(crate) fn none() -> Self {
        Key(None)
    }

    /// Tells it from others: sixteen bits, so that a key that a person chose is not found by them.
    pub(crate) fn check(&self) -> u16 {
        self.0.as_ref().map_or(0, |derived| derived.check)
    }

    /// Reads a chunk's lines.
    pub(crate) fn read(&self, chunk: &Chunk) -> Lines {
        self.read_lines(chunk, |_, _| {})
    }

    /// The same; `each` is told of each line: all up to it, and the byte behind it.
    pub(crate) fn read_lines(&self, chunk: &Chunk, mut each: impl FnMut(&Lines, usize)) -> Lines {
        let mut lines = Lines {
            rows: chunk.rows + chunk.rejects.len() as u64,
            ..Lines::default()
        };
        let Some(derived) = &self.0 else {
            return lines;
        };
        let mut under = keyed(&derived.lines);
        under.update(chunk.head.as_deref().map(trimmed).unwrap_or_default());
        let mut key = [0; 16];
        for (byte, of) in key.iter_mut().zip(under.finalize().into_bytes()) {
            *byte = of;
        }
        let hasher = SipHasher24::new_with_key(&key);
        let take = |lines: &mut Lines, line: &[u8]| {
            let hash = hasher.hash(line);
            lines.add([hash.h1, hash.h2]);
        };
        let all = chunk.bytes.len();
        if chunk.first_line.is_some() {
            let mut from = 0;
            let ends = memchr::memchr_iter(b'\n', &chunk.bytes).map(|at| at + 1);
            for end in ends.chain([all]) {
                let line = trimmed(chunk.bytes.get(from..end).unwrap_or_default());
                from = end;
                if !line.is_empty() {
                    take(&mut lines, line);
                    lines.weight += 1;
                    each(&lines, end);
                }
            }
        } else {
            // What stands for the rows of a source without lines.
            take(&mut lines, &chunk.bytes);
            lines.weight += chunk.rows;
            each(&lines, all);
        }
        for _ in &chunk.rejects {
            // A record that was too large to hold: that there was one is all that is known.
            take(&mut lines, b"\n");
            lines.weight += 1;
            each(&lines, all);
        }
        lines
    }

    /// Digest of a chunk, whose lines come in their order.
    pub(crate) fn chunk(&self, before: &Input, lines: &Lines) -> Digest {
        let Some(derived) = &self.0 else {
            return Digest::default();
        };
        if lines.rows >= FEW_ROWS {
            return derived.of_chunk(lines);
        }
        let upto = before.with(lines);
        let mark = self.mark(&upto);
        if upto.weight < FEW_ROWS {
            return mark.digest;
        }
        // Of few rows there is no digest of their own, but only one with all that came before.
        let mut hmac = derived.chunks.clone();
        hmac.update(b"behind");
        hmac.update(&mark.digest);
        hmac.update(&lines.order.clone().finalize());
        hmac.finalize().into_bytes().into()
    }

    /// Digest of a chunk that says the same of its lines wherever in an input they stand; none of
    /// few rows.
    pub(crate) fn anywhere(&self, lines: &Lines) -> Option<Digest> {
        let derived = self.0.as_ref().filter(|_| lines.rows >= FEW_ROWS)?;
        Some(derived.of_chunk(lines))
    }

    /// Digest of the rows of a chunk as its sink takes them, from their SHA-256; none without a key.
    pub(crate) fn stored(&self, rows: Sha256) -> Option<Digest> {
        let mut hmac = self.0.as_ref()?.stored.clone();
        hmac.update(&rows.finalize());
        Some(hmac.finalize().into_bytes().into())
    }

    /// What an input is up to here.
    pub(crate) fn mark(&self, input: &Input) -> Mark {
        let Some(derived) = &self.0 else {
            return Mark::default();
        };
        let mut hmac = derived.marks.clone();
        hmac.update(&input.lines.to_be_bytes());
        for limb in input.sum {
            hmac.update(&limb.to_be_bytes());
        }
        let digest: Digest = hmac.finalize().into_bytes().into();
        Mark {
            lines: input.lines,
            digest: match input.weight {
                0..FEW_ROWS => derived.stretch(digest),
                _ => digest,
            },
        }
    }
}

impl Derived {
    fn of_chunk(&self, lines: &Lines) -> Digest {
        let mut hmac = self.chunks.clone();
        hmac.update(b"chunk");
        hmac.update(&lines.rows.to_be_bytes());
        hmac.update(&lines.order.clone().finalize());
        hmac.finalize().into_bytes().into()
    }

    fn stretch(&self, digest: Digest) -> Digest {
        let mut few = self.few.lock().unwrap_or_else(PoisonError::into_inner);
        *few.entry(digest).or_insert_with(|| {
            let mut stretched = Digest::default();
            let how = ring::pbkdf2::PBKDF2_HMAC_SHA256;
            ring::pbkdf2::derive(how, ROUNDS, &self.stretched, &digest, &mut stretched);
            stretched
        })
    }
}

/// The lines of a chunk, or of its beginning.
#[derive(Clone, Default)]
pub(crate) struct Lines {
    pub(crate) count: u64,
    /// Rows of the chunk; none yet of its beginning.
    pub(crate) rows: u64,
    /// How many lines there are or, without lines, rows.
    weight: u64,
    /// Of them in whatever order.
    sum: Sum,
    /// Of them in their order.
    order: Sha256,
}

impl Lines {
    fn add(&mut self, line: Sum) {
        self.count += 1;
        for (place, limb) in self.sum.iter_mut().zip(line) {
            *place = place.wrapping_add(limb);
        }
        let [high, low] = line.map(u128::from);
        self.order.update((high << 64 | low).to_be_bytes());
    }
}

/// Two sums modulo 2⁶⁴ of the halves of each line's SipHash-2-4-128 (Aumasson and Bernstein 2012), a
/// pseudorandom function for short texts: who does not know the key cannot make two sets of lines whose
/// sums are one (Clarke et al. 2003, MSet-Add-Hash).
type Sum = [u64; 2];

/// An input, as far as it has been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Input {
    pub(crate) lines: u64,
    pub(crate) rows: u64,
    weight: u64,
    sum: Sum,
}

impl Input {
    /// The same with these lines behind it.
    pub(crate) fn with(&self, lines: &Lines) -> Input {
        let mut sum = self.sum;
        for (place, more) in sum.iter_mut().zip(lines.sum) {
            *place = place.wrapping_add(more);
        }
        Input {
            lines: self.lines + lines.count,
            rows: self.rows + lines.rows,
            weight: self.weight + lines.weight,
            sum,
        }
    }

    /// What came behind `earlier`.
    pub(crate) fn since(&self, earlier: &Input) -> Input {
        let mut sum = self.sum;
        for (place, less) in sum.iter_mut().zip(earlier.sum) {
            *place = place.wrapping_sub(less);
        }
        Input {
            lines: self.lines - earlier.lines,
            rows: self.rows.saturating_sub(earlier.rows),
            weight: self.weight.saturating_sub(earlier.weight),
            sum,
        }
    }
}

/// A line without its end.
fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // Keys of any length are taken; a longer one than a block is hashed.
    Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

/// Stands between the request that a run serves and the rest of its name.
const REQUEST_END: char = '.';

/// The longest name of a request, in bytes: of what a run's name may have, 29 are its time and its random
/// bits.
pub const MAX_REQUEST_LEN: usize = glovebox_core::MAX_RUN_LEN - 29;

/// A name for a new run: the request that it serves, when it began, and 48 random bits.
pub(crate) fn new_run(request: Option<&str>) -> Result<String, getrandom::Error> {
    let mut random = [0; 6];
    getrandom::fill(&mut random)?;
    let now = chrono::Utc::now().format("%Y%m%dT%H%M%S");
    let random = glovebox_core::hex(random);
    let request = request.map(|name| format!("{name}{REQUEST_END}"));
    Ok(format!("{}{now}-{random}", request.unwrap_or_default()))
}

/// Whether a run was begun for this request.
pub fn serves(run: &str, request: Option<&str>) -> bool {
    request.is_some() && run.rsplit_once(REQUEST_END).map(|(name, _)| name) == request
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
