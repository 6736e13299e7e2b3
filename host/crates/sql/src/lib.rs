//! SQL over batches of rows: checked before the first row, computed by Apache DataFusion.
//!
//! [`select`] turns the text of a query into a transformer. On the way the text is parsed
//! (`parse.rs`), what a query over single rows may not say is refused at its place (`admit.rs`), the rest is
//! planned against the columns that are there (`plan.rs`), and becomes expressions over a batch
//! (`rowwise.rs`). No message of the engine below leaves this crate once rows are there: it may quote a cell.

#![forbid(unsafe_code)]

mod admit;
mod checked;
mod context;
mod functions;
mod gather;
mod identity;
mod lineage;
mod meaning;
mod parse;
mod plan;
mod problem;
mod query;
mod rowwise;
mod spill;
mod table;
mod types;

pub use gather::gather;
pub use query::{Query, Room};
pub use table::{Because, Hidden, Table};

use admit::Over;
use glovebox_core::{Limits, QueryProblem, Schema, Selection};

/// The name of the one table that a query over single rows reads.
pub const ROWS: &str = "rows";

/// A query over single rows, fitted to these columns.
///
/// # Errors
/// The first thing that is wrong with it, in bytes of `text`.
pub fn select(text: &str, input: &Schema, limits: &Limits) -> Result<Selection, QueryProblem> {
    let mut query = parse::query(text)?;
    let rows = Table {
        name: ROWS,
        columns: input,
        hidden: &[],
    };
    admit::admit(text, &mut query, &[rows], Over::EachRow)?;
    let planned = plan::rowwise(text, query, input)?;
    rowwise::selection(text, planned, input, limits)
}
