//! Rows that a `gather:` step takes, and those that it makes of them.
//!
//! The rows before such a step wait until all are there, in files that nobody else can open or read;
//! the lines of their chunks go on to the journal without them. Then its query runs over them, and what it makes
//! is read by the steps after it as from a source. So nothing is stored before all rows are known.

mod made;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use glovebox_core::{Batch, Encoded, Encoder, FinishedChunk, Late, Mark, Payload, Sink, SinkError};

use crate::blocks::Blocks;
use crate::error::RunError;

pub(crate) use made::Made;

/// Where finished chunks go.
pub(crate) trait Target {
    /// As [`Sink::encoder`].
    fn encoder(&self) -> Box<dyn Encoder>;

    /// As [`Sink::begins`].
    fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError>;

    /// As [`Sink::write`].
    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError>;
}

impl<'s> Target for &mut (dyn Sink + 's) {
    fn encoder(&self) -> Box<dyn Encoder> {
        Sink::encoder(&**self)
    }

    fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError> {
        Sink::begins(&mut **self, with, key)
    }

    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        Sink::write(&mut **self, chunk)
    }
}

/// Rows that wait for a query.
pub(crate) struct Waiting {
    blocks: Blocks,
    /// The blocks in the order of their chunks.
    order: Mutex<Vec<usize>>,
}

impl Waiting {
    pub(crate) fn create() -> Result<Arc<Self>, SinkError> {
        Ok(Arc::new(Waiting {
            blocks: Blocks::create().map_err(cannot)?,
            order: Mutex::default(),
        }))
    }

    /// Puts a batch behind those that wait.
    pub(crate) fn put(&self, batch: &Batch) -> Result<(), RunError> {
        let bytes = packed(std::iter::once(&batch.columns));
        let block = bytes
            .map_err(|error| unreadable(&error))
            .and_then(|bytes| self.blocks.put(bytes))
            .map_err(cannot)?;
        self.behind(block)?;
        Ok(())
    }

    /// A block's rows come behind those that wait.
    fn behind(&self, block: usize) -> Result<(), SinkError> {
        let mut order = self.order.lock();
        let order = order
            .as_mut()
            .map_err(|_| cannot(io::Error::other("a thread ended")))?;
        order.push(block);
        Ok(())
    }

    fn order(&self) -> Vec<usize> {
        let order = self.order.lock();
        order.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Passes all rows on, in their order.
    fn feed(&self, pass: &mut dyn FnMut(RecordBatch) -> bool) -> io::Result<()> {
        for block in self.order() {
            for batch in unpacked(&self.blocks.get(block)?)? {
                if !pass(batch) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// A target whose rows wait; of its chunks the sink gets all but these.
pub(crate) struct Before<'s> {
    pub(crate) sink: &'s mut dyn Sink,
    pub(crate) waiting: Arc<Waiting>,
}

impl Target for Before<'_> {
    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(Packing(Arc::clone(&self.waiting)))
    }

    fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError> {
        self.sink.begins(with, key)
    }

    fn write(&mut self, mut chunk: FinishedChunk) -> Result<(), SinkError> {
        // It would keep the chunk's raw rows in memory until the end.
        chunk.late = Late::default();
        if let Payload::Bytes(number) = std::mem::take(&mut chunk.encoded).payload
            && let Some(number) = number.first_chunk()
        {
            self.waiting.behind(usize::from_le_bytes(*number))?;
        }
        self.sink.write(chunk)
    }
}

/// Puts rows where they wait, and hands on the number of their block.
struct Packing(Arc<Waiting>);

impl Encoder for Packing {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        let rows = batches.iter().map(|batch| batch.rows() as u64).sum();
        let payload = match rows {
            0 => Payload::Empty,
            _ => {
                let batches = batches.iter().map(|batch| &batch.columns);
                let bytes = packed(batches).map_err(|error| cannot(unreadable(&error)))?;
                let block = self.0.blocks.put(bytes).map_err(cannot)?;
                Payload::Bytes(block.to_le_bytes().to_vec())
            }
        };
        Ok(Encoded {
            rows,
            payload,
            ..Encoded::default()
        })
    }
}

/// Batches of one schema as Arrow's IPC stream.
fn packed<'b>(batches: impl Iterator<Item = &'b RecordBatch>) -> Result<Vec<u8>, ArrowError> {
    let mut batches = batches.peekable();
    let mut bytes = Vec::new();
    if let Some(first) = batches.peek() {
        let mut writer = StreamWriter::try_new(&mut bytes, &first.schema())?;
        batches.try_for_each(|batch| writer.write(batch))?;
        writer.finish()?;
    }
    Ok(bytes)
}

fn unpacked(bytes: &[u8]) -> io::Result<Vec<RecordBatch>> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let reader = StreamReader::try_new(bytes, None);
    let batches = reader.and_then(|reader| reader.collect::<Result<_, _>>());
    batches.map_err(|error| unreadable(&error))
}

/// Arrow's own words may have a cell.
fn unreadable(_: &ArrowError) -> io::Error {
    io::Error::other("rows that waited cannot be packed or unpacked")
}

fn cannot(problem: io::Error) -> SinkError {
    SinkError::Io {
        place: format!(
            "the rows that wait for a `gather:` step into {} (set TMPDIR to a folder with more room)",
            std::env::temp_dir().display()
        ),
        problem,
    }
}
