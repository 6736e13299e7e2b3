//! The gate before the sink: what is asked of rows before they may leave.

use std::path::PathBuf;

use crate::load::criteria::{DatePart, Distance, DiversityBy};
use crate::model::rejects::AtMost;
use crate::span::{Span, Spanned};

/// What is asked of the rows before they may leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// How many entities at least have to look the same.
    pub k: u64,
    /// The columns by which somebody could be recognised; at least one.
    pub quasi: Vec<(Spanned<String>, Quasi)>,
    /// The columns whose values must not be known of anybody.
    pub sensitive: Vec<(Spanned<String>, SensitiveValues)>,
    /// The column that says whom a row is about; none if each is about another.
    pub entity: Option<Spanned<String>>,
    /// Rows that may be suppressed.
    pub suppress_at_most: AtMost,
    /// Later releases hold to the levels of the first of a series.
    pub series: u32,
    /// Where it was declared.
    pub span: Span,
}

impl Gate {
    /// Whether a column leaves by its levels only.
    pub fn generalises(&self, column: &str) -> bool {
        self.quasi.iter().any(|(name, _)| name.value == column)
    }
}

/// A quasi-identifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Quasi {
    /// Its levels.
    pub by: Generalise,
    /// Where it was declared.
    pub span: Span,
}

/// What a quasi-identifier's values become.
#[derive(Debug, Clone, PartialEq)]
pub enum Generalise {
    /// Nothing.
    Values,
    /// What a file lists.
    Listed(Spanned<PathBuf>),
    /// Intervals of these widths.
    Width(Vec<u64>),
    /// These parts of a date.
    Date(Vec<DatePart>),
    /// So many first characters.
    Prefix(Vec<u64>),
}

/// What is asked of a sensitive column's values in every class.
#[derive(Debug, Clone, PartialEq)]
pub struct SensitiveValues {
    /// How many there have to be.
    pub l: Option<f64>,
    /// How they are counted.
    pub diversity: DiversityBy,
    /// The factor of [`DiversityBy::Recursive`].
    pub c: Option<f64>,
    /// How far they may be from those of all rows.
    pub t: Option<f64>,
    /// How far apart two are.
    pub distance: Distance,
    /// The levels of [`Distance::Hierarchy`].
    pub hierarchy: Option<Spanned<PathBuf>>,
}
