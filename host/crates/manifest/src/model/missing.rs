//! What becomes of cells that are missing.

use super::query::Room;
use crate::span::Spanned;

/// A step that fills what is missing, of each row by itself or of all rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// The columns, with what becomes of their missing cells.
    pub columns: Vec<(Spanned<String>, Fill)>,
    /// What it may take, where it needs all rows.
    pub room: Room,
}

impl Missing {
    /// Whether what is missing in a row hangs on others.
    #[must_use]
    pub fn needs_all_rows(&self) -> bool {
        let mut fills = self.columns.iter();
        fills.any(|(_, fill)| matches!(fill, Fill::Computed { .. }))
    }
}

/// What becomes of a missing cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Fill {
    /// Its row is rejected.
    Reject,
    /// Its row is filtered.
    Drop,
    /// This, in the column's type.
    Value(Spanned<String>),
    /// What other rows make likely.
    Computed {
        /// How.
        how: How,
        /// Of which rows: those that are equal in these columns.
        by: Vec<Spanned<String>>,
        /// The order of the rows.
        order: Option<Spanned<String>>,
    },
}

/// How other rows say what is missing in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The last one before.
    Previous,
    /// On the line between the one before and the one after.
    Linear,
    /// Their mean.
    Mean,
    /// The one in their middle.
    Median,
    /// The most frequent.
    Mode,
}

impl How {
    /// Whether the rows have to be in an order.
    #[must_use]
    pub fn needs_order(self) -> bool {
        matches!(self, How::Previous | How::Linear)
    }
}
