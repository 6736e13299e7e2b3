//! Records and fields of CSV bytes that are wholly in memory, by the rules of the `csv` crate.
//!
//! Owns what a quote, a delimiter and a line end mean; refuses to copy: a field is a span of the
//! bytes, and one with doubled quotes is closed up in place.

/// The two bytes that a CSV file may choose; both ASCII, different, and no line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
}

impl Dialect {
    pub(super) fn ends_record(b: u8) -> bool {
        b == b'\n' || b == b'\r'
    }
}

/// Where a field's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// Chunks are kept far below 4 GiB by `Options::check`.
    fn new(start: usize, end: usize) -> Self {
        Span {
            start: u32::try_from(start).unwrap_or(u32::MAX),
            end: u32::try_from(end).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// A record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// How many fields it has.
    pub(super) fields: usize,
    /// Where it starts.
    pub(super) start: usize,
    /// Newlines before its first byte.
    pub(super) newlines: u32,
    /// Where it ends, its line end included.
    pub(super) end: usize,
}

/// Walks through the records of `bytes`, which begin where a record begins.
pub(super) struct Records<'a> {
    bytes: &'a mut [u8],
    dialect: Dialect,
    marks: Marks,
    at: usize,
    newlines: u32,
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a mut [u8], dialect: Dialect) -> Self {
        Records {
            bytes,
            dialect,
            marks: Marks::default(),
            at: 0,
            newlines: 0,
        }
    }

    /// The bytes that spans point into.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The next record, its fields given to `field` with their numbers; blank lines are none.
    pub(super) fn next(&mut self, mut field: impl FnMut(usize, Span)) -> Option<Record> {
        let mut newlines = self.newlines;
        let mut start = self.at;
        let mut first = start;
        let mut number = 0;
        loop {
            let (span, stop) = self.field(start);
            let Some(stop) = stop else {
                if number == 0 && start >= self.bytes.len() {
                    self.at = start;
                    return None;
                }
                field(number, span);
                self.at = self.bytes.len();
                return Some(Record {
                    fields: number + 1,
                    start: first,
                    newlines,
                    end: self.at,
                });
            };
            let byte = self.byte(stop);
            if byte == self.dialect.delimiter {
                field(number, span);
                number += 1;
                start = stop + 1;
                continue;
            }
            self.newlines += u32::from(byte == b'\n');
            if number == 0 && stop == start {
                start += 1;
                first = start;
                newlines = self.newlines;
                continue;
            }
            field(number, span);
            self.at = stop + 1;
            return Some(Record {
                fields: number + 1,
                start: first,
                newlines,
                end: self.at,
            });
        }
    }

    /// The field that starts there, and the delimiter or line end that stops it, if one does.
    #[inline]
    fn field(&mut self, start: usize) -> (Span, Option<usize>) {
        loop {
            let Some(mark) = self.marks.next(self.bytes, self.dialect) else {
                return (Span::new(start, self.bytes.len()), None);
            };
            if self.byte(mark) != self.dialect.quote {
                return (Span::new(start, mark), Some(mark));
            }
            // A quote within an unquoted field stands for itself.
            if mark == start {
                return self.quoted(start + 1);
            }
        }
    }

    /// The same for a field whose opening quote has been read.
    #[inline(never)]
    fn quoted(&mut self, start: usize) -> (Span, Option<usize>) {
        let quote = self.dialect.quote;
        let (mut from, mut to) = (start, start);
        loop {
            let Some(mark) = self.marks.next(self.bytes, self.dialect) else {
                to = self.close_up(from, self.bytes.len(), to);
                return (Span::new(start, to), None);
            };
            let byte = self.byte(mark);
            if byte != quote {
                self.newlines += u32::from(byte == b'\n');
                continue;
            }
            if self.bytes.get(mark + 1) == Some(&quote) {
                self.marks.next(self.bytes, self.dialect);
                to = self.close_up(from, mark + 1, to);
                from = mark + 2;
                continue;
            }
            to = self.close_up(from, mark, to);
            // What follows a closing quote belongs to the field, as the `csv` crate has it.
            let stop = loop {
                match self.marks.next(self.bytes, self.dialect) {
                    Some(next) if self.byte(next) == quote => {}
                    stop => break stop,
                }
            };
            to = self.close_up(mark + 1, stop.unwrap_or(self.bytes.len()), to);
            return (Span::new(start, to), stop);
        }
    }

    /// Moves the bytes `from..end` down to `to` and says where they end now.
    fn close_up(&mut self, from: usize, end: usize, to: usize) -> usize {
        if from != to && from < end {
            self.bytes.copy_within(from..end, to);
        }
        to + end.saturating_sub(from)
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }
}

const BLOCK: usize = 64;

/// The places of all delimiters, quotes and line ends, found 64 bytes at a time.
#[derive(Debug, Default)]
struct Marks {
    block: usize,
    next_block: usize,
    mask: u64,
}

impl Marks {
    #[inline]
    fn next(&mut self, bytes: &[u8], dialect: Dialect) -> Option<usize> {
        while self.mask == 0 {
            self.refill(bytes, dialect)?;
        }
        let mark = self.block + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(mark)
    }

    /// Finds the marks of the next block.
    #[inline(never)]
    fn refill(&mut self, bytes: &[u8], dialect: Dialect) -> Option<()> {
        let rest = bytes.get(self.next_block..).unwrap_or_default();
        self.mask = match rest.first_chunk::<BLOCK>() {
            Some(block) => marks_of(block, dialect),
            None if rest.is_empty() => return None,
            None => {
                let mut block = [0; BLOCK];
                for (to, from) in block.iter_mut().zip(rest) {
                    *to = *from;
                }
                marks_of(&block, dialect) & ((1 << rest.len()) - 1)
            }
        };
        self.block = self.next_block;
        self.next_block += BLOCK;
        Some(())
    }
}

/// Bit `i` says whether byte `i` is one that matters.
///
/// The comparisons compile to vector instructions; a multiplication then gathers the lowest bits
/// of eight bytes in its top byte.
#[inline]
fn marks_of(block: &[u8; BLOCK], dialect: Dialect) -> u64 {
    let mut hits = [0u8; BLOCK];
    for (hit, &b) in hits.iter_mut().zip(block) {
        let matters = (b == dialect.delimiter) | (b == dialect.quote) | (b == b'\n') | (b == b'\r');
        *hit = u8::from(matters);
    }
    let mut mask = 0;
    for eight in hits.as_chunks::<8>().0.iter().rev() {
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask = mask << 8 | gathered;
    }
    mask
}
