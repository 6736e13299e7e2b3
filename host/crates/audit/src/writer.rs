//! The one writer of a log: records become lines, lines are synced, segments rotate, checkpoints
//! are made.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::action::{Action, Outcome};
use crate::anchor::{self, Anchor, Anchorage, Restored};
use crate::chain::Head;
use crate::checkpoint::{Checkpointer, Stand, Statement};
use crate::error::AuditError;
use crate::event::{Event, short};
use crate::lines::Mend;
use crate::open::{Standing, lock, standing};
use crate::options::Options;
use crate::pace::Due;
use crate::record::{Own, Place, Receipt, encode};
use crate::retention;
use crate::segment::{Begin, Family, append, create, folder, sync_folder};
use crate::time::Time;

/// How often a log that nobody writes to looks for segments to retire.
const RETIRE_EVERY: Duration = Duration::from_secs(3600);

pub(crate) struct Writer {
    folder: PathBuf,
    segment_size: u64,
    segment_age: Duration,
    keep_for: Option<Duration>,
    _lock: File,
    log: String,
    begins: Vec<Begin>,
    file: File,
    path: PathBuf,
    /// Bytes of the segment, those in `buffer` too.
    size: u64,
    sequence: u64,
    head: Head,
    time: Time,
    /// Lines that are not written yet.
    buffer: Vec<u8>,
    checkpointer: Option<Checkpointer>,
    anchorage: Option<Anchorage>,
    /// The next checkpoint and anchor; none if nobody is told of either.
    due: Option<Due>,
    restored: Option<Anchor>,
    retired: Instant,
    syncs: u64,
}

/// Of a log that begins now.
fn beginning() -> Result<Standing, AuditError> {
    Ok(Standing {
        log: random_name()?,
        begins: Vec::new(),
        sequence: 0,
        head: Head::BEGINNING,
        time: Time::default(),
        size: 0,
    })
}

impl Writer {
    pub(crate) fn open(options: Options) -> Result<Writer, AuditError> {
        if options.keep_for.is_some() && options.checkpoints.is_none() {
            return Err(AuditError::Options(
                "an audit log with `keep-for` needs checkpoints, since only they can tell expiry \
                from deletion",
            ));
        }
        folder(&options.folder)?;
        let lock = lock(&options.folder)?;
        let pace = options.checkpoints.as_ref().map(|c| c.pace);
        let told = pace.is_some() || options.anchorage.is_some();
        let due = told.then(|| Due::new(pace.unwrap_or_default()));
        let (checkpointer, last) = match options.checkpoints {
            Some(c) => {
                let (checkpointer, last) = Checkpointer::open(c.folder, c.key)?;
                (Some(checkpointer), last)
            }
            None => (None, None),
        };
        let anchorage = options.anchorage;
        let (found, torn) = standing(&options.folder, last.as_ref(), Mend::Yes)?;
        let restored = match &anchorage {
            None => None,
            Some(anchorage) => {
                let checkpoints = checkpointer.as_ref().map(|_| last.as_ref());
                restored(&options.folder, found.as_ref(), checkpoints, anchorage)?
            }
        };
        let fresh = found.is_none();
        let standing = match found {
            Some(standing) => standing,
            None => beginning()?,
        };
        let segment = standing.begins.last().map_or(1, |b| b.segment);
        let path = Family::Segments.path(&options.folder, segment);
        let file = if fresh { create(&path) } else { append(&path) };
        let file = file.map_err(AuditError::file("open", &path))?;
        let mut writer = Writer {
            folder: options.folder,
            segment_size: options.segment_size,
            segment_age: options.segment_age,
            keep_for: options.keep_for,
            _lock: lock,
            log: standing.log,
            begins: standing.begins,
            file,
            path,
            size: standing.size,
            sequence: standing.sequence,
            head: standing.head,
            time: standing.time,
            buffer: Vec::new(),
            checkpointer,
            anchorage,
            due,
            restored: restored.as_ref().map(|(anchor, _)| anchor.clone()),
            retired: Instant::now(),
            syncs: 0,
        };
        if fresh {
            writer.begin_segment(segment)?;
            sync_folder(&writer.folder)?;
        }
        writer.say_opened(torn, restored)?;
        // A crash may have come between the statement of a new beginning and the deletion.
        if let Some(last) = last {
            let old = writer.forget_before(last.begin.0);
            writer.delete(&old, last.begin.0)?;
        }
        writer.checkpoint()?;
        writer.retire()?;
        Ok(writer)
    }

    /// Records that the log was opened, and what was found and restored.
    fn say_opened(
        &mut self,
        torn: Option<[String; 2]>,
        restored: Option<(Anchor, Restored)>,
    ) -> Result<(), AuditError> {
        let mut opened = self.own(Action::LogOpened);
        opened.torn = torn;
        self.push(&opened)?;
        if let Some((anchor, said)) = restored {
            let mut own = self.own(Action::LogRestored);
            own.event = own.event.user_id(&said.user);
            own.because = Some(short(&said.because));
            own.anchored = Some([anchor.log, anchor.sequence.to_string(), anchor.head]);
            self.push(&own)?;
        }
        self.flush()
    }

    /// Records all of them with one sync, or as many as there are segments. An error is of the
    /// disk and ends the log; a result in the list is of that event alone.
    pub(crate) fn commit(
        &mut self,
        events: impl Iterator<Item = Event>,
    ) -> Result<Vec<Result<Receipt, AuditError>>, AuditError> {
        if self.full() {
            self.rotate()?;
        }
        let mut receipts = Vec::new();
        for event in events {
            if self.size >= self.segment_size {
                self.rotate()?;
            }
            let pushed = self.push(&event);
            receipts.push(pushed.map(|sequence| Receipt { sequence }));
        }
        self.flush()?;
        self.tend()?;
        Ok(receipts)
    }

    /// The anchor that the log was behind, and was said to be restored.
    pub(crate) fn restored(&self) -> Option<&Anchor> {
        self.restored.as_ref()
    }

    /// What is due by time.
    pub(crate) fn tend(&mut self) -> Result<(), AuditError> {
        if self.due.as_ref().is_some_and(Due::now) {
            self.checkpoint()?;
        }
        if self.retired.elapsed() >= RETIRE_EVERY {
            self.retire()?;
        }
        Ok(())
    }

    /// How long the writer may sleep.
    pub(crate) fn wait(&self) -> Duration {
        let checkpoint = self.due.as_ref().and_then(Due::wait);
        checkpoint.unwrap_or(RETIRE_EVERY).min(RETIRE_EVERY)
    }

    /// The last checkpoint.
    pub(crate) fn close(&mut self) -> Result<(), AuditError> {
        self.flush()?;
        match self.due.as_ref().and_then(Due::wait) {
            Some(_) => self.checkpoint(),
            None => Ok(()),
        }
    }

    /// The last record: its number and hash.
    pub(crate) fn head(&self) -> (u64, String) {
        (self.sequence, self.head.to_string())
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs
    }

    fn full(&self) -> bool {
        let old = |b: &Begin| b.time.until(Time::now()) >= self.segment_age;
        self.size >= self.segment_size || self.begins.last().is_some_and(old)
    }

    fn segment(&self) -> u64 {
        self.begins.last().map_or(1, |b| b.segment)
    }

    fn push(&mut self, event: &impl Serialize) -> Result<u64, AuditError> {
        let clock = Time::now();
        let place = Place {
            sequence: self.sequence + 1,
            // Time never goes back, whatever the clock does.
            time: clock.max(self.time),
            clock,
            previous: self.head,
        };
        let (line, head) = encode(event, place)?;
        self.buffer.extend_from_slice(&line);
        self.size += line.len() as u64;
        (self.sequence, self.time, self.head) = (place.sequence, place.time, head);
        if let Some(due) = &mut self.due {
            due.counted(1);
        }
        Ok(self.sequence)
    }

    fn flush(&mut self) -> Result<(), AuditError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.file
            .write_all(&self.buffer)
            .map_err(AuditError::file("write", &self.path))?;
        self.file
            .sync_data()
            .map_err(AuditError::sync(&self.path))?;
        self.buffer.clear();
        self.syncs += 1;
        Ok(())
    }

    fn own(&self, action: Action) -> Own {
        let mut own = Own::new(Event::new(action, Outcome::Success), &self.log);
        own.checkpoint = self.checkpointer.as_ref().map(|n| n.number().to_string());
        own
    }

    /// Writes a segment's first record, which carries the hash of the last one before it.
    fn begin_segment(&mut self, number: u64) -> Result<(), AuditError> {
        let previous = self.head;
        let mut own = self.own(Action::SegmentOpened);
        own.segment = Some(number.to_string());
        own.previous = Some(previous.to_string());
        let sequence = self.push(&own)?;
        self.flush()?;
        self.begins.push(Begin {
            segment: number,
            sequence,
            previous,
            time: self.time,
        });
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), AuditError> {
        self.flush()?;
        let number = self.segment() + 1;
        self.path = Family::Segments.path(&self.folder, number);
        self.file = create(&self.path).map_err(AuditError::file("create", &self.path))?;
        self.size = 0;
        self.begin_segment(number)?;
        sync_folder(&self.folder)?;
        self.retire()
    }

    fn checkpoint(&mut self) -> Result<(), AuditError> {
        let Some(begin) = self.begins.first().copied() else {
            return Ok(());
        };
        let (segment, sequence, head) = (self.segment(), self.sequence, self.head);
        if let Some(checkpointer) = &mut self.checkpointer {
            checkpointer.sign(&Stand {
                log: &self.log,
                segment,
                sequence,
                head,
                begin: &begin,
                time: self.time,
            })?;
        }
        // Behind what is on disk at any moment: a crash here leaves a log that is ahead of it.
        if let Some(anchorage) = &self.anchorage {
            anchorage.tell(Anchor {
                log: self.log.clone(),
                place: anchorage.place.clone(),
                checkpoint: self.checkpointer.as_ref().map_or(0, Checkpointer::number),
                sequence,
                head: head.to_string(),
            });
        }
        if let Some(due) = &mut self.due {
            due.done();
        }
        Ok(())
    }

    /// Deletes segments that are old enough, after the log and a checkpoint say with which it
    /// begins from now on.
    fn retire(&mut self) -> Result<(), AuditError> {
        self.retired = Instant::now();
        let Some(keep_for) = self.keep_for else {
            return Ok(());
        };
        let Some(begin) = retention::beginning(&self.begins, keep_for, Time::now()) else {
            return Ok(());
        };
        let mut own = self.own(Action::SegmentsRetired);
        own.begin = Some(begin.words());
        self.push(&own)?;
        self.flush()?;
        let old = self.forget_before(begin.segment);
        self.checkpoint()?;
        self.delete(&old, begin.segment)
    }

    fn forget_before(&mut self, segment: u64) -> Vec<u64> {
        let old = self.begins.iter().map(|b| b.segment);
        let old = old.filter(|s| *s < segment).collect();
        self.begins.retain(|b| b.segment >= segment);
        old
    }

    fn delete(&self, old: &[u64], begin: u64) -> Result<(), AuditError> {
        if old.is_empty() {
            return Ok(());
        }
        for number in old {
            let path = Family::Segments.path(&self.folder, *number);
            std::fs::remove_file(&path).map_err(AuditError::file("delete", &path))?;
        }
        sync_folder(&self.folder)?;
        match &self.checkpointer {
            Some(checkpointer) => checkpointer.retire(begin),
            None => Ok(()),
        }
    }
}

/// Whether the log is as far as its anchor: else it is refused, or was said to be restored, and
/// then by which anchor it is behind, and what was said.
fn restored(
    folder: &Path,
    found: Option<&Standing>,
    checkpoints: Option<Option<&Statement>>,
    anchorage: &Anchorage,
) -> Result<Option<(Anchor, Restored)>, AuditError> {
    let shown = || folder.display().to_string();
    let behind = anchor::check(folder, found, checkpoints, anchorage)?;
    match (behind, &anchorage.restored) {
        (None, None) => Ok(None),
        (Some((anchor, _)), Some(said)) => Ok(Some((anchor.clone(), said.clone()))),
        (Some((_, problem)), None) => Err(AuditError::Behind {
            folder: shown(),
            problem,
        }),
        (None, Some(_)) => Err(AuditError::NotBehind { folder: shown() }),
    }
}

fn random_name() -> Result<String, AuditError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| {
        AuditError::Options(
            "the operating system provides no randomness for the \
                                         log's name",
        )
    })?;
    Ok(glovebox_core::hex(bytes))
}
