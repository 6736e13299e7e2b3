//! A run's line in the journal, which is what Glovebox says of the version that it adds: by it a later run knows its
//! input. And the key of the digests in it.

use std::io::Read as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use glovebox_core::shown::{printable, short_name};
use glovebox_core::{
    Digest, Earlier, Job, Listed, Mark, RowCounts, RunState, Secret, SinkError, Totals,
};
use glovebox_delta::Ran;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::place::Place;
use crate::calendar::write_timestamp;
use crate::database::runner::Runner;

/// Where the key is, if it is the table's.
const KEY: &str = "_glovebox/identity-key";
const KEY_BYTES: usize = 32;

/// A run that has added a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) run: String,
    pub(super) pipeline: String,
    plan: String,
    parts: String,
    source: String,
    pub(super) key: Option<u16>,
    started: String,
    finished: String,
    pub(super) appends: bool,
    pub(super) whole: Option<Told>,
    pub(super) beginning: Option<Told>,
    read: u64,
    stored: u64,
    filtered: u64,
    rejected: u64,
    /// Where its chunks and rejects are kept.
    pub(super) journal: String,
    /// Which process it was, for people.
    runner: String,
}

/// What an input is up to a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    lines: u64,
    digest: String,
}

impl From<&Mark> for Told {
    fn from(mark: &Mark) -> Self {
        Told {
            lines: mark.lines,
            digest: glovebox_core::hex(mark.digest),
        }
    }
}

impl Told {
    pub(super) fn mark(&self) -> Option<Mark> {
        Some(Mark {
            lines: self.lines,
            digest: digest(&self.digest)?,
        })
    }
}

impl Entry {
    /// That of a run that begins.
    pub(super) fn begin(job: &Job, appends: bool, journal: String) -> Self {
        Entry {
            run: job.run.clone(),
            pipeline: job.pipeline.clone(),
            plan: job.plan.to_string(),
            parts: job.parts.clone(),
            source: job.source.clone(),
            key: job.key,
            started: now().1,
            appends,
            journal,
            runner: Runner::this().to_string(),
            ..Entry::default()
        }
    }

    /// The same once it has all rows.
    pub(super) fn end(&mut self, totals: &Totals) {
        let RowCounts {
            read,
            stored,
            filtered,
            rejected,
        } = totals.rows;
        (self.read, self.stored) = (read, stored);
        (self.filtered, self.rejected) = (filtered, rejected);
        self.whole = Some((&totals.input).into());
        self.finished = now().1;
    }

    /// Why a run must not be added beside another one that was added since it began.
    pub(super) fn same_input(&self, other: &Value) -> Option<String> {
        let other: Entry = serde_json::from_value(other.clone()).ok()?;
        let same = other.key == self.key && other.whole == self.whole;
        // Of nothing there is nothing twice.
        let any = self.whole.as_ref().is_some_and(|whole| whole.lines > 0);
        (same && any && self.appends)
            .then(|| "another run has added the rows of the same input".to_owned())
    }

    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn earlier(self) -> Earlier {
        Earlier {
            run: self.run,
            pipeline: self.pipeline,
            plan: self.plan.as_str().into(),
            parts: self.parts,
            source: self.source,
            key: self.key,
            started: self.started,
            state: RunState::Finished,
            living: None,
            appends: self.appends,
            shows_chunks: false,
            whole: self.whole.as_ref().and_then(Told::mark),
            beginning: self.beginning.as_ref().and_then(Told::mark),
            rows: RowCounts {
                read: self.read,
                stored: self.stored,
                filtered: self.filtered,
                rejected: self.rejected,
            },
        }
    }

    fn listed(self) -> Listed {
        let finished = Some(self.finished.clone()).filter(|at| !at.is_empty());
        // Others may have written it.
        let runner = short_name(&self.runner).unwrap_or("a process").to_owned();
        Listed {
            run: self.earlier(),
            finished,
            runner,
        }
    }
}

/// The runs of a table's log, the last first. Others may have written there: what is not one is passed over, and no
/// sign of a text gets through that a terminal would obey.
pub(super) fn entries(ran: &[Ran]) -> Vec<Entry> {
    let read = ran
        .iter()
        .filter_map(|ran| serde_json::from_value(ran.said.clone()).ok());
    read.map(|entry: Entry| Entry {
        run: printable(&entry.run),
        pipeline: printable(&entry.pipeline),
        source: printable(&entry.source),
        started: printable(&entry.started),
        finished: printable(&entry.finished),
        ..entry
    })
    .collect()
}

/// Those whose rows the table holds by the journal: all since rows were replaced last.
pub(super) fn held(entries: Vec<Entry>) -> Vec<Earlier> {
    let last = entries.iter().position(|entry| !entry.appends);
    let count = last.map_or(entries.len(), |at| at + 1);
    let held = entries.into_iter().take(count);
    held.map(Entry::earlier).collect()
}

/// Those of a pipeline.
pub(super) fn past(entries: Vec<Entry>, pipeline: &str) -> Vec<Earlier> {
    /// As many as a history tells of.
    const REMEMBERED: usize = 100;
    let of = entries.into_iter().filter(|e| e.pipeline == pipeline);
    of.take(REMEMBERED).map(Entry::earlier).collect()
}

/// For people.
pub(super) fn listed(entries: Vec<Entry>, most: u32) -> Vec<Listed> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    entries.into_iter().take(most).map(Entry::listed).collect()
}

/// The version's number of the last run, as far as a journal is.
pub(super) fn seen(ran: Option<&[Ran]>) -> glovebox_core::Seen {
    let last = ran.and_then(|ran| ran.first());
    let count = last.map_or(0, |ran| ran.version + 1);
    glovebox_core::Seen {
        begun: count,
        ended: count,
        turns: count,
    }
}

/// The table's key; none where it has none yet.
pub(super) fn key(place: &Place) -> Result<Option<Secret>, SinkError> {
    let read = place.folder.read(KEY).map_err(place.io(KEY))?;
    let Some(read) = read else {
        return Ok(None);
    };
    let mut text = String::new();
    let most = 4 * KEY_BYTES as u64;
    let read = read.take(most).read_to_string(&mut text);
    read.map_err(place.io(KEY))?;
    match digest(text.trim()) {
        Some(key) => Ok(Some(Secret::new(key.to_vec()))),
        None => Err(place.shape(format!(
            "{KEY} in its folder is not a key of Glovebox; put the one there that was, or remove it, and the inputs \
             of earlier runs are not known any more"
        ))),
    }
}

/// The same, made if there is none.
pub(super) fn key_or_new(place: &Place) -> Result<Secret, SinkError> {
    if let Some(key) = key(place)? {
        return Ok(key);
    }
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| place.internal("the system has no random numbers"))?;
    let text = glovebox_core::hex(bytes);
    let made = place.folder.put_new(KEY, text.as_bytes());
    match made.map_err(place.io(KEY))? {
        true => Ok(Secret::new(bytes.to_vec())),
        // Another run was sooner.
        false => key(place)?.ok_or_else(|| place.internal("the table's key is there and is not")),
    }
}

/// 32 bytes in hexadecimal.
pub(super) fn digest(text: &str) -> Option<Digest> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = Digest::default();
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// Now: in milliseconds since 1970, and in words.
pub(super) fn now() -> (i64, String) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.unwrap_or(Duration::ZERO);
    let micros = i64::try_from(since.as_secs()).unwrap_or_default() * 1_000_000;
    let mut text = Vec::new();
    write_timestamp(micros, &mut text);
    let millis = i64::try_from(since.as_millis()).unwrap_or_default();
    (millis, String::from_utf8(text).unwrap_or_default())
}
