//! Cuts a stream of JSON lines at newlines, which JSON does not allow inside a value.

use memchr::{memchr, memchr_iter};

use crate::chunks::{Bounds, Seen};

/// Finds line ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lines {
    /// Whether the line so far has a byte that is no space.
    within: bool,
}

/// Whether a byte may stand on a blank line.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|&b| is_space(b))
}

impl Bounds for Lines {
    fn scan(&mut self, bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            seen.rows += u64::from(self.within || !is_blank(line));
            self.within = false;
            start = end + 1;
            seen.cut = Some(start);
        }
        self.within |= !is_blank(bytes.get(start..).unwrap_or_default());
        seen
    }

    fn first_end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut start = 0;
        while let Some(rest) = bytes.get(start..).filter(|r| !r.is_empty()) {
            let end = memchr(b'\n', rest);
            let line = end.and_then(|e| rest.get(..e)).unwrap_or(rest);
            self.within |= !is_blank(line);
            let end = end?;
            start += end + 1;
            if self.within {
                self.within = false;
                return Some(start);
            }
        }
        None
    }

    fn within_record(&self) -> bool {
        self.within
    }

    fn blank(&self, bytes: &[u8]) -> usize {
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            if !is_blank(bytes.get(start..end).unwrap_or_default()) {
                break;
            }
            start = end + 1;
        }
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_alike_however_they_come() {
        let alphabet = b"{ \n\r";
        for len in 0..=7u32 {
            for code in 0..4usize.pow(len) {
                let text: Vec<u8> = (0..len)
                    .map(|i| alphabet[code / 4usize.pow(i) % 4])
                    .collect();
                let lines: Vec<&[u8]> = text.split(|&b| b == b'\n').collect();
                let ended = lines.split_last().map_or(&[][..], |(_, ended)| ended);
                let rows = ended.iter().filter(|l| !is_blank(l)).count() as u64;
                let mut whole = Lines::default();
                assert_eq!(whole.scan(&text).rows, rows, "{text:?}");
                let open = lines.last().is_some_and(|l| !is_blank(l));
                assert_eq!(whole.within_record(), open, "{text:?}");
                for at in 0..=text.len() {
                    let (a, b) = text.split_at(at);
                    let mut halves = Lines::default();
                    assert_eq!(halves.scan(a).rows + halves.scan(b).rows, rows, "{text:?}");
                    assert_eq!(halves.within_record(), open, "{text:?}");
                }
                let first = Lines::default().first_end(&text);
                let mut at = 0;
                let expected = ended.iter().find_map(|line| {
                    at += line.len() + 1;
                    (!is_blank(line)).then_some(at)
                });
                assert_eq!(first, expected, "{text:?}");
            }
        }
    }
}
