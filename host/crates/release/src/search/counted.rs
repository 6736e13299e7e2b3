//! What is told of a node whose classes were counted.

use super::table::Table;

/// What was counted.
pub(super) struct Counted {
    pub(super) small: Small,
    /// The classes, if they are wanted and all were counted.
    pub(super) table: Option<Table>,
}

/// Of the rows of classes that are too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Small {
    /// There are more than may be.
    TooMany,
    /// There are not.
    Few,
    /// By a part of the rows there are not.
    LikelyFew,
}

impl Counted {
    pub(super) fn without(small: Small) -> Self {
        Counted { small, table: None }
    }
}
