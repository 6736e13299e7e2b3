//! The cells of a table in which each class of a node has one: as numbers, and as the entries of their classes.
//!
//! Where there could be more classes than numbers of 64 bits, a class is told by a hash of 63 bits under a seed that nobody
//! knows: the sum of a random number for each of its groups. Two that are told alike would seem to be one with as many
//! members as both, so what is found by hashes is held against the classes themselves before it counts.

use std::ops::Range;

use super::rest::mixed;

/// How the cells of a table are numbered, in which each class of a node has one.
pub(super) struct Cells {
    /// Of each column the factor of its group.
    steps: Vec<u64>,
    groups: Vec<u64>,
    main: usize,
    /// Where classes are told by hashes.
    hashes: Option<Hashes>,
}

/// How classes are told by hashes.
#[derive(Clone, Copy)]
pub(super) struct Hashes {
    pub(super) seed: u64,
    /// They are below this.
    pub(super) end: u64,
}

impl Hashes {
    pub(super) fn new(seed: u64) -> Self {
        let end = 1 << 63;
        Hashes { seed, end }
    }

    /// Under another seed.
    pub(super) fn again(self, times: u64) -> Self {
        Hashes {
            seed: self.seed.wrapping_add(times),
            ..self
        }
    }
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
            hashes: None,
        }
    }

    /// Told by hashes.
    pub(super) fn hashed(hashes: Hashes) -> Self {
        Cells {
            steps: Vec::new(),
            groups: Vec::new(),
            main: 0,
            hashes: Some(hashes),
        }
    }

    /// Whether a class is told by a hash.
    pub(super) fn are_hashed(&self) -> bool {
        self.hashes.is_some()
    }

    /// What a group of a column adds to the number of a cell.
    pub(super) fn term(&self, column: usize, group: u32) -> u64 {
        match (self.hashes, group) {
            (None, _) => self.steps.get(column).copied().unwrap_or(0) * u64::from(group),
            // So that a column with one group has nothing to add.
            (Some(_), 0) => 0,
            (Some(hashes), _) => {
                mixed(hashes.seed ^ mixed((column as u64) << 32 | u64::from(group)))
            }
        }
    }

    /// The cell of a sum of terms.
    pub(super) fn cell(&self, sum: u64) -> u64 {
        match self.hashes {
            Some(hashes) => sum % hashes.end,
            None => sum,
        }
    }

    /// The cells in which classes of these groups of the main column may be.
    pub(super) fn within(&self, groups: &Range<u32>) -> Range<u64> {
        match self.hashes {
            Some(hashes) => 0..hashes.end,
            None => {
                let step = self.step_of_main();
                step * u64::from(groups.start)..step * u64::from(groups.end)
            }
        }
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
