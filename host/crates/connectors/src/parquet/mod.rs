//! Parquet files: a source of which only the declared columns are read, and a sink whose row groups
//! are encoded side by side.

mod at;
mod chunks;
mod columns;
mod decode;
mod distinct;
mod file;
mod files;
mod groups;
mod key;
mod marks;
mod nested;
mod pages;
mod schema;
#[cfg(test)]
mod sealed_tests;
mod single;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod thrift;
mod unpack;
mod writing;

pub use key::{Key, Keys};
pub use sink::Sink;
pub use source::Source;
pub use writing::Compression;
#[cfg(feature = "delta")]
pub(crate) use writing::{Columns, Writing, failed};

use glovebox_core::{Field, Schema, SourceError};

use crate::input::Inputs;

/// The columns of the first file that a manifest can declare, in their types, and how many there are beside them.
pub(crate) fn fields(inputs: &Inputs, keys: &Keys) -> Result<(Vec<Field>, usize), SourceError> {
    let Some(file) = inputs.regular(0)? else {
        return Ok((Vec::new(), 0));
    };
    let opened = file::Opened::open(file, inputs.place(0), &Schema::default(), keys)?;
    crate::contain::contained(|| schema::declarable(&opened.metadata))
        .flatten()
        .ok_or_else(|| SourceError::shape(&opened.place, "its schema cannot be read"))
}
