//! The cells of a table in which each class of a node has one: as numbers, and as the entries of their classes.

/// How the cells of a table are numbered, in which each class of a node has one.
pub(super) struct Cells {
    /// Of each column the factor of its group.
    steps: Vec<u64>,
    groups: Vec<u64>,
    main: usize,
}

/// The entries of cells: of those whose number is less than that of one in the upper columns, and of the rest.
pub(super) struct Entries {
    low: Vec<u64>,
    high: Vec<u64>,
}

impl Entries {
    /// Those that `entry` makes of the cells.
    pub(super) fn new(cells: &Cells, entry: &dyn Fn(u64) -> u64) -> Self {
        // A step is a multiple of those of the columns below it.
        let tables = |step: &&u64| **step + cells.all() / **step;
        let low = cells.steps.iter().min_by_key(tables).copied().unwrap_or(1);
        let high = 0..cells.all().div_ceil(low);
        Entries {
            low: (0..low).map(entry).collect(),
            high: high.map(|high| entry(high * low)).collect(),
        }
    }

    pub(super) fn of(&self, cell: u64) -> u64 {
        let low = self.low.len() as u64;
        let at = |entries: &[u64], place: u64| {
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            entries.get(place).copied().unwrap_or_default()
        };
        at(&self.high, cell / low) + at(&self.low, cell % low)
    }
}

impl Cells {
    /// Of each column the factor of its group, and how many groups there are.
    pub(super) fn new(steps: Vec<u64>, groups: Vec<u64>, main: usize) -> Self {
        Cells {
            steps,
            groups,
            main,
        }
    }

    /// Of each column the factor of its group.
    pub(super) fn steps(&self) -> &[u64] {
        &self.steps
    }

    /// The group of each column.
    pub(super) fn groups_of(&self, cell: u64) -> impl Iterator<Item = u32> {
        let groups = self.steps.iter().zip(&self.groups);
        // A column has no more groups than numbers of 32 bits.
        groups.map(move |(step, groups)| u32::try_from(cell / step % groups).unwrap_or(0))
    }

    /// How many cells there are of so many groups of the main column.
    pub(super) fn of_main(&self, groups: u32) -> u64 {
        self.step_of_main().saturating_mul(groups.into())
    }

    /// How many cells each group of the main column has.
    pub(super) fn step_of_main(&self) -> u64 {
        self.steps.get(self.main).copied().unwrap_or(1)
    }

    /// How many cells there are.
    pub(super) fn all(&self) -> u64 {
        let groups = self.groups.get(self.main).copied().unwrap_or(1);
        self.step_of_main().saturating_mul(groups)
    }
}
