//! Anchors: how far a log was, remembered in a third place, which whoever can truncate log and
//! checkpoints may not be able to change.

use std::io::BufReader;
use std::path::Path;

use tokio::sync::watch;

use crate::chain::Head;
use crate::checkpoint::Statement;
use crate::error::AuditError;
use crate::lines::Lines;
use crate::open::Standing;
use crate::record::{MAX_LINE_LEN, Seen, split};
use crate::segment::{self, Family};

/// Where a log stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The log's own name.
    pub log: String,
    /// Where it was written: a machine and a folder.
    pub place: String,
    /// The number of its last checkpoint; 0 when it had none.
    pub checkpoint: u64,
    /// The number of its last record.
    pub sequence: u64,
    /// That record's hash.
    pub head: String,
}

/// That a log was restored from a backup, as somebody says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Which backup it was.
    pub because: String,
    /// Who says so, by an id that they cannot choose.
    pub user: String,
}

/// What a writer knows of anchors, and whom it tells of new ones.
#[derive(Debug, Clone)]
pub struct Anchorage {
    /// Where the log is written: a machine and a folder.
    pub place: String,
    /// Those of all logs, the newest of each.
    pub known: Vec<Anchor>,
    /// Why a log that is behind them is an honest one: recorded, and gone on with.
    pub restored: Option<Restored>,
    told: watch::Sender<Option<Anchor>>,
}

impl Anchorage {
    /// Of a log in that place; what is received has to be kept, the last is enough.
    pub fn new(place: String, known: Vec<Anchor>) -> (Self, watch::Receiver<Option<Anchor>>) {
        let (told, kept) = watch::channel(None);
        let anchorage = Anchorage {
            place,
            known,
            restored: None,
            told,
        };
        (anchorage, kept)
    }

    pub(crate) fn tell(&self, anchor: Anchor) {
        self.told.send_replace(Some(anchor));
    }
}

/// The anchor that a log has to hold: its own, or without one that of the place.
pub(crate) fn of<'a>(log: Option<&str>, place: &str, known: &'a [Anchor]) -> Option<&'a Anchor> {
    let own = known.iter().find(|a| Some(a.log.as_str()) == log);
    own.or_else(|| known.iter().find(|a| a.place == place))
}

/// How far a log is, for those who compare it with an anchor.
pub(crate) struct Reached<'a> {
    pub(crate) log: Option<&'a str>,
    pub(crate) last: u64,
    /// The number of the last checkpoint, where checkpoints were looked at.
    pub(crate) checkpoint: Option<u64>,
    /// The hash of the record that the anchor names; none if it is gone with old segments.
    pub(crate) head: Option<Head>,
}

/// What is wrong with a log by its anchor.
pub(crate) fn behind(reached: &Reached<'_>, anchor: &Anchor) -> Option<String> {
    let known = anchor.sequence;
    let Some(log) = reached.log else {
        return Some(format!(
            "there is no log, but the catalog knows one here, up to record {known}: it was removed"
        ));
    };
    if log != anchor.log {
        return Some(format!(
            "this is a new log, but the catalog knows another one here, up to record {known}: it \
            was removed or replaced"
        ));
    }
    if reached.last < known {
        return Some(format!(
            "the log ends with record {}, but the catalog knows record {known}: its tail was \
            truncated, or it was replaced by an older copy",
            reached.last
        ));
    }
    if reached
        .head
        .is_some_and(|head| Some(head) != Head::parse(&anchor.head))
    {
        return Some(format!(
            "record {known} is not the one that the catalog knows: the log was rewritten at or \
             before it"
        ));
    }
    match reached.checkpoint {
        Some(last) if last < anchor.checkpoint => Some(format!(
            "the last checkpoint is {last}, but the catalog knows checkpoint {}: the last ones were \
             removed",
            anchor.checkpoint
        )),
        _ => None,
    }
}

/// What is wrong with a log that is to be written on, and the anchor that says so.
pub(crate) fn check<'a>(
    folder: &Path,
    standing: Option<&Standing>,
    checkpoints: Option<Option<&Statement>>,
    anchorage: &'a Anchorage,
) -> Result<Option<(&'a Anchor, String)>, AuditError> {
    let log = standing.map(|s| s.log.as_str());
    let Some(anchor) = of(log, &anchorage.place, &anchorage.known) else {
        return Ok(None);
    };
    let head = match standing {
        Some(standing) if standing.log == anchor.log => hash(folder, standing, anchor.sequence)?,
        _ => None,
    };
    let reached = Reached {
        log,
        last: standing.map_or(0, |s| s.sequence),
        checkpoint: checkpoints.map(|last| last.map_or(0, |s| s.checkpoint)),
        head,
    };
    Ok(behind(&reached, anchor).map(|problem| (anchor, problem)))
}

/// The hash of a record, if its segment is there.
fn hash(folder: &Path, standing: &Standing, sequence: u64) -> Result<Option<Head>, AuditError> {
    if sequence == standing.sequence {
        return Ok(Some(standing.head));
    }
    let begins = standing.begins.iter().rev();
    let Some(begin) = begins.into_iter().find(|b| b.sequence <= sequence) else {
        return Ok(None);
    };
    let path = Family::Segments.path(folder, begin.segment);
    let file = segment::read(&path)?;
    let mut lines = Lines::new(BufReader::new(file), MAX_LINE_LEN);
    while let Some(line) = lines.next().map_err(AuditError::file("read", &path))? {
        if let Some((body, head)) = split(&line.bytes)
            && let Some((seen, _)) = Seen::read(body)
            && seen.sequence == sequence
        {
            return Ok(Some(head));
        }
    }
    Ok(None)
}
