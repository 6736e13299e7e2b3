//! Reads what is added to a log, as it is added. It does not check the chain; `verify` does.

use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::error::AuditError;
use crate::lines::Lines;
use crate::record::MAX_LINE_LEN;
use crate::segment::{self, Family};

/// A place in a log, behind which records are yet to be read.
#[derive(Debug, Clone)]
pub struct Tail {
    folder: PathBuf,
    segment: u64,
    offset: u64,
}

impl Tail {
    /// Behind what is there; of a log that does not exist yet, its beginning.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn at_end(folder: &Path) -> Result<Self, AuditError> {
        let mut tail = Tail {
            folder: folder.to_owned(),
            segment: 0,
            offset: 0,
        };
        tail.read(&mut |_| ())?;
        Ok(tail)
    }

    /// Calls `each` with every line that was added, without its end.
    ///
    /// # Errors
    /// When a file cannot be read; what was read before is not read again.
    pub fn read(&mut self, each: &mut dyn FnMut(&[u8])) -> Result<(), AuditError> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        let (numbers, _) = Family::Segments.list(&self.folder)?;
        let from = self.segment;
        for number in numbers.into_iter().filter(|n| *n >= from) {
            if number > self.segment {
                (self.segment, self.offset) = (number, 0);
            }
            let path = Family::Segments.path(&self.folder, number);
            let failed = AuditError::file("read", &path);
            let mut file = segment::read(&path)?;
            if let Err(error) = file.seek(SeekFrom::Start(self.offset)) {
                return Err(failed(error));
            }
            let begin = self.offset;
            let mut lines = Lines::new(BufReader::new(file), MAX_LINE_LEN);
            while let Some(line) = lines.next().map_err(AuditError::file("read", &path))? {
                if !line.whole {
                    break;
                }
                each(&line.bytes);
                self.offset = begin + lines.offset();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Action, Event, Log, Options, Outcome};

    #[tokio::test]
    async fn what_is_added_is_read_once_over_segments_too() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("audit");
        let mut early = Tail::at_end(&place).unwrap();
        let open = || {
            let mut options = Options::new(place.clone());
            options.segment_size = 4096;
            Log::open(options).unwrap()
        };
        let log = open();
        let read = |tail: &mut Tail| {
            let mut logins = 0;
            let mut each = |line: &[u8]| {
                let record: serde_json::Value = serde_json::from_slice(line).unwrap();
                logins += u32::from(record["event.action"] == "login");
            };
            tail.read(&mut each).unwrap();
            logins
        };
        let login = || Event::new(Action::Login, Outcome::Success);
        for _ in 0..5 {
            log.record(login()).await.unwrap();
        }
        assert_eq!((read(&mut early), read(&mut early)), (5, 0));
        let mut late = Tail::at_end(&place).unwrap();
        for _ in 0..40 {
            log.record(login()).await.unwrap();
        }
        log.close().unwrap();
        assert!(Family::Segments.list(&place).unwrap().0.len() > 2);
        assert_eq!((read(&mut early), read(&mut late)), (40, 40));
        let log = open();
        log.record(login()).await.unwrap();
        assert_eq!((read(&mut early), read(&mut late)), (1, 1));
    }
}
