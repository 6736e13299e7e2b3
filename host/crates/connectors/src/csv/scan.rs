//! Counts the records of some bytes, and says where they end.

use memchr::{memchr, memrchr2};

use super::dialect::Dialect;
use super::walk::Extent;
use crate::chunks::Sizes;

/// Rows are counted a piece at a time, so that a chunk of very short rows can end early.
const PIECE: usize = 64 << 10;

/// How far the records of some bytes have been counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Scan {
    /// Behind the last whole one.
    pub(super) at: usize,
    pub(super) rows: u64,
}

/// Why counting stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// There is nothing behind, or there are rows or bytes enough.
    Enough,
    /// The next record needs more bytes than there are.
    More,
    /// The line that comes, up to there, is of a record that is too long.
    Long(usize),
}

/// Behind a blank line or comment that starts there, which is no row. A comment that is not whole starts none.
pub(super) fn passed(
    dialect: &Dialect,
    bytes: &[u8],
    at: usize,
    ended: bool,
    blank_rows: bool,
) -> Option<usize> {
    if let Some(end) = dialect.line_end(bytes, at) {
        return (!blank_rows).then_some(end);
    }
    if dialect.comment.is_none() || bytes.get(at).copied() != dialect.comment {
        return None;
    }
    match dialect.next_line_end(bytes, at) {
        Some((_, end)) if end < bytes.len() || ended => Some(end),
        None if ended => Some(bytes.len()),
        _ => None,
    }
}

impl Scan {
    /// Counts the records of `bytes` that start before `bytes_enough`, up to about `rows_enough`.
    pub(super) fn count(
        &mut self,
        dialect: &Dialect,
        bytes: &[u8],
        ended: bool,
        sizes: Sizes,
    ) -> Until {
        let by_lines = dialect.lines_are_rows();
        while self.at < bytes.len() && self.at < sizes.chunk_bytes && self.rows < sizes.chunk_rows {
            if by_lines && self.take_lines(dialect, bytes, sizes.chunk_bytes) {
                continue;
            }
            match self.take_one(dialect, bytes, ended, sizes.max_record) {
                None => {}
                Some(until) => return until,
            }
        }
        Until::Enough
    }

    /// Goes past whole lines of the next piece that have no quotes; says whether there were any.
    fn take_lines(&mut self, dialect: &Dialect, bytes: &[u8], enough: usize) -> bool {
        let to = bytes.len().min(self.at + PIECE).min(enough);
        let piece = bytes.get(self.at..to).unwrap_or_default();
        let quote = dialect.quote.and_then(|quote| memchr(quote, piece));
        let plain = quote.and_then(|q| piece.get(..q)).unwrap_or(piece);
        let [one, two] = dialect.ends();
        let Some(last) = memrchr2(one, two, plain) else {
            return false;
        };
        let lines = plain.get(..=last).unwrap_or_default();
        self.rows += match one == two {
            false => rows_ended(lines, |b| (b == b'\n') | (b == b'\r')),
            true => rows_ended(lines, |b| b == one),
        };
        self.at += last + 1;
        true
    }

    fn take_one(
        &mut self,
        dialect: &Dialect,
        bytes: &[u8],
        ended: bool,
        most: usize,
    ) -> Option<Until> {
        let at = self.at;
        if dialect.blank_rows && bytes.get(at..) == Some(b"\r") && !ended {
            return Some(Until::More);
        }
        if let Some(end) = passed(dialect, bytes, at, ended, dialect.blank_rows) {
            self.at = end;
            return None;
        }
        if dialect.comment.is_some() && bytes.get(at).copied() == dialect.comment {
            return Some(Until::More);
        }
        match dialect.extent(bytes, at, ended, most) {
            Extent::Record(end) => {
                self.rows += 1;
                self.at = end;
            }
            Extent::Broken(end) => {
                self.rows += dialect.lines_within(bytes, at, end);
                self.at = end;
            }
            Extent::Long(end) => return Some(Until::Long(end)),
            Extent::More => return Some(Until::More),
        }
        None
    }
}

/// How many lines of `lines` are rows: all but those without anything on them. A line end follows
/// the last one.
fn rows_ended(lines: &[u8], ends: impl Fn(u8) -> bool) -> u64 {
    let mut rows = 0;
    let mut rest = lines;
    let mut between = true;
    while let Some((first, _)) = rest.split_first() {
        rows += u64::from(ends(*first) && !between);
        // Small enough to be added up in a byte, which compiles to vector instructions.
        let (run, after) = rest.split_at(rest.len().min(256));
        let ended: u8 = run
            .iter()
            .zip(run.get(1..).unwrap_or_default())
            .map(|(&a, &b)| u8::from(ends(b) & !ends(a)))
            .fold(0, u8::wrapping_add);
        rows += u64::from(ended);
        between = run.last().is_some_and(|&b| ends(b));
        rest = after;
    }
    rows
}
