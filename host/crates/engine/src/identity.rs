//! Whether two runs are the same: what decides what a row becomes, and what the input is.
//!
//! Owns the digests by which a run is recognised; refuses secrets, of which sixteen bits are told.

use glovebox_core::{Chunk, Digest, Source};
use sha2::{Digest as _, Sha256};

use crate::arm::ArmedStep;
use crate::plan::Plan;

/// SHA-256 over all that decides what a row becomes, in hexadecimal: the source's dialect and
/// columns, each step's plugin, options, grants and keys, and the sink's columns. Limits, paths
/// and the number of workers are not in it.
pub(crate) fn plan_digest(plan: &Plan, steps: &[ArmedStep<'_>], source: &dyn Source) -> String {
    let mut hash = Sha256::new();
    let mut say = |what: &str, value: &str| {
        // Lengths, so that no two lists of parts read the same.
        hash.update((what.len() as u64).to_be_bytes());
        hash.update(what);
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value);
    };
    say("glovebox-plan", "1");
    say("dialect", &source.dialect());
    say("columns", &format!("{:?}", plan.source));
    for step in steps {
        let planned = step.planned;
        say("step", &planned.name);
        say("plugin", planned.plugin.sha256());
        say("with", &planned.config);
        say("grants", &format!("{:?}", planned.grants));
        say("keyed", &format!("{:?}", step.keyed));
        say("keys", &step.keys.check_value().to_string());
    }
    say("sink", &format!("{:?}", plan.sink));
    hex(&hash.finalize())
}

/// Bytes of a chunk's digest that are kept. The books stand beside masked rows, for others to read:
/// a whole digest of a chunk of one row would tell who tries all values of its masked cell which one
/// it was. Sixteen bits find an input that was changed by accident, and leave too many to guess.
const KEPT: usize = 2;

/// Digest of a chunk, cut: its bytes, and how many rows behind them were too large to hold.
pub(crate) fn chunk_digest(chunk: &Chunk) -> Digest {
    let mut hash = Sha256::new();
    hash.update((chunk.bytes.len() as u64).to_be_bytes());
    hash.update(&chunk.bytes);
    hash.update((chunk.rejects.len() as u64).to_be_bytes());
    let mut digest = Digest::default();
    for (kept, byte) in digest.iter_mut().zip(hash.finalize()).take(KEPT) {
        *kept = byte;
    }
    digest
}

/// Digest of an input: SHA-256 over the digests of its chunks, in their order.
#[derive(Clone, Default)]
pub(crate) struct InputDigest(Sha256);

impl InputDigest {
    pub(crate) fn add(&mut self, chunk: &Digest) {
        self.0.update(chunk);
    }

    pub(crate) fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

/// A name for a new run: when it began, and 48 random bits.
pub(crate) fn new_run() -> Result<String, getrandom::Error> {
    let mut random = [0; 6];
    getrandom::fill(&mut random)?;
    let now = chrono::Utc::now().format("%Y%m%dT%H%M%S");
    Ok(format!("{now}-{}", hex(&random)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_tells_chunks_apart_and_no_cell_can_be_found_by_it() {
        let digest = |bytes: &[u8]| {
            chunk_digest(&Chunk {
                bytes: bytes.to_vec(),
                ..Chunk::default()
            })
        };
        assert_eq!(digest(b"1,ann"), digest(b"1,ann"));
        assert_ne!(digest(b"1,ann"), digest(b"1,bob"));
        let cells = (0..200_000_u32).map(|n| digest(format!("{n:09}").as_bytes()));
        let distinct: std::collections::HashSet<_> = cells.collect();
        assert!(distinct.len() <= 1 << 16, "{}", distinct.len());
        assert!(distinct.len() > 60_000, "{}", distinct.len());
    }
}
