//! Reads a table's log: the last checkpoint, the versions since, and what Glovebox has said of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};

use glovebox_core::Schema;
use serde_json::Value;

use crate::actions::{CheckpointRow, DataFile, Metadata, Protocol};
use crate::columns::{self, Fitted};
use crate::error::DeltaError;
use crate::folder::{Entry, Folder};
use crate::protocol;
use crate::state::{Keeps, Said, State};

/// The folder of the log.
pub(crate) const LOG: &str = "_delta_log";
/// The folder of what is Glovebox's own. What begins so is hidden from those who clean tables up.
pub(crate) const OWN: &str = "_glovebox";
/// How many of the last versions are looked at for runs that Glovebox has made, whether they are needed otherwise or
/// not.
pub const LOOKED_AT: u64 = 200;
/// The most files of a log.
const MAX_LISTED: usize = 200_000;
/// The longest line of a version's file, and the most bytes that one is read of.
const MAX_LINE: u64 = 16 << 20;
const MAX_VERSION: u64 = 1 << 30;

/// Reads checkpoints.
pub trait Checkpoints {
    /// Hands over each row of a checkpoint, of these columns where it has them.
    ///
    /// # Errors
    /// When it cannot be read; and that of `each`.
    fn rows(
        &self,
        name: &str,
        columns: &[&str],
        each: &mut dyn FnMut(CheckpointRow<'_>) -> Result<(), DeltaError>,
    ) -> Result<(), DeltaError>;
}

/// What is to be read of a log.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// The application whose transaction is.
    pub app: &'a str,
    /// Whether the table's files are: those who replace them need them.
    pub files: bool,
    /// Whether what Glovebox has said of earlier versions is.
    pub runs: bool,
}

/// A table by its last version.
#[derive(Debug)]
pub struct Table {
    /// The version.
    pub version: u64,
    pub(crate) protocol: Protocol,
    pub(crate) metadata: Metadata,
    pub(crate) txn: Option<i64>,
    pub(crate) files: BTreeMap<(String, Option<String>), DataFile>,
    /// What Glovebox has said of its versions, the last first, among the last [`LOOKED_AT`].
    pub runs: Vec<Ran>,
}

/// A version that Glovebox has added.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// The version.
    pub version: u64,
    /// What it said of it.
    pub said: Value,
}

impl Table {
    /// Whether rows of these columns may be added, or take the place of all.
    ///
    /// # Errors
    /// A sentence: why not, and what to do.
    pub fn takes(&self, schema: &Schema, replaces: bool) -> Result<Fitted, String> {
        protocol::check(&self.protocol, &self.metadata, replaces)?;
        columns::fit(schema, &self.metadata)
    }

    /// How many files it has, if they were asked for.
    pub fn files(&self) -> usize {
        self.files.len()
    }
}

/// The file of a version.
pub fn name_of(version: u64) -> String {
    format!("{LOG}/{version:020}.json")
}

/// The table of a folder; none where there is none.
///
/// # Errors
/// When its log cannot be read, or has a gap.
pub fn read(
    folder: &dyn Folder,
    checkpoints: &dyn Checkpoints,
    want: Want<'_>,
) -> Result<Option<Table>, DeltaError> {
    let listed = folder.list(LOG).map_err(DeltaError::io(LOG))?;
    if listed.len() > MAX_LISTED {
        return Err(DeltaError::Unfit(format!(
            "its log has more than {MAX_LISTED} files; let its owner clean it up (`delta.logRetentionDuration`)"
        )));
    }
    let mut versions: BTreeMap<u64, Box<dyn Entry>> = BTreeMap::new();
    let mut parts: BTreeMap<(u64, u32), BTreeSet<u32>> = BTreeMap::new();
    for entry in listed {
        match Named::of(entry.name()) {
            Some(Named::Version(version)) => drop(versions.insert(version, entry)),
            Some(Named::Checkpoint(version, part, of)) => {
                parts.entry((version, of)).or_default().insert(part);
            }
            None => {}
        }
    }
    let whole = parts
        .iter()
        .rev()
        .find(|((_, of), there)| there.len() == usize::try_from(*of).unwrap_or(usize::MAX))
        .map(|((version, of), _)| (*version, *of));
    if versions.is_empty() && whole.is_none() {
        return Ok(None);
    }
    let keeps = Keeps {
        app: want.app,
        files: want.files,
    };
    let mut state = State::default();
    if let Some((version, of)) = whole {
        for part in checkpoint_names(version, of) {
            let mut columns = vec!["protocol", "metaData", "txn"];
            columns.extend(want.files.then_some("add"));
            checkpoints.rows(&part, &columns, &mut |row| {
                state.row(row, keeps, &part).map(drop)
            })?;
        }
    }
    let mut next = whole.map_or(0, |(version, _)| version + 1);
    let mut runs = Vec::new();
    for (version, entry) in versions.range(next..) {
        if *version != next {
            let what = format!("is missing, and version {version} is there");
            return Err(DeltaError::broken(&name_of(next), &what));
        }
        let name = name_of(*version);
        let bytes = entry.open().map_err(DeltaError::io(&name))?;
        let said = read_version(bytes, &name, keeps, &mut state)?;
        runs.extend(said.ours.map(|said| Ran {
            version: *version,
            said,
        }));
        next += 1;
    }
    let Some(version) = next.checked_sub(1) else {
        return Ok(None);
    };
    if want.runs {
        let since = version.saturating_sub(LOOKED_AT - 1);
        let before = whole.map_or(0, |(version, _)| version + 1);
        for (version, entry) in versions.range(since.min(before)..before) {
            let name = name_of(*version);
            let bytes = entry.open().map_err(DeltaError::io(&name))?;
            let said = first_said(bytes, &name)?;
            runs.extend(said.map(|said| Ran {
                version: *version,
                said,
            }));
        }
    }
    runs.sort_by_key(|ran| std::cmp::Reverse(ran.version));
    let missing = |what| DeltaError::broken(LOG, what);
    Ok(Some(Table {
        version,
        protocol: state
            .protocol
            .ok_or_else(|| missing("does not say its protocol"))?,
        metadata: state
            .metadata
            .ok_or_else(|| missing("does not say its columns"))?,
        txn: state.txn,
        files: state.files,
        runs,
    }))
}

/// A file of a log, by its name.
enum Named {
    Version(u64),
    /// A part of a checkpoint: its number, counted from 1, and how many there are.
    Checkpoint(u64, u32, u32),
}

impl Named {
    /// None of those that are not needed, or not known: hints, checksums, compacted versions.
    fn of(name: &str) -> Option<Named> {
        let (version, rest) = name.split_once('.')?;
        let version = number(version, 20)?;
        if rest == "json" {
            return Some(Named::Version(version));
        }
        match rest.strip_prefix("checkpoint.")?.strip_suffix("parquet")? {
            "" => Some(Named::Checkpoint(version, 1, 1)),
            parts => {
                let (part, of) = parts.strip_suffix('.')?.split_once('.')?;
                let (part, of) = (number(part, 10)?, number(of, 10)?);
                let part = u32::try_from(part).ok()?;
                let of = u32::try_from(of).ok()?;
                // Of one part the name is another.
                (of > 1 && (1..=of).contains(&part)).then_some(Named::Checkpoint(version, part, of))
            }
        }
    }
}

/// So many digits.
fn number(text: &str, digits: usize) -> Option<u64> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn checkpoint_names(version: u64, of: u32) -> Vec<String> {
    match of {
        1 => vec![format!("{LOG}/{version:020}.checkpoint.parquet")],
        of => (1..=of)
            .map(|part| format!("{LOG}/{version:020}.checkpoint.{part:010}.{of:010}.parquet"))
            .collect(),
    }
}

/// Takes a version's actions into the table's state.
pub(crate) fn read_version(
    bytes: impl Read,
    name: &str,
    keeps: Keeps<'_>,
    state: &mut State,
) -> Result<Said, DeltaError> {
    let mut said = Said::default();
    lines(bytes, name, |line| {
        state.line(line, keeps, &mut said, name).map(|()| true)
    })?;
    Ok(said)
}

/// What Glovebox has said of a version, in the first line of its file: where it says it.
fn first_said(bytes: impl Read, name: &str) -> Result<Option<Value>, DeltaError> {
    let mut said = Said::default();
    let keeps = Keeps {
        app: "",
        files: false,
    };
    lines(bytes, name, |line| {
        State::default()
            .line(line, keeps, &mut said, name)
            .map(|()| false)
    })?;
    Ok(said.ours)
}

/// Hands over line after line, until `each` has enough.
fn lines(
    bytes: impl Read,
    name: &str,
    mut each: impl FnMut(&[u8]) -> Result<bool, DeltaError>,
) -> Result<(), DeltaError> {
    let mut reader = BufReader::new(bytes.take(MAX_VERSION));
    let (mut line, mut total) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(DeltaError::io(name))? as u64;
        total += read;
        if read == MAX_LINE || total >= MAX_VERSION {
            return Err(DeltaError::Unfit(format!(
                "{name} in its folder has more than {} MiB in one line, or more than {} GiB in all",
                MAX_LINE >> 20,
                MAX_VERSION >> 30
            )));
        }
        if read == 0 {
            return Ok(());
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if !each(&line)? {
            return Ok(());
        }
    }
}
