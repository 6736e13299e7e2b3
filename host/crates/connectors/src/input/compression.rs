//! Detects a file's compression from its first bytes, and decompresses it.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::members::Members;

/// Bytes that are looked at.
pub(super) const MAGIC: usize = 22;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the first bytes; an error for one that is known and not read.
    pub(super) fn of(start: &[u8]) -> io::Result<Compression> {
        let refused = |name: &str| {
            let problem = format!(
                "it is {name}, which is not supported; decompress it, or compress it with gzip or \
                zstd"
            );
            Err(io::Error::new(io::ErrorKind::Unsupported, problem))
        };
        match start {
            [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
            // A frame, or one to be skipped, with which parallel compressors begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                Ok(Compression::Zstd)
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => refused("compressed with xz"),
            [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x31,
                0x41,
                0x59,
                0x26,
                0x53,
                0x59,
                ..,
            ] => refused("compressed with bzip2"),
            [b'P', b'K', 3, 4, ..] => refused("a ZIP archive (spreadsheets are ZIP archives, too)"),
            [0x04, 0x22, 0x4d, 0x18, ..] => refused("compressed with LZ4"),
            _ => Ok(Compression::None),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Compression::None => "plain",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }
}

/// Counts what has been used up of a stream, which is where an error is.
pub(super) struct Counted<R> {
    inner: R,
    used: Arc<AtomicU64>,
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.used.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.used.fetch_add(amount as u64, Ordering::Relaxed);
        self.inner.consume(amount);
    }
}

/// A stream that is decompressed as it is read.
pub(super) struct Unpacked {
    inner: Box<dyn Read + Send>,
    compression: Compression,
    used: Arc<AtomicU64>,
}

impl Unpacked {
    /// `used` tells how much of the packed stream is behind us.
    pub(super) fn new(
        packed: impl BufRead + Send + 'static,
        compression: Compression,
        used: Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let counted = Counted {
            inner: packed,
            used: Arc::clone(&used),
        };
        let inner: Box<dyn Read + Send> = match compression {
            Compression::None => Box::new(counted),
            Compression::Gzip => Box::new(Members::new(counted)),
            // Windows of more than 128 MiB are refused, which is zstd's own bound.
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(counted)?),
        };
        Ok(Unpacked {
            inner,
            compression,
            used,
        })
    }

    fn wrong(&self, error: io::Error) -> io::Error {
        // The disk's errors are not the stream's.
        if error.raw_os_error().is_some() || error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        let (name, used) = (self.compression.name(), self.used.load(Ordering::Relaxed));
        match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!(
                    "the {name} stream is truncated at byte {used}; download or compress the \
                        file again"
                ),
            ),
            _ => io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "the {name} stream is damaged near byte {used}; download or compress the \
                        file again"
                ),
            ),
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf).map_err(|e| self.wrong(e))
    }
}
