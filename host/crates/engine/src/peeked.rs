//! Looks at the first chunk of an input without taking it, to know how a run may begin.

use glovebox_core::{Chunk, ChunkReader, SourceError};

/// A reader whose first chunk may be looked at before it is taken.
pub(crate) struct Peeked {
    first: Option<Option<Chunk>>,
    rest: Box<dyn ChunkReader>,
}

impl Peeked {
    pub(crate) fn new(rest: Box<dyn ChunkReader>) -> Self {
        Peeked { first: None, rest }
    }

    /// The first chunk, which stays to be read.
    pub(crate) fn first(&mut self) -> Result<Option<&Chunk>, SourceError> {
        if self.first.is_none() {
            self.first = Some(self.rest.next_chunk()?);
        }
        Ok(self.first.as_ref().and_then(Option::as_ref))
    }
}

impl ChunkReader for Peeked {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        match self.first.take() {
            Some(first) => Ok(first),
            None => self.rest.next_chunk(),
        }
    }
}
