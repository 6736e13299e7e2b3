//! Typed views of a column's cells, which borrow the host's buffers and copy nothing. A view is
//! only created over consistent buffers, so that reading needs no checks.

use std::ops::Range;

use crate::bindings::glovebox::plugin::columns::VariableWidth;
use crate::bits::{self, Validity};
use crate::columns::NewColumn;

/// The cells of a text column.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    data: &'a str,
    offsets: &'a [i32],
    validity: Validity<'a>,
}

impl<'a> Text<'a> {
    /// `None` unless the data is UTF-8 and the offsets are those of `rows` cells in it. The data
    /// is checked as one block, which is several times faster than cell by cell.
    pub(crate) fn new(
        cells: &'a VariableWidth,
        validity: Validity<'a>,
        rows: usize,
    ) -> Option<Self> {
        let offsets = checked_offsets(cells, rows)?;
        let data = simdutf8::basic::from_utf8(&cells.data).ok()?;
        Some(Self {
            data,
            offsets,
            validity,
        })
    }

    /// The cells in row order; `None` is null.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&'a str>> + use<'a> {
        let Self {
            data,
            offsets,
            validity,
        } = *self;
        offsets
            .array_windows()
            .enumerate()
            .map(move |(row, &[start, end])| {
                // An offset inside a character is the only way left to miss.
                let cell = data.get(start as usize..end as usize).unwrap_or_default();
                validity.is_present(row).then_some(cell)
            })
    }

    /// The column with some bytes of each cell overwritten, in one copy of the whole: the fastest
    /// way to mask what keeps its length. `None` unless all cells and `by`, one character, are
    /// ASCII. `part` is given a cell's length; a range past it masks the whole cell.
    #[must_use]
    pub fn overwritten(&self, by: &str, part: impl Fn(usize) -> Range<usize>) -> Option<NewColumn> {
        let &[by] = by.as_bytes() else { return None };
        // The copy takes the offsets over, so they have to be those of a column of its own.
        let whole = self.offsets.first() == Some(&0)
            && self
                .offsets
                .last()
                .is_some_and(|end| *end as usize == self.data.len());
        if !whole || !by.is_ascii() || !self.is_ascii() {
            return None;
        }
        let mut data = self.data.as_bytes().to_vec();
        let mut rest = data.as_mut_slice();
        for (row, [start, end]) in self.offsets.array_windows().enumerate() {
            let length = (end - start) as usize;
            let (place, after) = rest.split_at_mut_checked(length)?;
            rest = after;
            // A null may have bytes too; none of them may leave.
            let part = if self.validity.is_present(row) {
                part(length)
            } else {
                0..length
            };
            match place.get_mut(part) {
                Some(part) => fill(part, by),
                None => fill(place, by),
            }
        }
        let cells = VariableWidth {
            offsets: self.offsets.to_vec(),
            data,
        };
        Some(NewColumn::from_text(
            cells,
            self.validity.0.map(<[u8]>::to_vec),
        ))
    }

    /// Whether all characters of all cells are ASCII, where a byte is a character; asked once, it
    /// saves asking each cell.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        is_ascii(self.data.as_bytes())
    }

    /// The bytes of all cells together: the capacity that a rewritten column is likely to need.
    #[must_use]
    pub fn data_len(&self) -> usize {
        self.data.len()
    }
}

/// Fills a few bytes with stores that overlap. In WebAssembly a fill of any length is a call out
/// of the sandbox, which costs more than masking the cell.
#[inline]
fn fill(part: &mut [u8], by: u8) {
    const fn word<const N: usize>(by: u8) -> [u8; N] {
        [by; N]
    }
    macro_rules! both_ends {
        ($n:literal) => {{
            if let Some(first) = part.first_chunk_mut::<$n>() {
                *first = word(by);
            }
            if let Some(last) = part.last_chunk_mut::<$n>() {
                *last = word(by);
            }
        }};
    }
    match part.len() {
        0 => {}
        1 => both_ends!(1),
        2..=3 => both_ends!(2),
        4..=7 => both_ends!(4),
        8..=16 => both_ends!(8),
        _ => part.fill(by),
    }
}

/// The cells of a bytes column.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    data: &'a [u8],
    offsets: &'a [i32],
    validity: Validity<'a>,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(
        cells: &'a VariableWidth,
        validity: Validity<'a>,
        rows: usize,
    ) -> Option<Self> {
        let offsets = checked_offsets(cells, rows)?;
        Some(Self {
            data: &cells.data,
            offsets,
            validity,
        })
    }

    /// The cells in row order; `None` is null.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&'a [u8]>> + use<'a> {
        let Self {
            data,
            offsets,
            validity,
        } = *self;
        offsets
            .array_windows()
            .enumerate()
            .map(move |(row, &[start, end])| {
                let cell = data.get(start as usize..end as usize).unwrap_or_default();
                validity.is_present(row).then_some(cell)
            })
    }
}

fn checked_offsets(cells: &VariableWidth, rows: usize) -> Option<&[i32]> {
    let offsets = cells.offsets.as_slice();
    let (first, last) = (*offsets.first()?, *offsets.last()?);
    let fits = offsets.len() == rows.checked_add(1)?
        && first >= 0
        && usize::try_from(last).is_ok_and(|last| last <= cells.data.len())
        && rises(offsets);
    fits.then_some(offsets)
}

// What follows looks at blocks, each in full, so that a block is a few comparisons of WebAssembly's
// vectors. A loop of single ones pays in each round for the host's way to stop it.

/// Whether no offset is less than the one before. The lanes are numbers: as an array of `bool` they
/// came out wrong from Rust 1.95's vectors for WebAssembly, in V8 as in wasmtime.
fn rises(offsets: &[i32]) -> bool {
    let before = offsets.split_last().map_or(&[][..], |(_, before)| before);
    let after = offsets.split_first().map_or(&[][..], |(_, after)| after);
    let (befores, last_before) = before.as_chunks::<16>();
    let (afters, last_after) = after.as_chunks::<16>();
    let mut falls = [0; 16];
    for (before, after) in befores.iter().zip(afters) {
        for ((falls, before), after) in falls.iter_mut().zip(before).zip(after) {
            *falls |= i32::from(before > after);
        }
    }
    let mut last = last_before.iter().zip(last_after);
    falls == [0; 16] && last.all(|(before, after)| before <= after)
}

fn is_ascii(bytes: &[u8]) -> bool {
    let (blocks, rest) = bytes.as_chunks::<128>();
    let mut all = [0; 128];
    for block in blocks {
        for (all, byte) in all.iter_mut().zip(block) {
            *all |= byte;
        }
    }
    all.is_ascii() && rest.is_ascii()
}

/// The cells of a column of fixed width: `i64` for int64 and timestamp (microseconds since
/// 1970-01-01T00:00:00Z), `f64` for float64, `i32` for date (days since 1970-01-01).
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a, T> {
    values: &'a [T],
    validity: Validity<'a>,
}

impl<'a, T: Copy> Numbers<'a, T> {
    pub(crate) fn new(values: &'a [T], validity: Validity<'a>, rows: usize) -> Option<Self> {
        (values.len() == rows).then_some(Self { values, validity })
    }

    /// The cells in row order; `None` is null.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<T>> + use<'a, T> {
        let Self { values, validity } = *self;
        values
            .iter()
            .enumerate()
            .map(move |(row, value)| validity.is_present(row).then_some(*value))
    }
}

/// The cells of a decimal column, as whole numbers of its smallest unit: with a scale of 2,
/// `12.34` is `1234`.
#[derive(Clone, Copy, Debug)]
pub struct Decimals<'a> {
    words: &'a [u64],
    validity: Validity<'a>,
    scale: u8,
}

impl<'a> Decimals<'a> {
    pub(crate) fn new(
        words: &'a [u64],
        scale: u8,
        validity: Validity<'a>,
        rows: usize,
    ) -> Option<Self> {
        (words.len() == rows.checked_mul(2)?).then_some(Self {
            words,
            validity,
            scale,
        })
    }

    /// The number of digits after the decimal point.
    #[must_use]
    pub fn scale(&self) -> u8 {
        self.scale
    }

    /// The cells in row order, unscaled; `None` is null.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<i128>> + use<'a> {
        let Self {
            words, validity, ..
        } = *self;
        let (pairs, _) = words.as_chunks();
        pairs.iter().enumerate().map(move |(row, &[low, high])| {
            let value = (u128::from(high) << 64 | u128::from(low)) as i128;
            validity.is_present(row).then_some(value)
        })
    }
}

/// The cells of a boolean column.
#[derive(Clone, Copy, Debug)]
pub struct Booleans<'a> {
    bits: &'a [u8],
    rows: usize,
    validity: Validity<'a>,
}

impl<'a> Booleans<'a> {
    pub(crate) fn new(bits: &'a [u8], validity: Validity<'a>, rows: usize) -> Option<Self> {
        (bits.len() >= rows.div_ceil(8)).then_some(Self {
            bits,
            rows,
            validity,
        })
    }

    /// The cells in row order; `None` is null.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<bool>> + use<'a> {
        let Self {
            bits,
            rows,
            validity,
        } = *self;
        (0..rows).map(move |row| validity.is_present(row).then_some(bits::is_set(bits, row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::glovebox::plugin::columns::Values;

    fn cells(offsets: &[i32], data: &[u8]) -> VariableWidth {
        VariableWidth {
            offsets: offsets.to_vec(),
            data: data.to_vec(),
        }
    }

    #[test]
    fn a_fill_fills_all_of_any_length() {
        for length in 0..40 {
            let mut bytes = [b'a'; 42];
            fill(&mut bytes[1..=length], b'X');
            let expected: Vec<u8> = (0..42)
                .map(|i| {
                    if (1..=length).contains(&i) {
                        b'X'
                    } else {
                        b'a'
                    }
                })
                .collect();
            assert_eq!(bytes.as_slice(), expected, "{length} bytes");
        }
    }

    #[test]
    fn a_falling_offset_and_a_byte_beyond_ascii_are_found_anywhere() {
        for length in [0, 1, 2, 31, 32, 33, 64, 65, 127, 128, 129, 300] {
            let offsets: Vec<i32> = (0..length).map(|i| i / 2).collect();
            let bytes = vec![b'a'; offsets.len()];
            assert!(rises(&offsets) && is_ascii(&bytes), "{length}");
            for place in 0..offsets.len() {
                let mut falling = offsets.clone();
                falling[place] = if place == 0 { i32::MAX } else { -1 };
                assert_eq!(rises(&falling), length < 2, "{place} of {length}");
                let mut beyond = bytes.clone();
                beyond[place] = 0x80;
                assert!(!is_ascii(&beyond), "{place} of {length}");
            }
        }
    }

    #[test]
    fn text_is_read_with_its_nulls() {
        let cells = cells(&[0, 1, 1, 4], "aéb".as_bytes());
        let text = Text::new(&cells, Validity(Some(&[0b101])), 3).unwrap();
        assert_eq!(
            text.iter().collect::<Vec<_>>(),
            [Some("a"), None, Some("éb")]
        );
    }

    #[test]
    fn buffers_that_do_not_fit_have_no_view() {
        let whole = Validity(None);
        assert!(
            Text::new(&cells(&[], b""), whole, 0).is_none(),
            "no first offset"
        );
        assert!(
            Text::new(&cells(&[0, 1], b"ab"), whole, 2).is_none(),
            "a row too few"
        );
        assert!(
            Text::new(&cells(&[0, 3], b"ab"), whole, 1).is_none(),
            "past the end"
        );
        assert!(
            Text::new(&cells(&[-1, 2], b"ab"), whole, 1).is_none(),
            "before the start"
        );
        assert!(
            Text::new(&cells(&[0, 2, 1], b"ab"), whole, 2).is_none(),
            "falling"
        );
        assert!(
            Text::new(&cells(&[0, 1], b"\xFF"), whole, 1).is_none(),
            "not UTF-8"
        );
        assert!(Bytes::new(&cells(&[0, 1], b"\xFF"), whole, 1).is_some());
        assert!(Numbers::new(&[1_i64], whole, 2).is_none());
        assert!(Decimals::new(&[1, 0, 1], 2, whole, 2).is_none());
        assert!(Booleans::new(&[0], whole, 9).is_none());
    }

    #[test]
    fn overwriting_leaves_no_byte_of_nulls_or_of_wrong_ranges() {
        let cells = cells(&[0, 3, 6, 8], b"abcdefgh");
        let text = Text::new(&cells, Validity(Some(&[0b101])), 3).unwrap();
        let column = text
            .overwritten("X", |length| 1..length.max(3))
            .unwrap()
            .into_inner();
        let masked = VariableWidth {
            offsets: vec![0, 3, 6, 8],
            data: b"aXXXXXXX".to_vec(),
        };
        assert_eq!(column.values, Values::Text(masked));
        assert_eq!(column.validity, Some(vec![0b101]));
        assert!(text.overwritten("é", |_| 0..1).is_none());
        let rest = Text::new(&cells, Validity(None), 3).unwrap();
        let part = Text {
            offsets: &rest.offsets[1..],
            ..rest
        };
        assert!(
            part.overwritten("X", |_| 0..1).is_none(),
            "not a column of its own"
        );
    }

    #[test]
    fn an_offset_inside_a_character_reads_as_empty() {
        let cells = cells(&[0, 1, 2], "é".as_bytes());
        let text = Text::new(&cells, Validity(None), 2).unwrap();
        assert_eq!(text.iter().collect::<Vec<_>>(), [Some(""), Some("")]);
    }

    #[test]
    fn decimals_keep_their_sign() {
        let words = [5, 0, u64::MAX, u64::MAX];
        let decimals = Decimals::new(&words, 2, Validity(None), 2).unwrap();
        assert_eq!(decimals.iter().collect::<Vec<_>>(), [Some(5), Some(-1)]);
    }
}
