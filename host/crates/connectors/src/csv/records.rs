//! Records and fields of CSV bytes in memory. Nothing is copied: a field is a span of the bytes,
//! and doubled quotes are collapsed in place once the record is complete.

use super::dialect::{After, Dialect};
use super::walk::Extent;

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

impl Span {
    /// No field at all, where a record has too few.
    pub(super) const MISSING: Span = Span {
        start: u32::MAX,
        end: u32::MAX,
    };

    /// Whether the field stood within quotes. Nothing but an opening quote stands in front of a
    /// span with that sign.
    pub(super) fn is_quoted(self, bytes: &[u8], quote: Option<u8>) -> bool {
        let before = (self.start as usize).checked_sub(1);
        quote.is_some() && before.and_then(|i| bytes.get(i)).copied() == quote
    }
}

/// A record that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// How many fields it has; none if its quotes are wrong.
    pub(super) fields: usize,
    /// Where it starts.
    pub(super) start: usize,
    /// Newlines before its first byte.
    pub(super) newlines: u32,
    /// Where it ends, its line end included.
    pub(super) end: usize,
    /// Whether it is longer than one may be.
    pub(super) long: bool,
}

/// Walks through the records of `bytes`, which begin where a record begins.
pub(super) struct Records<'a> {
    bytes: &'a mut [u8],
    dialect: Dialect,
    /// Whether the dialect is one of the fast way, and the signs that it goes by.
    plain: bool,
    delimiter: u8,
    quote: u8,
    quoting: bool,
    newline: u8,
    /// Bytes of a record whose quotes may span lines.
    most: usize,
    marks: Marks,
    at: usize,
    newlines: u32,
    /// Lines before that place are rejected each by itself.
    broken: usize,
    /// How the fields of a record are closed up once it is known to be one: from, to the end of
    /// what moves, and where to.
    moves: Vec<(usize, usize, usize)>,
}

/// What stops a field.
enum Stopped {
    /// A delimiter or line end.
    At(usize),
    /// The end of the bytes.
    End,
    /// A quote where none may stand.
    Fault,
}

impl<'a> Records<'a> {
    pub(super) fn new(bytes: &'a mut [u8], dialect: Dialect, most: usize) -> Self {
        Records {
            marks: Marks::new(dialect),
            bytes,
            plain: dialect.plain(),
            delimiter: dialect.delimiter.first(),
            quote: dialect.quote.unwrap_or_default(),
            quoting: dialect.quote.is_some(),
            newline: dialect.newline(),
            dialect,
            most,
            at: 0,
            newlines: 0,
            broken: 0,
            moves: Vec::new(),
        }
    }

    /// The bytes that spans point into.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// The next record, its fields given to `field` with their numbers. One whose quotes are wrong
    /// has none in the end, whatever was given.
    #[inline]
    pub(super) fn next(&mut self, field: impl FnMut(usize, Span)) -> Option<Record> {
        if self.at < self.broken || !self.plain {
            return self.next_slowly(field);
        }
        self.next_plain(field)
    }

    #[inline]
    fn next_plain(&mut self, mut field: impl FnMut(usize, Span)) -> Option<Record> {
        let mut newlines = self.newlines;
        let mut start = self.at;
        let mut first = start;
        let mut number = 0;
        loop {
            let (span, stopped) = self.field(start);
            let stop = match stopped {
                Stopped::At(stop) => stop,
                Stopped::Fault => return self.fault(first, newlines),
                Stopped::End => {
                    if number == 0 && start >= self.bytes.len() {
                        self.at = start;
                        return None;
                    }
                    field(number, span);
                    return self.record(first, number + 1, newlines, self.bytes.len());
                }
            };
            let byte = self.byte(stop);
            if byte == self.delimiter {
                field(number, span);
                number += 1;
                start = stop + 1;
                continue;
            }
            self.newlines += u32::from(byte == self.newline);
            if number == 0 && stop == start {
                start += 1;
                first = start;
                newlines = self.newlines;
                continue;
            }
            field(number, span);
            return self.record(first, number + 1, newlines, stop + 1);
        }
    }

    /// Goes behind a record.
    #[inline]
    fn record(&mut self, start: usize, fields: usize, newlines: u32, end: usize) -> Option<Record> {
        let long = self.dialect.is_long(self.bytes, start, end, self.most);
        if long && self.dialect.strict() {
            let first = self.dialect.next_line_end(self.bytes, start);
            if first.is_some_and(|(_, first)| first < end) {
                return self.fault(start, newlines);
            }
        }
        if !self.moves.is_empty() {
            self.close_up();
        }
        self.at = end;
        Some(Record {
            fields,
            start,
            newlines,
            end,
            long,
        })
    }

    /// A record whose quotes are wrong: its lines are taken one by one.
    #[cold]
    fn fault(&mut self, start: usize, newlines: u32) -> Option<Record> {
        self.moves.clear();
        self.at = start;
        self.newlines = newlines;
        self.broken = match self.dialect.extent(self.bytes, start, true, self.most) {
            Extent::Broken(end) => end,
            // Another opinion of the same bytes than the fast way had would be an error of ours.
            Extent::Record(end) | Extent::Long(end) => end,
            Extent::More => self.bytes.len(),
        };
        let record = self.next_slowly(|_, _| {});
        self.marks.seek(self.at.max(start));
        record
    }

    /// The next record by any dialect.
    #[inline(never)]
    fn next_slowly(&mut self, field: impl FnMut(usize, Span)) -> Option<Record> {
        let dialect = self.dialect;
        loop {
            let start = self.at;
            if start >= self.bytes.len() {
                return None;
            }
            let newlines = self.newlines;
            let line_end = dialect.line_end(self.bytes, start);
            let mut record = Record {
                fields: 0,
                start,
                newlines,
                end: start,
                long: false,
            };
            if let Some(end) = line_end.filter(|_| !dialect.blank_rows) {
                self.go(end);
                self.skip_marks();
                continue;
            }
            if start < self.broken {
                record.end = self.line_after(start);
                record.long = dialect.is_long(self.bytes, start, record.end, self.most);
                self.go(record.end);
                self.skip_marks();
                return Some(record);
            }
            if dialect.comment.is_some() && self.bytes.get(start).copied() == dialect.comment {
                self.go(self.line_after(start));
                continue;
            }
            match dialect.extent(self.bytes, start, true, self.most) {
                Extent::Broken(end) | Extent::Long(end) => {
                    self.broken = end;
                    continue;
                }
                Extent::Record(end) => record.end = end,
                Extent::More => record.end = self.bytes.len(),
            }
            record.long = dialect.is_long(self.bytes, start, record.end, self.most);
            record.fields = self.fields(start, record.end, field);
            self.go(record.end);
            self.skip_marks();
            self.close_up();
            return Some(record);
        }
    }

    /// Past what lies before `end`.
    fn go(&mut self, end: usize) {
        let past = self.bytes.get(self.at..end).unwrap_or_default();
        let newlines = memchr::memchr_iter(self.dialect.newline(), past).count();
        self.newlines += u32::try_from(newlines).unwrap_or(u32::MAX);
        self.at = end;
    }

    /// The fast way goes on from here.
    fn skip_marks(&mut self) {
        if self.plain {
            self.marks.seek(self.at);
        }
    }

    fn line_after(&self, start: usize) -> usize {
        let end = self.dialect.next_line_end(self.bytes, start);
        end.map_or(self.bytes.len(), |(_, end)| end)
    }

    /// The fields of a record that is one.
    fn fields(&mut self, start: usize, end: usize, mut field: impl FnMut(usize, Span)) -> usize {
        let dialect = self.dialect;
        let stop = self.content_end(start, end);
        let (mut at, mut number) = (start, 0);
        loop {
            let blanks = self.bytes.get(at..stop).unwrap_or_default();
            let blanks = blanks
                .iter()
                .take_while(|b| dialect.trim && dialect.is_blank(**b));
            let first = at + blanks.count();
            let quoted = first < stop && dialect.quote.is_some_and(|q| self.byte(first) == q);
            let (span, delimiter) = if quoted {
                self.quoted_slowly(first + 1, stop, end)
            } else {
                let delimiter = dialect.next_delimiter(self.bytes, at, stop);
                let to = delimiter.unwrap_or(stop);
                let to = dialect.before_blanks(self.bytes, at, to);
                (Span::new(first.min(to), to), delimiter)
            };
            field(number, span);
            number += 1;
            match delimiter {
                Some(delimiter) => at = delimiter + dialect.delimiter.len(),
                None => return number,
            }
        }
    }

    /// Where the last field of a record stops.
    fn content_end(&self, start: usize, end: usize) -> usize {
        // A line end is the last one or two bytes, or is not there at the end of the file.
        let from = start.max(end.saturating_sub(2));
        (from..end)
            .find(|at| self.dialect.line_end(self.bytes, *at) == Some(end))
            .unwrap_or(end)
    }

    /// A field behind its opening quote, and the delimiter that ends it. If nothing closes it, it
    /// goes on to the end of the file, which is `end`.
    fn quoted_slowly(&mut self, start: usize, stop: usize, end: usize) -> (Span, Option<usize>) {
        let dialect = self.dialect;
        let (mut from, mut to, mut at) = (start, start, start);
        loop {
            let marks = self.bytes.get(..end).unwrap_or_default();
            let next = marks
                .iter()
                .skip(at)
                .position(|b| dialect.quote == Some(*b) || dialect.escape == Some(*b));
            let Some(mark) = next.map(|i| at + i) else {
                to = self.will_move(from, end, to);
                return (Span::new(start, to), None);
            };
            if dialect.quote != Some(self.byte(mark)) {
                at = mark + 1;
                if dialect.is_escaped(self.bytes, at) {
                    to = self.will_move(from, mark, to);
                    from = at;
                    at += 1;
                }
                continue;
            }
            if mark + 1 < end && dialect.quote == Some(self.byte(mark + 1)) {
                to = self.will_move(from, mark + 1, to);
                from = mark + 2;
                at = from;
                continue;
            }
            to = self.will_move(from, mark, to);
            let delimiter = dialect.next_delimiter(self.bytes, mark + 1, stop);
            if !dialect.strict() {
                let rest = delimiter.unwrap_or(stop);
                let blank = dialect.after(self.bytes, mark + 1, true) == After::Boundary;
                if !blank {
                    let rest = dialect.before_blanks(self.bytes, mark + 1, rest);
                    to = self.will_move(mark + 1, rest, to);
                }
            }
            return (Span::new(start, to), delimiter);
        }
    }

    /// The field that starts there.
    #[inline]
    fn field(&mut self, start: usize) -> (Span, Stopped) {
        loop {
            let Some(mark) = self.marks.next(self.bytes) else {
                return (Span::new(start, self.bytes.len()), Stopped::End);
            };
            let byte = self.byte(mark);
            if byte != self.quote || !self.quoting {
                return (Span::new(start, mark), Stopped::At(mark));
            }
            if mark == start {
                return self.quoted(start + 1);
            }
            if self.dialect.strict() {
                return (Span::MISSING, Stopped::Fault);
            }
        }
    }

    /// The same for a field whose opening quote has been read.
    #[inline(never)]
    fn quoted(&mut self, start: usize) -> (Span, Stopped) {
        let (quote, newline) = (self.quote, self.newline);
        let (mut from, mut to) = (start, start);
        loop {
            let Some(mark) = self.marks.next(self.bytes) else {
                if self.dialect.strict() {
                    return (Span::MISSING, Stopped::Fault);
                }
                to = self.will_move(from, self.bytes.len(), to);
                return (Span::new(start, to), Stopped::End);
            };
            let byte = self.byte(mark);
            if byte != quote {
                self.newlines += u32::from(byte == newline);
                continue;
            }
            if self.bytes.get(mark + 1) == Some(&quote) {
                self.marks.next(self.bytes);
                to = self.will_move(from, mark + 1, to);
                from = mark + 2;
                continue;
            }
            to = self.will_move(from, mark, to);
            if self.dialect.strict() {
                let stopped = match self.marks.next(self.bytes) {
                    Some(next) if next == mark + 1 => Stopped::At(next),
                    None if mark + 1 >= self.bytes.len() => Stopped::End,
                    _ => Stopped::Fault,
                };
                return (Span::new(start, to), stopped);
            }
            // What follows a closing quote belongs to the field, as the `csv` crate has it.
            let stop = loop {
                match self.marks.next(self.bytes) {
                    Some(next) if self.byte(next) == quote => {}
                    stop => break stop,
                }
            };
            to = self.will_move(mark + 1, stop.unwrap_or(self.bytes.len()), to);
            return (Span::new(start, to), stop.map_or(Stopped::End, Stopped::At));
        }
    }

    /// The bytes `from..end` are to move down to `to`; says where they will end.
    fn will_move(&mut self, from: usize, end: usize, to: usize) -> usize {
        if from != to && from < end {
            self.moves.push((from, end, to));
        }
        to + end.saturating_sub(from)
    }

    /// Moves what is to move, front to back.
    fn close_up(&mut self) {
        for (from, end, to) in self.moves.drain(..) {
            if from < end && end <= self.bytes.len() {
                self.bytes.copy_within(from..end, to);
            }
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }
}

const BLOCK: usize = 64;

/// The places of all delimiters, quotes and line ends, found 64 bytes at a time.
#[derive(Debug)]
struct Marks {
    /// Delimiter, quote and line ends; some may be the same.
    signs: [u8; 4],
    block: usize,
    next_block: usize,
    mask: u64,
}

impl Marks {
    fn new(dialect: Dialect) -> Self {
        let delimiter = dialect.delimiter.first();
        let [one, two] = dialect.ends();
        Marks {
            signs: [delimiter, dialect.quote.unwrap_or(delimiter), one, two],
            block: 0,
            next_block: 0,
            mask: 0,
        }
    }

    /// Goes on from there.
    fn seek(&mut self, at: usize) {
        self.next_block = at;
        self.mask = 0;
    }

    #[inline]
    fn next(&mut self, bytes: &[u8]) -> Option<usize> {
        while self.mask == 0 {
            self.refill(bytes)?;
        }
        let mark = self.block + self.mask.trailing_zeros() as usize;
        self.mask &= self.mask - 1;
        Some(mark)
    }

    /// Finds the marks of the next block.
    #[inline(never)]
    fn refill(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = bytes.get(self.next_block..).unwrap_or_default();
        self.mask = match rest.first_chunk::<BLOCK>() {
            Some(block) => marks_of(block, self.signs),
            None if rest.is_empty() => return None,
            None => {
                let mut block = [0; BLOCK];
                for (to, from) in block.iter_mut().zip(rest) {
                    *to = *from;
                }
                marks_of(&block, self.signs) & ((1 << rest.len()) - 1)
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
fn marks_of(block: &[u8; BLOCK], signs: [u8; 4]) -> u64 {
    let [delimiter, quote, one, two] = signs;
    let mut hits = [0u8; BLOCK];
    for (hit, &b) in hits.iter_mut().zip(block) {
        let matters = (b == delimiter) | (b == quote) | (b == one) | (b == two);
        *hit = u8::from(matters);
    }
    let mut mask = 0;
    for eight in hits.as_chunks::<8>().0.iter().rev() {
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        mask = mask << 8 | gathered;
    }
    mask
}
