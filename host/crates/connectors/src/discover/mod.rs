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
use glovebox_core::shown::is_invisible;
use glovebox_core::{DataType, Field, ReadFrom, Reject, Schema, Source, SourceError, endings};

use crate::input::{Input, Inputs};
#[cfg(feature = "postgres")]
use crate::postgres;
use crate::{csv, jsonl, parquet};

pub use types::{Doubt, Guess, guess};

/// Bytes of a file that its format, its options and its names are found by.
const BEGINNING: u64 = 1 << 20;
/// Bytes that a name keeps; PostgreSQL cuts a longer one.
const MAX_NAME_LEN: usize = 63;
/// The most columns that a file's manifest may be written for.
const MAX_COLUMNS: usize = 2000;

/// Bytes of rows after which a sample is large enough, however few rows they are.
pub const MAX_SAMPLE_BYTES: usize = 64 << 20;

/// How rows are read.
#[derive(Debug, Clone)]
pub enum Format {
    /// CSV, with what was found of its options.
    Csv(Box<csv::Options>),
    /// JSON objects.
    Jsonl(jsonl::Options),
    /// Parquet.
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

/// The first rows.
#[derive(Debug)]
pub struct Sample {
    /// Rows that could be read.
    pub batches: Vec<RecordBatch>,
    /// Rows that could not.
    pub rejects: Vec<Reject>,
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
        &given,
        &[endings::TSV, endings::JSONL, endings::PARQUET].concat(),
    );
    let place = path.display().to_string();
    if inputs.path(0)?.is_none() {
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
    let found = if beginning.starts_with(b"PAR1") {
        let (fields, left_out) = parquet::fields(&inputs)?;
        Found {
            format: Format::Parquet(given),
            fields,
            left_out,
        }
    } else if let Some(keys) = jsonl::keys(&beginning) {
        let mut options = jsonl::Options::new("");
        options.inputs = given;
        let all = keys.len();
        let fields = of_keys(keys);
        Found {
            format: Format::Jsonl(options),
            left_out: all - fields.len(),
            fields,
        }
    } else {
        let (mut options, names) = csv::discover(&beginning, whole, header);
        options.inputs = given;
        Found {
            fields: of_header(names, options.header),
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
            Format::Parquet(inputs) => Box::new(parquet::Source::new(inputs.clone(), schema)),
            #[cfg(feature = "postgres")]
            Format::Postgres(options) => {
                Box::new(postgres::Source::new(options.as_ref().clone(), schema))
            }
        }
    }
}

/// Reads whole chunks until there are so many rows, or [`MAX_SAMPLE_BYTES`].
///
/// # Errors
/// As a run's.
pub fn sample(source: &dyn Source, rows: usize) -> Result<Sample, SourceError> {
    let mut chunks = source.chunks()?;
    let mut decoder = source.decoder()?;
    let mut sample = Sample {
        batches: Vec::new(),
        rejects: Vec::new(),
        whole: true,
    };
    let (mut read, mut bytes) = (0, 0);
    while let Some(chunk) = chunks.next_chunk()? {
        if read >= rows || bytes >= MAX_SAMPLE_BYTES {
            sample.whole = false;
            break;
        }
        bytes += chunk.bytes.len();
        let decoded = decoder.decode(chunk)?;
        read += decoded.rejects.len();
        sample.rejects.extend(decoded.rejects);
        for batch in decoded.batches {
            read += batch.rows();
            sample.batches.push(batch.columns);
        }
    }
    Ok(sample)
}

/// The columns of a header, or of as many fields without one.
fn of_header(names: Vec<Vec<u8>>, header: bool) -> Vec<Field> {
    let mut taken = BTreeSet::new();
    let there: Vec<Option<String>> = names
        .iter()
        .map(|name| String::from_utf8(name.clone()).ok())
        .collect();
    let field = |(i, raw): (usize, &Option<String>)| {
        let raw = raw.as_deref().filter(|_| header).unwrap_or_default();
        let name = unique(raw, &format!("column_{}", i + 1), &mut taken);
        let twice = there
            .iter()
            .filter(|other| other.as_deref() == Some(raw))
            .count()
            > 1;
        let readable = !raw.is_empty() && raw.len() <= 200 && !raw.chars().any(is_hidden);
        Field {
            from: match (header, name == raw) {
                (false, _) => None,
                (true, true) if !twice => None,
                (true, false) if readable && !twice => Some(ReadFrom::Name(raw.into())),
                (true, _) => Some(ReadFrom::Position(i + 1)),
            },
            ..Field::new(name, DataType::Text)
        }
    };
    there.iter().enumerate().map(field).collect()
}

/// The columns that keys lead to.
fn of_keys(keys: Vec<Vec<String>>) -> Vec<Field> {
    let mut taken = BTreeSet::new();
    keys.into_iter()
        .enumerate()
        .filter(|(_, path)| !path.iter().flat_map(|key| key.chars()).any(is_hidden))
        .map(|(i, path)| {
            let name = unique(&path.join("_"), &format!("column_{}", i + 1), &mut taken);
            let own = path.first().filter(|key| path.len() == 1 && **key == name);
            let from = || {
                let escaped = path
                    .iter()
                    .map(|key| key.replace('\\', "\\\\").replace('.', "\\."));
                ReadFrom::Name(escaped.collect::<Vec<_>>().join(".").into())
            };
            Field {
                from: own.is_none().then(from),
                ..Field::new(name, DataType::Text)
            }
        })
        .collect()
}

/// Whether a terminal or an editor would obey the character, or not show it: no name has one.
fn is_hidden(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// A column's name: the source's where a manifest takes it and no other column has it, in whatever
/// case; else one that is made of it.
fn unique(raw: &str, otherwise: &str, taken: &mut BTreeSet<String>) -> String {
    let shown: String = raw
        .chars()
        .map(|c| if is_hidden(c) { ' ' } else { c })
        .collect();
    let mut name = shown.trim();
    while name.len() > MAX_NAME_LEN - 4 {
        let last = name.char_indices().next_back().map_or(0, |(at, _)| at);
        name = name.get(..last).unwrap_or_default().trim_end();
    }
    let base = if name.is_empty() { otherwise } else { name };
    let mut candidate = base.to_owned();
    let mut number = 1;
    while !taken.insert(candidate.to_lowercase()) {
        number += 1;
        candidate = format!("{base}_{number}");
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(names: &[&str]) -> Vec<(String, Option<ReadFrom>)> {
        let names = names.iter().map(|n| n.as_bytes().to_vec()).collect();
        let fields = of_header(names, true);
        fields
            .into_iter()
            .map(|f| (f.name.to_string(), f.from))
            .collect()
    }

    #[test]
    fn a_column_keeps_its_name_where_a_manifest_takes_it() {
        let at = |i| Some(ReadFrom::Position(i));
        assert_eq!(
            header(&["id", " Unit price", "", "note", "note", "ID"]),
            [
                ("id".into(), None),
                (
                    "Unit price".into(),
                    Some(ReadFrom::Name(" Unit price".into()))
                ),
                ("column_3".into(), at(3)),
                ("note".into(), at(4)),
                ("note_2".into(), at(5)),
                ("ID_2".into(), Some(ReadFrom::Name("ID".into()))),
            ]
        );
        assert_eq!(
            header(&["a\u{202e}b", "c"]),
            [("a b".into(), at(1)), ("c".into(), None)]
        );
        let long = "\u{e9}".repeat(100);
        let found = header(&[&long]);
        assert!(found[0].0.len() <= MAX_NAME_LEN, "{found:?}");
        assert_eq!(found[0].1, Some(ReadFrom::Name(long.into())));
    }

    #[test]
    fn keys_lead_to_columns() {
        let path = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect();
        let fields = of_keys(vec![
            path(&["id"]),
            path(&["user", "mail"]),
            path(&["a.b"]),
            path(&["user", "x.y"]),
            path(&["not\u{200b}shown"]),
        ]);
        let from: Vec<_> = fields.iter().map(|f| f.from.clone()).collect();
        let name = |name: &str| Some(ReadFrom::Name(name.into()));
        assert_eq!(from, [None, name("user.mail"), None, name("user.x\\.y")]);
        assert_eq!(&*fields[1].name, "user_mail");
    }
}
