//! One bit per row: validity and row masks, packed least significant bit first as in Arrow. A bit
//! beyond the last row reads as 0.

/// One bit a row, 1 for the rows that are meant. Collect it from one `bool` a row, in order.
///
/// ```
/// use glovebox_sdk::RowMask;
///
/// let mask: RowMask = [true, false, true].into_iter().collect();
/// assert!(mask.get(2) && !mask.get(1));
/// assert_eq!(mask.count(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowMask {
    bytes: Vec<u8>,
    rows: usize,
}

impl RowMask {
    /// An empty mask with room for `rows` rows.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(rows.div_ceil(8)),
            rows: 0,
        }
    }

    /// A mask of `rows` rows that are all meant, or all not.
    #[must_use]
    pub fn all(rows: usize, meant: bool) -> Self {
        let mut bytes = vec![if meant { 0xFF } else { 0 }; rows.div_ceil(8)];
        // Bits past the last row are 0, whatever the rows say.
        if let Some(last) = bytes.last_mut()
            && !rows.is_multiple_of(8)
        {
            *last &= (1 << (rows % 8)) - 1;
        }
        Self { bytes, rows }
    }

    /// Adds the next row.
    #[inline]
    pub fn push(&mut self, meant: bool) {
        let bit = self.rows % 8;
        if bit == 0 {
            self.bytes.push(u8::from(meant));
        } else if let Some(last) = self.bytes.last_mut() {
            *last |= u8::from(meant) << bit;
        }
        self.rows += 1;
    }

    /// Whether a row, counted from 0, is meant; `false` for a row that the mask does not have.
    #[must_use]
    pub fn get(&self, row: usize) -> bool {
        row < self.rows && is_set(&self.bytes, row)
    }

    /// The number of rows that the mask has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of rows that are meant.
    #[must_use]
    pub fn count(&self) -> usize {
        self.bytes
            .iter()
            .map(|byte| byte.count_ones() as usize)
            .sum()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl FromIterator<bool> for RowMask {
    fn from_iter<I: IntoIterator<Item = bool>>(rows: I) -> Self {
        let rows = rows.into_iter();
        let mut mask = Self::with_capacity(rows.size_hint().0);
        rows.for_each(|meant| mask.push(meant));
        mask
    }
}

/// The presence of a column's cells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity<'a>(pub(crate) Option<&'a [u8]>);

impl Validity<'_> {
    #[inline]
    pub(crate) fn is_present(self, row: usize) -> bool {
        self.0.is_none_or(|bits| is_set(bits, row))
    }
}

#[inline]
pub(crate) fn is_set(bits: &[u8], row: usize) -> bool {
    bits.get(row / 8)
        .is_some_and(|byte| byte >> (row % 8) & 1 == 1)
}

/// The validity of a column that is being built; it costs nothing until the first null.
#[derive(Clone, Debug, Default)]
pub(crate) struct ValidityBuilder(Option<RowMask>);

impl ValidityBuilder {
    /// Adds a cell to a column of `rows` cells so far.
    #[inline]
    pub(crate) fn push(&mut self, present: bool, rows: usize) {
        match &mut self.0 {
            Some(mask) => mask.push(present),
            None if present => {}
            None => {
                let mut mask = RowMask::all(rows, true);
                mask.push(false);
                self.0 = Some(mask);
            }
        }
    }

    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        self.0.map(RowMask::into_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_packed_from_the_least_significant() {
        let mask: RowMask = (0..10).map(|row| row % 3 == 0).collect();
        assert_eq!(mask.clone().into_bytes(), [0b0100_1001, 0b10]);
        assert_eq!((mask.rows(), mask.count()), (10, 4));
        assert!(!mask.get(10) && !mask.get(1_000));
    }

    #[test]
    fn bits_past_the_last_row_are_clear() {
        for rows in [0, 1, 7, 8, 9, 16] {
            let mask = RowMask::all(rows, true);
            assert_eq!(mask.count(), rows);
            assert_eq!(mask, std::iter::repeat_n(true, rows).collect());
            assert_eq!(RowMask::all(rows, false).count(), 0);
        }
    }

    #[test]
    fn a_column_without_nulls_has_no_validity() {
        let mut validity = ValidityBuilder::default();
        (0..3).for_each(|row| validity.push(true, row));
        assert_eq!(validity.clone().finish(), None);
        validity.push(false, 3);
        validity.push(true, 4);
        assert_eq!(validity.finish(), Some(vec![0b1_0111]));
    }
}
