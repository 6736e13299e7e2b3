//! The tables that a query reads, and the columns that it does not get, with why.

use std::ops::Range;

use glovebox_core::{QueryProblem, Schema};

use crate::problem::helped;

/// A table that a query reads.
#[derive(Debug, Clone, Copy)]
pub struct Table<'t> {
    /// Its name.
    pub name: &'t str,
    /// The columns that the query gets.
    pub columns: &'t Schema,
    /// Those that it does not, for what is said of them.
    pub hidden: &'t [Hidden],
}

/// A column that is there and that a query does not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Its name.
    pub name: String,
    /// Why not.
    pub because: Because,
}

/// Why a query does not get a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It is personal, and no step has masked it.
    Personal,
    /// What a release leaves of its cells is known once all rows are.
    Generalised,
    /// Nothing reads it.
    Opaque,
}

impl Hidden {
    pub(crate) fn problem(&self, at: Option<Range<usize>>) -> QueryProblem {
        let name = &self.name;
        match self.because {
            Because::Personal => helped(
                format!("`{name}` is personal, and no step has masked it"),
                at,
                "add a step that masks it; --show-cells is for whoever may see the source",
            ),
            Because::Generalised => helped(
                format!("`{name}` is generalised by the release, once all rows are known"),
                at,
                "ask what was released instead; --show-cells is for whoever may see the source",
            ),
            Because::Opaque => helped(
                format!("`{name}` is opaque: nothing reads it"),
                at,
                "declare it with the type that it has",
            ),
        }
    }
}
