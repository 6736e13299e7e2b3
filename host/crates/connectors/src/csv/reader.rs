//! Cuts CSV files into chunks of whole records, in memory that does not depend on the file.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use glovebox_core::{Chunk, ChunkReader, Place, Reject, SourceError, Within};

use super::dialect::Dialect;
use super::scan::{Scan, Until, passed};
use super::walk::Extent;
use crate::chunks::{Sizes, too_long};
use crate::input::Stream;

/// More bytes are read by so many at least.
const PIECE: usize = 64 << 10;

/// Reads chunks.
pub(super) struct CsvChunks {
    input: Stream,
    place: String,
    dialect: Dialect,
    sizes: Sizes,
    /// The rows that name the columns, once they were passed over.
    head: Option<Arc<[u8]>>,
    /// Bytes that were read and belong to the next chunk.
    carry: Vec<u8>,
    ended: bool,
    index: u64,
    row: u64,
    line: u64,
    position: u64,
}

impl CsvChunks {
    /// A byte order mark is skipped; one of UTF-16 is an error.
    pub(super) fn new(
        input: Stream,
        place: String,
        dialect: Dialect,
        sizes: Sizes,
    ) -> Result<Self, SourceError> {
        let mut chunks = CsvChunks {
            input,
            place,
            dialect,
            sizes,
            head: None,
            carry: Vec::new(),
            ended: false,
            index: 0,
            row: 0,
            line: 1,
            position: 0,
        };
        let mut start = Vec::new();
        chunks.fill(&mut start, 3)?;
        for (mark, label) in [(b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be")] {
            if start.starts_with(mark) {
                let problem = format!("is UTF-16; write `encoding: {label}`");
                return Err(SourceError::shape(chunks.place, problem));
            }
        }
        if start.starts_with(b"\xef\xbb\xbf") {
            chunks.position = 3;
        } else {
            chunks.carry = start;
        }
        Ok(chunks)
    }

    /// Goes past so many lines, whatever is in them, and says how many there were.
    pub(super) fn pass_lines(&mut self, lines: u64) -> Result<u64, SourceError> {
        let mut passed = 0;
        let mut bytes = std::mem::take(&mut self.carry);
        loop {
            let mut at = 0;
            while passed < lines
                && let Some((_, end)) = self.dialect.next_line_end(&bytes, at)
                && (end < bytes.len() || self.ended)
            {
                at = end;
                passed += 1;
            }
            if passed < lines && self.ended {
                passed += u64::from(at < bytes.len());
                at = bytes.len();
            }
            let all = passed >= lines || self.ended;
            // A line end may lie on the bound between this piece and the next.
            let past = if all {
                at
            } else {
                bytes.len().saturating_sub(2).max(at)
            };
            self.carry = bytes;
            self.skip(past);
            if all {
                return Ok(passed);
            }
            bytes = std::mem::take(&mut self.carry);
            let target = bytes.len() + PIECE;
            self.fill(&mut bytes, target)?;
        }
    }

    /// Where the first `count` records are in [`CsvChunks::carried`], fewer if there are no more;
    /// they stay to be read. The first `due` of them must be records; with `strictly` none is passed
    /// over on the way because its quotes are wrong.
    ///
    /// # Errors
    /// When one that is due is longer than a record may be, or has wrong quotes.
    pub(super) fn first_records(
        &mut self,
        count: usize,
        due: usize,
        strictly: bool,
    ) -> Result<Vec<Range<usize>>, SourceError> {
        let mut bytes = std::mem::take(&mut self.carry);
        let target = bytes.len().max(self.sizes.chunk_bytes);
        self.fill(&mut bytes, target)?;
        let mut found = Vec::new();
        let mut at = 0;
        while found.len() < count && (at < bytes.len() || !self.ended) {
            if let Some(end) = self.passed(&bytes, at, false) {
                at = end;
                continue;
            }
            // All may have wrong quotes; those of a chunk say enough. How small the chunks are makes
            // no difference to what is found at the file's beginning.
            let enough = self.sizes.chunk_bytes.max(PIECE);
            if (!strictly || found.len() >= due) && at > enough {
                break;
            }
            let most = self.sizes.max_record;
            let extent = match at < bytes.len() && !self.is_comment(&bytes, at) {
                true => self.dialect.extent(&bytes, at, self.ended, most),
                false => Extent::More,
            };
            let too_long = match extent {
                Extent::Record(end) if !self.dialect.is_long(&bytes, at, end, most) => {
                    found.push(at..end);
                    at = end;
                    continue;
                }
                Extent::Broken(end) if !strictly => {
                    at = end;
                    continue;
                }
                Extent::Broken(_) | Extent::Long(_) if found.len() >= due => break,
                Extent::Broken(_) => false,
                Extent::Record(_) | Extent::Long(_) => true,
                Extent::More => bytes.len() - at > self.sizes.max_record,
            };
            if found.len() >= due && (extent != Extent::More || bytes.len() > PIECE + at) {
                break;
            }
            if extent != Extent::More || too_long {
                self.carry = bytes;
                return Err(self.unusable(too_long));
            }
            let target = bytes.len() + PIECE.max(bytes.len() - at);
            self.fill(&mut bytes, target)?;
        }
        self.carry = bytes;
        Ok(found)
    }

    fn is_comment(&self, bytes: &[u8], at: usize) -> bool {
        self.dialect.comment.is_some() && bytes.get(at).copied() == self.dialect.comment
    }

    fn unusable(&self, too_long: bool) -> SourceError {
        let problem = match too_long {
            true => format!(
                "its first record is longer than {} bytes (`max-record`); {}",
                self.sizes.max_record, self.sizes.suspect
            ),
            false => "its header has an unclosed or misplaced quote; correct it, or write \
                     `quotes: lenient`, or `quote: none` if quotes are ordinary text in this file"
                .into(),
        };
        SourceError::Shape {
            place: self.place.clone(),
            problem,
        }
    }

    /// The bytes that stay to be read, as far as they are here.
    pub(super) fn carried(&self) -> &[u8] {
        &self.carry
    }

    /// Goes past the first `len` bytes that are carried.
    pub(super) fn skip(&mut self, len: usize) {
        let after = self.carry.split_off(len.min(self.carry.len()));
        self.line += self.newlines(&self.carry);
        self.position += self.carry.len() as u64;
        self.carry = after;
    }

    /// The same where they are the header, which each chunk bears.
    pub(super) fn skip_header(&mut self, len: usize) {
        self.head = self.carry.get(..len).map(Arc::from);
        self.skip(len);
    }

    /// From now on blank lines are rows.
    pub(super) fn count_blank_lines(&mut self) {
        self.dialect.blank_rows = true;
    }

    fn newlines(&self, bytes: &[u8]) -> u64 {
        memchr::memchr_iter(self.dialect.newline(), bytes).count() as u64
    }

    /// Reads until `bytes` has `target` bytes or the stream ends, however small its reads are.
    fn fill(&mut self, bytes: &mut Vec<u8>, target: usize) -> Result<(), SourceError> {
        let need = target.saturating_sub(bytes.len());
        if need == 0 || self.ended {
            return Ok(());
        }
        bytes.reserve_exact(need);
        let read = (&mut self.input)
            .take(need as u64)
            .read_to_end(bytes)
            .map_err(|problem| SourceError::Io {
                place: self.place.clone(),
                problem,
            })?;
        self.ended = read < need;
        Ok(())
    }

    /// A chunk of the first `cut` bytes; the others are the next one's.
    fn cut(&mut self, mut bytes: Vec<u8>, cut: usize, rows: u64) -> Chunk {
        let rest = bytes.get(cut..).unwrap_or_default();
        let mut carry = Vec::new();
        if !rest.is_empty() {
            carry.reserve_exact((self.sizes.chunk_bytes + 1).max(rest.len()));
            carry.extend_from_slice(rest);
        }
        self.carry = carry;
        bytes.truncate(cut);
        let within = Within {
            offset: self.position,
            row: self.row,
            line: self.line,
        };
        self.position += bytes.len() as u64;
        let chunk = Chunk {
            index: self.index,
            part: 0,
            within: self.input.has_places().then_some(within),
            first_row: self.row,
            rows,
            first_line: Some(self.line),
            head: self.head.clone(),
            rejects: Vec::new(),
            position: self.input.used().unwrap_or(self.position),
            bytes,
        };
        self.index += 1;
        self.row += rows;
        self.line += self.newlines(&chunk.bytes);
        chunk
    }

    /// Reads past a line that is too long to be held or of a record that is, of which `bytes` holds
    /// the start.
    fn skip_line(&mut self, mut bytes: Vec<u8>) -> Result<Chunk, SourceError> {
        let line = self.line;
        let comment = self.is_comment(&bytes, 0);
        let end = loop {
            match self.dialect.next_line_end(&bytes, 0) {
                Some((_, end)) if end < bytes.len() || self.ended => break end,
                None if self.ended => break bytes.len(),
                // The line end may lie on the bound between this piece and the next.
                _ => {}
            }
            let last = bytes.split_off(bytes.len().saturating_sub(2));
            self.line += self.newlines(&bytes);
            self.position += bytes.len() as u64;
            bytes = last;
            let target = bytes.len() + self.sizes.chunk_bytes.max(PIECE);
            self.fill(&mut bytes, target)?;
        };
        let mut chunk = self.cut(bytes, end, 0);
        chunk.bytes = Vec::new();
        // Some of it was passed over already.
        chunk.within = None;
        if comment {
            return Ok(chunk);
        }
        chunk.rejects.push(Reject {
            row: self.row,
            file: None,
            line: Some(line),
            violations: vec![too_long(self.sizes.max_record, self.sizes.suspect)],
        });
        self.row += 1;
        Ok(chunk)
    }

    /// Behind a blank line or comment that starts there, which is no row. A comment that is not
    /// whole starts none.
    fn passed(&self, bytes: &[u8], at: usize, blank_rows: bool) -> Option<usize> {
        passed(&self.dialect, bytes, at, self.ended, blank_rows)
    }
}

impl ChunkReader for CsvChunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let mut bytes = std::mem::take(&mut self.carry);
        let mut scan = Scan::default();
        let mut target = self.sizes.chunk_bytes;
        loop {
            // One more, so that the end is known where it is just there.
            self.fill(&mut bytes, target + 1)?;
            // Of what was read before its time no more than there would be without: where a chunk ends
            // is a matter of the bytes from its start on, wherever somebody began to read.
            let seen = bytes.get(..target).unwrap_or(&bytes);
            let ended = self.ended && seen.len() == bytes.len();
            let until = scan.count(&self.dialect, seen, ended, self.sizes);
            // A record that is not whole is the next chunk's, unless bytes beyond this chunk had
            // to be looked at anyway.
            let alone = scan.at == 0;
            if until == Until::Enough || !alone && seen.len() <= self.sizes.chunk_bytes {
                break;
            }
            let held = seen.len() - scan.at;
            let line = self.dialect.next_line_end(seen, scan.at);
            let unending = line.is_none_or(|(_, end)| end == seen.len());
            let too_long = held > self.sizes.max_record && unending;
            if matches!(until, Until::Long(_)) || too_long {
                if alone {
                    return self.skip_line(bytes).map(Some);
                }
                break;
            }
            // Twice as much, so that a long record is not looked at too often, and one more than
            // the longest may have, so that a longer one is known.
            let longest = (self.sizes.max_record + 1).saturating_sub(held).max(2);
            target = seen.len() + held.max(PIECE).min(longest.max(PIECE));
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.cut(bytes, scan.at, scan.rows)))
    }

    /// Between two chunks nothing is known of the records but how many there were.
    fn go_to(&mut self, place: &Place) -> Result<bool, SourceError> {
        let Within { offset, row, line } = place.within;
        if place.within.is_start() {
            return Ok(true);
        }
        let there = self.input.go_to(offset, &self.place)?;
        if there {
            self.carry.clear();
            self.ended = false;
            (self.position, self.row, self.line) = (offset, row, line);
        }
        Ok(there)
    }
}
