//! What earlier releases of a series were: the levels, to which later ones hold, and how many members
//! each class had when it was released last. A class that grew or shrank by fewer than k since would show who
//! came or went to whoever has both releases.
//!
//! Kept in the journal of the sink, with the run that released; beside a file, in a file of its own.
//! Classes stand there by a keyed digest: no value does.

use std::io::{BufWriter, IntoInnerError};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use glovebox_core::{Secret, Sink, SinkError};
use glovebox_files::StagedWriter;
use serde::{Deserialize, Serialize};

use super::namer::Namer;
use crate::gated::{Calls, Record};
use crate::parts::Parts;
use crate::summary::Summary;

/// A file beside the target is not larger.
const MAX_FILE: u64 = 1 << 30;

/// Where the releases before are written down.
pub(super) enum Book {
    /// In the sink's journal.
    Journal,
    /// In a file beside the target, with the key under which classes are called.
    Beside(Beside),
}

/// The file beside the target.
#[derive(Serialize, Deserialize)]
pub(super) struct Beside {
    #[serde(skip)]
    path: PathBuf,
    key: String,
    /// The last release of each series; several of one where a process ended while it put one in the place of
    /// another.
    releases: Vec<Record>,
}

/// The release before cannot be known.
fn unreadable(sink: &dyn Sink, run: &str) -> SinkError {
    SinkError::Shape {
        place: sink.describe(),
        problem: format!(
            "the journal's record of the release by run {run} cannot be read; was it written by another \
             version? Restore it, or begin another `series` of releases"
        ),
    }
}

impl Book {
    /// The releases of a series to which the next has to hold.
    pub(super) fn open(
        sink: &mut dyn Sink,
        pipeline: &str,
        series: u32,
        beside: Option<&Path>,
    ) -> Result<(Self, Vec<Record>), SinkError> {
        if let Some(beside) = beside {
            let beside = Beside::read(beside)?;
            let of_series = beside
                .releases
                .iter()
                .filter(|record| record.series == series);
            let records = of_series.cloned().collect();
            return Ok((Book::Beside(beside), records));
        }
        let past = sink.past(pipeline)?.unwrap_or_default();
        for run in past {
            if !Parts::from_json(&run.parts).is_some_and(|parts| parts.released()) {
                continue;
            }
            let chunks = sink.chunks(&run.run)?;
            let last = chunks.last().map(|chunk| Summary::read(&chunk.summary));
            // Taken for none, it would let a class change by fewer than k.
            let last = last.map(|read| read.ok_or_else(|| unreadable(sink, &run.run)));
            let record = last.transpose()?.and_then(|summary| summary.release);
            if let Some(record) = record.filter(|record| record.series == series) {
                return Ok((Book::Journal, vec![*record]));
            }
        }
        Ok((Book::Journal, Vec::new()))
    }

    /// What classes are called by, if not by the key of the journal.
    pub(super) fn namer(&self, journal: Option<&Secret>, calls: Calls) -> Option<Namer> {
        match self {
            Book::Journal => Namer::new(journal?, calls),
            Book::Beside(beside) => {
                let key = Secret::new(STANDARD_NO_PAD.decode(&beside.key).ok()?);
                Namer::new(&key, calls)
            }
        }
    }

    /// Before the target changes: it may be this release from now on.
    pub(super) fn will_be(&mut self, record: &Record) -> Result<(), SinkError> {
        match self {
            Book::Journal => Ok(()),
            Book::Beside(beside) => {
                if !beside.releases.contains(record) {
                    beside.releases.push(record.clone());
                }
                beside.write()
            }
        }
    }

    /// After the target has changed.
    pub(super) fn is(&mut self, record: &Record) -> Result<(), SinkError> {
        match self {
            Book::Journal => Ok(()),
            Book::Beside(beside) => {
                let of_series = |other: &&Record| other.series == record.series;
                if beside.releases.iter().filter(of_series).eq([record]) {
                    return Ok(());
                }
                beside
                    .releases
                    .retain(|other| other.series != record.series);
                beside.releases.push(record.clone());
                beside.write()
            }
        }
    }
}

impl Beside {
    fn read(path: &Path) -> Result<Self, SinkError> {
        let text = match glovebox_files::bounded::read_text(path, MAX_FILE) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = zeroize::Zeroizing::new([0; 32]);
                getrandom::fill(&mut *key)
                    .map_err(|error| io(path, &std::io::Error::other(error)))?;
                return Ok(Beside {
                    path: path.to_owned(),
                    key: STANDARD_NO_PAD.encode(*key),
                    releases: Vec::new(),
                });
            }
            Err(error) => return Err(io(path, &error)),
        };
        let read: Result<Beside, _> = serde_json::from_str(&text);
        match read {
            Ok(beside) => Ok(Beside {
                path: path.to_owned(),
                ..beside
            }),
            Err(_) => Err(SinkError::Shape {
                place: path.display().to_string(),
                problem: "it does not say what the releases before were; restore it, or delete it and write \
                          another `series:` in the manifest to begin a new series"
                    .to_owned(),
            }),
        }
    }

    fn write(&self) -> Result<(), SinkError> {
        let write = || -> std::io::Result<()> {
            let mut staged = glovebox_files::Staged::create(&self.path)?;
            staged.for_owner();
            // There may be millions of classes, of which one copy is enough.
            let mut writer = BufWriter::with_capacity(1 << 20, StagedWriter(staged));
            serde_json::to_writer(&mut writer, self)?;
            let writer = writer.into_inner().map_err(IntoInnerError::into_error);
            let StagedWriter(staged) = writer?;
            staged.sync()?;
            staged.publish()
        };
        write().map_err(|error| io(&self.path, &error))
    }
}

fn io(path: &Path, problem: &std::io::Error) -> SinkError {
    SinkError::Io {
        place: path.display().to_string(),
        problem: std::io::Error::new(problem.kind(), problem.to_string()),
    }
}
