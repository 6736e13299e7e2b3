//! Records for people: the ones that are asked for, in their order.
//! It does not check the chain; `verify` does.

use std::collections::BTreeSet;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;

use crate::action::{Action, Outcome};
use crate::error::AuditError;
use crate::event::WatchedFile;
use crate::lines::Lines;
use crate::record::MAX_LINE_LEN;
use crate::segment::{self, Family};
use crate::when::When;

/// Which records; what is left out does not matter.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// By this user.
    pub user: Option<String>,
    /// This action.
    pub action: Option<Action>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// At this time or later.
    pub since: Option<When>,
    /// Before this time.
    pub until: Option<When>,
}

/// A record as it is shown.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// When.
    #[serde(rename = "@timestamp")]
    pub time: String,
    /// Its number.
    #[serde(rename = "event.sequence")]
    pub sequence: u64,
    /// What.
    #[serde(rename = "event.action")]
    pub action: String,
    /// How it ended.
    #[serde(rename = "event.outcome")]
    pub outcome: String,
    /// Why.
    #[serde(rename = "event.reason")]
    pub reason: Option<String>,
    /// Who.
    #[serde(rename = "user.name")]
    pub user: Option<String>,
    /// From where.
    #[serde(rename = "source.ip")]
    pub source: Option<String>,
    /// By which path.
    #[serde(rename = "url.path")]
    pub path: Option<String>,
    /// Which dataset.
    #[serde(rename = "labels.dataset")]
    pub dataset: Option<String>,
    /// Which pipeline.
    #[serde(rename = "labels.pipeline")]
    pub pipeline: Option<String>,
    /// Which run.
    #[serde(rename = "labels.run")]
    pub run: Option<String>,
    /// Which key or secret.
    #[serde(rename = "labels.key")]
    pub key: Option<String>,
    /// Which user was added or changed.
    #[serde(rename = "user.target.name")]
    pub target: Option<String>,
    /// How many rows.
    #[serde(rename = "labels.rows")]
    pub rows: Option<u64>,
    /// Which columns.
    #[serde(rename = "labels.columns", default)]
    pub columns: Vec<String>,
    /// Which file that is watched.
    #[serde(flatten)]
    pub file: Option<WatchedFile>,
}

impl Wanted {
    fn includes(&self, entry: &Entry) -> bool {
        let is = |asked: &Option<String>, found: Option<&String>| {
            asked.is_none() || asked.as_ref() == found
        };
        is(&self.user, entry.user.as_ref())
            && self.action.is_none_or(|a| a.as_str() == entry.action)
            && self.outcome.is_none_or(|o| o.as_str() == entry.outcome)
            // Times have one form, so the order of texts is theirs.
            && self.since.is_none_or(|since| entry.time >= since.text())
            && self.until.is_none_or(|until| entry.time < until.text())
    }
}

/// How much there was to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Records that were wanted.
    pub wanted: u64,
    /// Records of the log.
    pub records: u64,
    /// Lines that are no records.
    pub unread: u64,
    /// Who did something, at most a thousand of them; only where a user was asked for.
    pub users: BTreeSet<String>,
}

/// The most users that are remembered.
const MAX_USERS: usize = 1000;

/// Calls `each` with every record that is wanted and its line; what is not a record is passed over
/// and counted, as all is.
///
/// # Errors
/// When a file cannot be read, or `each` says so.
pub fn show(
    folder: &Path,
    wanted: &Wanted,
    each: &mut dyn FnMut(&Entry, &[u8]) -> std::io::Result<()>,
) -> Result<Shown, AuditError> {
    let mut shown = Shown::default();
    let (numbers, _) = Family::Segments.list(folder)?;
    for number in numbers {
        let path = Family::Segments.path(folder, number);
        let file = segment::read(&path)?;
        let mut lines = Lines::new(BufReader::new(file), MAX_LINE_LEN);
        while let Some(line) = lines.next().map_err(AuditError::file("read", &path))? {
            match serde_json::from_slice::<Entry>(&line.bytes) {
                Ok(entry) => {
                    shown.records += 1;
                    if wanted.includes(&entry) {
                        shown.wanted += 1;
                        each(&entry, &line.bytes).map_err(AuditError::file("show", &path))?;
                    }
                    if wanted.user.is_some() && shown.users.len() < MAX_USERS {
                        shown.users.extend(entry.user);
                    }
                }
                Err(_) => shown.unread += 1,
            }
        }
    }
    Ok(shown)
}
