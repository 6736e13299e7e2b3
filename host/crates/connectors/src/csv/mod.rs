//! CSV files: a source that many workers decode, and a sink that is published at once.
//!
//! Owns the `csv` crate's reading of a file, proven against it; refuses to guess types, to trim
//! cells, or to lose a row: what cannot be read is a reject with its row and line.

mod bounds;
pub(crate) mod cells;
mod columns;
mod decode;
mod encode;
mod layout;
mod options;
mod records;
mod sink;
mod source;
#[cfg(test)]
mod tests;

pub use options::Options;
pub use sink::{Sink, SinkOptions};
pub use source::Source;

use std::sync::Arc;

use glovebox_core::{Encoder, Schema};

/// Encodes batches as the sink does, without a header.
pub fn encoder(schema: Arc<Schema>, place: String, options: SinkOptions) -> Box<dyn Encoder> {
    Box::new(encode::CsvEncoder {
        style: encode::Style {
            delimiter: options.delimiter,
            escape_formulas: options.escape_formulas,
        },
        schema,
        place,
        size: 0,
    })
}

pub use crate::file::Mode;
pub use crate::input::Input;
