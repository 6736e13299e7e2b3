//! Opens a log: whether this process may write it, where its chain ends, and what a crash left
//! incomplete. Recovery: bytes after the last complete line were never confirmed, and are set
//! aside. A log that is inconsistent, or behind its checkpoints, is refused: continuing it would
//! bury the evidence.

use std::fs::{self, File, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::chain::Head;
use crate::checkpoint::Statement;
use crate::error::AuditError;
use crate::lines::{Line, Lines, Mend};
use crate::record::{MAX_LINE_LEN, Seen, split};
use crate::segment::{self, Begin, Family, private, sync_folder};
use crate::time::Time;

/// How long another holder of the lock, such as a verifier that looks whether there is a writer,
/// is waited for.
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// Where a log stands.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) log: String,
    pub(crate) begins: Vec<Begin>,
    pub(crate) sequence: u64,
    pub(crate) head: Head,
    pub(crate) time: Time,
    /// Bytes of the last segment.
    pub(crate) size: u64,
}

/// A torn end: its length, and the SHA-256 of what was set aside.
pub(crate) type Torn = [String; 2];

/// The folder's lock, held as long as the file is open.
pub(crate) fn lock(folder: &Path) -> Result<File, AuditError> {
    let path = folder.join("lock");
    let file = private()
        .append(true)
        .create(true)
        .open(&path)
        .map_err(AuditError::file("open", &path))?;
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(AuditError::Locked {
                    folder: folder.display().to_string(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(AuditError::file("lock", &path)(e)),
        }
    }
}

/// Whether somebody writes this log now.
pub(crate) fn is_written(folder: &Path) -> bool {
    File::open(folder.join("lock"))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Where the log in a folder stands, after its torn end was set aside; none if there is none yet.
pub(crate) fn standing(
    folder: &Path,
    last: Option<&Statement>,
    mend: Mend,
) -> Result<(Option<Standing>, Option<Torn>), AuditError> {
    let mut numbers = match mend == Mend::Yes || folder.exists() {
        true => Family::Segments.list(folder)?.0,
        false => Vec::new(),
    };
    let mut torn = None;
    loop {
        let Some(number) = numbers.last().copied() else {
            if let Some(last) = last {
                return Err(broken(
                    folder.display(),
                    format!(
                        "there is no log, but checkpoint {} names its record {}",
                        last.checkpoint, last.sequence
                    ),
                ));
            }
            return Ok((None, torn));
        };
        let path = Family::Segments.path(folder, number);
        let end = read_end(&path, number, last)?;
        if let Some(offset) = end.torn_at
            && mend == Mend::Yes
        {
            torn = Some(set_aside(folder, &path, number, offset)?);
        }
        let Some(tail) = end.tail else {
            // A crash came between a segment's name and its first record.
            if mend == Mend::Yes {
                fs::remove_file(&path).map_err(AuditError::file("delete", &path))?;
                sync_folder(folder)?;
            }
            numbers.pop();
            continue;
        };
        let mut begins = Vec::new();
        for earlier in numbers.iter().take(numbers.len() - 1) {
            begins.push(read_begin(
                &Family::Segments.path(folder, *earlier),
                *earlier,
            )?);
        }
        begins.push(tail.begin);
        let standing = Standing {
            log: tail.log.clone(),
            begins,
            sequence: tail.sequence,
            head: tail.head,
            time: tail.time,
            size: end.size,
        };
        check(folder, &standing, &tail, last)?;
        return Ok((Some(standing), torn));
    }
}

struct End {
    tail: Option<Tail>,
    torn_at: Option<u64>,
    size: u64,
}

/// The last whole record of a segment, and what was seen on the way to it.
struct Tail {
    log: String,
    begin: Begin,
    sequence: u64,
    head: Head,
    time: Time,
    /// The highest number of a checkpoint that a record names.
    noted: u64,
    /// The hash of the record that the last checkpoint names, if it is in this segment.
    named: Option<Head>,
}

fn read_end(path: &Path, number: u64, last: Option<&Statement>) -> Result<End, AuditError> {
    let file = segment::read(path)?;
    let mut lines = Lines::new(BufReader::new(file), MAX_LINE_LEN);
    let mut end = End {
        tail: None,
        torn_at: None,
        size: 0,
    };
    while let Some(line) = lines.next().map_err(AuditError::file("read", path))? {
        // A file system that lost power may give zeros for what was not synced yet; a record has
        // none.
        if !line.whole || memchr::memchr(0, &line.bytes).is_some() {
            end.torn_at = Some(line.offset);
            break;
        }
        end.size = line.offset + line.bytes.len() as u64 + 1;
        let (head, seen, time) = record(path, &line)?;
        let at = |problem: &str| broken_at(path, &line, problem);
        match &mut end.tail {
            None => end.tail = Some(begin(path, number, &line)?),
            Some(tail) => {
                let (body, _) = split(&line.bytes).ok_or_else(|| at("is not a record"))?;
                if tail.head.follow(body) != head || seen.sequence != tail.sequence + 1 {
                    return Err(at("does not continue the chain"));
                }
                (tail.head, tail.sequence, tail.time) = (head, seen.sequence, time);
            }
        }
        if let Some(tail) = &mut end.tail {
            let noted = seen.checkpoint.and_then(|n| n.parse().ok()).unwrap_or(0);
            tail.noted = tail.noted.max(noted);
            if last.is_some_and(|last| last.sequence == seen.sequence) {
                tail.named = Some(head);
            }
        }
    }
    Ok(end)
}

fn record(path: &Path, line: &Line) -> Result<(Head, Seen, Time), AuditError> {
    let read = split(&line.bytes).and_then(|(body, head)| {
        let (seen, time) = Seen::read(body)?;
        Some((head, seen, time))
    });
    read.ok_or_else(|| broken_at(path, line, "is not a record"))
}

/// A segment's first record.
fn begin(path: &Path, number: u64, line: &Line) -> Result<Tail, AuditError> {
    let at = |problem: &str| broken_at(path, line, problem);
    let (head, seen, time) = record(path, line)?;
    let (body, _) = split(&line.bytes).ok_or_else(|| at("is not a record"))?;
    let previous = seen.previous.as_deref().and_then(Head::parse);
    let (Some(previous), Some(log)) = (previous, seen.log) else {
        return Err(at("does not begin a segment"));
    };
    if seen.segment != Some(number.to_string()) {
        return Err(at("begins a different segment than the file's name says"));
    }
    if previous.follow(body) != head {
        return Err(at("does not match its hash"));
    }
    Ok(Tail {
        log,
        begin: Begin {
            segment: number,
            sequence: seen.sequence,
            previous,
            time,
        },
        sequence: seen.sequence,
        head,
        time,
        noted: 0,
        named: None,
    })
}

fn read_begin(path: &Path, number: u64) -> Result<Begin, AuditError> {
    let file = segment::read(path)?;
    let first = Lines::new(BufReader::new(file), MAX_LINE_LEN).next();
    match first.map_err(AuditError::file("read", path))? {
        Some(line) => begin(path, number, &line).map(|tail| tail.begin),
        None => Err(broken(path.display(), "is empty")),
    }
}

/// What a writer has to know before it goes on; the verifier looks at everything.
fn check(
    folder: &Path,
    standing: &Standing,
    tail: &Tail,
    last: Option<&Statement>,
) -> Result<(), AuditError> {
    let refuse = |problem: String| Err(broken(folder.display(), problem));
    for pair in standing.begins.windows(2) {
        if let [one, next] = pair
            && next.segment != one.segment + 1
        {
            return refuse(format!("segment {} is missing", one.segment + 1));
        }
    }
    let first = standing.begins.first().map_or(1, |b| b.segment);
    let Some(last) = last else {
        return Ok(());
    };
    if last.log != standing.log {
        return refuse("the checkpoints belong to another log".into());
    }
    if last.checkpoint < tail.noted {
        return refuse(format!(
            "a record names checkpoint {}, but the last one in the folder is {}",
            tail.noted, last.checkpoint
        ));
    }
    if last.sequence > standing.sequence {
        return refuse(format!(
            "the log ends with record {}, but checkpoint {} names record {}: its tail was \
            truncated",
            standing.sequence, last.checkpoint, last.sequence
        ));
    }
    let before = (last.sequence + 1 == tail.begin.sequence).then_some(tail.begin.previous);
    if let Some(head) = tail.named.or(before)
        && Some(head) != Head::parse(&last.head)
    {
        return refuse(format!(
            "record {} is not the one that checkpoint {} names: it was rewritten",
            last.sequence, last.checkpoint
        ));
    }
    if first > last.begin.0 {
        return refuse(format!("segment {} is missing", last.begin.0));
    }
    Ok(())
}

/// Moves what follows the last whole line into a file of its own.
fn set_aside(folder: &Path, path: &Path, number: u64, offset: u64) -> Result<Torn, AuditError> {
    let aside: PathBuf = folder.join(format!("torn-{number:010}-{offset}"));
    let mut file = private()
        .read(true)
        .write(true)
        .open(path)
        .map_err(AuditError::file("open", path))?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))
        .and_then(|_| file.read_to_end(&mut bytes))
        .map_err(AuditError::file("read", path))?;
    private()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&aside)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .map_err(AuditError::file("write", &aside))?;
    sync_folder(folder)?;
    file.set_len(offset)
        .and_then(|()| file.sync_all())
        .map_err(AuditError::file("cut", path))?;
    tracing::warn!(
        file = %aside.display(),
        bytes = bytes.len(),
        "an incomplete end of the audit log was set aside"
    );
    Ok([bytes.len().to_string(), Head::of(&bytes).to_string()])
}

fn broken(place: impl std::fmt::Display, problem: impl Into<String>) -> AuditError {
    AuditError::Broken {
        place: place.to_string(),
        problem: problem.into(),
    }
}

fn broken_at(path: &Path, line: &Line, problem: &str) -> AuditError {
    broken(format!("{}, line {}", path.display(), line.number), problem)
}
