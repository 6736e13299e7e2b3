//! JSON lines files: a sink that writes one object a row and is published at once.
//!
//! Owns how each type is shown in JSON; refuses to lose a digit to a reader's floating point.

mod encode;
mod sink;

pub use sink::{Sink, SinkOptions};

use std::sync::Arc;

use glovebox_core::{Encoder, Schema};

/// Encodes batches as the sink does.
pub fn encoder(schema: Arc<Schema>, place: String) -> Box<dyn Encoder> {
    Box::new(encode::JsonEncoder::new(schema, place))
}

pub use crate::file::Mode;
