//! Counts classes: in one cell each where cells are not many more than entries, and by their numbers otherwise.

/// Places of classes at first, at least and at most.
const FIRST: usize = 1 << 10;
const MOST_FIRST: usize = 1 << 16;
/// Cells whose rows are added up together.
const ADDED: usize = 128;

/// The rows of a class as far as they are told apart.
pub(super) trait Cell: Copy + Default + Send + Sync + PartialOrd {
    fn plus(self, rows: u64) -> Self;
    fn rows(self) -> u64;
    fn of(rows: u64) -> Self;
}

impl Cell for u8 {
    fn plus(self, rows: u64) -> Self {
        self.saturating_add(Self::of(rows))
    }

    fn rows(self) -> u64 {
        self.into()
    }

    fn of(rows: u64) -> Self {
        u8::try_from(rows).unwrap_or(u8::MAX)
    }
}

impl Cell for u32 {
    fn plus(self, rows: u64) -> Self {
        self.saturating_add(Self::of(rows))
    }

    fn rows(self) -> u64 {
        self.into()
    }

    fn of(rows: u64) -> Self {
        u32::try_from(rows).unwrap_or(u32::MAX)
    }
}

/// Rows of classes by their cells.
#[derive(Default)]
pub(super) struct Dense<T>(Vec<T>);

impl<T: Cell> Dense<T> {
    /// Begins anew with so many cells.
    pub(super) fn clear(&mut self, cells: usize) {
        self.0.clear();
        self.0.resize(cells, T::default());
    }

    /// Adds rows to cells; those of others are left out.
    pub(super) fn adder(&mut self) -> impl FnMut(u64, u64) {
        // At hand, so that it is not read again for each entry.
        let cells = self.0.as_mut_slice();
        move |cell: u64, rows: u64| {
            let cell = usize::try_from(cell).unwrap_or(usize::MAX);
            if let Some(counted) = cells.get_mut(cell) {
                *counted = counted.plus(rows);
            }
        }
    }

    /// Adds what another one has.
    pub(super) fn join(&mut self, other: &Self) {
        for (rows, more) in self.0.iter_mut().zip(&other.0) {
            *rows = rows.plus(more.rows());
        }
    }

    /// The rows of classes with fewer than that.
    pub(super) fn below(&self, k: u64) -> u64 {
        let k = T::of(k);
        let rows = |cells: &[T]| -> u64 {
            let below = cells
                .iter()
                .map(|rows| if *rows < k { *rows } else { T::default() });
            below.map(T::rows).sum()
        };
        self.0.chunks(ADDED).map(rows).sum()
    }

    /// The classes, by their cells.
    pub(super) fn classes(&self) -> impl Iterator<Item = (u64, u64)> {
        let cells = (0..).zip(&self.0);
        cells
            .map(|(cell, rows)| (cell, rows.rows()))
            .filter(|(_, rows)| *rows > 0)
    }
}

/// Rows of classes by their numbers: entries, in places that their hash tells.
pub(super) struct Sparse {
    places: Vec<u64>,
    used: usize,
    /// There may be so many places.
    room: usize,
    seed: u64,
    count_bits: u32,
}

/// There are more classes than places.
pub(super) struct Full;

impl Sparse {
    /// Numbers are hashed with a seed, so that nobody can choose values whose places collide.
    pub(super) fn new(seed: u64, count_bits: u32, room: usize) -> Self {
        Sparse {
            places: Vec::new(),
            used: 0,
            room: room.max(FIRST),
            seed,
            count_bits,
        }
    }

    /// Begins anew; so many entries will come.
    pub(super) fn clear(&mut self, entries: usize) {
        let places = entries.saturating_mul(2).clamp(FIRST, MOST_FIRST);
        self.places.clear();
        self.places.resize(places.next_power_of_two(), 0);
        self.used = 0;
    }

    fn hash(&self, class: u64) -> u64 {
        let wide = u128::from(class ^ self.seed) * 0x9e37_79b9_7f4a_7c15;
        #[expect(clippy::cast_possible_truncation, reason = "both halves are mixed")]
        let mixed = (wide >> 64) as u64 ^ wide as u64;
        mixed
    }

    /// Adds an entry's count to a class, if its hash begins with `slice`, of so many bits.
    pub(super) fn add(
        &mut self,
        class: u64,
        entry: u64,
        (slice, bits): (u64, u32),
    ) -> Result<(), Full> {
        let most = (1_u64 << self.count_bits) - 1;
        let hash = self.hash(class);
        match bits > 0 && hash >> (64 - bits) != slice {
            true => Ok(()),
            false => self.count(class, entry & most, hash),
        }
    }

    fn count(&mut self, class: u64, rows: u64, hash: u64) -> Result<(), Full> {
        let most = (1_u64 << self.count_bits) - 1;
        let mask = self.places.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
        let mut at = hash as usize & mask;
        while let Some(place) = self.places.get_mut(at) {
            if *place == 0 {
                *place = class | rows;
                self.used += 1;
                return match self.used * 2 > mask {
                    true => self.grow(),
                    false => Ok(()),
                };
            }
            if *place & !most == class {
                *place = class | ((*place & most) + rows).min(most);
                return Ok(());
            }
            at = (at + 1) & mask;
        }
        Ok(())
    }

    fn grow(&mut self) -> Result<(), Full> {
        let places = self.places.len() * 2;
        if places > self.room {
            return Err(Full);
        }
        let more = vec![0; places];
        let old = std::mem::replace(&mut self.places, more);
        let most = (1_u64 << self.count_bits) - 1;
        self.used = 0;
        for entry in old.into_iter().filter(|entry| *entry != 0) {
            let class = entry & !most;
            self.count(class, entry & most, self.hash(class))?;
        }
        Ok(())
    }

    /// The rows of classes with fewer than that.
    pub(super) fn below(&self, k: u64) -> u64 {
        let most = (1_u64 << self.count_bits) - 1;
        let rows = self.places.iter().map(|entry| entry & most);
        rows.filter(|rows| *rows < k).sum()
    }

    /// The entries of the classes.
    pub(super) fn entries(&self) -> impl Iterator<Item = u64> {
        self.places.iter().copied().filter(|entry| *entry != 0)
    }

    /// How many classes there are.
    pub(super) fn len(&self) -> usize {
        self.used
    }
}
