//! Passes pages of a Parquet file to the `parquet` crate, within size limits.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::thrift::Head;
use super::unpack::Codec;

/// The most that a page may unpack to; writers make pages of about 1 MiB.
pub(super) const MAX_PAGE_SIZE: u64 = 128 << 20;
/// Bytes that are read at once where headers of pages stand.
const HEADER: usize = 4 << 10;

/// Why a page was not handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has so many bytes, or unpacks to them.
    TooLarge(u64),
    /// Its bytes are not those that its checksum was made of.
    Checksum,
}

impl Refusal {
    /// As the end of a sentence about a row group.
    pub(super) fn told(self) -> String {
        match self {
            Refusal::TooLarge(bytes) => format!(
                "has a page of {} MiB, but the limit is {} MiB; write the file with smaller pages \
                (`data_page_size` of pyarrow, `parquet.page.size` of Spark), \
                 or without values of that size",
                bytes.div_ceil(1 << 20).min(4096),
                MAX_PAGE_SIZE >> 20
            ),
            Refusal::Checksum => {
                "has a page whose checksum is wrong; the file is damaged: write or download it \
                again"
                    .to_owned()
            }
        }
    }
}

/// What was refused while a group was read, if anything was; the crate keeps no errors of ours.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals(Arc<Mutex<Option<Refusal>>>);

impl Refusals {
    pub(super) fn first(&self) -> Option<Refusal> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, refusal: Refusal) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(refusal);
    }
}

/// A file's bytes, as one column's pages are read from them; each reader has a place of its own.
#[derive(Debug, Clone)]
pub(super) struct Region {
    file: Arc<File>,
    len: u64,
    /// The codec of the pages, if they are unpacked here.
    codec: Option<Codec>,
    refusals: Refusals,
    /// The head of the page that is read next.
    head: Arc<Mutex<Option<Head>>>,
}

impl Region {
    pub(super) fn new(file: Arc<File>, len: u64, codec: Option<Codec>, refusals: Refusals) -> Self {
        Region {
            file,
            len,
            codec,
            refusals,
            head: Arc::default(),
        }
    }

    /// So many bytes from there on.
    pub(super) fn bytes(&self, start: u64, length: usize) -> io::Result<Vec<u8>> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start)?;
        Ok(bytes)
    }

    /// The page with that head as the crate is to see it; none if it cannot be unpacked.
    fn page(&self, head: &Head, bytes: Vec<u8>) -> Option<Vec<u8>> {
        if head.crc.is_some_and(|crc| crc != crc32fast::hash(&bytes)) {
            self.refusals.add(Refusal::Checksum);
            return None;
        }
        let Some(codec) = self.codec.filter(|_| head.is_packed) else {
            return Some(bytes);
        };
        let levels = usize::try_from(head.levels).ok()?;
        let unpacked = usize::try_from(head.unpacked).ok()?;
        let (levels, packed) = bytes.split_at_checked(levels)?;
        let mut page = Vec::with_capacity(unpacked.min(packed.len().saturating_mul(8)));
        page.extend_from_slice(levels);
        codec.unpack(packed, unpacked.checked_sub(levels.len())?, &mut page)?;
        Some(page)
    }
}

impl Length for Region {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for Region {
    type T = Pages;

    fn get_read(&self, start: u64) -> Result<Pages, ParquetError> {
        let at = At {
            file: Arc::clone(&self.file),
            at: start,
            end: self.len,
        };
        Ok(Pages {
            inner: BufReader::with_capacity(HEADER, at),
            region: self.clone(),
            checked: false,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let head = *self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = self.bytes(start, length)?;
        // A page is read behind its head.
        let page = head.and_then(|head| self.page(&head, bytes));
        let cannot = || ParquetError::General("a page cannot be decompressed".into());
        Ok(page.ok_or_else(cannot)?.into())
    }
}

/// Reads a page's header, if it does not announce too large a page.
pub(super) struct Pages {
    inner: BufReader<At>,
    region: Region,
    checked: bool,
}

impl Read for Pages {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.checked {
            let head = Head::read(self.inner.fill_buf()?).ok_or(io::ErrorKind::InvalidData)?;
            let largest = head.unpacked.max(head.packed);
            if largest > MAX_PAGE_SIZE {
                self.region.refusals.add(Refusal::TooLarge(largest));
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let next = self.region.head.lock();
            *next.unwrap_or_else(PoisonError::into_inner) = Some(head);
            self.checked = true;
        }
        self.inner.read(buf)
    }
}

/// A place in a file that others read, too.
struct At {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for At {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(buf.len());
        let read = self
            .file
            .read_at(buf.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
