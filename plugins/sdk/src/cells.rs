//! Cells of any type, for plugins that treat all types the same.

use std::cmp::Ordering;

use crate::views::{Booleans, Bytes, Decimals, Numbers, Text};

/// A cell that is there, of any type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// A boolean cell.
    Boolean(bool),
    /// An int64 cell.
    Int64(i64),
    /// A float64 cell.
    Float64(f64),
    /// A decimal cell, in whole numbers of its field's smallest unit.
    Decimal(i128),
    /// A text cell.
    Text(&'a str),
    /// A bytes cell.
    Bytes(&'a [u8]),
    /// A date cell, in days since 1970-01-01.
    Date(i32),
    /// A timestamp cell, in microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

/// Cells of one type have the order of their type, in which NaN has no place; those of different
/// types have none.
impl PartialOrd for Cell<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.partial_cmp(b),
            (Self::Int64(a), Self::Int64(b)) => a.partial_cmp(b),
            (Self::Float64(a), Self::Float64(b)) => a.partial_cmp(b),
            (Self::Decimal(a), Self::Decimal(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.partial_cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.partial_cmp(b),
            (Self::Date(a), Self::Date(b)) => a.partial_cmp(b),
            (Self::Timestamp(a), Self::Timestamp(b)) => a.partial_cmp(b),
            _ => None,
        }
    }
}

/// A value that a plugin keeps to compare cells with, such as a [`Literal`](crate::Literal) that
/// was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A boolean.
    Boolean(bool),
    /// An int64.
    Int64(i64),
    /// A float64.
    Float64(f64),
    /// A decimal, in whole numbers of its field's smallest unit.
    Decimal(i128),
    /// A text.
    Text(String),
    /// A date, in days since 1970-01-01.
    Date(i32),
    /// A timestamp, in microseconds since 1970-01-01T00:00:00Z.
    Timestamp(i64),
}

impl Value {
    /// The value as a cell that holds it.
    #[inline]
    #[must_use]
    pub fn as_cell(&self) -> Cell<'_> {
        match self {
            Self::Boolean(value) => Cell::Boolean(*value),
            Self::Int64(value) => Cell::Int64(*value),
            Self::Float64(value) => Cell::Float64(*value),
            Self::Decimal(value) => Cell::Decimal(*value),
            Self::Text(value) => Cell::Text(value),
            Self::Date(value) => Cell::Date(*value),
            Self::Timestamp(value) => Cell::Timestamp(*value),
        }
    }
}

/// A column's cells in the view of its type.
#[derive(Clone, Copy, Debug)]
pub enum Cells<'a> {
    /// Those of a boolean column.
    Boolean(Booleans<'a>),
    /// Those of an int64 column.
    Int64(Numbers<'a, i64>),
    /// Those of a float64 column.
    Float64(Numbers<'a, f64>),
    /// Those of a decimal column.
    Decimal(Decimals<'a>),
    /// Those of a text column.
    Text(Text<'a>),
    /// Those of a bytes column.
    Bytes(Bytes<'a>),
    /// Those of a date column.
    Date(Numbers<'a, i32>),
    /// Those of a timestamp column.
    Timestamp(Numbers<'a, i64>),
}

impl<'a> Cells<'a> {
    /// Does the same for each row in order, with the cell; `None` is null. One loop a type, so
    /// that treating all types alike costs no look at the type for each cell.
    #[inline]
    pub fn for_each(self, mut act: impl FnMut(usize, Option<Cell<'a>>)) {
        fn each<'a, T>(
            cells: impl Iterator<Item = Option<T>>,
            cell: impl Fn(T) -> Cell<'a>,
            act: &mut impl FnMut(usize, Option<Cell<'a>>),
        ) {
            cells
                .enumerate()
                .for_each(|(row, value)| act(row, value.map(&cell)));
        }
        match self {
            Self::Boolean(cells) => each(cells.iter(), Cell::Boolean, &mut act),
            Self::Int64(cells) => each(cells.iter(), Cell::Int64, &mut act),
            Self::Float64(cells) => each(cells.iter(), Cell::Float64, &mut act),
            Self::Decimal(cells) => each(cells.iter(), Cell::Decimal, &mut act),
            Self::Text(cells) => each(cells.iter(), Cell::Text, &mut act),
            Self::Bytes(cells) => each(cells.iter(), Cell::Bytes, &mut act),
            Self::Date(cells) => each(cells.iter(), Cell::Date, &mut act),
            Self::Timestamp(cells) => each(cells.iter(), Cell::Timestamp, &mut act),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cells_of_one_type_are_compared() {
        assert!(Cell::Text("a") < Cell::Text("b"));
        assert_eq!(Cell::Int64(1).partial_cmp(&Cell::Timestamp(1)), None);
        assert_eq!(
            Cell::Float64(f64::NAN).partial_cmp(&Cell::Float64(1.0)),
            None
        );
        assert_eq!(Value::Text("é".to_owned()).as_cell(), Cell::Text("é"));
    }
}
