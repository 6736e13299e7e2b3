//! How a JSON lines source is read, and the keys that lead to its columns.

use std::path::PathBuf;

use glovebox_core::{Field, Formats, ReadFrom, Schema, SourceError};

use super::layout::Layout;
use crate::age::Identity;
use crate::chunks::Sizes;
use crate::input::Input;

/// How a JSON lines source is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the bytes come from: files one after the other.
    pub inputs: Vec<Input>,
    /// The keys that open them, from the outside in, where they are encrypted; none.
    pub identities: Vec<Identity>,
    /// How strings of each column are spelled, in the order of the columns; where one has none, as
    /// the source's table says.
    pub formats: Vec<Formats>,
    /// Bytes of a line; a longer one is rejected, and skipped without being held if it is larger
    /// than a chunk, too. 8 MiB, 256 MiB at most.
    pub max_record: usize,
    /// Bytes of a chunk, the unit of work; 1 MiB, 256 MiB at most.
    pub chunk_bytes: usize,
    /// Rows after which a chunk ends early; about 65,536.
    pub chunk_rows: u64,
    /// Rows of a batch; 8,192.
    pub batch_rows: usize,
    /// Bytes of the file that go into a batch, give or take a row; 1 MiB.
    pub batch_bytes: usize,
}

impl Options {
    /// The defaults for this path; `-` is standard input.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Options {
            inputs: vec![Input::from(path.into())],
            identities: Vec::new(),
            formats: Vec::new(),
            max_record: 8 << 20,
            chunk_bytes: 1 << 20,
            chunk_rows: 1 << 16,
            batch_rows: 8192,
            batch_bytes: 1 << 20,
        }
    }

    pub(super) fn sizes(&self, layout: Layout) -> Sizes {
        const MAX_CHUNK_BYTES: usize = 256 << 20;
        Sizes {
            chunk_bytes: self.chunk_bytes.clamp(1, MAX_CHUNK_BYTES),
            chunk_rows: self.chunk_rows.max(1),
            max_record: self.max_record.clamp(1, MAX_CHUNK_BYTES),
            suspect: layout.suspect(),
        }
    }
}

/// The way to each column.
pub(super) fn paths(schema: &Schema) -> Result<Vec<Vec<String>>, SourceError> {
    let path = |field: &Field| match &field.from {
        None => Some(vec![field.name.to_string()]),
        Some(ReadFrom::Name(name)) => glovebox_core::path::parse(name),
        Some(ReadFrom::Position(_)) => None,
    };
    let fields = schema.fields.iter();
    fields
        .map(|field| {
            path(field).ok_or_else(|| SourceError::Shape {
                place: "the JSON source".into(),
                problem: format!("`from` of `{}` is not a path to a key", field.name),
            })
        })
        .collect()
}
