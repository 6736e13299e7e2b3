//! What the bytes of a CSV file mean: delimiters, quotes, escapes, comments and line ends.

use memchr::{memchr, memchr2, memmem};

/// Bytes of the longest delimiter.
pub(super) const MAX_DELIMITER_LEN: usize = 16;

/// What ends a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnd {
    /// `\n`, `\r\n` or `\r`, whichever comes.
    #[default]
    Any,
    /// `\n` alone; a `\r` is part of a cell.
    Lf,
    /// `\r\n` alone; a `\n` or `\r` by itself is part of a cell.
    Crlf,
    /// `\r` alone; a `\n` is part of a cell.
    Cr,
}

/// What becomes of a record whose quotes are not by RFC 4180.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quotes {
    /// It is rejected: a quote opens a field as its first byte, closes it in front of a delimiter,
    /// a line end or the end of the file, and stands nowhere else unless it is doubled within.
    #[default]
    Strict,
    /// It is read as the `csv` crate reads it: a quote within an unquoted field is text, what
    /// follows a closing quote belongs to the field, and the end of the file closes it.
    Lenient,
}

/// The bytes between fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delimiter {
    bytes: [u8; MAX_DELIMITER_LEN],
    len: u8,
}

impl Delimiter {
    /// None if it is empty or too long.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_DELIMITER_LEN];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        let len = u8::try_from(text.len()).ok().filter(|len| *len > 0)?;
        Some(Delimiter { bytes, len })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn first(&self) -> u8 {
        let [first, ..] = self.bytes;
        first
    }

    /// Where the next one starts in `bytes`.
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self.len {
            1 => memchr(self.first(), bytes),
            _ => memmem::find(bytes, self.bytes()),
        }
    }
}

/// What the bytes of a file mean. All single bytes are ASCII, different, and no line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: Delimiter,
    /// Around fields; none where quotes have no meaning.
    pub(super) quote: Option<u8>,
    pub(super) quotes: Quotes,
    /// Within quotes, takes its meaning from a quote that follows, and from another one of itself.
    pub(super) escape: Option<u8>,
    /// At the start of lines that are no records.
    pub(super) comment: Option<u8>,
    pub(super) line_end: LineEnd,
    /// Whether blanks around fields are none of theirs.
    pub(super) trim: bool,
    /// Whether a blank line is a record, as it is in a file of one column.
    pub(super) blank_rows: bool,
}

/// What follows a quote that may close a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// A delimiter, a line end or the end.
    Boundary,
    /// Something else.
    Other,
    /// That cannot be told before there are more bytes.
    Unknown,
}

/// What ends a stretch of unquoted bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Quote(usize),
    /// A line end, from where to where.
    End(usize, usize),
}

impl Dialect {
    /// Delimiter and quote, the rest as it is by default.
    pub(super) fn new(delimiter: Delimiter, quote: Option<u8>) -> Self {
        Dialect {
            delimiter,
            quote,
            quotes: Quotes::Strict,
            escape: None,
            comment: None,
            line_end: LineEnd::Any,
            trim: false,
            blank_rows: false,
        }
    }

    pub(super) fn strict(&self) -> bool {
        self.quotes == Quotes::Strict
    }

    /// Whether each of its marks is a byte, so that records can be split by the fast way.
    pub(super) fn plain(&self) -> bool {
        self.delimiter.len() == 1 && self.escape.is_none() && !self.trim && self.lines_are_rows()
    }

    /// Whether a line with anything on it is a row unless quotes say otherwise, and any other none.
    pub(super) fn lines_are_rows(&self) -> bool {
        self.comment.is_none() && !self.blank_rows && self.line_end != LineEnd::Crlf
    }

    /// The byte by which lines are counted.
    pub(super) fn newline(&self) -> u8 {
        match self.line_end {
            LineEnd::Cr => b'\r',
            _ => b'\n',
        }
    }

    /// The bytes that end a line by themselves; twice the same if there is one.
    pub(super) fn ends(&self) -> [u8; 2] {
        match self.line_end {
            LineEnd::Any => *b"\n\r",
            LineEnd::Lf | LineEnd::Crlf => *b"\n\n",
            LineEnd::Cr => *b"\r\r",
        }
    }

    pub(super) fn is_blank(&self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t') && !self.delimiter.bytes().contains(&byte)
    }

    /// Behind the line end that starts there, if one does.
    pub(super) fn line_end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        let next = bytes.get(at + 1);
        match (self.line_end, bytes.get(at)?) {
            (LineEnd::Any, b'\r') | (LineEnd::Crlf, b'\r') if next == Some(&b'\n') => Some(at + 2),
            (LineEnd::Any, b'\n' | b'\r') | (LineEnd::Lf, b'\n') | (LineEnd::Cr, b'\r') => {
                Some(at + 1)
            }
            _ => None,
        }
    }

    /// The next quote or line end.
    pub(super) fn stop(&self, bytes: &[u8], from: usize) -> Option<Stop> {
        let [one, two] = self.ends();
        let mut at = from;
        loop {
            let rest = bytes.get(at..)?;
            let found = match self.quote {
                Some(quote) => memchr::memchr3(quote, one, two, rest),
                None => memchr2(one, two, rest),
            }?;
            let found = at + found;
            if self.quote.is_some() && bytes.get(found).copied() == self.quote {
                return Some(Stop::Quote(found));
            }
            if let Some((start, end)) = self.line_end_of(bytes, from, found) {
                return Some(Stop::End(start, end));
            }
            at = found + 1;
        }
    }

    /// The line end that the byte at `found`, one of [`Dialect::ends`], belongs to.
    fn line_end_of(&self, bytes: &[u8], from: usize, found: usize) -> Option<(usize, usize)> {
        if self.line_end != LineEnd::Crlf {
            return Some((found, self.line_end(bytes, found)?));
        }
        let start = found.checked_sub(1).filter(|start| *start >= from)?;
        Some((start, self.line_end(bytes, start)?))
    }

    /// The next line end: from where to where.
    pub(super) fn next_line_end(&self, bytes: &[u8], from: usize) -> Option<(usize, usize)> {
        let [one, two] = self.ends();
        let mut at = from;
        loop {
            let found = at + memchr2(one, two, bytes.get(at..)?)?;
            if let Some(line_end) = self.line_end_of(bytes, from, found) {
                return Some(line_end);
            }
            at = found + 1;
        }
    }

    /// Where the next delimiter starts in `bytes` before `stop`.
    pub(super) fn next_delimiter(&self, bytes: &[u8], from: usize, stop: usize) -> Option<usize> {
        Some(from + self.delimiter.find(bytes.get(from..stop)?)?)
    }

    /// The next quote within quotes, past what is escaped.
    pub(super) fn quote_within(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let quote = self.quote?;
        let mut at = from;
        loop {
            let rest = bytes.get(at..)?;
            let Some(escape) = self.escape else {
                return Some(at + memchr(quote, rest)?);
            };
            let found = at + memchr2(quote, escape, rest)?;
            if bytes.get(found) == Some(&quote) {
                return Some(found);
            }
            at = found + 1 + usize::from(self.is_escaped(bytes, found + 1));
        }
    }

    /// Whether an escape in front of that byte takes its meaning: it does with quotes and escapes,
    /// and stands for itself in front of others, as PostgreSQL has it.
    pub(super) fn is_escaped(&self, bytes: &[u8], at: usize) -> bool {
        let byte = bytes.get(at).copied();
        byte.is_some() && (byte == self.quote || byte == self.escape)
    }

    /// What stands at `at`, behind a quote.
    pub(super) fn after(&self, bytes: &[u8], mut at: usize, ended: bool) -> After {
        if self.trim {
            let blanks = bytes.iter().skip(at);
            at += blanks.take_while(|b| self.is_blank(**b)).count();
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let delimiter = self.delimiter.bytes();
        if rest.starts_with(delimiter) || self.line_end(bytes, at).is_some() {
            return After::Boundary;
        }
        let cut_off =
            delimiter.starts_with(rest) || self.line_end == LineEnd::Crlf && rest == b"\r";
        match (rest.is_empty(), ended) {
            (true, true) => After::Boundary,
            (_, false) if cut_off => After::Unknown,
            _ => After::Other,
        }
    }

    /// Goes back over blanks that belong to no field.
    pub(super) fn before_blanks(&self, bytes: &[u8], start: usize, at: usize) -> usize {
        if !self.trim {
            return at;
        }
        let before = bytes.get(start..at).unwrap_or_default();
        let blanks = before.iter().rev().take_while(|b| self.is_blank(**b));
        at - blanks.count()
    }
}
