//! What a run keeps beside its rows: its chunks, its rejects, its sealed rejects, in a file of its own that the
//! version of its rows names.

use std::io::{BufRead, BufReader, Read, Write};

use glovebox_core::{ChunkRecord, FinishedChunk, KeptReject, RowCounts, SealedBlock, SinkError};
use glovebox_delta::Fresh;
use serde::{Deserialize, Serialize};

use super::entry::{Told, digest};
use super::place::Place;

/// Where these files are.
const FOLDER: &str = "_glovebox/runs/";
/// The longest line that is read: a chunk's sealed rows may be one.
const MAX_LINE: u64 = 256 << 20;

/// A file on its way.
pub(super) struct Keeping {
    pub(super) name: String,
    file: Box<dyn Fresh>,
}

/// A line of it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Chunk {
        index: u64,
        first: u64,
        rows: [u64; 4],
        digest: String,
        upto: Option<Told>,
        summary: String,
    },
    Reject {
        row: u64,
        file: Option<String>,
        line: Option<u64>,
        violations: String,
    },
    Sealed {
        chunk: u64,
        part: u32,
        rows: u64,
        line: String,
    },
    /// Those of a range that another process has written are in a file of their own.
    Range { journal: String },
}

impl Keeping {
    /// Begins the file of a run.
    pub(super) fn begin(place: &Place, run: &str, random: &str) -> Result<Self, SinkError> {
        let name = format!("{FOLDER}{}-{random}.jsonl", as_name(run));
        let file = place.folder.create(&name).map_err(place.io(&name))?;
        Ok(Keeping { name, file })
    }

    /// Adds what a chunk leaves.
    pub(super) fn add(&mut self, place: &Place, chunk: &FinishedChunk) -> Result<(), SinkError> {
        let ChunkRecord {
            index,
            first_row,
            rows,
            digest,
            upto,
            summary,
        } = &chunk.record;
        let mut lines = vec![Line::Chunk {
            index: *index,
            first: *first_row,
            rows: [rows.read, rows.stored, rows.filtered, rows.rejected],
            digest: glovebox_core::hex(digest),
            upto: upto.as_ref().map(Told::from),
            summary: summary.clone(),
        }];
        for reject in &chunk.rejects {
            lines.push(Line::Reject {
                row: reject.row,
                file: reject.file.as_deref().map(str::to_owned),
                line: reject.line,
                violations: serde_json::to_string(&reject.violations)
                    .map_err(|_| place.internal("violations are not to be written as JSON"))?,
            });
        }
        for block in &chunk.sealed {
            lines.push(Line::Sealed {
                chunk: block.chunk,
                part: block.part,
                rows: block.rows,
                line: block.line.clone(),
            });
        }
        self.write(place, &lines)
    }

    /// Adds the file of a range.
    pub(super) fn add_range(&mut self, place: &Place, journal: &str) -> Result<(), SinkError> {
        let journal = journal.to_owned();
        self.write(place, &[Line::Range { journal }])
    }

    fn write(&mut self, place: &Place, lines: &[Line]) -> Result<(), SinkError> {
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line)
                .map_err(|_| place.internal("a chunk is not to be written as JSON"))?;
            bytes.push(b'\n');
        }
        self.file.write_all(&bytes).map_err(place.io(&self.name))
    }

    /// Keeps the file.
    pub(super) fn finish(self, place: &Place) -> Result<(), SinkError> {
        self.file.finish().map_err(place.io(&self.name))
    }
}

/// A run's name, as a file can have it.
pub(super) fn as_name(run: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    run.chars().filter(plain).collect()
}

/// Whether a text is the name of a file as they are named here, and no way to another folder.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().all(plain)
}

/// What a run's file holds.
#[derive(Default)]
pub(super) struct Reading<'a> {
    pub(super) chunk: Option<&'a mut dyn FnMut(ChunkRecord)>,
    pub(super) reject: Option<&'a mut dyn FnMut(KeptReject)>,
    pub(super) sealed: Option<&'a mut dyn FnMut(SealedBlock)>,
}

impl<'a> Reading<'a> {
    /// Its chunks.
    pub(super) fn of_chunks(each: &'a mut dyn FnMut(ChunkRecord)) -> Self {
        Reading {
            chunk: Some(each),
            ..Reading::default()
        }
    }
}

/// Reads a run's file, whose name others may have written, with those of its ranges.
pub(super) fn read(place: &Place, name: &str, mut to: Reading<'_>) -> Result<(), SinkError> {
    for range in read_one(place, name, &mut to)? {
        if !read_one(place, &range, &mut to)?.is_empty() {
            return Err(broken(place));
        }
    }
    Ok(())
}

fn broken(place: &Place) -> SinkError {
    place.shape("a file in its folder `_glovebox/runs` cannot be read".into())
}

/// Returns the files of ranges that it names.
fn read_one(place: &Place, name: &str, to: &mut Reading<'_>) -> Result<Vec<String>, SinkError> {
    let file = name.strip_prefix(FOLDER).filter(|file| is_name(file));
    let opened = match file {
        Some(_) => place.folder.read(name).map_err(place.io(FOLDER))?,
        None => None,
    };
    let Some(opened) = opened else {
        return Err(place.shape(
            "the file of what that run has rejected is not in its folder `_glovebox/runs`".into(),
        ));
    };
    let mut reader = BufReader::new(opened);
    let mut line = Vec::new();
    let mut ranges = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line);
        if read.map_err(place.io(FOLDER))? == 0 {
            return Ok(ranges);
        }
        match serde_json::from_slice(&line).map_err(|_| broken(place))? {
            Line::Range { journal } => ranges.push(journal),
            Line::Chunk {
                index,
                first,
                rows: [read, stored, filtered, rejected],
                digest: hex,
                upto,
                summary,
            } => {
                let record = ChunkRecord {
                    index,
                    first_row: first,
                    rows: RowCounts {
                        read,
                        stored,
                        filtered,
                        rejected,
                    },
                    digest: digest(&hex).ok_or_else(|| broken(place))?,
                    upto: upto.as_ref().and_then(Told::mark),
                    summary,
                };
                to.chunk.iter_mut().for_each(|chunk| chunk(record.clone()));
            }
            Line::Reject {
                row,
                file,
                line,
                violations,
            } => {
                if let Some(reject) = &mut to.reject {
                    reject(KeptReject {
                        row,
                        file,
                        line,
                        violations,
                    });
                }
            }
            Line::Sealed {
                chunk,
                part,
                rows,
                line,
            } => {
                if let Some(sealed) = &mut to.sealed {
                    sealed(SealedBlock {
                        chunk,
                        part,
                        rows,
                        line,
                    });
                }
            }
        }
    }
}
