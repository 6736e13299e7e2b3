//! The words of the release gate: what is left of dates, how values are counted and how far apart they are.

use crate::declare::words;

words! {
    /// What is left of a date.
    pub enum DatePart {
        /// `2024-05-17`
        Day = "day",
        /// `2024-05`
        Month = "month",
        /// `2024-Q2`
        Quarter = "quarter",
        /// `2024`
        Year = "year",
        /// `2020s`
        Decade = "decade",
    }
}

words! {
    /// How the values of a class are counted.
    pub enum DiversityBy {
        /// Different values.
        Distinct = "distinct",
        /// e to the power of their entropy: as many as equally frequent ones would be.
        Entropy = "entropy",
        /// The most frequent one has to be rarer than `c` times all from the `l`th on.
        Recursive = "recursive",
    }
}

words! {
    /// How far apart two values are.
    pub enum Distance {
        /// All as far.
        Equal = "equal",
        /// By how many values are between them, in the order of numbers or of the alphabet.
        Ordered = "ordered",
        /// By the level at which they become the same.
        Hierarchy = "hierarchy",
    }
}
