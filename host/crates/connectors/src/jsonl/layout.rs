//! The layout of a file: an object per line, one array, or objects over several lines.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::brackets::{self, Brackets};
use super::lines::{Lines, is_space};
use crate::chunks::{Bounds, Seen};

/// Bytes of a file by which its layout is chosen.
pub(super) const SNIFFED_BYTES: usize = 64 << 10;

/// How objects stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One a line.
    Lines,
    /// In an array, or one behind the other, over lines as they please.
    Brackets,
}

impl Layout {
    /// The layout of a file that begins so.
    pub(super) fn of(start: &[u8]) -> Layout {
        let rest = start.trim_ascii_start();
        match rest.first() {
            Some(b'[') => return Layout::Brackets,
            Some(b'{') => {}
            _ => return Layout::Lines,
        }
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let (line, behind) = rest.split_at(end);
        let mut objects = 0;
        if Brackets::records(line).all(|(_, record)| {
            objects += 1;
            record.starts_with(b"{")
        }) && objects > 1
        {
            return Layout::Brackets;
        }
        let mut brackets = Brackets::new();
        brackets.scan(line);
        // An object that goes on in the next line, which does not begin with an object as each
        // line of the other layout does.
        let goes_on = brackets.within_record();
        match behind.trim_ascii_start().first() {
            Some(b'{') | None => Layout::Lines,
            Some(_) if goes_on => Layout::Brackets,
            Some(_) => Layout::Lines,
        }
    }

    /// Before the first record.
    pub(super) fn bounds(self) -> Framing {
        match self {
            Layout::Lines => Framing::Lines(Lines::default()),
            Layout::Brackets => Framing::Brackets(Brackets::new()),
        }
    }

    /// What may be the matter with a record that is too long.
    pub(super) fn suspect(self) -> &'static str {
        match self {
            Layout::Lines => "each object must be on its own line",
            Layout::Brackets => "a bracket may not be closed",
        }
    }

    /// The records of a chunk, each with the newlines before it.
    pub(super) fn records(self, bytes: &[u8]) -> Records<'_> {
        match self {
            Layout::Lines => Records::Lines {
                rest: bytes,
                newlines: 0,
            },
            Layout::Brackets => Records::Brackets(Brackets::records(bytes)),
        }
    }
}

/// Where records end, in whichever layout.
#[derive(Debug, Clone, Copy)]
pub(super) enum Framing {
    Lines(Lines),
    Brackets(Brackets),
}

impl Bounds for Framing {
    fn scan(&mut self, bytes: &[u8]) -> Seen {
        match self {
            Framing::Lines(lines) => lines.scan(bytes),
            Framing::Brackets(brackets) => brackets.scan(bytes),
        }
    }

    fn first_end(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Framing::Lines(lines) => lines.first_end(bytes),
            Framing::Brackets(brackets) => brackets.first_end(bytes),
        }
    }

    fn within_record(&self) -> bool {
        match self {
            Framing::Lines(lines) => lines.within_record(),
            Framing::Brackets(brackets) => brackets.within_record(),
        }
    }

    fn blank(&self, bytes: &[u8]) -> usize {
        match self {
            Framing::Lines(lines) => lines.blank(bytes),
            Framing::Brackets(brackets) => brackets.blank(bytes),
        }
    }

    fn behind(&self) -> Option<Self> {
        match self {
            Framing::Lines(_) => None,
            Framing::Brackets(brackets) => brackets.behind().map(Framing::Brackets),
        }
    }

    fn again(&self) -> Option<(usize, Self)> {
        match self {
            Framing::Lines(_) => None,
            Framing::Brackets(brackets) => {
                let (at, brackets) = brackets.again()?;
                Some((at, Framing::Brackets(brackets)))
            }
        }
    }

    fn missing_end(&self) -> Option<&'static str> {
        match self {
            Framing::Lines(_) => None,
            Framing::Brackets(brackets) => brackets.missing_end(),
        }
    }

    fn endless(&self) -> Option<&'static str> {
        match self {
            Framing::Lines(_) => None,
            Framing::Brackets(brackets) => brackets.endless(),
        }
    }
}

/// Records of a chunk.
pub(super) enum Records<'a> {
    Lines { rest: &'a [u8], newlines: u32 },
    Brackets(brackets::Records<'a>),
}

impl<'a> Iterator for Records<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Records::Brackets(records) => records.next(),
            Records::Lines { rest, newlines } => loop {
                if rest.is_empty() {
                    return None;
                }
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                let (line, behind) = rest.split_at(end);
                let at = *newlines;
                *rest = behind;
                *newlines += 1;
                if !line.iter().all(|&b| is_space(b) || b == b'\n') {
                    return Some((at, line));
                }
            },
        }
    }
}

/// What reader and decoders of a source share.
#[derive(Debug, Default)]
pub struct Shared {
    layouts: Mutex<BTreeMap<usize, Layout>>,
    /// Whether an object was read.
    read: AtomicBool,
    /// Whether an object had the column's key, for each column.
    met: Vec<AtomicBool>,
}

impl Shared {
    pub(super) fn new(columns: usize) -> Arc<Self> {
        Arc::new(Shared {
            met: (0..columns).map(|_| AtomicBool::new(false)).collect(),
            ..Shared::default()
        })
    }

    /// The layout of a file, once it was opened.
    pub(super) fn layout(&self, part: usize) -> Option<Layout> {
        let layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        layouts.get(&part).copied()
    }

    pub(super) fn found(&self, part: usize, layout: Layout) {
        let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        layouts.insert(part, layout);
    }

    /// Remembers which keys some objects had.
    pub(super) fn meet(&self, met: &[bool]) {
        self.read.store(true, Ordering::Relaxed);
        for (all, _) in self.met.iter().zip(met).filter(|(_, met)| **met) {
            all.store(true, Ordering::Relaxed);
        }
    }

    /// The columns whose key no object had; none before one was read.
    pub(super) fn absent(&self) -> Vec<usize> {
        if !self.read.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let met = self.met.iter().enumerate();
        met.filter(|(_, met)| !met.load(Ordering::Relaxed))
            .map(|(column, _)| column)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_shows_at_the_start_of_a_file() {
        for (start, layout) in [
            ("{\"a\":1}\n{\"a\":2}\n", Layout::Lines),
            ("\n {\"a\":1}", Layout::Lines),
            ("{\"a\":\n{\"a\":2}\n", Layout::Lines),
            ("{\"a\":\"x\n\n{\"a\":2}\n", Layout::Lines),
            ("{\"a\":", Layout::Lines),
            ("{\"a\":1} x\n", Layout::Lines),
            ("{\"a\":1}}\nx", Layout::Lines),
            ("x\n{", Layout::Lines),
            ("", Layout::Lines),
            ("[{\"a\":1}]", Layout::Brackets),
            (" \n[", Layout::Brackets),
            ("{\n  \"a\": 1\n}", Layout::Brackets),
            ("{ \"a\": {\r\n\r\n\"b\": 1}}", Layout::Brackets),
            ("{\n}\n{\n}", Layout::Brackets),
            ("{\"a\":1}{\"a\":2}", Layout::Brackets),
        ] {
            assert_eq!(Layout::of(start.as_bytes()), layout, "{start}");
        }
    }
}
