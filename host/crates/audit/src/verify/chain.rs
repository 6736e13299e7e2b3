//! The walk along the chain: every line of every segment, against the one before.
//! After a wrong line it continues from what that line claims, so that one edit is one finding.

use std::collections::{BTreeSet, HashMap};
use std::io::BufReader;
use std::path::Path;

use super::finding::Findings;
use crate::action::Action;
use crate::chain::Head;
use crate::error::AuditError;
use crate::lines::{Line, Lines};
use crate::record::{MAX_LINE_LEN, Seen, split};
use crate::segment::{self, Family};
use crate::time::Time;

/// What a walk has seen.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub(super) log: Option<String>,
    pub(super) segments: u64,
    pub(super) records: u64,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) head: Option<Head>,
    /// The hashes of the records that were asked for.
    pub(super) heads: HashMap<u64, Head>,
    /// For each segment that is there: its first record's sequence, and the hash before it.
    pub(super) begins: HashMap<u64, (u64, Head)>,
    pub(super) lowest_segment: Option<u64>,
    /// With what the log begins, by its last record that says so.
    pub(super) begin: Option<(u64, u64, String)>,
    /// The highest checkpoint that a record names, and that record.
    pub(super) noted: Option<(u64, u64)>,
    time: Option<Time>,
    /// Whether `head` and `last` are what the next line follows.
    lost: bool,
}

pub(super) fn walk(
    folder: &Path,
    wanted: &[u64],
    live: bool,
    findings: &mut Findings,
) -> Result<Walked, AuditError> {
    let (numbers, strange) = Family::Segments.list(folder)?;
    for name in strange {
        findings.of_a_file(&name, "is not the name of a segment");
    }
    let wanted: BTreeSet<u64> = wanted.iter().copied().collect();
    let mut walked = Walked {
        lowest_segment: numbers.first().copied(),
        ..Walked::default()
    };
    let last = numbers.last().copied();
    if last.is_none() {
        findings.of_the_log("there is no log segment");
    }
    let mut before: Option<u64> = None;
    for number in numbers {
        if let Some(before) = before
            && before + 1 != number
        {
            let missing = match number - before {
                2 => format!("segment {} is missing", before + 1),
                _ => format!("segments {} to {} are missing", before + 1, number - 1),
            };
            findings.of_the_log(missing);
        }
        before = Some(number);
        let end = Ending {
            last: last == Some(number),
            live,
        };
        walked.segment(folder, number, end, &wanted, findings)?;
    }
    walked.beginning(findings);
    Ok(walked)
}

#[derive(Clone, Copy)]
struct Ending {
    last: bool,
    live: bool,
}

impl Walked {
    fn segment(
        &mut self,
        folder: &Path,
        number: u64,
        end: Ending,
        wanted: &BTreeSet<u64>,
        findings: &mut Findings,
    ) -> Result<(), AuditError> {
        self.segments += 1;
        let name = Family::Segments.name(number);
        let path = Family::Segments.path(folder, number);
        let file = segment::read(&path)?;
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, file), MAX_LINE_LEN);
        let mut any = false;
        while let Some(line) = lines.next().map_err(AuditError::file("read", &path))? {
            if !line.whole {
                if end.last && end.live {
                    findings.note(format!(
                        "{name}, line {}: is being written now",
                        line.number
                    ));
                } else {
                    findings.of_a_line(
                        &name,
                        line.number,
                        "is incomplete: edited, or interrupted by a crash (the next start then \
                        sets it aside)",
                    );
                    self.lost = true;
                }
                any = true;
                continue;
            }
            any = true;
            match read(&line) {
                Some((body, head, seen, time)) => {
                    self.record(&name, &line, (body, head, &seen, time), findings);
                    if line.number == 1 {
                        self.header(&name, number, &seen, findings);
                    } else if seen.action == Action::SegmentOpened.as_str() {
                        findings.of_a_line(
                            &name,
                            line.number,
                            "begins a segment in the middle of another",
                        );
                    }
                    if seen.action == Action::LogRestored.as_str() {
                        findings.note(format!(
                            "{name}, line {}: the log was declared restored from a backup here; \
                            records after that point are gone",
                            line.number
                        ));
                    }
                    if wanted.contains(&seen.sequence) {
                        self.heads.insert(seen.sequence, head);
                    }
                }
                None => {
                    let problem = match (line.overlong, line.bytes.is_empty()) {
                        (true, _) => "is longer than any record",
                        (_, true) => "is empty",
                        _ => "is not a record: edited or inserted",
                    };
                    findings.of_a_line(&name, line.number, problem);
                    self.lost = true;
                }
            }
        }
        let may_be_new = end.last && end.live;
        if !any && !may_be_new {
            findings.of_a_file(&name, "is empty");
        }
        Ok(())
    }

    /// A line against the one before.
    fn record(
        &mut self,
        name: &str,
        line: &Line,
        (body, head, seen, time): (&[u8], Head, &Seen, Time),
        findings: &mut Findings,
    ) {
        self.records += 1;
        self.first = self.first.or(Some(seen.sequence));
        let claimed = seen.previous.as_deref().and_then(Head::parse);
        let follows = |previous: &Head| previous.follow(body) == head;
        let fits = match (self.head, claimed) {
            // The first line that is there is held by what it says of the one before; whether
            // that is right is asked when the beginning is known.
            (None, Some(claimed)) => follows(&claimed),
            (None, None) => false,
            (Some(previous), _) if follows(&previous) => true,
            // What came before cannot be read.
            (Some(_), Some(claimed)) if self.lost => follows(&claimed),
            (Some(_), None) if self.lost => true,
            _ => false,
        };
        let expected = self.last.map_or(seen.sequence, |last| last + 1);
        let problem = if self.lost || seen.sequence == expected {
            (!fits).then(|| {
                "does not match its hash: it was edited, or an earlier record was".to_owned()
            })
        } else if seen.sequence > expected {
            Some(match seen.sequence - expected {
                1 => format!("record {expected} is missing before it"),
                _ => format!(
                    "records {expected} to {} are missing before it",
                    seen.sequence - 1
                ),
            })
        } else {
            Some(format!(
                "is record {} where {expected} is expected: inserted, repeated or moved",
                seen.sequence
            ))
        };
        if let Some(problem) = problem {
            findings.of_a_line(name, line.number, problem);
        } else if self.time.is_some_and(|before| time < before) {
            findings.of_a_line(name, line.number, "is earlier than the record before it");
        }
        self.lost = false;
        self.time = Some(time);
        self.last = Some(seen.sequence);
        self.head = Some(head);
        let checkpoint = seen.checkpoint.as_deref().and_then(|n| n.parse().ok());
        if let Some(checkpoint) = checkpoint
            && self.noted.is_none_or(|(noted, _)| checkpoint > noted)
        {
            self.noted = Some((checkpoint, seen.sequence));
        }
        if seen.action == Action::SegmentsRetired.as_str()
            && let Some([segment, sequence, head]) = &seen.begin
            && let (Ok(segment), Ok(sequence)) = (segment.parse(), sequence.parse())
        {
            self.begin = Some((segment, sequence, head.clone()));
        }
    }

    /// A segment's first line against the file's name and the log's.
    fn header(&mut self, name: &str, number: u64, seen: &Seen, findings: &mut Findings) {
        let previous = seen.previous.as_deref().and_then(Head::parse);
        let (Some(previous), Some(log)) = (previous, &seen.log) else {
            findings.of_a_line(name, 1, "does not begin a segment");
            return;
        };
        if seen.segment.as_deref() != Some(number.to_string().as_str()) {
            findings.of_a_line(
                name,
                1,
                "begins a different segment than the file's name says",
            );
        }
        match &self.log {
            None => self.log = Some(log.clone()),
            Some(known) if known != log => {
                findings.of_a_line(name, 1, "begins a segment of another log");
            }
            Some(_) => {}
        }
        self.begins.insert(number, (seen.sequence, previous));
    }

    /// Whether the log begins where it should, by its own records.
    fn beginning(&self, findings: &mut Findings) {
        let first = (1, 1, Head::BEGINNING.to_string());
        let begin = self.begin.as_ref().unwrap_or(&first);
        self.begins_with(begin, "by its own records", findings);
    }

    /// Whether nothing after that beginning is gone.
    pub(super) fn begins_with(
        &self,
        (segment, sequence, previous): &(u64, u64, String),
        by: &str,
        findings: &mut Findings,
    ) {
        let Some(lowest) = self.lowest_segment else {
            return;
        };
        if lowest > *segment {
            findings.of_the_log(format!(
                "{by} the log begins with segment {segment}, but the first one in the folder is \
                {lowest}"
            ));
        } else if let Some((found, head)) = self.begins.get(segment)
            && (found != sequence || head.to_string() != *previous)
        {
            findings.of_the_log(format!(
                "{by} segment {segment} begins with record {sequence}, but follows a different \
                record"
            ));
        }
    }
}

fn read(line: &Line) -> Option<(&[u8], Head, Seen, Time)> {
    if line.overlong {
        return None;
    }
    let (body, head) = split(&line.bytes)?;
    let (seen, time) = Seen::read(body)?;
    Some((body, head, seen, time))
}
