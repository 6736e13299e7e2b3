//! Whether one text is found in another, without regard to case and separators.
//! Only whole cells: no transliteration, no parts, no encodings.

use memchr::memmem;

/// Cells with fewer letters and digits are found as the whole of a mask only: `act` is in
/// `[redacted]`, and says nothing.
pub(crate) const SHORTEST: usize = 4;

/// ASCII letters that characters beyond ASCII become in the normal form, such as `ſ`, `ﬁ` and `K`.
const FROM_BEYOND: &[u8] = b"afhijklnstwy";

/// For each byte of a raw cell, the letter or digit that a mask which holds the cell has to hold.
const NEEDED: [u64; 256] = classes(0);
/// For each byte of a mask, the letters and digits that it may stand for.
const OFFERED: [u64; 256] = classes(beyond());

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn classes(beyond: u64) -> [u64; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = if byte < 128 { bit(byte as u8) } else { beyond };
        byte += 1;
    }
    classes
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn beyond() -> u64 {
    let mut set = 0;
    let mut i = 0;
    while i < FROM_BEYOND.len() {
        set |= bit(FROM_BEYOND[i]);
        i += 1;
    }
    set
}

const fn bit(byte: u8) -> u64 {
    match byte.to_ascii_lowercase() {
        digit @ b'0'..=b'9' => 1 << (digit - b'0'),
        letter @ b'a'..=b'z' => 1 << (letter - b'a' + 10),
        _ => 0,
    }
}

/// Whether the mask has every ASCII letter and digit of the raw cell; if not, it cannot hold it.
#[inline]
fn may_hold(raw: &[u8], mask: &[u8]) -> bool {
    let class = |table: &[u64; 256], byte: u8| table.get(byte as usize).copied().unwrap_or(0);
    let offer = |byte: u8| class(&OFFERED, byte);
    // By fours, so that the processor looks up several at a time.
    let (fours, rest) = mask.as_chunks::<4>();
    let mut offered = rest.iter().fold(0, |set, &b| set | offer(b));
    for &[a, b, c, d] in fours {
        offered |= (offer(a) | offer(b)) | (offer(c) | offer(d));
    }
    // From the end: more masks keep a beginning than an end.
    let mut needed = raw.iter().rev().map(|&b| class(&NEEDED, b));
    needed.all(|needed| needed & !offered == 0)
}

/// Letters and digits of a text.
pub(super) fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

/// Looks for cells in masks; keeps the room for their normal forms.
#[derive(Debug, Default)]
pub(super) struct Search {
    raw: String,
    mask: String,
}

impl Search {
    /// Whether a mask holds a cell.
    #[inline]
    pub(super) fn finds(&mut self, raw: &str, mask: &str) -> bool {
        may_hold(raw.as_bytes(), mask.as_bytes()) && self.finds_normal(raw, mask)
    }

    fn finds_normal(&mut self, raw: &str, mask: &str) -> bool {
        if raw.is_empty() {
            return false;
        }
        if raw == mask {
            return true;
        }
        fold(raw, &mut self.raw);
        if self.raw.is_empty() {
            return false;
        }
        fold(mask, &mut self.mask);
        if self.raw.chars().take(SHORTEST).count() < SHORTEST {
            self.raw == self.mask
        } else {
            memmem::find(self.mask.as_bytes(), self.raw.as_bytes()).is_some()
        }
    }
}

/// The normal form of a text: its letters and digits, in one case.
fn fold(text: &str, to: &mut String) {
    to.clear();
    for c in text.chars() {
        if c.is_ascii() {
            if c.is_ascii_alphanumeric() {
                to.push(c.to_ascii_lowercase());
            }
        } else {
            // There and back, since `ß` is `SS` in upper case and `ẞ` is `ß` in lower case only.
            let upper = c.to_lowercase().flat_map(char::to_uppercase);
            let lower = upper.flat_map(char::to_lowercase);
            to.extend(lower.filter(|c| c.is_alphanumeric()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> String {
        let mut to = String::new();
        fold(text, &mut to);
        to
    }

    /// No character beyond has two cases.
    fn every_char() -> impl Iterator<Item = char> {
        '\0'..='\u{1ffff}'
    }

    #[test]
    fn the_normal_form_does_not_depend_on_case() {
        for c in every_char() {
            let same = folded(&c.to_string());
            let upper: String = c.to_uppercase().collect();
            let lower: String = c.to_lowercase().collect();
            assert_eq!(folded(&upper), same, "{c:?} in upper case");
            assert_eq!(folded(&lower), same, "{c:?} in lower case");
            assert_eq!(folded(&same), same, "{c:?} twice");
        }
    }

    #[test]
    fn no_character_offers_more_than_the_quick_test_knows() {
        for c in every_char() {
            let text = c.to_string();
            let offered = text.bytes().fold(0, |set, b| set | OFFERED[b as usize]);
            for letter in folded(&text).bytes().filter(u8::is_ascii) {
                assert_ne!(bit(letter) & offered, 0, "{c:?} becomes {letter:?}");
            }
        }
    }

    /// A separator: anything that is neither letter nor digit in the normal form.
    fn separator() -> impl Strategy<Value = char> {
        any::<char>().prop_filter("a separator", |c| folded(&c.to_string()).is_empty())
    }

    /// A text as it came, in a random case, with separators strewn in.
    fn disguised(raw: &str, cases: &[u8], separators: &[char]) -> String {
        let mut mask = String::new();
        let mut separators = separators.iter();
        for (c, case) in raw.chars().zip(cases.iter().cycle()) {
            match case % 3 {
                0 => mask.push(c),
                1 => mask.extend(c.to_uppercase()),
                _ => mask.extend(c.to_lowercase()),
            }
            if case % 5 == 0 {
                mask.extend(separators.next());
            }
        }
        mask
    }

    proptest! {
        #[test]
        fn a_cell_is_found_in_any_disguise_and_any_text(
            raw in "[a-z0-9]{4,12}|\\PC{4,16}|[α-ω]{4,9}|[ß-ʯİıſK]{4,9}",
            cases in prop::collection::vec(any::<u8>(), 1..20),
            separators in prop::collection::vec(separator(), 0..10),
            before in "\\PC{0,20}",
            after in "\\PC{0,20}",
        ) {
            prop_assume!(folded(&raw).chars().count() >= SHORTEST);
            let mask = format!("{before}{}{after}", disguised(&raw, &cases, &separators));
            prop_assert!(Search::default().finds(&raw, &mask));
        }

        #[test]
        fn the_quick_test_never_differs_from_the_slow_one(
            raw in "[a-cA-C\u{e9}ßKſ.-]{0,6}",
            mask in "[a-dA-D\u{e9}ßKſ.-]{0,10}",
        ) {
            let mut search = Search::default();
            prop_assert_eq!(search.finds(&raw, &mask), search.finds_normal(&raw, &mask));
        }
    }
}
