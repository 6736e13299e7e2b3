//! The bytes of a Parquet file, handed to the `parquet` crate within bounds.
//!
//! Owns what a page may take, before it is unpacked; refuses a range outside the file, and a page
//! that is larger than any that is written in earnest.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

/// The most that a page may unpack to; writers make pages of about 1 MiB.
pub(super) const LARGEST_PAGE: u64 = 128 << 20;
/// Bytes that are read at once where headers of pages stand.
const HEADER: usize = 4 << 10;

/// A file's bytes; each reader has a place of its own in it.
#[derive(Debug, Clone)]
pub(super) struct Region {
    file: Arc<File>,
    len: u64,
    /// Whether its pages are packed by gzip, of which the crate unpacks as much as there is.
    gzip: bool,
}

impl Region {
    pub(super) fn new(file: Arc<File>, len: u64, gzip: bool) -> Self {
        Region { file, len, gzip }
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
            checked: false,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.bytes(start, length)?;
        if self.gzip {
            let mut unpacked = MultiGzDecoder::new(bytes.as_slice()).take(LARGEST_PAGE + 1);
            if io::copy(&mut unpacked, &mut io::sink())? > LARGEST_PAGE {
                return Err(too_large());
            }
        }
        Ok(bytes.into())
    }
}

fn too_large() -> ParquetError {
    ParquetError::General("a page is too large".into())
}

/// Reads a page's header, if it does not announce too large a page.
pub(super) struct Pages {
    inner: BufReader<At>,
    checked: bool,
}

impl Read for Pages {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.checked {
            let largest = largest(self.inner.fill_buf()?).ok_or(io::ErrorKind::InvalidData)?;
            if largest > LARGEST_PAGE {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            self.checked = true;
        }
        self.inner.read(buf)
    }
}

/// The larger of a page's two sizes, packed and unpacked, which are the second and third field of
/// its header in Thrift's compact form; none if it does not begin as every writer begins it, or
/// has a dictionary of more values than bytes, for all of which the crate would make room.
fn largest(header: &[u8]) -> Option<u64> {
    /// Of a page's kinds, a dictionary.
    const DICTIONARY: u64 = 2;
    let mut rest = header;
    let kind = next_i32(&mut rest)?;
    let unpacked = next_i32(&mut rest)?;
    let packed = next_i32(&mut rest)?;
    if kind == DICTIONARY {
        // The dictionary's own header is the seventh field, a struct; a checksum may be the fourth.
        let dictionary = match rest.split_first()? {
            (0x4c, within) => within,
            _ => {
                next_i32(&mut rest)?;
                rest.strip_prefix(&[0x3c])?
            }
        };
        rest = dictionary;
        let values = next_i32(&mut rest)?;
        (values <= unpacked).then_some(())?;
    }
    Some(unpacked.max(packed))
}

/// The next field, if it is a 32-bit integer; a negative one becomes a huge one.
fn next_i32(rest: &mut &[u8]) -> Option<u64> {
    const NEXT_I32: u8 = 0x15;
    let (first, mut after) = rest.split_first()?;
    (*first == NEXT_I32).then_some(())?;
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (byte, more) = after.split_first()?;
        after = more;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            *rest = after;
            // Zigzag.
            return Some(if value & 1 == 0 { value >> 1 } else { u64::MAX });
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sizes_of_a_page_are_read_off_its_header() {
        // Type 0; 300 unpacked; 200 packed.
        let header = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0x90, 0x03, 0x2c];
        assert_eq!(largest(&header), Some(300));
        assert_eq!(largest(&[0x15, 0, 0x15, 0x01, 0x15, 0]), Some(u64::MAX));
        assert_eq!(largest(&header[..6]), None);
        assert_eq!(largest(&[0x19, 0, 0x15, 2, 0x15, 2]), None);
        assert_eq!(
            largest(&[0x15, 0, 0x15, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None
        );
    }

    #[test]
    fn a_dictionary_has_no_more_values_than_bytes() {
        // Type 2; 16 unpacked; 8 packed; then a dictionary of so many values.
        let header = |values: &[u8]| [&[0x15, 4, 0x15, 32, 0x15, 16, 0x4c], values].concat();
        assert_eq!(largest(&header(&[0x15, 8, 0x15, 0, 0, 0])), Some(16));
        assert_eq!(largest(&header(&[0x15, 34])), None);
        assert_eq!(
            largest(&header(&[0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f])),
            None
        );
        // With a checksum.
        let header = [0x15, 4, 0x15, 32, 0x15, 16, 0x15, 99, 0x3c, 0x15, 8];
        assert_eq!(largest(&header), Some(16));
    }
}
