//! Which classes there are, a bit for each that there could be, so that of most rows no class has to be looked up.

use arrow_array::UInt32Array;

/// So many classes that there could be have a bit each: 32 MiB.
const MOST: u64 = 1 << 28;

/// Some of the classes that there could be.
pub(super) struct Bits {
    /// By how much a class's number grows with a group's, of each column.
    steps: Vec<usize>,
    bits: Vec<u64>,
}

impl Bits {
    /// These classes, of columns with so many groups. None where there could be too many.
    pub(super) fn of<'k>(
        groups: impl Iterator<Item = usize>,
        classes: impl Iterator<Item = &'k [u32]>,
    ) -> Option<Self> {
        let mut steps = Vec::new();
        let mut all = 1_u64;
        for groups in groups {
            steps.push(usize::try_from(all).ok()?);
            let more = all.checked_mul(groups.max(1) as u64);
            all = more.filter(|all| *all <= MOST)?;
        }
        let mut bits = vec![0_u64; usize::try_from(all.div_ceil(64)).ok()?];
        for class in classes {
            let groups = class.iter().zip(&steps);
            let number: usize = groups.map(|(group, step)| *group as usize * step).sum();
            if let Some(word) = bits.get_mut(number / 64) {
                *word |= 1 << (number % 64);
            }
        }
        Some(Bits { steps, bits })
    }

    /// The numbers of rows' classes, by the numbers of their values.
    pub(super) fn numbers(
        &self,
        rows: usize,
        values: &[UInt32Array],
        group: impl Fn(usize, u32) -> u32,
    ) -> Vec<usize> {
        let mut numbers = vec![0_usize; rows];
        for (at, (step, values)) in self.steps.iter().zip(values).enumerate() {
            for (number, value) in numbers.iter_mut().zip(values.values()) {
                *number += group(at, *value) as usize * step;
            }
        }
        numbers
    }

    /// Whether a class is among them.
    pub(super) fn has(&self, number: usize) -> bool {
        let word = self.bits.get(number / 64).copied().unwrap_or_default();
        word >> (number % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_known_by_their_classes() {
        let classes = [[2_u32, 0], [0, 69], [1, 69]];
        let bits = Bits::of(
            [3, 70].into_iter(),
            classes.iter().map(<[u32; 2]>::as_slice),
        );
        let bits = bits.unwrap();
        let values = [vec![5, 3, 4, 5, 3], vec![0, 69, 69, 69, 0]].map(UInt32Array::from);
        // Values of the first column are three more than their groups.
        let numbers = bits.numbers(
            5,
            &values,
            |at, value| if at == 0 { value - 3 } else { value },
        );
        let has: Vec<bool> = numbers.into_iter().map(|number| bits.has(number)).collect();
        assert_eq!(has, [true, true, true, false, false]);
        let one = Bits::of([].into_iter(), [[].as_slice()].into_iter()).unwrap();
        assert!(one.has(0));
        assert!(Bits::of([1 << 20, 1 << 20].into_iter(), [].into_iter()).is_none());
    }
}
