//! Where records end in a stream of CSV bytes, by the rules of the `csv` crate.
//!
//! Owns the state between two buffers, so that a record may be of any length; refuses to look at
//! fields.

use memchr::{memchr, memrchr2};

use super::records::Dialect;
use crate::chunks::{self, Seen};

/// What the bytes read so far end in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Between records.
    #[default]
    Record,
    /// After a delimiter.
    Field,
    /// In an unquoted field, where quotes stand for themselves.
    Plain,
    /// In quotes.
    Quoted,
    /// After a quote within quotes, which closes them or is the first of two.
    Closing,
}

/// Finds record ends.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    dialect: Dialect,
    state: State,
}

impl Bounds {
    pub(super) fn new(dialect: Dialect) -> Self {
        Bounds {
            dialect,
            state: State::Record,
        }
    }

    /// Takes one byte in, and says whether it ended a record.
    fn step(&mut self, byte: u8) -> bool {
        let before = self.state;
        self.state = match before {
            State::Quoted if byte == self.dialect.quote => State::Closing,
            State::Quoted => State::Quoted,
            State::Record | State::Field | State::Closing if byte == self.dialect.quote => {
                State::Quoted
            }
            _ if byte == self.dialect.delimiter => State::Field,
            _ if Dialect::ends_record(byte) => State::Record,
            _ => State::Plain,
        };
        before != State::Record && self.state == State::Record
    }
}

impl chunks::Bounds for Bounds {
    fn within_record(&self) -> bool {
        self.state != State::Record
    }

    fn scan(&mut self, bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            match self.state {
                State::Quoted => match memchr(self.dialect.quote, rest) {
                    Some(q) => {
                        self.state = State::Closing;
                        at += q + 1;
                    }
                    None => break,
                },
                State::Closing => {
                    let first = rest.first().copied().unwrap_or_default();
                    at += 1;
                    if self.step(first) {
                        seen.rows += 1;
                        seen.cut = Some(at);
                    }
                }
                State::Record | State::Field | State::Plain => {
                    let quote = memchr(self.dialect.quote, rest);
                    let plain = quote.and_then(|q| rest.get(..q)).unwrap_or(rest);
                    seen.rows += rows_ended(plain, self.state == State::Record);
                    if let Some(end) = memrchr2(b'\n', b'\r', plain) {
                        seen.cut = Some(at + end + 1);
                    }
                    self.state = match plain.last() {
                        None => self.state,
                        Some(&b) if Dialect::ends_record(b) => State::Record,
                        Some(&b) if b == self.dialect.delimiter => State::Field,
                        Some(_) => State::Plain,
                    };
                    at += plain.len();
                    if quote.is_some() {
                        self.step(self.dialect.quote);
                        at += 1;
                    }
                }
            }
        }
        seen
    }

    fn first_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
            if self.state == State::Quoted {
                // Nothing but a quote matters here, and a record may be gigabytes of this.
                let q = memchr(self.dialect.quote, rest)?;
                at += q;
            }
            let byte = bytes.get(at).copied()?;
            at += 1;
            if self.step(byte) {
                return Some(at);
            }
        }
        None
    }

    fn blank(&self, bytes: &[u8]) -> usize {
        let ends = |b: &&u8| Dialect::ends_record(**b);
        bytes.iter().take_while(ends).count()
    }
}

/// How many line ends end a record, as all do but those that follow another, where there is no
/// quote.
fn rows_ended(plain: &[u8], mut between: bool) -> u64 {
    let mut rows = 0;
    let mut rest = plain;
    while let Some((first, _)) = rest.split_first() {
        rows += u64::from(Dialect::ends_record(*first) && !between);
        // Small enough to be added up in a byte, which compiles to vector instructions.
        let (run, after) = rest.split_at(rest.len().min(256));
        let ended: u8 = run
            .iter()
            .zip(run.get(1..).unwrap_or_default())
            .map(|(&a, &b)| u8::from(Dialect::ends_record(b) & !Dialect::ends_record(a)))
            .fold(0, u8::wrapping_add);
        rows += u64::from(ended);
        between = run.last().is_some_and(|&b| Dialect::ends_record(b));
        rest = after;
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::Bounds as _;

    const COMMA: Dialect = Dialect {
        delimiter: b',',
        quote: b'"',
    };

    /// Every text of up to seven of these bytes.
    fn small_texts(mut visit: impl FnMut(&[u8])) {
        let alphabet = b"a,\"\n\r";
        for len in 0..=7u32 {
            for code in 0..5usize.pow(len) {
                let text: Vec<u8> = (0..len)
                    .map(|i| alphabet[code / 5usize.pow(i) % 5])
                    .collect();
                visit(&text);
            }
        }
    }

    #[test]
    fn scanning_by_runs_is_stepping_by_bytes() {
        small_texts(|text| {
            let mut steps = Bounds::new(COMMA);
            let rows = text.iter().filter(|&&b| steps.step(b)).count() as u64;
            let mut runs = Bounds::new(COMMA);
            assert_eq!(runs.scan(text).rows, rows, "{text:?}");
            assert_eq!(runs.state, steps.state, "{text:?}");

            let mut halves = Bounds::new(COMMA);
            let (a, b) = text.split_at(text.len() / 2);
            assert_eq!(halves.scan(a).rows + halves.scan(b).rows, rows, "{text:?}");
            assert_eq!(halves.state, steps.state, "{text:?}");
        });
    }

    #[test]
    fn the_first_end_is_where_the_first_row_is_complete() {
        small_texts(|text| {
            let end = Bounds::new(COMMA).first_end(text);
            let stepped = {
                let mut bounds = Bounds::new(COMMA);
                text.iter().position(|&b| bounds.step(b)).map(|i| i + 1)
            };
            assert_eq!(end, stepped, "{text:?}");
        });
    }

    #[test]
    fn a_cut_never_falls_into_a_record() {
        small_texts(|text| {
            let mut bounds = Bounds::new(COMMA);
            let seen = bounds.scan(text);
            let cut = seen.cut.unwrap_or(0);
            let mut head = Bounds::new(COMMA);
            assert_eq!(head.scan(&text[..cut]).rows, seen.rows, "{text:?}");
            assert!(!head.within_record(), "{text:?}");
        });
    }

    #[test]
    fn long_runs_are_counted_like_short_ones() {
        let text = "ab,c\r\n\n\rd\n".repeat(2000);
        let mut steps = Bounds::new(COMMA);
        let rows = text.bytes().filter(|&b| steps.step(b)).count() as u64;
        assert_eq!(Bounds::new(COMMA).scan(text.as_bytes()).rows, rows);
        assert_eq!(rows, 4000);
    }
}
