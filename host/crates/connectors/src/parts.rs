//! The chunks of several files, one after the other, as one source.

use std::sync::Arc;

use glovebox_core::{Chunk, ChunkReader, Place, SourceError, Within};

use crate::input::Inputs;

/// Opens one of the files.
pub(crate) type Open = Box<dyn FnMut(usize) -> Result<Box<dyn ChunkReader>, SourceError> + Send>;

/// Reads files in their order; each is opened when the one before it has ended.
pub(crate) struct Parts {
    inputs: Arc<Inputs>,
    open: Open,
    count: usize,
    part: usize,
    current: Option<Box<dyn ChunkReader>>,
    index: u64,
    /// The first row of the file that is read.
    first_row: u64,
    /// Rows of it that were handed out.
    rows: u64,
    /// Whether nothing of it was.
    untouched: bool,
    /// Bytes of the files before it.
    behind: u64,
    position: u64,
}

impl Parts {
    /// `open` opens a file; `first`, if it is open already, is the first one.
    ///
    /// # Errors
    /// When it cannot be told which files there are.
    pub(crate) fn new(
        inputs: &Arc<Inputs>,
        first: Option<Box<dyn ChunkReader>>,
        open: Open,
    ) -> Result<Self, SourceError> {
        Ok(Parts {
            count: inputs.count()?,
            inputs: Arc::clone(inputs),
            open,
            part: 0,
            current: first,
            index: 0,
            first_row: 0,
            rows: 0,
            untouched: true,
            behind: 0,
            position: 0,
        })
    }

    fn placed(&mut self, mut chunk: Chunk) -> Chunk {
        chunk.index = self.index;
        self.index += 1;
        chunk.part = self.part;
        // A file that can be opened again can be read from its start.
        let starts =
            std::mem::take(&mut self.untouched) && self.inputs.size_of(self.part).is_some();
        chunk.within = chunk.within.or(starts.then(Within::default));
        self.rows = chunk.first_row + chunk.rows + chunk.rejects.len() as u64;
        chunk.first_row += self.first_row;
        for reject in &mut chunk.rejects {
            reject.row += self.first_row;
            reject.file = self.inputs.name(self.part);
        }
        self.position = self.behind + chunk.position;
        chunk.position = self.position;
        chunk
    }
}

impl ChunkReader for Parts {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        while self.part < self.count {
            let current = match &mut self.current {
                Some(current) => current,
                None => self.current.insert((self.open)(self.part)?),
            };
            if let Some(chunk) = current.next_chunk()? {
                return Ok(Some(self.placed(chunk)));
            }
            self.current = None;
            self.behind = match self.inputs.size_of(self.part) {
                Some(size) => self.behind + size,
                None => self.position,
            };
            self.part += 1;
            self.first_row += self.rows;
            self.rows = 0;
            self.untouched = true;
        }
        Ok(None)
    }

    fn go_to(&mut self, place: &Place) -> Result<bool, SourceError> {
        let before = (0..place.part).map(|part| self.inputs.size_of(part));
        let (Some(behind), true) = (before.sum(), place.part < self.count) else {
            return Ok(false);
        };
        (self.part, self.index, self.behind) = (place.part, place.index, behind);
        self.first_row = place.row.saturating_sub(place.within.row);
        self.rows = place.within.row;
        self.untouched = place.within.is_start();
        let mut reader = (self.open)(place.part)?;
        let there = reader.go_to(place)?;
        self.current = Some(reader);
        Ok(there)
    }
}
