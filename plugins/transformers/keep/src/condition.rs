//! The condition: a comparison with values parsed as the column's type. Comparisons that make no
//! sense for the type are refused when it is created.

use std::cmp::Ordering;

use glovebox_sdk::prelude::*;
use glovebox_sdk::{Cell, Value};

/// A comparison as the operator wrote it.
#[derive(Debug)]
pub(crate) enum Comparison {
    Equals(Literal),
    StartsWith(String),
    In(Vec<Literal>),
    LessThan(Literal),
    AtMost(Literal),
    GreaterThan(Literal),
    AtLeast(Literal),
}

impl Comparison {
    /// Its place in the `with:` block.
    pub(crate) fn path(&self) -> &'static str {
        match self {
            Self::Equals(_) => "/equals",
            Self::StartsWith(_) => "/starts-with",
            Self::In(_) => "/in",
            Self::LessThan(_) => "/less-than",
            Self::AtMost(_) => "/at-most",
            Self::GreaterThan(_) => "/greater-than",
            Self::AtLeast(_) => "/at-least",
        }
    }
}

/// A comparison with values of the column's type.
#[derive(Debug)]
pub(crate) enum Condition {
    StartsWith(String),
    /// Sorted values.
    In(Vec<Value>),
    /// A value, and which ways a cell may compare with it.
    Ordered(Value, fn(Ordering) -> bool),
}

impl Condition {
    pub(crate) fn new(comparison: Comparison, data_type: DataType) -> Result<Self, ConfigError> {
        let path = comparison.path();
        let wrong = |message: &str| Err(ConfigError::new(path, message));
        if data_type == DataType::Boolean && !matches!(path, "/equals" | "/in") {
            return wrong("booleans cannot be ordered and have no start; use `equals`");
        }
        let ordered =
            |literal: Literal, meant| Ok(Self::Ordered(literal.read(data_type, path)?, meant));
        match comparison {
            Comparison::StartsWith(text) if data_type == DataType::Text => {
                Ok(Self::StartsWith(text))
            }
            Comparison::StartsWith(_) => wrong("only text columns start with something"),
            Comparison::Equals(literal) => ordered(literal, Ordering::is_eq),
            Comparison::LessThan(literal) => ordered(literal, Ordering::is_lt),
            Comparison::AtMost(literal) => ordered(literal, Ordering::is_le),
            Comparison::GreaterThan(literal) => ordered(literal, Ordering::is_gt),
            Comparison::AtLeast(literal) => ordered(literal, Ordering::is_ge),
            Comparison::In(literals) => {
                let read = |(place, literal): (usize, &Literal)| {
                    literal.read(data_type, &format!("{path}/{place}"))
                };
                let values = literals.iter().enumerate().map(read);
                let mut values = values.collect::<Result<Vec<_>, _>>()?;
                values.sort_by(|a, b| order(a, b.as_cell()));
                Ok(Self::In(values))
            }
        }
    }

    /// The rows that fulfil it, or with `not` those that do not; nulls are in neither. `None` for
    /// a column whose buffers do not hold together.
    pub(crate) fn rows(&self, column: &Column<'_>, not: bool) -> Option<RowMask> {
        match self {
            Self::StartsWith(text) => rows(column, not, |cell| match cell {
                Cell::Text(cell) => cell.starts_with(text.as_str()),
                _ => false,
            }),
            Self::Ordered(value, meant) => {
                let value = value.as_cell();
                rows(column, not, |cell| {
                    cell.partial_cmp(&value).is_some_and(meant)
                })
            }
            Self::In(values) => rows(column, not, |cell| {
                values.binary_search_by(|value| order(value, cell)).is_ok()
            }),
        }
    }
}

/// Puts a cell without a place in the order, which NaN is, beside every value: it is in no set.
fn order(value: &Value, cell: Cell<'_>) -> Ordering {
    value.as_cell().partial_cmp(&cell).unwrap_or(Ordering::Less)
}

fn rows(column: &Column<'_>, not: bool, holds: impl Fn(Cell<'_>) -> bool) -> Option<RowMask> {
    let mut rows = RowMask::with_capacity(column.rows());
    column
        .cells()?
        .for_each(|_, cell| rows.push(cell.is_some_and(|cell| holds(cell) != not)));
    Some(rows)
}
