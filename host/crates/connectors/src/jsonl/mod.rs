//! JSON: a source of objects, one per line or in arrays, that many workers decode, and a sink that
//! writes one object per row and is published as a whole.

mod brackets;
mod cells;
mod columns;
mod decode;
mod discover;
mod encode;
mod kept;
mod layout;
mod lines;
mod objects;
mod options;
mod scan;
mod sink;
mod source;
#[cfg(test)]
mod tests;

pub(crate) use discover::keys;
pub(crate) use encode::{write_text, write_value};
pub use kept::{KeptError, KeptRows};
pub use options::Options;
pub use sink::{Sink, SinkOptions};
pub use source::Source;

use std::sync::Arc;

use glovebox_core::{Encoder, Schema};

/// Encodes batches as the sink does.
pub fn encoder(schema: Arc<Schema>, place: String) -> Box<dyn Encoder> {
    Box::new(encode::JsonEncoder::new(schema, place))
}

pub use crate::file::Mode;
pub use crate::input::Input;
