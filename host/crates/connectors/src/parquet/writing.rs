//! A Parquet file that is being written: rows are gathered to row groups, which threads encode side by
//! side and which are written in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::JoinHandle;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesBuilder;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::distinct::is_mostly_distinct;
use crate::outlet::Outlet;

/// Rows of a row group.
const GROUP_ROWS: usize = 128 << 10;
/// Bytes of the columns of a row group, as they are in memory.
const GROUP_BYTES: usize = 32 << 20;
/// Row groups that are encoded at the same time.
const ENCODING: usize = 2;

type Encoding = JoinHandle<Result<Vec<ArrowColumnChunk>, ParquetError>>;

/// A file on its way.
pub(super) struct Writing {
    /// Until the first row group is there, by which its encoding is chosen.
    waits: Option<Waits>,
    /// None if it could not be begun.
    written: Option<Written>,
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
type Waits = (Outlet, SchemaDescriptor, WriterPropertiesBuilder);

/// What row groups are encoded and written by.
struct Written {
    file: SerializedFileWriter<Outlet>,
    factory: Arc<ArrowRowGroupWriterFactory>,
}

impl Written {
    /// A file whose first rows are these.
    fn begin(
        (outlet, described, mut properties): Waits,
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
        let file = SerializedFileWriter::new(outlet, described.root_schema_ptr(), properties)?;
        let factory = ArrowRowGroupWriterFactory::new(&file, Arc::clone(arrow));
        Ok(Written {
            file,
            factory: Arc::new(factory),
        })
    }
}

impl Writing {
    /// A file with these columns; nothing is written yet.
    pub(super) fn new(
        outlet: Outlet,
        described: SchemaDescriptor,
        properties: WriterPropertiesBuilder,
        arrow: SchemaRef,
    ) -> Self {
        Writing {
            waits: Some((outlet, described, properties)),
            written: None,
            arrow,
            batches: Vec::new(),
            rows: 0,
            bytes: 0,
            groups: 0,
            encoding: VecDeque::new(),
        }
    }

    /// Its columns.
    pub(super) fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Adds rows behind the others.
    pub(super) fn add(&mut self, batch: RecordBatch) -> Result<(), ParquetError> {
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
    fn written(&mut self, first: &[RecordBatch]) -> Result<&mut Written, ParquetError> {
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
    pub(super) fn finish(mut self) -> Result<Outlet, ParquetError> {
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
