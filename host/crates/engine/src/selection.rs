//! The rows of a run that goes over rejects only, by their numbers in the input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::BooleanArray;
use arrow_schema::ArrowError;
use glovebox_core::shown::printable;
use glovebox_core::{Chunk, Decoded, Identity, Mark, PlanIdentity, PlanRows, Source, hex};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use crate::error::{RerunError, RunError};
use crate::identity::{Input, Key};

/// Rows that a run over rejects may have: eight bytes are kept of each.
const MAX_ROWS: usize = 10_000_000;
/// The longest line that is read; a reject holds names and sentences of ours.
const MAX_LINE_LEN: u64 = 1 << 20;
/// Bytes of the rows' digest that are kept: enough to tell lists apart.
const KEPT: usize = 16;

/// Rows by their numbers, as a run's list of rejects names them.
#[derive(Debug, Clone)]
pub struct Selection {
    place: String,
    /// Ascending, each once.
    rows: Vec<u64>,
    /// Of an input of several files: the first and last of the rows in each, by the files' names.
    files: Vec<(Arc<str>, u64, u64)>,
    /// Whether the input is another one than was rejected from, on purpose.
    corrected: bool,
    /// The run that rejected them, where the caller knows it.
    of_run: Option<String>,
    /// Whether the list has the rows themselves, so that they are not looked for in the input.
    holds_rows: bool,
}

/// A line of a list of rejects, as far as it says which row.
#[derive(Deserialize)]
struct Line {
    row: u64,
    file: Option<String>,
    violations: Vec<IgnoredAny>,
    #[serde(default)]
    cells: Option<IgnoredAny>,
    #[serde(default)]
    record: Option<IgnoredAny>,
    #[serde(default, rename = "record-bytes")]
    bytes: Option<IgnoredAny>,
}

/// What an input is, once all of it was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InputScan {
    pub(crate) input: Mark,
    pub(crate) rows: u64,
}

/// Which rows of an input a run is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RowSelection<'a> {
    /// Those that an earlier run rejected.
    Rejects(&'a Selection),
    /// Those from this one on; all from 0.
    From(u64),
}

impl RowSelection<'_> {
    /// How many of `count` rows from `first` on it is for.
    pub(crate) fn of(&self, first: u64, count: u64) -> u64 {
        match self {
            RowSelection::Rejects(only) => only.within(first, count).len() as u64,
            RowSelection::From(from) => (first + count).saturating_sub(first.max(*from)),
        }
    }

    fn is_for(&self, row: u64) -> bool {
        match self {
            RowSelection::Rejects(only) => only.rows.binary_search(&row).is_ok(),
            RowSelection::From(from) => row >= *from,
        }
    }
}

impl Selection {
    /// Reads a list of rejects. `corrected` says that the input was mended since, so that it is
    /// known by nothing but the numbers of its rows.
    ///
    /// # Errors
    /// When it cannot be read, is empty, too long, or no list of one run's rejects.
    pub fn read(path: &Path, corrected: bool) -> Result<Self, RerunError> {
        let place = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::of(file, place, corrected, MAX_ROWS),
            Err(problem) => Err(RerunError::Unread { place, problem }),
        }
    }

    /// The same of a list that is in memory.
    ///
    /// # Errors
    /// As [`Selection::read`].
    pub fn of_text(list: &str, place: &Path) -> Result<Self, RerunError> {
        let place = place.display().to_string();
        Self::of(list.as_bytes(), place, false, MAX_ROWS)
    }

    fn of(
        list: impl Read,
        place: String,
        corrected: bool,
        most: usize,
    ) -> Result<Self, RerunError> {
        let mut rows = Vec::new();
        let mut spans: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut in_files = 0;
        let mut holds_rows = false;
        let mut lines = BufReader::new(list);
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let mut line = lines.by_ref().take(MAX_LINE_LEN);
            match line.read_until(b'\n', &mut text) {
                Ok(0) => break,
                Ok(_) if text.trim_ascii().is_empty() => continue,
                Ok(_) => {}
                Err(problem) => return Err(RerunError::Unread { place, problem }),
            }
            // What serde says of a line may quote it.
            let Ok(line) = serde_json::from_slice::<Line>(&text) else {
                return Err(RerunError::Foreign { place, number });
            };
            if line.violations.is_empty() {
                return Err(RerunError::Foreign { place, number });
            }
            if rows.len() == most {
                return Err(RerunError::TooMany { place, most });
            }
            rows.push(line.row);
            holds_rows |= line.cells.is_some() || line.record.is_some() || line.bytes.is_some();
            if let Some(file) = line.file {
                in_files += 1;
                let (first, last) = spans.entry(file).or_insert((line.row, line.row));
                *first = line.row.min(*first);
                *last = line.row.max(*last);
            }
        }
        if rows.is_empty() {
            return Err(RerunError::Empty { place });
        }
        let mut files: Vec<(Arc<str>, u64, u64)> = spans
            .into_iter()
            .map(|(name, (first, last))| (name.into(), first, last))
            .collect();
        files.sort_by_key(|(_, first, _)| *first);
        let apart = files
            .windows(2)
            .all(|pair| matches!(pair, [(_, _, last), (_, first, _)] if last < first));
        if !apart || (in_files > 0 && in_files < rows.len()) {
            return Err(RerunError::Mixed { place });
        }
        rows.sort_unstable();
        rows.dedup();
        rows.shrink_to_fit();
        Ok(Selection {
            place,
            rows,
            files,
            corrected,
            of_run: None,
            holds_rows,
        })
    }

    /// The same, left by that run in the sink's journal: rows of the same numbers may have been
    /// rejected from several inputs.
    #[must_use]
    pub fn of_run(mut self, run: Option<String>) -> Self {
        self.of_run = run;
        self
    }

    /// Where the list is.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The rows, ascending.
    pub fn rows(&self) -> &[u64] {
        &self.rows
    }

    pub(crate) fn left_by(&self) -> Option<&str> {
        self.of_run.as_deref()
    }

    /// Whether the list has the rows themselves, as opened rejects do.
    pub fn holds_rows(&self) -> bool {
        self.holds_rows
    }

    pub(crate) fn corrected(&self) -> bool {
        self.corrected || self.holds_rows
    }

    /// Digest of the rows' numbers, in hexadecimal.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for row in &self.rows {
            hash.update(row.to_be_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        hex(&digest[..KEPT])
    }

    /// What a run over these rows by this plan is known by; `of` has rejected them.
    pub(crate) fn plan(&self, plan: &PlanIdentity, of: Option<String>) -> PlanIdentity {
        PlanIdentity {
            digest: plan.digest.clone(),
            rows: PlanRows::Rejects {
                digest: self.digest(),
                of,
            },
        }
    }

    /// Those of `count` rows from `first` on.
    pub(crate) fn within(&self, first: u64, count: u64) -> &[u64] {
        let start = self.rows.partition_point(|row| *row < first);
        let end = self.rows.partition_point(|row| *row < first + count);
        self.rows.get(start..end).unwrap_or_default()
    }

    /// Reads the whole input once, and sees that it has the rows, in the files that the list names.
    pub(crate) fn meet(
        &self,
        source: &dyn Source,
        key: &Key,
        stop: &AtomicBool,
    ) -> Result<InputScan, RunError> {
        match source.identity() {
            _ if self.holds_rows => return self.meet_held(source, key, stop),
            Identity::Lines => {}
            Identity::Beginning => return Err(RerunError::ReadOnce.into()),
            Identity::Place => return Err(RerunError::Database.into()),
        }
        let mut chunks = source.chunks()?;
        let mut input = Input::default();
        let mut rows = 0;
        while let Some(chunk) = chunks.next_chunk()? {
            if stop.load(Ordering::Relaxed) {
                return Err(RunError::Cancelled);
            }
            input = input.with(&key.read(&chunk));
            rows = chunk.first_row + chunk.rows + chunk.rejects.len() as u64;
            self.same_file(&chunk, source.file(chunk.part).as_deref())?;
        }
        match self.rows.last() {
            Some(last) if *last >= rows => Err(RerunError::Missing {
                place: self.place.clone(),
                row: *last,
                rows,
            }
            .into()),
            _ => Ok(InputScan {
                input: key.mark(&input),
                rows,
            }),
        }
    }

    /// The same of rows that the list has itself.
    fn meet_held(
        &self,
        source: &dyn Source,
        key: &Key,
        stop: &AtomicBool,
    ) -> Result<InputScan, RunError> {
        let mut chunks = source.chunks()?;
        let mut input = Input::default();
        while let Some(chunk) = chunks.next_chunk()? {
            if stop.load(Ordering::Relaxed) {
                return Err(RunError::Cancelled);
            }
            input = input.with(&key.read(&chunk));
        }
        Ok(InputScan {
            input: key.mark(&input),
            rows: self.rows.len() as u64,
        })
    }

    /// Row numbers go over all files, so one that came or went would make them mean other rows.
    fn same_file(&self, chunk: &Chunk, file: Option<&str>) -> Result<(), RerunError> {
        let count = chunk.rows + chunk.rejects.len() as u64;
        let wanted = self.within(chunk.first_row, count);
        // A chunk is of one file and the list's files lie apart, so the two ends speak for all.
        for row in wanted.first().into_iter().chain(wanted.last()) {
            let mut spans = self.files.iter();
            let named = spans.find(|(_, first, last)| (*first..=*last).contains(row));
            let same = match (named, file) {
                (None, None) => true,
                (Some((named, ..)), Some(file)) => same_path(named, file),
                _ => false,
            };
            if !same {
                let one = || "the only file of an input".to_owned();
                return Err(RerunError::Elsewhere {
                    place: self.place.clone(),
                    row: *row,
                    // A list comes from outside.
                    then: named.map_or_else(one, |(name, ..)| printable(name)),
                    now: file.map_or_else(one, str::to_owned),
                });
            }
        }
        Ok(())
    }

    /// What is said where the journal has no runs that rejected these rows.
    pub(crate) fn unknown(&self) -> String {
        format!(
            "the sink's journal has no run that rejected the rows of {}: it is unknown whether \
            the input is still the same",
            self.place
        )
    }
}

/// Leaves of what was decoded the rows that are asked for.
pub(crate) fn pick(decoded: &mut Decoded, asked: &RowSelection<'_>) -> Result<(), ArrowError> {
    let is_wanted = |row: u64| asked.is_for(row);
    decoded.rejects.retain(|reject| is_wanted(reject.row));
    let batches = std::mem::take(&mut decoded.batches);
    for batch in batches {
        let keep: Vec<bool> = (0..batch.rows())
            .map(|i| is_wanted(batch.origin.row(i)))
            .collect();
        if keep.contains(&true) {
            decoded
                .batches
                .push(batch.filter(&BooleanArray::from(keep))?);
        }
    }
    Ok(())
}

/// Whether two names mean one file, one of which may be told from another folder.
fn same_path(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> PathBuf {
        Path::new(name)
            .components()
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect()
    };
    let (a, b) = (plain(a), plain(b));
    a.ends_with(&b) || b.ends_with(&a)
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
