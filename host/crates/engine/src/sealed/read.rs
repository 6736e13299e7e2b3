//! Reads a sealed file back, for one recipient. Nothing of a file that is cut, reordered or altered is
//! given away: who reads it looks through all of it first.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use glovebox_core::shown::printable;
use glovebox_core::{Envelope, Secret, Unseal, hex};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::rows::Block;
use super::{Header, SECRET, VERSION, block_context, end_context};

/// The longest line that is read: a chunk's rows are bounded by the source's `max-record`.
const MAX_LINE_LEN: u64 = 1 << 30;
/// The longest first line.
const MAX_HEAD_LEN: u64 = 4 << 10;
/// The longest name of a run or pipeline, in bytes.
const MAX_NAME_LEN: usize = 256;

/// Why a sealed file does not open.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// It could not be read.
    #[error("cannot read {place}: {problem}")]
    Unread {
        /// The file.
        place: String,
        /// What the system said.
        problem: std::io::Error,
    },
    /// It is something else.
    #[error("{place} is not a file of sealed rejects, as `sealed-to` in a manifest makes it")]
    Foreign {
        /// The file.
        place: String,
    },
    /// It is of a later version.
    #[error("{place} was written by a later version of glovebox; use that version")]
    Later {
        /// The file.
        place: String,
    },
    /// It is for other recipients.
    #[error("line {line} of {place} is not sealed to this key, whose fingerprint is {fingerprint}")]
    OtherKey {
        /// The file.
        place: String,
        /// The line, counted from 1.
        line: u64,
        /// The key's.
        fingerprint: String,
    },
    /// A line does not open in its place.
    #[error(
        "line {line} of {place} does not open: it was altered, moved, or is of another run's file; \
         nothing was opened"
    )]
    Altered {
        /// The file.
        place: String,
        /// The line, counted from 1.
        line: u64,
    },
    /// The last line is missing, or does not speak for those before it.
    #[error(
        "{place} is not whole: its end is missing, or lines were removed, moved or added; nothing \
         was opened"
    )]
    Cut {
        /// The file.
        place: String,
    },
    /// Whoever takes the rows cannot.
    #[error("cannot write the opened rows: {0}")]
    Unwritten(std::io::Error),
}

/// What a sealed file has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SealedTotals {
    /// Blocks.
    pub blocks: u64,
    /// Rows.
    pub rows: u64,
}

/// A line behind the first.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Block(Block),
    End(End),
}

#[derive(Deserialize)]
struct End {
    blocks: u64,
    rows: u64,
    #[serde(flatten)]
    envelope: Envelope,
}

/// A sealed file.
#[derive(Debug)]
pub struct SealedFile {
    place: String,
    header: Header,
    head: String,
    lines: BufReader<File>,
}

impl SealedFile {
    /// Whether a file begins as a sealed one does.
    pub fn is(path: &Path) -> bool {
        let mut start = Vec::new();
        let read = File::open(path).and_then(|file| file.take(20).read_to_end(&mut start));
        read.is_ok() && start.starts_with(b"{\"glovebox-rejects\":")
    }

    /// Reads its first line.
    ///
    /// # Errors
    /// When it cannot be read, or is no sealed file.
    pub fn open(path: &Path) -> Result<Self, SealedError> {
        let place = path.display().to_string();
        let file = File::open(path).map_err(|problem| SealedError::Unread {
            place: place.clone(),
            problem,
        })?;
        let mut lines = BufReader::new(file);
        let foreign = || SealedError::Foreign {
            place: path.display().to_string(),
        };
        let head = next_line((&mut lines).take(MAX_HEAD_LEN), &place);
        let head = head.map_err(|_| foreign())?.ok_or_else(foreign)?;
        let header: Header = serde_json::from_str(&head).map_err(|_| foreign())?;
        match header.version {
            VERSION => {}
            later if later > VERSION => return Err(SealedError::Later { place }),
            _ => return Err(foreign()),
        }
        // Both go into messages and the audit log, and nothing has vouched for them yet.
        if ![&header.pipeline, &header.run]
            .into_iter()
            .all(|name| is_name(name))
        {
            return Err(foreign());
        }
        Ok(SealedFile {
            place,
            header,
            head,
            lines,
        })
    }

    /// The pipeline that it says it is of.
    pub fn pipeline(&self) -> &str {
        &self.header.pipeline
    }

    /// The run that it says it is of.
    pub fn run(&self) -> &str {
        &self.header.run
    }

    /// Opens every block and gives its rows, a JSON object a line, to `each`, from the first block on
    /// whenever it is called. What was given is right only once this returns without an error.
    ///
    /// # Errors
    /// When a line is not for this recipient or does not open, or the file is not whole.
    pub fn rows(
        &mut self,
        key: &dyn Unseal,
        each: &mut dyn FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<SealedTotals, SealedError> {
        let place = self.place.clone();
        let unread = |problem| SealedError::Unread {
            place: place.clone(),
            problem,
        };
        self.lines.seek(SeekFrom::Start(0)).map_err(unread)?;
        let cut = || SealedError::Cut {
            place: place.clone(),
        };
        if next_line(&mut self.lines, &place)?.as_ref() != Some(&self.head) {
            return Err(cut());
        }
        let mut digest = digest_of(Sha256::new(), &self.head);
        let mut found = SealedTotals::default();
        let mut last = None;
        for number in 2.. {
            let text = next_line(&mut self.lines, &place)?.ok_or_else(cut)?;
            let altered = || SealedError::Altered {
                place: place.clone(),
                line: number,
            };
            let open = |context: String, envelope: &Envelope| -> Result<Secret, SealedError> {
                if !envelope.keys.contains_key(key.fingerprint()) {
                    return Err(SealedError::OtherKey {
                        place: place.clone(),
                        line: number,
                        fingerprint: key.fingerprint().to_owned(),
                    });
                }
                key.open(context.as_bytes(), envelope)
                    .map_err(|_| altered())
            };
            match serde_json::from_str::<Line>(&text).map_err(|_| altered())? {
                Line::Block(block) => {
                    let context = block_context(&self.head, block.chunk, block.part, block.rows);
                    let rows = open(context, &block.envelope)?;
                    // A place that is not behind the last is another's, or that of one that is twice there.
                    if last >= Some((block.chunk, block.part)) {
                        return Err(cut());
                    }
                    last = Some((block.chunk, block.part));
                    found.blocks += 1;
                    found.rows += block.rows;
                    digest = digest_of(digest, &text);
                    each(rows.expose()).map_err(SealedError::Unwritten)?;
                }
                Line::End(end) => {
                    let context = end_context(&self.head, end.blocks, end.rows);
                    let opened = open(context, &end.envelope)?;
                    let (secret, lines) =
                        opened.expose().split_at_checked(SECRET).ok_or_else(cut)?;
                    let whole = hex(Sha256::digest(secret)) == self.header.proof
                        && *lines == *digest.finalize()
                        && (found.blocks, found.rows) == (end.blocks, end.rows)
                        && next_line(&mut self.lines, &place)?.is_none();
                    return whole.then_some(found).ok_or_else(cut);
                }
            }
        }
        Err(cut())
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME_LEN && printable(name) == name
}

fn digest_of(mut digest: Sha256, line: &str) -> Sha256 {
    digest.update(line);
    digest.update(b"\n");
    digest
}

/// A line without its end; none at the end of the file. A last line that has no end was cut.
fn next_line(lines: impl BufRead, place: &str) -> Result<Option<String>, SealedError> {
    let mut line = Vec::new();
    let mut bounded = lines.take(MAX_LINE_LEN);
    let unread = |problem| SealedError::Unread {
        place: place.to_owned(),
        problem,
    };
    if bounded.read_until(b'\n', &mut line).map_err(unread)? == 0 {
        return Ok(None);
    }
    let cut = || SealedError::Cut {
        place: place.to_owned(),
    };
    if line.pop() != Some(b'\n') {
        return Err(cut());
    }
    String::from_utf8(line).map(Some).map_err(|_| cut())
}
