//! Queries as the engine knows them: what one reads and makes, found out before the first row.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow_array::RecordBatch;

use crate::fault::QueryFault;
use crate::plugin::Plugin;
use crate::schema::Field;

/// A query, fitted to the columns that reach it.
pub struct Selection {
    /// What computes the columns that a query over single rows makes, a transformer; of one over all rows
    /// only its name and digest count.
    pub plugin: Arc<dyn Plugin>,
    /// The query, if it is one over all rows.
    pub all: Option<Arc<dyn AllRows>>,
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

/// A query over all rows at work.
pub trait AllRows: Send + Sync {
    /// Runs it over rows that have the columns of [`Selection::reads`], and tables in the order in which it was told of them: `each` gets its result, batch for batch, and
    /// says `false` once nobody wants more.
    ///
    /// # Errors
    /// When it cannot come to its end.
    fn run(
        &self,
        rows: &RowFeed<'_, std::io::Error>,
        tables: &[&RowFeed<'_, std::io::Error>],
        stop: &AtomicBool,
        each: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<(), Unfinished<std::io::Error>>;
}

/// What passes rows on, from the first: it is called once for each time that a query reads them, and returns when the
/// closure says `false` or no rows are left.
pub type RowFeed<'f, E> = dyn Fn(&mut dyn FnMut(RecordBatch) -> bool) -> Result<(), E> + Sync + 'f;

/// How a query ends that does not come to its end. Nothing in it is text of the engine's, which may quote a cell.
#[derive(Debug)]
pub enum Unfinished<E> {
    /// It fails on a row.
    Failed(QueryFault),
    /// It needs more memory.
    Memory,
    /// It needs more room on the disk.
    Disk,
    /// It was stopped.
    Stopped,
    /// What reads its rows, or takes its results, failed.
    Other(E),
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
