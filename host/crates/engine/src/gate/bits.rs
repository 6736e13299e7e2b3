//! Which classes there are, a bit for each that there could be, so that of most rows no class has to be looked up.

use arrow_array::UInt32Array;

/// So many classes that there could be have a bit each: 32 MiB.
const MOST: u64 = 1 << 28;

/// Some of the classes that there could be.
pub(super) struct Bits {
    /// What each value of each column adds to the number of a class.
    terms: Vec<Vec<u32>>,
    bits: Vec<u64>,
}

impl Bits {
    /// These classes, of columns whose values have these groups. None where there could be too many.
    pub(super) fn of<'k>(
        groups: &[&[u32]],
        classes: impl Iterator<Item = &'k [u32]>,
    ) -> Option<Self> {
        let (mut steps, mut terms) = (Vec::new(), Vec::new());
        let mut all = 1_u64;
        for groups in groups {
            // It is no more than `MOST`, as is each number of a class.
            let step = u32::try_from(all).ok()?;
            let most = groups.iter().max().copied().unwrap_or(0);
            let more = all.checked_mul(u64::from(most) + 1);
            all = more.filter(|all| *all <= MOST)?;
            terms.push(groups.iter().map(|group| group * step).collect());
            steps.push(step);
        }
        let mut bits = vec![0_u64; usize::try_from(all.div_ceil(64)).ok()?];
        for class in classes {
            let groups = class.iter().zip(&steps);
            let number: u32 = groups.map(|(group, step)| group * step).sum();
            if let Some(word) = bits.get_mut(number as usize / 64) {
                *word |= 1 << (number % 64);
            }
        }
        Some(Bits { terms, bits })
    }

    /// The numbers of rows' classes, by the numbers of their values.
    pub(super) fn numbers(&self, rows: usize, values: &[UInt32Array]) -> Vec<u32> {
        let mut numbers = vec![0; rows];
        for (terms, values) in self.terms.iter().zip(values) {
            // A column of one group adds nothing.
            if terms.iter().all(|term| *term == 0) {
                continue;
            }
            for (number, value) in numbers.iter_mut().zip(values.values()) {
                *number += terms.get(*value as usize).copied().unwrap_or_default();
            }
        }
        numbers
    }

    /// Whether a class is among them.
    pub(super) fn has(&self, number: u32) -> bool {
        let word = self
            .bits
            .get(number as usize / 64)
            .copied()
            .unwrap_or_default();
        word >> (number % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_known_by_their_classes() {
        let classes = [[2_u32, 0, 0], [0, 69, 0], [1, 69, 0]];
        // Of the first column two values are of the group 0.
        let last: Vec<u32> = (0..70).collect();
        let groups: [&[u32]; 3] = [&[0, 1, 2, 0], &last, &[0]];
        let bits = Bits::of(&groups, classes.iter().map(<[u32; 3]>::as_slice));
        let bits = bits.unwrap();
        let values = [vec![2, 3, 1, 2, 0], vec![0, 69, 69, 69, 0], vec![0; 5]];
        let numbers = bits.numbers(5, &values.map(UInt32Array::from));
        let has: Vec<bool> = numbers.into_iter().map(|number| bits.has(number)).collect();
        assert_eq!(has, [true, true, true, false, false]);
        let one = Bits::of(&[], [[].as_slice()].into_iter()).unwrap();
        assert!(one.has(0));
        assert!(Bits::of(&[&[1 << 20], &[1 << 20]], [].into_iter()).is_none());
    }
}
