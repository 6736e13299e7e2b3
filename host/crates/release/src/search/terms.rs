//! What entries become at a node: a sum of what some fields at a time are looked up as. Nearly all of a search's
//! time goes here.

/// What entries become at a node.
pub(super) struct Terms<N>(pub(super) Vec<Term<N>>);

/// What some fields of an entry, looked up together, add to it.
pub(super) struct Term<N> {
    /// Which of the entry's numbers they are in.
    pub(super) word: usize,
    pub(super) shift: u32,
    pub(super) mask: u64,
    pub(super) to: Vec<N>,
}

impl<N: Copy + Default + Into<u64>> Terms<N> {
    /// Hands to `each` what each entry becomes, and the entry.
    pub(super) fn each(&self, entries: &[u64], mut each: impl FnMut(u64, u64)) {
        // So that the common cases have no loop within the loop, and terms are not read again for each entry.
        match self.0.as_slice() {
            [] => entries.iter().for_each(|e| each(0, *e)),
            [a] => {
                let a = a.field();
                entries.iter().for_each(|e| each(a.of(*e), *e));
            }
            [a, b] => {
                let (a, b) = (a.field(), b.field());
                entries.iter().for_each(|e| each(a.of(*e) + b.of(*e), *e));
            }
            [a, b, c] => {
                let (a, b, c) = (a.field(), b.field(), c.field());
                let entries = entries.iter();
                entries.for_each(|e| each(a.of(*e) + b.of(*e) + c.of(*e), *e));
            }
            more => entries
                .iter()
                .for_each(|e| each(more.iter().map(|term| term.of(*e)).sum(), *e)),
        }
    }
}

impl Terms<u64> {
    /// Hands to `each` the class of each entry, and the entry, where that is several numbers.
    pub(super) fn each_of(
        &self,
        numbers: usize,
        entries: &[u64],
        mut each: impl FnMut(u64, &[u64]),
    ) {
        // So that the common case has fewer looks at where a field is.
        if numbers == 2 {
            for entry in entries.as_chunks::<2>().0 {
                let [class, _] = entry;
                each(self.sum(|_| *class), entry);
            }
            return;
        }
        for entry in entries.chunks_exact(numbers.max(1)) {
            let number = |word: usize| entry.get(word).copied().unwrap_or_default();
            each(self.sum(number), entry);
        }
    }

    /// A class that is told by a hash is the sum of what its groups are, whatever is beyond 64 bits.
    fn sum(&self, number: impl Fn(usize) -> u64) -> u64 {
        let terms = self.0.iter();
        terms.fold(0, |sum: u64, term| {
            sum.wrapping_add(term.of(number(term.word)))
        })
    }
}

impl<N: Copy + Default + Into<u64>> Term<N> {
    fn field(&self) -> Field<'_, N> {
        Field {
            shift: self.shift,
            mask: self.mask,
            to: &self.to,
        }
    }

    fn of(&self, entry: u64) -> u64 {
        self.field().of(entry)
    }
}

/// A term at hand.
#[derive(Clone, Copy)]
struct Field<'t, N> {
    shift: u32,
    mask: u64,
    to: &'t [N],
}

impl<N: Copy + Default + Into<u64>> Field<'_, N> {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "it is of few bits")]
    fn of(&self, entry: u64) -> u64 {
        let place = ((entry >> self.shift) & self.mask) as usize;
        self.to.get(place).copied().unwrap_or_default().into()
    }
}
