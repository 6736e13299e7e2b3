//! Where a record ends, by its quotes, and which lines of one with wrong quotes are rejected.

use super::dialect::{After, Dialect, Stop};

/// What starts at some place between records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// A record, up to there, its line end included.
    Record(usize),
    /// Lines that are rejected each by itself, up to there.
    Broken(usize),
    /// A line of a record that is longer than one may be, up to there; the record is not known to
    /// end. Only where quotes are lenient.
    Long(usize),
    /// That cannot be told before there are more bytes.
    More,
}

/// How a record's quotes work out.
enum Walked {
    Record(usize),
    Fault,
    More,
}

/// Some quotes without anything between them.
struct Run {
    start: usize,
    end: usize,
}

impl Run {
    fn is_odd(&self) -> bool {
        (self.end - self.start) % 2 == 1
    }
}

/// What a line says of the line end before it.
enum Evidence {
    /// It was between records.
    Between,
    /// It was within quotes, which were closed before that place.
    Within(usize),
    None,
}

impl Dialect {
    /// What starts at `start`, where something does: no blank line and no comment. `ended` says
    /// that no bytes will follow these, and `most` how long a record may be.
    ///
    /// Where this needs to look beyond a record's first line to reject it, what comes later can
    /// only turn [`Extent::Broken`] into more lines. So bytes that are cut behind any extent and
    /// are all there is give the same extents.
    pub(super) fn extent(&self, bytes: &[u8], start: usize, ended: bool, most: usize) -> Extent {
        let line = || self.next_line_end(bytes, start).map(|(_, end)| end);
        match self.walk(bytes, start, ended) {
            Walked::Record(end) if !self.is_long(bytes, start, end, most) => {
                self.whole(bytes, end, ended)
            }
            Walked::Record(end) if line().is_none_or(|first| first >= end) => {
                self.whole(bytes, end, ended)
            }
            Walked::More if bytes.len().saturating_sub(start) <= most => Extent::More,
            Walked::Record(_) | Walked::More if !self.strict() => match line() {
                Some(end) => Extent::Long(end),
                None => Extent::More,
            },
            _ => self.broken(bytes, start, ended, most),
        }
    }

    /// Whether a record has more than so many bytes; a line end counts for one.
    pub(super) fn is_long(&self, bytes: &[u8], start: usize, end: usize, most: usize) -> bool {
        if end - start <= most {
            return false;
        }
        let pair = bytes.get(start..end).is_some_and(|b| b.ends_with(b"\r\n"));
        end - start - usize::from(pair) > most
    }

    /// A record, if its line end is whole, too, where that matters.
    fn whole(&self, bytes: &[u8], end: usize, ended: bool) -> Extent {
        let half = self.blank_rows && !ended && end == bytes.len() && bytes.ends_with(b"\r");
        if half && self.newline() == b'\n' {
            return Extent::More;
        }
        Extent::Record(end)
    }

    fn walk(&self, bytes: &[u8], start: usize, ended: bool) -> Walked {
        let mut at = start;
        // Where a field starts, or none behind one that was closed at `at`.
        let mut field = Some(start);
        loop {
            let quote = match self.stop(bytes, at) {
                Some(Stop::Quote(quote)) => quote,
                Some(Stop::End(_, end)) => return Walked::Record(end),
                None if ended => return Walked::Record(bytes.len()),
                None => return Walked::More,
            };
            if !self.opens(bytes, &mut field, at, start, quote) {
                if self.strict() {
                    return Walked::Fault;
                }
                at = quote + 1;
                continue;
            }
            let mut from = quote + 1;
            at = loop {
                let Some(found) = self.quote_within(bytes, from) else {
                    return match (ended, self.strict()) {
                        (false, _) => Walked::More,
                        (true, true) => Walked::Fault,
                        (true, false) => Walked::Record(bytes.len()),
                    };
                };
                if bytes.get(found + 1).copied() == self.quote {
                    from = found + 2;
                    continue;
                }
                match self.after(bytes, found + 1, ended) {
                    After::Unknown => return Walked::More,
                    After::Other if self.strict() => return Walked::Fault,
                    After::Other | After::Boundary => break found + 1,
                }
            };
            field = None;
        }
    }

    /// Whether a quote stands at the start of a field. `field` is the last that is known to start
    /// before it, `from` where to look for others.
    fn opens(
        &self,
        bytes: &[u8],
        field: &mut Option<usize>,
        from: usize,
        start: usize,
        quote: usize,
    ) -> bool {
        let at = self.before_blanks(bytes, start, quote);
        if self.delimiter.len() == 1 {
            let before = at.checked_sub(1).and_then(|i| bytes.get(i));
            return at == start || before == Some(&self.delimiter.first());
        }
        let mut from = field.map_or(from, |field| field.max(from));
        while let Some(found) = self.next_delimiter(bytes, from, quote) {
            from = found + self.delimiter.len();
            *field = Some(from);
        }
        Some(at) == *field
    }

    /// How far the lines go that are rejected with the one at `start`, which begins a record whose
    /// quotes are wrong.
    ///
    /// It may be that a quote was left open or is one too many, and what follows are records; or
    /// that a cell of several lines has a quote within that was not doubled, and what follows is
    /// that cell, whose lines must not be read as records. The next quotes tell: a line whose
    /// first quote opens a field was between records, one whose first quote closes a field was
    /// not, and nor were those before it. If nothing tells within `most` bytes, the lines are
    /// read as records.
    fn broken(&self, bytes: &[u8], start: usize, ended: bool, most: usize) -> Extent {
        let window = start.saturating_add(most);
        // No bytes that could still tell are missing.
        let complete = ended || bytes.len() >= window;
        let Some((stop, first)) = self.next_line_end(bytes, start) else {
            return match ended {
                true => Extent::Broken(bytes.len()),
                false => Extent::More,
            };
        };
        let mut rejected = first;
        if !ended && first == bytes.len() {
            // A `\n` may follow that is part of the line end.
            return Extent::More;
        }
        let Some(mut half) = self.left_open(bytes, start, start, stop) else {
            return Extent::Broken(rejected);
        };
        let mut at = first;
        loop {
            let (stop, next) = match self.next_line_end(bytes, at) {
                Some((_, next)) if next == bytes.len() && !ended => return Extent::More,
                Some((stop, next)) if stop < window => (stop, next),
                None if ended && at < bytes.len() && bytes.len() <= window => {
                    (bytes.len(), bytes.len())
                }
                Some(_) => return Extent::Broken(rejected),
                None if complete => return Extent::Broken(rejected),
                None => return Extent::More,
            };
            match self.evidence(bytes, at, stop, half) {
                Evidence::Between => return Extent::Broken(rejected),
                Evidence::None => {}
                Evidence::Within(closed) => {
                    rejected = next;
                    half = match self.left_open(bytes, at, closed, stop) {
                        Some(half) => half,
                        None => return Extent::Broken(rejected),
                    };
                }
            }
            at = next;
        }
    }

    /// Whether the line that starts at `line` and stops at `stop` ends within quotes, if a quote
    /// closes a field only in front of a boundary; looked at from `from` on, outside of quotes. If
    /// so, whether there was a quote in the midst of that field, and no second one to it.
    fn left_open(&self, bytes: &[u8], line: usize, from: usize, stop: usize) -> Option<bool> {
        let bytes = bytes.get(..stop).unwrap_or(bytes);
        let mut at = from;
        let mut open = None;
        while let Some(run) = self.next_run(bytes, at, open.is_some()) {
            at = run.end;
            if !run.is_odd() {
                continue;
            }
            open = match open {
                None => self.begins_field(bytes, line, run.start).then_some(false),
                Some(_) if self.after(bytes, run.end, true) == After::Boundary => None,
                Some(half) => Some(!half),
            };
        }
        open
    }

    /// What the quotes of a line say of its start, if it was within a field that has `half` of two
    /// quotes in its midst.
    fn evidence(&self, bytes: &[u8], line: usize, stop: usize, half: bool) -> Evidence {
        let bytes = bytes.get(..stop).unwrap_or(bytes);
        let mut at = line;
        // Behind a quote in the midst of text, of which the next one may be the second half.
        let mut paired = false;
        while let Some(run) = self.next_run(bytes, at, true) {
            at = run.end;
            let first = self.begins_field(bytes, line, run.start);
            let last = self.after(bytes, run.end, true) == After::Boundary;
            match (first, last, run.is_odd()) {
                (true, false, true) | (true, true, false) => return Evidence::Between,
                (true, true, true) => return Evidence::Within(run.end),
                (false, true, true) if !paired => return Evidence::Within(run.end),
                (false, true, false) if paired || half => return Evidence::Within(run.end),
                (false, _, true) => paired = !paired,
                (false, _, false) | (true, false, false) => {}
            }
        }
        Evidence::None
    }

    fn begins_field(&self, bytes: &[u8], line: usize, quote: usize) -> bool {
        let at = self.before_blanks(bytes, line, quote);
        let before = bytes.get(line..at).unwrap_or_default();
        before.is_empty() || before.ends_with(self.delimiter.bytes())
    }

    fn next_run(&self, bytes: &[u8], from: usize, within: bool) -> Option<Run> {
        let quote = self.quote?;
        let start = match within {
            true => self.quote_within(bytes, from)?,
            false => from + memchr::memchr(quote, bytes.get(from..)?)?,
        };
        let quotes = bytes.iter().skip(start).take_while(|b| **b == quote);
        Some(Run {
            start,
            end: start + quotes.count(),
        })
    }
}

impl Dialect {
    /// How many rows the lines of broken records are.
    pub(super) fn lines_within(&self, bytes: &[u8], from: usize, to: usize) -> u64 {
        let (mut at, mut rows) = (from, 0);
        while at < to {
            let line = self.next_line_end(bytes, at).filter(|(_, end)| *end <= to);
            let (stop, next) = line.unwrap_or((to, to));
            rows += u64::from(stop > at || self.blank_rows);
            at = next;
        }
        rows
    }
}
