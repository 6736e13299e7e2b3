//! A file's bytes by their places, also those of one that is encrypted as a whole.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Mutex, PoisonError};

use crate::age::{Decrypted, Identity};
use crate::input::{Regular, Seeking};

/// The bytes of a file.
pub(super) enum Places {
    Plain(Regular),
    /// An age file, of which 64 KiB at a time are opened, in memory only.
    Opened(Box<Mutex<Decrypted<BufReader<Seeking>>>>),
}

impl Places {
    /// The file's, opened by that key if there is one, and how many there are.
    pub(super) fn of(
        file: Regular,
        len: u64,
        around: Option<&Identity>,
    ) -> io::Result<(Self, u64)> {
        let Some(key) = around else {
            return Ok((Places::Plain(file), len));
        };
        let mut opened = key.decrypt(BufReader::new(Seeking::new(file, len)))?;
        let len = opened.seek(SeekFrom::End(0))?;
        Ok((Places::Opened(Box::new(Mutex::new(opened))), len))
    }

    pub(super) fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Places::Plain(file) => file.read_at(buf, at),
            Places::Opened(opened) => {
                let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
                opened.seek(SeekFrom::Start(at))?;
                opened.read(buf)
            }
        }
    }

    pub(super) fn read_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        match self {
            Places::Plain(file) => file.read_exact_at(buf, at),
            Places::Opened(opened) => {
                let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
                opened.seek(SeekFrom::Start(at))?;
                opened.read_exact(buf)
            }
        }
    }
}
