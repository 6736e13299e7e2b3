//! What is read by places: a regular file, or an object of a store.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use glovebox_core::Object;

/// A regular file or an object.
#[derive(Debug)]
pub(crate) enum Regular {
    File(File),
    Object(Arc<dyn Object>),
}

impl Regular {
    /// As many bytes as are there and fit.
    pub(crate) fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Regular::File(file) => file.read_at(buf, at),
            Regular::Object(object) => object.read_at(buf, at),
        }
    }

    /// So many bytes.
    pub(crate) fn read_exact_at(&self, mut buf: &mut [u8], mut at: u64) -> io::Result<()> {
        if let Regular::File(file) = self {
            return file.read_exact_at(buf, at);
        }
        while !buf.is_empty() {
            let read = self.read_at(buf, at)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            buf = buf.get_mut(read..).unwrap_or_default();
            at += read as u64;
        }
        Ok(())
    }
}

/// The same, one byte after the other from any place on.
#[cfg(feature = "parquet")]
#[derive(Debug)]
pub(crate) struct Seeking {
    of: Regular,
    len: u64,
    at: u64,
}

#[cfg(feature = "parquet")]
impl Seeking {
    /// From its beginning, of so many bytes.
    pub(crate) fn new(of: Regular, len: u64) -> Self {
        Seeking { of, len, at: 0 }
    }
}

#[cfg(feature = "parquet")]
impl Read for Seeking {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.of.read_at(buf, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(feature = "parquet")]
impl Seek for Seeking {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
