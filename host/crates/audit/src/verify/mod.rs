//! Verifies a log: finds every edit, deletion, insertion, swap and truncated tail. It reports all
//! problems and changes nothing.

mod chain;
mod checkpoints;
mod finding;

use std::path::Path;

use serde::Serialize;

pub use finding::Finding;

use crate::anchor::{self, Anchor, Reached};
use crate::chain::Head;
use crate::error::AuditError;
use crate::key::PublicKey;
use crate::open::is_written;
use finding::Findings;

/// What a log is compared with, beside itself.
#[derive(Debug, Clone, Default)]
pub struct Trust<'a> {
    /// The folder of its checkpoints.
    pub checkpoints: Option<&'a Path>,
    /// Keys that checkpoints may be signed by; none leaves signatures unlooked at.
    pub keys: &'a [PublicKey],
    /// A record's number and hash, as noted earlier.
    pub noted: Option<(u64, &'a str)>,
    /// What a third place remembers.
    pub anchors: Option<Anchors<'a>>,
}

/// What a third place remembers of logs.
#[derive(Debug, Clone, Copy)]
pub struct Anchors<'a> {
    /// Where the log is written: a machine and a folder.
    pub place: &'a str,
    /// Those of all logs, the newest of each.
    pub known: &'a [Anchor],
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verification {
    /// Whether nothing is wrong.
    pub intact: bool,
    /// The log's own name.
    pub log: Option<String>,
    /// Segments that are there.
    pub segments: u64,
    /// Records that were read.
    pub records: u64,
    /// The first record's number.
    pub first: Option<u64>,
    /// The last record's number.
    pub last: Option<u64>,
    /// The last record's hash.
    pub head: Option<String>,
    /// Checkpoints that were read.
    pub checkpoints: u64,
    /// Whether their signatures were looked at.
    pub signatures: bool,
    /// The record that a third place remembers, if it was asked.
    pub anchored: Option<u64>,
    /// Records after the last checkpoint, whose cutting nobody would see.
    pub uncovered: Option<u64>,
    /// What is wrong, at most a hundred things.
    pub findings: Vec<Finding>,
    /// How many things are wrong.
    pub wrong: u64,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
}

/// Reads a whole log and its checkpoints, and says all that does not hold together.
///
/// # Errors
/// When a file cannot be read, or there is no log; never for what is wrong with it.
pub fn verify(folder: &Path, trust: &Trust<'_>) -> Result<Verification, AuditError> {
    let mut findings = Findings::default();
    // Before the log: a writer may add to both meanwhile, and the log has to be the longer one.
    let live = is_written(folder);
    let statements = match trust.checkpoints {
        Some(place) => checkpoints::read(place, trust.keys, live, &mut findings)?,
        None => checkpoints::Read::default(),
    };
    let mut wanted: Vec<u64> = statements.list.iter().map(|s| s.sequence).collect();
    wanted.extend(trust.noted.map(|(sequence, _)| sequence));
    let known = trust.anchors.map_or(&[][..], |a| a.known);
    wanted.extend(known.iter().map(|a| a.sequence));
    let walked = chain::walk(folder, &wanted, live, &mut findings)?;
    checkpoints::compare(&statements, &walked, &mut findings);
    if let Some((sequence, hash)) = trust.noted
        && Head::parse(hash).as_ref() != walked.heads.get(&sequence)
    {
        let problem = match walked.heads.contains_key(&sequence) {
            true => format!("record {sequence} has a different hash than in --head"),
            false => format!("record {sequence}, named by --head, is missing"),
        };
        findings.of_the_log(problem);
    }
    let anchored = anchored(trust, &statements, &walked, &mut findings);
    let covered = statements.list.last().map_or(0, |s| s.sequence);
    let last = walked.last;
    Ok(Verification {
        intact: findings.wrong == 0,
        log: walked.log,
        segments: walked.segments,
        records: walked.records,
        first: walked.first,
        last,
        head: walked.head.map(|h| h.to_string()),
        checkpoints: statements.list.len() as u64,
        signatures: trust.checkpoints.is_some() && !trust.keys.is_empty(),
        anchored,
        uncovered: trust
            .checkpoints
            .and(last)
            .map(|last| last.saturating_sub(covered)),
        findings: findings.list,
        wrong: findings.wrong,
        notes: findings.notes,
    })
}

/// The record that a third place remembers, which has to be there.
fn anchored(
    trust: &Trust<'_>,
    statements: &checkpoints::Read,
    walked: &chain::Walked,
    findings: &mut Findings,
) -> Option<u64> {
    let Some(anchors) = trust.anchors else {
        findings.note(
            "without the catalog, a log and checkpoints that were truncated together cannot be \
            detected; use --config",
        );
        return None;
    };
    let log = walked.log.as_deref();
    let Some(anchor) = anchor::of(log, anchors.place, anchors.known) else {
        findings.note("the catalog does not know this log, nor any other in this folder");
        return None;
    };
    let last = statements.list.last().map_or(0, |s| s.checkpoint);
    let reached = Reached {
        log,
        last: walked.last.unwrap_or(0),
        checkpoint: trust.checkpoints.map(|_| last),
        head: walked.heads.get(&anchor.sequence).copied(),
    };
    if let Some(problem) = anchor::behind(&reached, anchor) {
        findings.of_the_log(problem);
    }
    Some(anchor.sequence)
}
