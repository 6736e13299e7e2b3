//! Passes pages of a Parquet file to the `parquet` crate, within size limits, and opened if they are
//! sealed.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use super::at::Places;
use super::key::{Module, OVERHEAD, Sealed, Spot, whole};
use super::thrift::{Head, PageKind, lengthen};
use super::unpack::Codec;

/// The most that a page may unpack to; writers make pages of about 1 MiB.
pub(super) const MAX_PAGE_SIZE: u64 = 128 << 20;
/// Bytes that are read at once where headers of pages stand.
const HEADER: usize = 4 << 10;
/// Bytes of a sealed head of a page, which has the statistics of two values.
const MAX_HEAD: u64 = 1 << 20;

/// Why a page was not handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has so many bytes, or unpacks to them.
    TooLarge(u64),
    /// Its bytes are not those that its checksum was made of.
    Checksum,
    /// The key opens the footer, and not this.
    Sealed,
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
            Refusal::Sealed => {
                "has a page that the key of `decrypt-with` does not open, though it opens the \
                footer; the file is damaged: write or download it again"
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

/// How the pages of a column are to be opened.
#[derive(Debug, Clone, Default)]
pub(super) struct Opening {
    /// The codec, if they are unpacked here.
    pub(super) codec: Option<Codec>,
    /// The key, if they are sealed, where they are, and whether the first of them is a dictionary.
    pub(super) sealed: Option<(Arc<Sealed>, Spot, bool)>,
}

/// A file's bytes, as one column's pages are read from them; each reader has a place of its own.
#[derive(Clone)]
pub(super) struct Region {
    file: Arc<Places>,
    len: u64,
    opening: Opening,
    refusals: Refusals,
    /// The page that is read next.
    next: Arc<Mutex<Option<Next>>>,
}

/// A page whose head was read.
#[derive(Debug, Clone, Copy)]
struct Next {
    head: Head,
    /// Where the head begins, and where the page ends.
    from: u64,
    to: u64,
    /// How many pages of data are before it.
    data_before: u16,
}

impl Region {
    pub(super) fn new(file: Arc<Places>, len: u64, opening: Opening, refusals: Refusals) -> Self {
        Region {
            file,
            len,
            opening,
            refusals,
            next: Arc::default(),
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

    fn next(&self) -> Option<Next> {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a head that begins there says, if it says what can be; sealed ones were opened.
    fn begin(&self, from: u64, data_before: u16, head: &[u8], length: u64) -> io::Result<Head> {
        let head = Head::read(head).ok_or(io::ErrorKind::InvalidData)?;
        let largest = head.unpacked.max(head.packed);
        if largest > MAX_PAGE_SIZE {
            self.refusals.add(Refusal::TooLarge(largest));
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let next = Next {
            head,
            from,
            to: from.saturating_add(length).saturating_add(head.packed),
            data_before,
        };
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(next);
        Ok(head)
    }

    /// The head that is sealed there, opened and as long as it is sealed: the crate counts the bytes
    /// to know where the page begins.
    fn open_head(
        &self,
        sealed: &Sealed,
        spot: Spot,
        has_dictionary: bool,
        from: u64,
    ) -> io::Result<Vec<u8>> {
        // The crate reads heads one after the other, and may read one twice.
        let (part, data_before) = match self.next() {
            None if has_dictionary => (Module::DictionaryHead, 0),
            None => (Module::DataHead(0), 0),
            Some(now) if now.from == from && now.head.kind == PageKind::Dictionary => {
                (Module::DictionaryHead, 0)
            }
            Some(now) if now.from == from => (Module::DataHead(now.data_before), now.data_before),
            Some(now) if now.to == from && now.head.kind == PageKind::Dictionary => {
                (Module::DataHead(0), 0)
            }
            Some(now) if now.to == from => {
                let before = now
                    .data_before
                    .checked_add(1)
                    .filter(|n| *n <= i16::MAX as u16);
                let before = before.ok_or(io::ErrorKind::InvalidData)?;
                (Module::DataHead(before), before)
            }
            Some(_) => return Err(io::ErrorKind::InvalidData.into()),
        };
        let start = self.bytes(from, 4)?.first_chunk().copied();
        let length = whole(start.ok_or(io::ErrorKind::InvalidData)?);
        let refused = || {
            self.refusals.add(Refusal::Sealed);
            io::Error::from(io::ErrorKind::InvalidData)
        };
        if length > MAX_HEAD {
            return Err(refused());
        }
        let module = self.bytes(from, usize::try_from(length).unwrap_or(0))?;
        let mut head = sealed.open(part, spot, &module).ok_or_else(refused)?;
        let kind = self.begin(from, data_before, &head, length)?.kind;
        let expected = match part {
            Module::DictionaryHead => PageKind::Dictionary,
            _ => PageKind::Data,
        };
        if kind != expected {
            return Err(io::ErrorKind::InvalidData.into());
        }
        lengthen(&mut head, OVERHEAD).ok_or(io::ErrorKind::InvalidData)?;
        Ok(head)
    }

    /// The page as the crate is to see it; none if it cannot be opened or unpacked.
    fn page(&self, next: &Next, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
        let head = &next.head;
        if let Some((sealed, spot, _)) = &self.opening.sealed {
            let part = match head.kind {
                PageKind::Dictionary => Module::Dictionary,
                _ => Module::Data(next.data_before),
            };
            // A checksum is not needed any more.
            let Some(opened) = sealed.open(part, *spot, &bytes) else {
                self.refusals.add(Refusal::Sealed);
                return None;
            };
            bytes = opened;
        } else if head.crc.is_some_and(|crc| crc != crc32fast::hash(&bytes)) {
            self.refusals.add(Refusal::Checksum);
            return None;
        }
        let Some(codec) = self.opening.codec.filter(|_| head.is_packed) else {
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
            start,
            opened: None,
            region: self.clone(),
            checked: false,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.bytes(start, length)?;
        // A page is read behind its head.
        let page = self.next().and_then(|next| self.page(&next, bytes));
        let cannot = || ParquetError::General("a page cannot be decompressed".into());
        Ok(page.ok_or_else(cannot)?.into())
    }
}

/// Reads a page's header, if it does not announce too large a page.
pub(super) struct Pages {
    inner: BufReader<At>,
    start: u64,
    /// The header, if it was sealed.
    opened: Option<Cursor<Vec<u8>>>,
    region: Region,
    checked: bool,
}

impl Read for Pages {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.checked {
            match &self.region.opening.sealed {
                Some((sealed, spot, has_dictionary)) => {
                    let region = &self.region;
                    let head = region.open_head(sealed, *spot, *has_dictionary, self.start)?;
                    self.opened = Some(Cursor::new(head));
                }
                None => {
                    // Where it ends is of no interest.
                    self.region
                        .begin(self.start, 0, self.inner.fill_buf()?, 0)?;
                }
            }
            self.checked = true;
        }
        match &mut self.opened {
            Some(opened) => opened.read(buf),
            None => self.inner.read(buf),
        }
    }
}

/// A place in a file that others read, too.
struct At {
    file: Arc<Places>,
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
