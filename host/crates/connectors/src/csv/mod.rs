//! CSV files: a source that many workers decode, and a sink that is published as a whole. Types are
//! never guessed and no row is lost: a row that cannot be read is a reject with its row and line
//! number.

pub(crate) mod cells;
mod columns;
mod decode;
mod dialect;
mod discover;
mod encode;
mod encoding;
mod header;
mod layout;
mod options;
mod reader;
mod records;
mod scan;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod walk;

pub use dialect::{LineEnd, Quotes};
pub(crate) use discover::discover;
pub use encoding::{Encoding, by_label as encoding};
pub use options::{Options, Ragged};
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
