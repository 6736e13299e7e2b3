//! Checkpoints against their signatures, against each other, and against the log.
//! Only they can reveal a truncated tail and a rewritten chain.

use std::io::BufReader;
use std::path::Path;

use super::chain::Walked;
use super::finding::Findings;
use crate::chain::Head;
use crate::checkpoint::{MAX_LINE, Signed, Statement};
use crate::error::AuditError;
use crate::key::PublicKey;
use crate::lines::Lines;
use crate::segment::{self, Family};
use crate::time::Time;

#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) list: Vec<Statement>,
    asked: bool,
}

pub(super) fn read(
    place: &Path,
    keys: &[PublicKey],
    live: bool,
    findings: &mut Findings,
) -> Result<Read, AuditError> {
    let (numbers, strange) = Family::Checkpoints.list(place)?;
    for name in strange {
        findings.of_a_file(&name, "is not the name of a checkpoint file");
    }
    if numbers.is_empty() {
        findings.of_the_log("there are no checkpoints in the given folder");
    }
    let mut list: Vec<Statement> = Vec::new();
    let mut before: Option<Head> = None;
    for (index, number) in numbers.iter().enumerate() {
        let name = Family::Checkpoints.name(*number);
        let path = Family::Checkpoints.path(place, *number);
        let file = segment::read(&path)?;
        let mut lines = Lines::new(BufReader::new(file), MAX_LINE);
        while let Some(line) = lines.next().map_err(AuditError::file("read", &path))? {
            if !line.whole && live && index + 1 == numbers.len() {
                findings.note(format!(
                    "{name}, line {}: is being written now",
                    line.number
                ));
                continue;
            }
            let signed = match Signed::read(&line.bytes) {
                Some(signed) if line.whole && !line.overlong => signed,
                _ => {
                    findings.of_a_line(
                        &name,
                        line.number,
                        "is not a checkpoint: edited, or left incomplete by a crash (the next \
                        start then removes it)",
                    );
                    before = None;
                    continue;
                }
            };
            if !keys.is_empty() && !keys.iter().any(|key| signed.is_by(key)) {
                findings.of_a_line(
                    &name,
                    line.number,
                    "is not signed by a given key: edited, or made by someone else",
                );
            }
            let statement = signed.statement;
            if let Some(problem) = follows(&statement, *number, list.last(), before) {
                findings.of_a_line(&name, line.number, problem);
            }
            before = Some(Head::of(&line.bytes));
            list.push(statement);
        }
    }
    if keys.is_empty() {
        findings.note(
            "no public key was given, so the checkpoints' signatures were not checked; use \
            --public-key",
        );
    }
    Ok(Read { list, asked: true })
}

/// What is wrong with a checkpoint after that one.
fn follows(
    statement: &Statement,
    file: u64,
    last: Option<&Statement>,
    before: Option<Head>,
) -> Option<String> {
    if statement.segment != file {
        return Some("belongs to a different segment than the file's name says".into());
    }
    if Time::parse(&statement.time).is_none() || Head::parse(&statement.head).is_none() {
        return Some("has an invalid time or hash".into());
    }
    let Some(last) = last else {
        let first = statement.checkpoint == 1;
        return (first && Head::parse(&statement.previous) != Some(Head::BEGINNING))
            .then(|| "is the first checkpoint but names an earlier one".into());
    };
    if statement.checkpoint != last.checkpoint + 1 {
        return Some(format!(
            "is checkpoint {} where {} is expected: others were removed, added or moved",
            statement.checkpoint,
            last.checkpoint + 1
        ));
    }
    if before.is_some_and(|before| Head::parse(&statement.previous) != Some(before)) {
        return Some("does not match the previous checkpoint, which was edited".into());
    }
    if statement.log != last.log {
        return Some("belongs to another log than the previous checkpoint".into());
    }
    (statement.sequence < last.sequence || statement.time < last.time)
        .then(|| "goes back before the previous checkpoint".into())
}

pub(super) fn compare(read: &Read, walked: &Walked, findings: &mut Findings) {
    if !read.asked {
        findings.note(
            "without checkpoints, a truncated tail or a rewritten chain cannot be detected; use \
            --checkpoints",
        );
        return;
    }
    let Some(last) = read.list.last() else {
        return;
    };
    if walked.log.as_ref().is_some_and(|log| *log != last.log) {
        findings.of_the_log("the checkpoints belong to another log");
        return;
    }
    walked.begins_with(&last.begin, "by its last checkpoint", findings);
    if let Some((noted, record)) = walked.noted
        && noted > last.checkpoint
    {
        findings.of_the_log(format!(
            "record {record} names checkpoint {noted}, but the last one in the folder is {}",
            last.checkpoint
        ));
    }
    let end = walked.last.unwrap_or(0);
    if last.sequence > end {
        findings.of_the_log(format!(
            "the log ends with record {end}, but checkpoint {} names record {}: its tail was \
            truncated",
            last.checkpoint, last.sequence
        ));
    }
    let first = walked.first.unwrap_or(u64::MAX);
    let within = |s: &&Statement| s.sequence >= first && s.sequence <= end;
    for statement in read.list.iter().filter(within) {
        match walked.heads.get(&statement.sequence) {
            Some(head) if head.to_string() == statement.head => {}
            Some(_) => findings.of_the_log(format!(
                "record {} is not the one that checkpoint {} names: the log was rewritten at or before it",
                statement.sequence, statement.checkpoint
            )),
            None => findings.of_the_log(format!(
                "record {}, which checkpoint {} names, is missing",
                statement.sequence, statement.checkpoint
            )),
        }
    }
}
