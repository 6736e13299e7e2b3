//! A cell as the recognisers see it, made ready once for all of them.

use crate::MAX_LEN;

/// The start of a text, without space around it, and not empty.
pub(crate) struct Cell<'a> {
    pub(crate) text: &'a str,
    /// Letters and digits in capitals, if the text has none but those of ASCII and single signs
    /// between them that stand in numbers.
    pub(crate) compact: Option<Vec<u8>>,
}

impl<'a> Cell<'a> {
    pub(crate) fn new(text: &'a str) -> Option<Self> {
        let end = text.floor_char_boundary(MAX_LEN);
        let text = text.get(..end).unwrap_or(text).trim();
        (!text.is_empty()).then(|| Cell {
            text,
            compact: compact(text),
        })
    }

    /// The letters and digits, if there are so many.
    pub(crate) fn of_len(&self, len: usize) -> Option<&[u8]> {
        self.compact.as_deref().filter(|c| c.len() == len)
    }

    /// Whether nothing stands between the letters and digits.
    pub(crate) fn is_bare(&self) -> bool {
        let compact = self.compact.as_ref();
        compact.is_some_and(|compact| compact.len() == self.text.len())
    }

    /// Whether the letters and digits are grouped so, by this sign.
    pub(crate) fn is_grouped(&self, sign: char, groups: &[usize]) -> bool {
        self.text
            .split(sign)
            .map(str::len)
            .eq(groups.iter().copied())
    }

    /// Whether they stand bare or in these groups, by spaces or hyphens.
    pub(crate) fn is_bare_or(&self, groups: &[usize]) -> bool {
        self.is_bare() || self.is_grouped(' ', groups) || self.is_grouped('-', groups)
    }
}

/// Longer ones are no numbers.
const MAX_COMPACT: usize = 48;

pub(crate) fn compact(text: &str) -> Option<Vec<u8>> {
    if text.len() > MAX_COMPACT {
        return None;
    }
    let mut compact = Vec::with_capacity(text.len());
    let mut separated = true;
    for byte in text.bytes() {
        let separator = matches!(byte, b' ' | b'-' | b'.' | b'/');
        if separator && separated || !separator && !byte.is_ascii_alphanumeric() {
            return None;
        }
        if !separator {
            compact.push(byte.to_ascii_uppercase());
        }
        separated = separator;
    }
    (!separated).then_some(compact)
}
