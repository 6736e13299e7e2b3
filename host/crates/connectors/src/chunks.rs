//! Cuts a stream of bytes into chunks of whole records, in memory that does not depend on the
//! stream.
//! A record longer than `max_record` is skipped and rejected, never buffered.

use std::io::Read;

use glovebox_core::{Chunk, ChunkReader, Place, Reject, SourceError, Violation, Within};

use crate::input::Stream;

/// Rows are counted a piece at a time, so that a chunk of very short rows can end early.
const PIECE: usize = 64 << 10;

/// Where records end in a stream of bytes, as far as it has been seen.
pub(crate) trait Bounds: Clone + Send {
    /// Takes all of `bytes` in.
    fn scan(&mut self, bytes: &[u8]) -> Seen;

    /// Takes `bytes` in up to the end of the first record, and says where that is.
    fn first_end(&mut self, bytes: &[u8]) -> Option<usize>;

    /// Whether the end of the bytes, if it came now, would end a record.
    fn within_record(&self) -> bool;

    /// How many bytes stand before the first record.
    fn blank(&self, bytes: &[u8]) -> usize;

    /// What is known where the last scan said that the bytes may be cut; none where that is what
    /// is known before the first record.
    fn behind(&self) -> Option<Self> {
        None
    }

    /// Where, in all bytes taken in, a record seems to begin within one that has no end, and what
    /// is known there.
    fn again(&self) -> Option<(usize, Self)> {
        None
    }

    /// What the stream lacks if it ends now, between two records.
    fn missing_end(&self) -> Option<&'static str> {
        None
    }

    /// Why a stream in which a record that is too long has no end cannot be read; none if the
    /// record alone is lost.
    fn endless(&self) -> Option<&'static str> {
        None
    }
}

/// What a scan saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// Records that ended.
    pub(crate) rows: u64,
    /// Where the bytes may be cut: behind the last line end between records.
    pub(crate) cut: Option<usize>,
}

/// The sizes that chunks are cut to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// Bytes of a chunk.
    pub(crate) chunk_bytes: usize,
    /// Rows after which one ends early.
    pub(crate) chunk_rows: u64,
    /// Bytes of a record that is held.
    pub(crate) max_record: usize,
    /// What may be the matter with a longer one.
    pub(crate) suspect: &'static str,
}

/// Reads chunks.
pub(crate) struct Chunks<B> {
    input: Stream,
    place: String,
    options: Sizes,
    /// Before the first record.
    start: B,
    /// Whether that is what is known between any two records, too.
    is_stateless: bool,
    /// Bytes that were read and belong to the next chunk.
    carry: Vec<u8>,
    ended: bool,
    /// Whether the last chunk was handed out.
    complete: bool,
    index: u64,
    row: u64,
    line: u64,
    position: u64,
}

impl<B: Bounds> Chunks<B> {
    /// A byte order mark is skipped; one of UTF-16 is an error.
    pub(crate) fn new(
        input: Stream,
        place: String,
        options: Sizes,
        start: B,
    ) -> Result<Self, SourceError> {
        let mut chunks = Chunks {
            input,
            place,
            options,
            start,
            is_stateless: true,
            carry: Vec::new(),
            ended: false,
            complete: false,
            index: 0,
            row: 0,
            line: 1,
            position: 0,
        };
        let mut start = Vec::new();
        chunks.fill(&mut start, 3)?;
        if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
            return Err(SourceError::Shape {
                place: chunks.place,
                problem: "is UTF-16; convert it to UTF-8 first, for example with iconv".into(),
            });
        }
        if start.starts_with(b"\xef\xbb\xbf") {
            chunks.position = 3;
        } else {
            chunks.carry = start;
        }
        Ok(chunks)
    }

    /// The first bytes, which stay to be read: so many of them, or all there are.
    pub(crate) fn peek(&mut self, most: usize) -> Result<&[u8], SourceError> {
        let mut bytes = std::mem::take(&mut self.carry);
        self.fill(&mut bytes, most)?;
        self.carry = bytes;
        Ok(self.carry.get(..most).unwrap_or(&self.carry))
    }

    /// What is known before the first record.
    pub(crate) fn begin(&mut self, start: B, suspect: &'static str) {
        self.start = start;
        self.options.suspect = suspect;
    }

    /// What is known before the next record, which is not known between any two.
    fn starts_at(&mut self, known: B) {
        self.start = known;
        self.is_stateless = false;
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
            carry.reserve_exact((self.options.chunk_bytes + 1).max(rest.len()));
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
        let has_place = self.is_stateless && self.input.has_places();
        let chunk = Chunk {
            index: self.index,
            part: 0,
            within: has_place.then_some(within),
            first_row: self.row,
            rows,
            first_line: Some(self.line),
            head: None,
            rejects: Vec::new(),
            position: self.input.used().unwrap_or(self.position),
            bytes,
        };
        self.index += 1;
        self.row += rows;
        self.line += newlines(&chunk.bytes);
        chunk
    }

    /// Reads past a record that is too long, of which `bytes` holds the start.
    fn skip_record(&mut self, mut bytes: Vec<u8>) -> Result<Chunk, SourceError> {
        let blank = self.start.blank(&bytes);
        let line = self.line + newlines(bytes.get(..blank).unwrap_or_default());
        let mut bounds = self.start.clone();
        let end = loop {
            if let Some(end) = bounds.first_end(&bytes) {
                break end;
            }
            if self.ended {
                if let Some(problem) = bounds.endless() {
                    return Err(SourceError::Shape {
                        place: self.place.clone(),
                        problem: format!(
                            "the record that begins in line {line} does not end: {problem}"
                        ),
                    });
                }
                break bytes.len();
            }
            self.line += newlines(&bytes);
            self.position += bytes.len() as u64;
            bytes.clear();
            self.fill(&mut bytes, self.options.chunk_bytes)?;
        };
        if let Some(behind) = bounds.behind() {
            self.starts_at(behind);
        }
        let mut chunk = self.cut(bytes, end, 0);
        chunk.bytes = Vec::new();
        // Some of it was passed over already.
        chunk.within = None;
        self.reject(
            &mut chunk,
            line,
            too_long(self.options.max_record, self.options.suspect),
        );
        Ok(chunk)
    }

    /// Adds a row without bytes behind those of a chunk.
    fn reject(&mut self, chunk: &mut Chunk, line: u64, violation: Violation) {
        chunk.rejects.push(Reject {
            row: self.row,
            file: None,
            line: Some(line),
            violations: vec![violation],
        });
        self.row += 1;
    }

    /// The last chunk, and a row that says what the stream lacks, if it does.
    fn last(&mut self, bytes: Vec<u8>, rows: u64, lacks: Option<&'static str>) -> Chunk {
        let end = bytes.len();
        let mut chunk = self.cut(bytes, end, rows);
        if let Some(problem) = lacks {
            let line = self.line;
            self.reject(
                &mut chunk,
                line,
                Violation {
                    step: "source".into(),
                    column: None,
                    rule: "json".into(),
                    message: problem.into(),
                },
            );
        }
        self.complete = true;
        chunk
    }
}

/// What is said of a record that is longer than that.
pub(crate) fn too_long(most: usize, suspect: &str) -> Violation {
    Violation {
        step: "source".into(),
        column: None,
        rule: "too-long".into(),
        message: format!("the record is longer than {most} bytes (`max-record`); {suspect}").into(),
    }
}

/// How many newlines there are.
pub(crate) fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

impl<B: Bounds> ChunkReader for Chunks<B> {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let mut bytes = std::mem::take(&mut self.carry);
        let mut bounds = self.start.clone();
        let (mut scanned, mut rows, mut cut) = (0, 0, 0);
        let mut target = self.options.chunk_bytes;
        loop {
            // One more, so that the end is known where it is just there.
            self.fill(&mut bytes, target + 1)?;
            // There may be more than was asked for, if somebody has looked ahead.
            let target_end = bytes.len().min(target);
            while rows < self.options.chunk_rows {
                let to = target_end.min(scanned + PIECE);
                let Some(piece) = bytes.get(scanned..to).filter(|p| !p.is_empty()) else {
                    break;
                };
                let seen = bounds.scan(piece);
                rows += seen.rows;
                cut = seen.cut.map_or(cut, |end| scanned + end);
                scanned = to;
            }
            let all = self.ended && scanned == bytes.len();
            let too_long = scanned > self.options.max_record.max(self.options.chunk_bytes);
            if (all && bounds.within_record() || cut == 0 && too_long)
                && let Some((again, start)) = bounds.again()
            {
                self.starts_at(start);
                return Ok(Some(self.cut(bytes, again, rows + 1)));
            }
            if all {
                let open = bounds.within_record();
                let lacks = bounds.missing_end().filter(|_| !open);
                if bytes.is_empty() && (lacks.is_none() || self.complete) {
                    return Ok(None);
                }
                return Ok(Some(self.last(bytes, rows + u64::from(open), lacks)));
            }
            if cut > 0 {
                if let Some(behind) = bounds.behind() {
                    self.starts_at(behind);
                }
                return Ok(Some(self.cut(bytes, cut, rows)));
            }
            if too_long {
                return self.skip_record(bytes).map(Some);
            }
            target = scanned + self.options.chunk_bytes;
            if self.options.max_record > scanned {
                target = target.min(self.options.max_record + 1);
            }
        }
    }

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
