//! A Parquet file that is being written: rows are gathered to row groups, which threads encode side by
//! side and which are written in order.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use glovebox_core::{Batch, Encoded, Encoder, Payload, Schema, SinkError};
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{GzipLevel, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::distinct::is_mostly_distinct;
use super::key::Key;

/// Rows of a row group.
const GROUP_ROWS: usize = 128 << 10;
/// Bytes of the columns of a row group, as they are in memory.
const GROUP_BYTES: usize = 32 << 20;
/// Row groups that are encoded at the same time.
const ENCODING: usize = 2;

/// How the pages of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// By zstd, level 1.
    #[default]
    Zstd,
    /// By Snappy.
    Snappy,
    /// By gzip.
    Gzip,
    /// By LZ4, without frames.
    Lz4,
    /// Not at all.
    None,
}

impl From<Compression> for parquet::basic::Compression {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Zstd => Self::ZSTD(ZstdLevel::default()),
            Compression::Snappy => Self::SNAPPY,
            Compression::Gzip => Self::GZIP(GzipLevel::default()),
            Compression::Lz4 => Self::LZ4_RAW,
            Compression::None => Self::UNCOMPRESSED,
        }
    }
}

type Encoding = JoinHandle<Result<Vec<ArrowColumnChunk>, ParquetError>>;

/// A file on its way.
pub(crate) struct Writing<W: Write> {
    /// Until the first row group is there, by which its encoding is chosen.
    waits: Option<Waits<W>>,
    /// None if it could not be begun.
    written: Option<Written<W>>,
    arrow: SchemaRef,
    /// The row group that is gathered.
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    /// How many were handed to be encoded.
    groups: usize,
    encoding: VecDeque<Encoding>,
}

/// Where the file goes, its columns, and how it is written whatever is in them.
type Waits<W> = (W, SchemaDescriptor, WriterPropertiesBuilder);

/// What row groups are encoded and written by.
struct Written<W: Write> {
    file: SerializedFileWriter<W>,
    factory: Arc<ArrowRowGroupWriterFactory>,
}

impl<W: Write + Send> Written<W> {
    /// A file whose first rows are these.
    fn begin(
        (to, described, mut properties): Waits<W>,
        first: &[RecordBatch],
        arrow: &SchemaRef,
    ) -> Result<Self, ParquetError> {
        for (column, field) in arrow.fields().iter().enumerate() {
            if is_mostly_distinct(first, column) {
                let path = ColumnPath::new(vec![field.name().clone()]);
                properties = properties.set_column_dictionary_enabled(path, false);
            }
        }
        let properties = Arc::new(properties.build());
        let file = SerializedFileWriter::new(to, described.root_schema_ptr(), properties)?;
        let factory = ArrowRowGroupWriterFactory::new(&file, Arc::clone(arrow));
        Ok(Written {
            file,
            factory: Arc::new(factory),
        })
    }
}

impl<W: Write + Send> Writing<W> {
    /// A file of these columns, encrypted by that key if there is one; nothing is written yet.
    pub(crate) fn begin(
        to: W,
        schema: &Schema,
        compression: Compression,
        key: Option<&Key>,
    ) -> Result<Self, ParquetError> {
        let arrow = schema.to_arrow();
        let described = ArrowSchemaConverter::new().convert(&arrow)?;
        let properties = WriterProperties::builder()
            .set_compression(compression.into())
            .set_created_by(concat!("glovebox ", env!("CARGO_PKG_VERSION")).into());
        let properties = match key {
            Some(key) => properties.with_file_encryption_properties(key.sealing()?),
            None => properties,
        };
        Ok(Writing {
            waits: Some((to, described, properties)),
            written: None,
            arrow,
            batches: Vec::new(),
            rows: 0,
            bytes: 0,
            groups: 0,
            encoding: VecDeque::new(),
        })
    }

    /// Its columns.
    pub(crate) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Bytes that are written; of row groups that are encoded, none yet.
    pub(crate) fn bytes_written(&self) -> usize {
        let written = self.written.as_ref();
        written.map_or(0, |written| written.file.bytes_written())
    }

    /// Adds rows behind the others.
    pub(crate) fn add(&mut self, batch: RecordBatch) -> Result<(), ParquetError> {
        let mut rest = batch;
        while self.rows + rest.num_rows() > GROUP_ROWS {
            let fit = GROUP_ROWS - self.rows;
            self.gather(rest.slice(0, fit));
            self.cut()?;
            rest = rest.slice(fit, rest.num_rows() - fit);
        }
        self.bytes += weight(&rest)?;
        self.gather(rest);
        if self.rows == GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.cut()?;
        }
        Ok(())
    }

    fn gather(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        if batch.num_rows() > 0 {
            self.batches.push(batch);
        }
    }

    /// The file, which is begun by these rows unless it was.
    fn written(&mut self, first: &[RecordBatch]) -> Result<&mut Written<W>, ParquetError> {
        if let Some(waits) = self.waits.take() {
            self.written = Some(Written::begin(waits, first, &self.arrow)?);
        }
        self.written.as_mut().ok_or_else(not_begun)
    }

    /// Hands what was gathered to a thread that encodes it.
    fn cut(&mut self) -> Result<(), ParquetError> {
        let batches = std::mem::take(&mut self.batches);
        (self.rows, self.bytes) = (0, 0);
        if batches.is_empty() {
            return Ok(());
        }
        if self.encoding.len() >= ENCODING {
            self.finish_one()?;
        }
        let factory = Arc::clone(&self.written(&batches)?.factory);
        let (arrow, group) = (Arc::clone(&self.arrow), self.groups);
        self.groups += 1;
        let thread = std::thread::spawn(move || encode(&factory, &arrow, group, &batches));
        self.encoding.push_back(thread);
        Ok(())
    }

    /// Writes the oldest of the row groups that are encoded.
    fn finish_one(&mut self) -> Result<(), ParquetError> {
        let Some(thread) = self.encoding.pop_front() else {
            return Ok(());
        };
        let columns = thread
            .join()
            .map_err(|_| ParquetError::General("a row group's encoding panicked".into()))??;
        let mut group = self.written(&[])?.file.next_row_group()?;
        for column in columns {
            column.append_to_row_group(&mut group)?;
        }
        group.close().map(drop)
    }

    /// The whole file.
    pub(crate) fn finish(mut self) -> Result<W, ParquetError> {
        self.cut()?;
        while !self.encoding.is_empty() {
            self.finish_one()?;
        }
        self.written(&[])?;
        // Writes the footer, too.
        self.written.ok_or_else(not_begun)?.file.into_inner()
    }
}

fn not_begun() -> ParquetError {
    ParquetError::General("the file could not be begun".into())
}

/// Bytes of a batch's cells, which may be a part of larger columns.
fn weight(batch: &RecordBatch) -> Result<usize, ParquetError> {
    let sizes = batch.columns().iter().map(|column| {
        let data = column.to_data();
        Ok(data.get_slice_memory_size()?)
    });
    sizes.sum()
}

fn encode(
    factory: &ArrowRowGroupWriterFactory,
    arrow: &SchemaRef,
    group: usize,
    batches: &[RecordBatch],
) -> Result<Vec<ArrowColumnChunk>, ParquetError> {
    let mut writers = factory.create_column_writers(group)?;
    for (i, (writer, field)) in writers.iter_mut().zip(arrow.fields()).enumerate() {
        for batch in batches {
            let column = batch.columns().get(i);
            let column =
                column.ok_or_else(|| ParquetError::General("a column is missing".into()))?;
            for leaf in compute_leaves(field, column)? {
                writer.write(&leaf)?;
            }
        }
    }
    writers.into_iter().map(|writer| writer.close()).collect()
}

/// What is said of an error: the disk's, if it was that. What the crate says of others may quote a value.
pub(crate) fn failed(place: &str, error: ParquetError) -> SinkError {
    let place = place.to_owned();
    if let ParquetError::External(error) = error
        && let Ok(problem) = error.downcast::<io::Error>()
    {
        return SinkError::Io {
            place,
            problem: *problem,
        };
    }
    SinkError::Internal {
        place,
        problem: "the rows cannot be encoded".into(),
    }
}

/// Hands columns on: a row group is made of many chunks.
pub(crate) struct Columns {
    pub(crate) place: String,
    pub(crate) arrow: Option<SchemaRef>,
}

impl Encoder for Columns {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        let fits = |b: &Batch| {
            let ours = self.arrow.iter().flat_map(|a| a.fields().iter());
            let theirs = b.columns.columns().iter().map(|c| c.data_type());
            ours.map(|f| f.data_type()).eq(theirs)
        };
        if !batches.iter().all(fits) {
            return Err(SinkError::Internal {
                place: self.place.clone(),
                problem: "a batch has different columns than the sink was opened with".into(),
            });
        }
        Ok(Encoded {
            rows: batches.iter().map(|b| b.rows() as u64).sum(),
            payload: Payload::Batches(batches.iter().map(|b| b.columns.clone()).collect()),
            ..Encoded::default()
        })
    }
}
