//! Queries as the engine knows them: what one reads and makes, found out before the first row.

use std::ops::Range;
use std::sync::Arc;

use crate::plugin::Plugin;
use crate::schema::Field;

/// A query over single rows, fitted to the columns that reach it.
pub struct Selection {
    /// What computes the columns that the query makes, a transformer.
    pub plugin: Arc<dyn Plugin>,
    /// The columns that it reads, by their places in its input; no others are passed to the plugin.
    pub reads: Vec<usize>,
    /// The columns that it makes, in the plugin's order.
    pub makes: Vec<Field>,
    /// The columns after it, in order.
    pub output: Vec<Selected>,
}

/// A column after a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected {
    /// One that is passed on as it came, perhaps under another name.
    Passed {
        /// Its place in the query's input.
        place: usize,
        /// What it is called from here on.
        name: Arc<str>,
    },
    /// One that the query makes.
    Made {
        /// Its place among the columns that it makes.
        place: usize,
        /// The columns that it is made of, by their places in the query's input.
        of: Vec<usize>,
    },
}

/// What is wrong with a query. It is found before a row is there, so it may repeat the query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryProblem {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Where, in bytes of the query's text.
    pub at: Option<Range<usize>>,
}
