//! What a file is that no manifest describes yet: its format, its options, its columns and their
//! types, by a look at its beginning.
//!
//! Every guess that the program makes is made here, for a person to read before a run. A cell is
//! looked at, and neither kept nor told: what is found are names, types and options.

pub(crate) mod types;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use arrow_array::RecordBatch;
use glovebox_core::{Field, Reject, Sampled, Schema, Source, SourceError, endings};

use crate::declarable::{BEGINNING, of_header, of_keys};
use crate::input::{Input, Inputs};
#[cfg(feature = "parquet")]
use crate::parquet;
#[cfg(feature = "postgres")]
use crate::postgres;
use crate::{csv, jsonl};

pub use types::{Doubt, Guess, guess};

/// The most columns that a file's manifest may be written for.
const MAX_COLUMNS: usize = 2000;

/// Bytes of rows after which a sample is large enough, however few rows they are.
pub const MAX_SAMPLE_BYTES: usize = 64 << 20;
/// How many rows are read at the most for each cell that is wanted, where columns have nulls.
pub const MAX_SAMPLE_ROWS: usize = 5;

/// How rows are read.
#[derive(Debug, Clone)]
pub enum Format {
    /// CSV, with what was found of its options.
    Csv(Box<csv::Options>),
    /// JSON objects.
    Jsonl(jsonl::Options),
    /// Parquet.
    #[cfg(feature = "parquet")]
    Parquet(Vec<Input>),
    /// A table of PostgreSQL's.
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::SourceOptions>),
}

/// The format and columns of a file or table.
#[derive(Debug, Clone)]
pub struct Found {
    /// How it is read.
    pub format: Format,
    /// Its columns under names that a manifest takes. A format without types has text only.
    pub fields: Vec<Field>,
    /// How many columns it has beside those, of types or under names that cannot be declared.
    pub left_out: usize,
}

/// Some of the rows.
#[derive(Debug)]
pub struct Sample {
    /// Rows that could be read.
    pub batches: Vec<RecordBatch>,
    /// Rows that could not.
    pub rejects: Vec<Reject>,
    /// Whether they come from all over the source; else they are the first.
    pub is_spread: bool,
    /// Whether these are all rows.
    pub whole: bool,
}

/// Looks at a file, or at the first of a folder or pattern. `header` says whether a CSV file's first
/// record names its columns; without it that is found out, too.
///
/// # Errors
/// When it cannot be opened, or has no columns.
pub fn discover(path: &Path, header: Option<bool>) -> Result<Found, SourceError> {
    let given = [Input::from(path.to_owned())];
    let inputs = Inputs::new(
        given.to_vec().into(),
        &[endings::TSV, endings::JSONL, endings::PARQUET].concat(),
    );
    let place = path.display().to_string();
    if inputs.regular(0)?.is_none() {
        return Err(SourceError::Shape {
            place,
            problem: "can be read only once; save it to a file first and name that file".into(),
        });
    }
    let mut beginning = Vec::new();
    inputs
        .peek(0)?
        .take(BEGINNING)
        .read_to_end(&mut beginning)
        .map_err(|problem| SourceError::Io {
            place: inputs.place(0),
            problem,
        })?;
    let whole = (beginning.len() as u64) < BEGINNING;
    let given = given.to_vec();
    #[cfg(feature = "parquet")]
    if beginning.starts_with(b"PAR1") {
        let (fields, left_out) = parquet::fields(&inputs, &parquet::Keys::default())?;
        let format = Format::Parquet(given);
        let found = Found {
            format,
            fields,
            left_out,
        };
        return found.declarable(&place);
    }
    let found = if let Some(keys) = jsonl::keys(&beginning) {
        let mut options = jsonl::Options::new("");
        options.inputs = given;
        let all = keys.len();
        let fields = of_keys(keys, BTreeSet::new());
        Found {
            format: Format::Jsonl(options),
            left_out: all - fields.len(),
            fields,
        }
    } else {
        let (mut options, names) = csv::discover(&beginning, whole, header);
        options.inputs = given;
        Found {
            fields: of_header(names, options.header, BTreeSet::new()),
            format: Format::Csv(Box::new(options)),
            left_out: 0,
        }
    };
    found.declarable(&place)
}

/// Looks at a table of PostgreSQL's; no row is read.
///
/// # Errors
/// When the server cannot be reached, the role may not read the table, or it has no columns.
#[cfg(feature = "postgres")]
pub fn discover_table(options: postgres::SourceOptions) -> Result<Found, SourceError> {
    let (fields, left_out) = postgres::fields(&options)?;
    let place = options.place();
    let found = Found {
        format: Format::Postgres(Box::new(options)),
        fields,
        left_out,
    };
    found.declarable(&place)
}

impl Found {
    fn declarable(self, place: &str) -> Result<Found, SourceError> {
        let problem = match self.fields.len() {
            0 => "has no column to declare; is it empty?",
            n if n > MAX_COLUMNS => "has more than 2000 columns; write the manifest yourself",
            _ => return Ok(self),
        };
        Err(SourceError::shape(place, problem))
    }
}

impl Format {
    /// What a manifest calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Csv(_) => "csv",
            Format::Jsonl(_) => "jsonl",
            #[cfg(feature = "parquet")]
            Format::Parquet(_) => "parquet",
            #[cfg(feature = "postgres")]
            Format::Postgres(_) => "postgres",
        }
    }

    /// Whether its columns have types; without, all are text until somebody says otherwise.
    pub fn has_types(&self) -> bool {
        !matches!(self, Format::Csv(_) | Format::Jsonl(_))
    }

    /// The source of these columns.
    pub fn source(&self, fields: Vec<Field>) -> Box<dyn Source> {
        let schema = Schema::new(fields);
        match self {
            Format::Csv(options) => Box::new(csv::Source::new(options.as_ref().clone(), schema)),
            Format::Jsonl(options) => Box::new(jsonl::Source::new(options.clone(), schema)),
            #[cfg(feature = "parquet")]
            Format::Parquet(inputs) => Box::new(parquet::Source::new(
                inputs.clone(),
                schema,
                parquet::Keys::default(),
            )),
            #[cfg(feature = "postgres")]
            Format::Postgres(options) => {
                Box::new(postgres::Source::new(options.as_ref().clone(), schema))
            }
        }
    }
}

/// Reads chunks from all over a source until each column has so many cells that are not null, or
/// there are [`MAX_SAMPLE_ROWS`] times as many rows, or [`MAX_SAMPLE_BYTES`]; `seen` is told how many
/// rows there are.
///
/// # Errors
/// As a run's.
pub fn sample(
    source: &dyn Source,
    cells: usize,
    seed: u64,
    mut seen: impl FnMut(usize),
) -> Result<Sample, SourceError> {
    let Sampled {
        mut chunks,
        is_spread,
    } = source.sample(seed)?;
    let mut decoder = source.decoder()?;
    let mut sample = Sample {
        batches: Vec::new(),
        rejects: Vec::new(),
        is_spread,
        whole: !is_spread,
    };
    let mut there = vec![0; source.schema().fields.len()];
    let (mut rows, mut bytes) = (0, 0);
    while let Some(chunk) = chunks.next_chunk()? {
        let enough = there.iter().all(|there| *there >= cells) || rows >= cells * MAX_SAMPLE_ROWS;
        if enough && rows >= cells || bytes >= MAX_SAMPLE_BYTES {
            sample.whole = false;
            break;
        }
        let packed = chunk.bytes.len();
        let decoded = decoder.decode(chunk)?;
        let batches = decoded.batches.iter();
        let unpacked: usize = batches.map(|b| b.columns.get_array_memory_size()).sum();
        // A Parquet file's chunk only says where its rows are.
        bytes += packed.max(unpacked);
        // Only a few are told of, and of a source with nothing else there is no end.
        rows += decoded.rejects.len();
        sample.rejects.extend(decoded.rejects);
        for batch in decoded.batches {
            rows += batch.rows();
            for (there, column) in there.iter_mut().zip(batch.columns.columns()) {
                *there += column.len() - column.null_count();
            }
            sample.batches.push(batch.columns);
        }
        seen(rows);
    }
    Ok(sample)
}
