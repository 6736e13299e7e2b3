//! Reads lines of a file with arbitrary content, in bounded memory.

use std::io::{self, BufRead};

/// Whether what a crash has left is put right, or passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mend {
    Yes,
    No,
}

/// A line of a file.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: u64,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// Its bytes without its end, or as many as were kept.
    pub(crate) bytes: Vec<u8>,
    /// Whether it ends with a line feed.
    pub(crate) whole: bool,
    /// Whether there is more of it than was kept.
    pub(crate) overlong: bool,
}

/// Reads line after line, keeping at most so many bytes of each.
pub(crate) struct Lines<R> {
    from: R,
    most: usize,
    number: u64,
    offset: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(from: R, most: usize) -> Self {
        Lines {
            from,
            most,
            number: 0,
            offset: 0,
        }
    }

    /// How many bytes were read, from where it began.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next line; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line>> {
        let mut line = Line {
            number: self.number + 1,
            offset: self.offset,
            ..Line::default()
        };
        loop {
            let buffer = match self.from.fill_buf() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                buffer => buffer?,
            };
            if buffer.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', buffer);
            let (part, used) = match end {
                Some(end) => (buffer.get(..end).unwrap_or_default(), end + 1),
                None => (buffer, buffer.len()),
            };
            let room = self.most.saturating_sub(line.bytes.len());
            line.overlong |= part.len() > room;
            line.bytes.extend(part.iter().take(room));
            self.from.consume(used);
            self.offset += used as u64;
            if end.is_some() {
                line.whole = true;
                break;
            }
        }
        if self.offset == line.offset {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_know_their_places_and_whether_they_are_whole() {
        let text = b"ab\n\nlonger than five\nend";
        // A small buffer, so that lines cross its bounds.
        let mut lines = Lines::new(io::BufReader::with_capacity(3, &text[..]), 5);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let text = String::from_utf8(line.bytes).unwrap();
            seen.push((line.number, line.offset, text, line.whole, line.overlong));
        }
        assert_eq!(
            seen,
            [
                (1, 0, "ab".to_owned(), true, false),
                (2, 3, String::new(), true, false),
                (3, 4, "longe".into(), true, true),
                (4, 21, "end".into(), false, false),
            ]
        );
    }
}
