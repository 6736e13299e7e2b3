//! The lines around a problem, made safe to show: secrets masked, control characters made visible,
//! spans adjusted.

use std::ops::Range;

use crate::span::Span;
use glovebox_core::shown::is_invisible;

const BLANK: &str = "****";

/// A line longer than this is cut around the place, so that a problem in one huge line stays
/// readable.
const LONG: usize = 400;

/// Lines of a text, changed for showing.
#[derive(Debug)]
pub(crate) struct Excerpt {
    /// The changed lines.
    pub(crate) text: String,
    /// The number of the first one, counted from 1.
    pub(crate) first_line: usize,
    /// Where bytes of the original went: (original offset, offset here), ascending.
    moved: Vec<(usize, usize)>,
}

impl Excerpt {
    /// The lines that `places` touch, with what `hidden` covers blanked.
    pub(crate) fn of<'a>(
        text: &str,
        places: impl Iterator<Item = &'a Span>,
        hidden: &[Range<usize>],
    ) -> Self {
        let mut from = usize::MAX;
        let mut to = 0;
        for place in places {
            from = from.min(floor(text, place.start));
            to = to.max(floor(text, place.end.max(place.start)));
        }
        let from = from.min(text.len());
        let to = to.max(from);
        let before = text.get(..from).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let first_line = before.matches('\n').count() + 1;
        let after = text.get(to..).unwrap_or_default();
        let end = to + after.find('\n').unwrap_or(after.len());
        let start = start.max(floor(text, from.saturating_sub(LONG)));
        let end = end.min(floor(text, to.saturating_add(LONG)));

        let mut excerpt = Excerpt {
            text: String::with_capacity(end - start),
            first_line,
            moved: Vec::new(),
        };
        let mut hidden = hidden.iter().filter(|h| h.end > start).peekable();
        for (at, c) in text.get(start..end).unwrap_or_default().char_indices() {
            let at = start + at;
            while hidden.peek().is_some_and(|h| h.end <= at) {
                hidden.next();
            }
            excerpt.moved.push((at, excerpt.text.len()));
            match hidden.peek() {
                Some(h) if h.contains(&at) => {
                    let first = at == h.start || at == start;
                    if first {
                        excerpt.text.push_str(BLANK);
                    }
                    // A hidden block keeps its line breaks, so that line numbers stay true.
                    if c == '\n' {
                        excerpt.text.push('\n');
                    }
                }
                _ => excerpt.text.push(visible(c)),
            }
        }
        excerpt.moved.push((end, excerpt.text.len()));
        excerpt
    }

    /// A span of the original, here.
    pub(crate) fn place(&self, span: &Span) -> Range<usize> {
        let start = self.offset(span.start);
        start..self.offset(span.end).max(start)
    }

    fn offset(&self, original: usize) -> usize {
        let at = self.moved.partition_point(|(from, _)| *from < original);
        self.moved
            .get(at)
            .map_or(self.text.len(), |(_, here)| *here)
    }
}

fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        // Windows line ends.
        '\r' => ' ',
        c if c.is_control() || is_invisible(c) => '\u{fffd}',
        c => c,
    }
}

/// The nearest place at or before `at` where a character starts.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_ranges_are_blanked_and_spans_follow() {
        let text = "a: 1\npassword: hunter2, x: ü\nz: 1\n";
        let secret = text.find("hunter2").unwrap();
        let x = text.find("x: ").unwrap();
        let hidden = std::slice::from_ref(&(secret..secret + 7)).to_vec();
        let e = Excerpt::of(text, std::iter::once(&(x..x + 1)), &hidden);
        assert_eq!(e.text, "password: ****, x: ü");
        assert_eq!(e.first_line, 2);
        assert_eq!(&e.text[e.place(&(x..x + 1))], "x");
        assert_eq!(&e.text[e.place(&(secret..secret + 7))], "****");
    }

    #[test]
    fn a_hidden_block_keeps_its_lines() {
        let text = "p: |\n  one\n  two\nq: 1\n";
        let hidden = std::slice::from_ref(&(3..text.find("q").unwrap() - 1)).to_vec();
        let e = Excerpt::of(text, std::iter::once(&(0..text.len())), &hidden);
        assert!(
            !e.text.contains("one") && !e.text.contains("two"),
            "{}",
            e.text
        );
        assert_eq!(e.text.matches('\n').count(), text.matches('\n').count());
    }

    #[test]
    fn a_huge_line_is_cut() {
        let text = format!("{}here{}", "ä".repeat(10_000), "ö".repeat(10_000));
        let at = text.find("here").unwrap();
        let e = Excerpt::of(&text, std::iter::once(&(at..at + 4)), &[]);
        assert!(e.text.len() <= 2 * LONG + 4);
        assert_eq!(&e.text[e.place(&(at..at + 4))], "here");
    }
}
