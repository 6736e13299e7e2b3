//! What entries become at a node: a sum of what some fields at a time are looked up as. Nearly all of a search's
//! time goes here.

/// What entries become at a node.
pub(super) struct Terms<N>(pub(super) Vec<Term<N>>);

/// What some fields of an entry, looked up together, add to it.
pub(super) struct Term<N> {
    pub(super) shift: u32,
    pub(super) mask: u64,
    pub(super) to: Vec<N>,
}

impl<N: Copy + Default + Into<u64>> Terms<N> {
    /// Hands to `each` what each entry becomes, and the entry.
    pub(super) fn each(&self, entries: &[u64], mut each: impl FnMut(u64, u64)) {
        // So that the common cases have no loop within the loop.
        match self.0.as_slice() {
            [] => entries.iter().for_each(|e| each(0, *e)),
            [a] => entries.iter().for_each(|e| each(a.of(*e), *e)),
            [a, b] => entries.iter().for_each(|e| each(a.of(*e) + b.of(*e), *e)),
            [a, b, c] => entries
                .iter()
                .for_each(|e| each(a.of(*e) + b.of(*e) + c.of(*e), *e)),
            more => entries
                .iter()
                .for_each(|e| each(more.iter().map(|term| term.of(*e)).sum(), *e)),
        }
    }
}

impl Terms<u64> {
    /// Hands to `each` the class of each entry, and the rest, where an entry is two numbers.
    pub(super) fn each_of_two(&self, entries: &[u64], mut each: impl FnMut(u64, u64)) {
        let (entries, _) = entries.as_chunks::<2>();
        for [class, rest] in entries {
            each(self.0.iter().map(|term| term.of(*class)).sum(), *rest);
        }
    }
}

impl<N: Copy + Default + Into<u64>> Term<N> {
    #[expect(clippy::cast_possible_truncation, reason = "it is of few bits")]
    fn of(&self, entry: u64) -> u64 {
        let place = ((entry >> self.shift) & self.mask) as usize;
        self.to.get(place).copied().unwrap_or_default().into()
    }
}
