//! Finds where objects begin and end in a JSON array or in multi-line objects, by their brackets
//! and strings, whatever else is wrong in them. Objects are checked by the decoder. No byte is
//! lost: anything that is not an object is a record, too, and will be rejected.

use crate::chunks::{Bounds, Seen};

/// Brackets whose kinds are remembered; the kinds of deeper ones are not looked at.
const KINDS: u32 = 128;

/// The brackets that are open within a record.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    depth: u64,
    /// A bit for each of the first [`KINDS`]: whether it is an array's.
    arrays: u128,
}

impl Open {
    fn push(&mut self, array: bool) {
        if let Some(bit) = bit(self.depth) {
            self.arrays = if array {
                self.arrays | bit
            } else {
                self.arrays & !bit
            };
        }
        self.depth += 1;
    }

    /// Whether the innermost is an object's, as far as is known.
    fn within_object(&self) -> bool {
        let innermost = self.depth.checked_sub(1).and_then(bit);
        innermost.is_some_and(|bit| self.arrays & bit == 0)
    }

    /// Closes the innermost of that kind, and what was left open within it. False if there is none.
    fn close(&mut self, array: bool) -> bool {
        while let Some(depth) = self.depth.checked_sub(1) {
            let is_array = bit(depth).map(|bit| self.arrays & bit != 0);
            if array && is_array == Some(false) && !self.has_array() {
                return false;
            }
            self.depth = depth;
            if is_array.is_none_or(|is_array| is_array == array) {
                return true;
            }
        }
        false
    }

    fn has_array(&self) -> bool {
        let known = self.depth.min(u64::from(KINDS));
        let mask = match u32::try_from(known) {
            Ok(known) if known < KINDS => (1u128 << known) - 1,
            _ => u128::MAX,
        };
        self.arrays & mask != 0
    }
}

fn bit(depth: u64) -> Option<u128> {
    let depth = u32::try_from(depth).ok().filter(|d| *d < KINDS)?;
    Some(1 << depth)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Behind a record, or before the first.
    #[default]
    Between,
    /// In something that is no object.
    Stray,
    /// In an object, or in what is left of one.
    Within,
}

/// What a byte means for the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is one of the record, or stands between two.
    On,
    /// It is the record's last.
    Last,
    /// It is not the record's any more.
    Over,
}

/// Follows brackets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Brackets {
    state: State,
    open: Open,
    in_string: bool,
    escaped: bool,
    /// Whether the last byte ended a string.
    closed: bool,
    /// The last byte within an object that is no space.
    last: u8,
    /// Arrays around the records that are open.
    around: u64,
    /// Bytes since the line began, if that is known.
    column: Option<usize>,
    /// Whether there was nothing but spaces in it.
    blank_line: bool,
    /// The column of the record's begin, where nothing stands before it in its line.
    indent: Option<usize>,
    /// Bytes taken in.
    taken: usize,
    /// Where in the record an object begins in a line of its own, as the record itself does.
    again: Option<usize>,
    /// What was known where the bytes may be cut.
    at_cut: Between,
}

/// What is known between two records.
#[derive(Debug, Clone, Copy, Default)]
struct Between {
    around: u64,
    column: Option<usize>,
    blank_line: bool,
}

impl Brackets {
    /// At the start of a file.
    pub(super) fn new() -> Self {
        Brackets::from(Between {
            around: 0,
            column: Some(0),
            blank_line: true,
        })
    }

    /// The records of whole bytes, each with the newlines before it.
    pub(super) fn records(bytes: &[u8]) -> Records<'_> {
        Records {
            bytes,
            at: 0,
            newlines: 0,
        }
    }

    fn from(between: Between) -> Self {
        Brackets {
            around: between.around,
            column: between.column,
            blank_line: between.blank_line,
            at_cut: between,
            ..Brackets::default()
        }
    }

    fn between_records(&self) -> Between {
        Between {
            around: self.around,
            column: self.column,
            blank_line: self.blank_line,
        }
    }

    #[inline]
    fn step(&mut self, b: u8) -> Step {
        let step = match self.state {
            State::Between => self.between(b),
            State::Stray => self.stray(b),
            State::Within => self.within(b),
        };
        if step != Step::On {
            self.state = State::Between;
            self.open = Open::default();
            self.in_string = false;
            self.escaped = false;
            self.closed = false;
            self.indent = None;
            self.again = None;
        }
        if step != Step::Over {
            self.taken += 1;
            if b == b'\n' {
                self.column = Some(0);
                self.blank_line = true;
            } else {
                self.column = self.column.map(|c| c + 1);
                self.blank_line &= is_space(b);
            }
        }
        step
    }

    fn between(&mut self, b: u8) -> Step {
        match b {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {}
            b'[' => self.around += 1,
            b']' => self.around = self.around.saturating_sub(1),
            b'{' => {
                self.state = State::Within;
                self.open.push(false);
                self.last = b;
                self.indent = self.column.filter(|_| self.blank_line);
            }
            // An object has ended already.
            b'}' => return Step::Last,
            _ => {
                self.state = State::Stray;
                self.in_string = b == b'"';
            }
        }
        Step::On
    }

    fn stray(&mut self, b: u8) -> Step {
        if self.in_string {
            self.string(b);
            return Step::On;
        }
        self.closed = false;
        match b {
            b'"' => self.in_string = true,
            b'\n' | b',' | b'{' | b'[' | b']' => return Step::Over,
            b'}' => return Step::Last,
            // Only within an object: its begin is missing.
            b':' => {
                self.state = State::Within;
                self.open.push(false);
                self.last = b;
            }
            _ => {}
        }
        Step::On
    }

    fn within(&mut self, b: u8) -> Step {
        if self.in_string {
            self.string(b);
            return Step::On;
        }
        let closed = std::mem::take(&mut self.closed);
        match b {
            b' ' | b'\t' | b'\r' | b'\n' => return Step::On,
            b'"' => self.in_string = true,
            b'{' => {
                // Where a key is due, no object can be: the one before it was not closed.
                if self.open.within_object() && self.last != b':' {
                    return Step::Over;
                }
                if self.blank_line && self.indent.is_some() && self.indent == self.column {
                    self.again = self.again.or(Some(self.taken));
                }
                self.open.push(false);
            }
            b'[' => self.open.push(true),
            b'}' => {
                self.open.close(false);
                if self.open.depth == 0 {
                    return Step::Last;
                }
            }
            b']' if !self.open.close(true) => return Step::Over,
            b']' | b',' | b':' => {}
            // Nothing may follow a string at once, so that quote was the begin of one, and the
            // other of the pair is missing.
            _ if closed => self.string(b),
            _ => {}
        }
        if closed && !matches!(b, b'"' | b'{' | b'[' | b'}' | b']' | b',' | b':') {
            self.in_string = true;
        }
        self.last = b;
        Step::On
    }

    /// A byte within a string, which ends with its line: JSON has no line breaks within one.
    fn string(&mut self, b: u8) {
        if std::mem::take(&mut self.escaped) {
            return;
        }
        match b {
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                self.closed = true;
                self.last = b;
            }
            b'\n' => self.in_string = false,
            _ => {}
        }
    }
}

fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\r' | b'\n')
}

impl Bounds for Brackets {
    fn scan(&mut self, bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let mut i = 0;
        while let Some(&b) = bytes.get(i) {
            let step = self.step(b);
            seen.rows += u64::from(step != Step::On);
            i += usize::from(step != Step::Over);
            if self.state == State::Between {
                seen.cut = Some(i);
                self.at_cut = self.between_records();
            }
        }
        seen
    }

    fn first_end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (i, &b) in bytes.iter().enumerate() {
            let end = match self.step(b) {
                Step::On => continue,
                Step::Last => i + 1,
                Step::Over => i,
            };
            self.at_cut = self.between_records();
            return Some(end);
        }
        None
    }

    fn within_record(&self) -> bool {
        self.state != State::Between
    }

    fn blank(&self, bytes: &[u8]) -> usize {
        let between = |b: &u8| is_space(*b) || matches!(b, b',' | b'[' | b']');
        bytes.iter().take_while(|b| between(b)).count()
    }

    fn behind(&self) -> Option<Self> {
        Some(Brackets::from(self.at_cut))
    }

    fn again(&self) -> Option<(usize, Self)> {
        // Nothing but spaces stands before it in its line, and no record around it has ended.
        let between = Between {
            around: self.around,
            column: self.indent,
            blank_line: true,
        };
        Some((self.again?, Brackets::from(between)))
    }

    fn missing_end(&self) -> Option<&'static str> {
        (self.around > 0).then_some(
            "the array in the file is not closed, so rows may be missing: the file may be \
            truncated",
        )
    }

    fn endless(&self) -> Option<&'static str> {
        Some(
            "a bracket is not closed, so the objects after it cannot be counted; rows of such a \
            file are not stored",
        )
    }
}

/// Records of a chunk.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    newlines: u32,
}

impl<'a> Iterator for Records<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..)?;
        let mut brackets = Brackets::default();
        let before = brackets.blank(rest);
        let (blank, record) = rest.split_at(before);
        if record.is_empty() {
            return None;
        }
        self.newlines += newlines(blank);
        let end = brackets.first_end(record).unwrap_or(record.len());
        let record = record.get(..end)?;
        let found = (self.newlines, record);
        self.newlines += newlines(record);
        self.at += before + end;
        Some(found)
    }
}

fn newlines(bytes: &[u8]) -> u32 {
    u32::try_from(crate::chunks::newlines(bytes)).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "brackets_tests.rs"]
mod tests;
