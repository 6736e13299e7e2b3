//! Datasets: pages of stored tables, with declared columns, filtered, sorted, after a cursor, in a
//! form that clients read. Begin at [`Reader`], which has a connection and turns a [`Query`] into a
//! [`Page`]; [`cursor`] seals where the next one begins, [`format`] writes its rows.
//!
//! Connections are read-only, which the databases enforce. Of connectors, only how cells are spelled
//! and how a server is reached is used: a run reads its sources in other ways.

mod connections;
pub mod cursor;
mod examine;
pub mod format;
mod reader;
mod rows;
mod sql;

use std::time::Duration;

use arrow_array::RecordBatch;
use glovebox_core::DataType;

pub use examine::Difference;
pub use glovebox_connectors::cell::Cell;
pub use reader::{Place, Reader, server};

/// A column as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the table.
    pub name: String,
    /// What its cells are.
    pub data_type: DataType,
    /// Whether the table has no nulls in it.
    pub not_null: bool,
}

/// What tells rows apart, and is the order in which pages follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// SQLite's row number: the order in which rows were stored.
    RowId,
    /// Columns, by place, that are unique together and never null.
    Columns(Vec<usize>),
}

/// A table as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its schema, in PostgreSQL.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// The columns that may be named.
    pub columns: Vec<Column>,
    /// What tells rows apart.
    pub key: Key,
}

impl Table {
    /// The types of a place in that order, which is what [`Query::after`] holds.
    pub fn place_types(&self, sort: &[Sort]) -> Vec<DataType> {
        let mut columns: Vec<usize> = sort.iter().map(|s| s.column).collect();
        let mut last = None;
        match &self.key {
            Key::RowId => last = Some(DataType::Int64),
            Key::Columns(key) => {
                for column in key {
                    if !columns.contains(column) {
                        columns.push(*column);
                    }
                }
            }
        }
        let types = columns.iter().filter_map(|c| self.columns.get(*c));
        types.map(|c| c.data_type).chain(last).collect()
    }
}

/// How a cell is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Another; null is neither.
    NotEqual,
    /// Less.
    Less,
    /// Less or the same.
    AtMost,
    /// More.
    Greater,
    /// More or the same.
    AtLeast,
    /// Text that starts with this.
    StartsWith,
}

/// What rows have to be like.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// A column's cell beside a value.
    Compare {
        /// The column, by place.
        column: usize,
        /// How.
        comparison: Comparison,
        /// With what.
        value: Cell,
    },
    /// A column's cell is one of these.
    OneOf {
        /// The column, by place.
        column: usize,
        /// The values.
        values: Vec<Cell>,
    },
    /// A column's cell is null, or is not.
    Null {
        /// The column, by place.
        column: usize,
        /// Whether it is.
        is: bool,
    },
}

/// A column to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The column, by place.
    pub column: usize,
    /// The largest first; nulls are last either way.
    pub descending: bool,
}

/// What is asked of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The columns wanted, by place, in this order.
    pub columns: Vec<usize>,
    /// What rows have to be like, all of it.
    pub filters: Vec<Filter>,
    /// The order; the key decides between equals.
    pub sort: Vec<Sort>,
    /// The place after which the page begins: a row's [`Page::last`].
    pub after: Option<Vec<Cell>>,
    /// The most rows to return.
    pub limit: usize,
}

/// Rows of a table.
#[derive(Debug, Clone)]
pub struct Page {
    /// The rows, in the columns wanted.
    pub rows: RecordBatch,
    /// Where the next page begins, if there is one.
    pub last: Option<Vec<Cell>>,
}

/// The longest that a page may take.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The place is not one of this order, or a column cannot be ordered there.
    #[error("{0}")]
    Query(&'static str),
    /// The table or database cannot be read now.
    #[error("{place} cannot be read: {problem}")]
    Unreadable {
        /// The table.
        place: String,
        /// What is wrong, without a value.
        problem: String,
    },
    /// It took too long.
    #[error("{place} took longer than {} s", STATEMENT_TIMEOUT.as_secs())]
    Slow {
        /// The table.
        place: String,
    },
    /// The table does not hold what is declared.
    #[error(
        "{place} does not match its declaration: column `{column}` has a value that is not \
            {data_type}"
    )]
    Misfit {
        /// The table.
        place: String,
        /// The column.
        column: String,
        /// What it is declared as.
        data_type: String,
    },
}
