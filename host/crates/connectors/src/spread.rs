//! Pieces from all over files of lines, for a look at what they hold. A piece begins behind the first
//! line end in it: where that is one within a cell, a row or two are misread, which a sample can bear
//! and a run could not.

use std::io::Cursor;
use std::sync::Arc;

use glovebox_core::{Chunk, ChunkReader, SourceError};

use crate::draw::Draw;
use crate::input::{Inputs, Regular, Stream};

/// Bytes of a piece, and of one of long records.
const PIECE: u64 = 32 << 10;
const LONGEST: u64 = 1 << 20;
/// Records that a piece should have, so that those cut at its bounds are few.
const RECORDS: u64 = 16;
/// The most pieces that are drawn.
const MOST: usize = 4096;
/// Files that are smaller than so many pieces, all together, are read as they are.
const FEW: u64 = 8;

/// Bytes of a piece of so many bytes with about so many rows; none if they are read as they are.
pub(crate) fn piece(bytes: u64, rows: Option<u64>) -> Option<u64> {
    let record = bytes / rows.unwrap_or(bytes).max(1);
    let piece = (record * RECORDS).clamp(PIECE, LONGEST);
    (bytes > piece * FEW).then_some(piece)
}

/// The records of a stream that begins between two of them, in one of the files.
pub(crate) type Within =
    Box<dyn FnMut(usize, Stream) -> Result<Box<dyn ChunkReader>, SourceError> + Send>;

/// Reads pieces in the order in which they were drawn.
pub(crate) struct Pieces {
    inputs: Arc<Inputs>,
    within: Within,
    /// Size of each file.
    sizes: Vec<u64>,
    /// Bytes of each piece.
    piece: u64,
    /// Where pieces begin, in all files together.
    places: std::vec::IntoIter<u64>,
    opened: Option<(usize, Regular)>,
    /// The records of the piece that is read, and which file it is of.
    records: Option<(usize, Box<dyn ChunkReader>)>,
    index: u64,
    row: u64,
    position: u64,
}

impl Pieces {
    /// Of the files of these sizes.
    pub(crate) fn new(
        inputs: &Arc<Inputs>,
        sizes: Vec<u64>,
        piece: u64,
        seed: u64,
        within: Within,
    ) -> Self {
        let blocks = sizes.iter().sum::<u64>() / piece;
        // The first has the header in it.
        let places = Draw::new(seed).places(blocks.saturating_sub(1), MOST);
        let places: Vec<u64> = places
            .into_iter()
            .map(|place| (place + 1) * piece)
            .collect();
        Pieces {
            inputs: Arc::clone(inputs),
            within,
            sizes,
            piece,
            places: places.into_iter(),
            opened: None,
            records: None,
            index: 0,
            row: 0,
            position: 0,
        }
    }

    /// The file that a place is in, and where there.
    fn find(&self, mut place: u64) -> Option<(usize, u64, u64)> {
        for (part, size) in self.sizes.iter().enumerate() {
            if place < *size {
                return Some((part, place, *size));
            }
            place -= size;
        }
        None
    }

    fn read(&mut self, part: usize, at: u64, size: u64) -> std::io::Result<Vec<u8>> {
        if self
            .opened
            .as_ref()
            .is_none_or(|(opened, _)| *opened != part)
        {
            let file = self.inputs.regular(part).ok().flatten();
            let file = file.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound))?;
            self.opened = Some((part, file));
        }
        let Some((_, file)) = &self.opened else {
            return Ok(Vec::new());
        };
        let mut most = self.piece;
        loop {
            let len = most.min(size - at);
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
            file.read_exact_at(&mut bytes, at)?;
            let begin = memchr::memchr(b'\n', &bytes).map(|end| end + 1);
            let end = match at + len == size {
                true => Some(bytes.len()),
                false => memchr::memrchr(b'\n', &bytes).map(|end| end + 1),
            };
            if let (Some(begin), Some(end)) = (begin, end)
                && begin < end
            {
                bytes.truncate(end);
                bytes.drain(..begin);
                return Ok(bytes);
            }
            if most >= LONGEST || len < most {
                return Ok(Vec::new());
            }
            most *= 4;
        }
    }
}

impl ChunkReader for Pieces {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        loop {
            if let Some((part, records)) = &mut self.records {
                if let Some(mut chunk) = records.next_chunk()? {
                    (chunk.index, chunk.part) = (self.index, *part);
                    (chunk.first_row, chunk.position) = (self.row, self.position);
                    self.index += 1;
                    self.row += chunk.rows + chunk.rejects.len() as u64;
                    return Ok(Some(chunk));
                }
                self.records = None;
            }
            let Some(place) = self.places.next() else {
                return Ok(None);
            };
            let Some((part, at, size)) = self.find(place) else {
                continue;
            };
            let bytes = self.read(part, at, size);
            let bytes = bytes.map_err(|problem| SourceError::Io {
                place: self.inputs.place(part),
                problem,
            })?;
            self.position += self.piece;
            let stream = Stream::plain(Cursor::new(bytes));
            self.records = Some((part, (self.within)(part, stream)?));
        }
    }
}
