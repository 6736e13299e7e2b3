//! Draws places by a seed: the same ones each time, for looks at a source that can be repeated.

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): even, and
/// nothing for secrets.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Draw(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another one, which is not 0; evenly enough for so few.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end.max(1))) >> 64) as u64
    }

    /// Up to `most` of the numbers below `end`, each once, in any order.
    pub(crate) fn places(&mut self, end: u64, most: usize) -> Vec<u64> {
        if end <= most as u64 {
            let mut all: Vec<u64> = (0..end).collect();
            for i in (1..all.len()).rev() {
                let other = usize::try_from(self.below(i as u64 + 1)).unwrap_or(i);
                all.swap(i, other);
            }
            return all;
        }
        let mut taken = std::collections::HashSet::with_capacity(most);
        let drawn = std::iter::repeat_with(|| self.below(end));
        // Of more places than are drawn, half are free even for the last one when there are twice
        // as many; the attempts are bounded for when there are hardly more.
        let fresh = drawn
            .take(most.saturating_mul(8))
            .filter(|place| taken.insert(*place));
        fresh.take(most).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_distinct_and_the_same_for_a_seed() {
        for (end, most) in [(0, 4), (3, 8), (1000, 64), (65, 64)] {
            let places = Draw::new(7).places(end, most);
            assert_eq!(places, Draw::new(7).places(end, most));
            let distinct: std::collections::HashSet<_> = places.iter().collect();
            assert_eq!(distinct.len(), places.len());
            assert!(places.iter().all(|place| *place < end));
            assert!(places.len() >= most.min(usize::try_from(end).unwrap()) * 9 / 10);
        }
        assert_ne!(Draw::new(1).places(1000, 8), Draw::new(2).places(1000, 8));
    }
}
