//! Column names from a file's first lines, and the errors for names that do not match. Names that
//! may be data are not shown: a name from the file appears in an error only if most declared names
//! were found and the following lines have as many fields.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use glovebox_core::shown::MAX_NAME_LEN;
use glovebox_core::{Field, ReadFrom, Schema, SourceError};

use super::dialect::{Delimiter, Dialect};
use super::records::Records;
use crate::names::{self, Place};

/// Lines that are looked through for what the header lacks.
const LINES: usize = 100;
/// Bytes of a line that are looked at for that.
const MAX_LINE_LEN: usize = 64 << 10;
/// Columns that one message names.
const LISTED: usize = 5;
/// Delimiters that files have; of two that would do, the first is meant: a comma stands within
/// numbers and texts, too.
pub(super) const DELIMITERS: [&str; 9] = ["\t", ";", "||", "|", ",", "::", "~", "^", ":"];

/// The first lines of a file.
pub(super) struct Start<'a> {
    /// The names in its header, or the fields of its first record.
    pub(super) names: Vec<Vec<u8>>,
    /// The first two places of each name.
    index: HashMap<Vec<u8>, Vec<usize>>,
    /// The header's first record.
    record: &'a [u8],
    /// What is behind the lines that `skip` passes over, as far as it has been read.
    bytes: &'a [u8],
    /// The record behind the header.
    next: Option<&'a [u8]>,
    dialect: Dialect,
    /// Lines that were passed over.
    skipped: u64,
    /// What the encoding is called, if it is another than UTF-8.
    encoding: Option<&'static str>,
    place: &'a str,
}

/// Where it stands.
pub(super) struct Where<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) skipped: u64,
    pub(super) encoding: Option<&'static str>,
    pub(super) place: &'a str,
}

impl<'a> Start<'a> {
    /// The header is of the first `rows` of these records of `of.bytes`, and called by all of them.
    pub(super) fn new(
        records: &[std::ops::Range<usize>],
        rows: usize,
        dialect: Dialect,
        of: &Where<'a>,
    ) -> Self {
        let record = |i: usize| of.bytes.get(records.get(i)?.clone());
        let mut names: Vec<Vec<u8>> = Vec::new();
        for row in (0..rows).filter_map(record) {
            for (i, part) in fields_of(row, dialect).into_iter().enumerate() {
                match names.get_mut(i) {
                    None => names.push(part),
                    Some(_) if part.is_empty() => {}
                    Some(name) => {
                        if !name.is_empty() {
                            name.push(b' ');
                        }
                        name.extend(part);
                    }
                }
            }
        }
        let mut index: HashMap<_, Vec<usize>> = HashMap::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            let places = index.entry(name.clone()).or_default();
            if places.len() < 2 {
                places.push(i);
            }
        }
        Start {
            names,
            index,
            record: record(0).unwrap_or_default(),
            bytes: of.bytes,
            next: record(rows),
            dialect,
            skipped: of.skipped,
            encoding: of.encoding,
            place: of.place,
        }
    }

    /// Where a name stands, counted from 0: the first two places.
    pub(super) fn find(&self, name: &str) -> &[usize] {
        let found = self.index.get(name.as_bytes());
        found.map_or(&[], Vec::as_slice)
    }

    fn error(&self, problem: String) -> SourceError {
        SourceError::shape(self.place, problem)
    }

    pub(super) fn empty(&self) -> SourceError {
        self.error(match self.skipped {
            0 => "is empty and has no header line; check the path, or declare `header: false` if \
                 a file without rows is expected"
                .into(),
            lines => format!("has no header after the {lines} lines that `skip` skips"),
        })
    }

    pub(super) fn no_such_position(&self, field: &Field, at: usize, has: usize) -> SourceError {
        self.error(format!(
            "has {}, and `{}` is read from column {at}; correct `from`",
            columns(has),
            field.name
        ))
    }

    pub(super) fn twice(&self, field: &Field, first: usize, second: usize) -> SourceError {
        self.error(format!(
            "the header has two columns named {}, so the name is ambiguous; write `from: {}` or \
            `from: {}`, or rename one in the file",
            called(field),
            first + 1,
            second + 1
        ))
    }

    pub(super) fn shared(&self, first: &Field, second: &Field, at: usize) -> SourceError {
        self.error(format!(
            "`{}` and `{}` are both column {} of the file, so what is declared for one would not \
            apply to the other; remove one from `columns`, or correct `from`",
            first.name,
            second.name,
            at + 1
        ))
    }

    pub(super) fn too_few(&self, has: usize, needed: usize, schema: &Schema) -> SourceError {
        let fits = |d: &&&str| {
            let dialect = self.with_delimiter(d);
            dialect.is_some_and(|d| fields_of(self.record, d).len() >= needed)
        };
        let help = match DELIMITERS.iter().find(fits).filter(|_| has == 1) {
            Some(delimiter) => format!("write `delimiter: {}`", yaml(delimiter)),
            None => "check `delimiter`, or correct `columns` and `from`".into(),
        };
        let declared = schema.fields.iter().any(|f| f.from.is_some());
        let where_ = match declared {
            true => "",
            false => "; without a header the declared columns are the first fields",
        };
        self.error(format!(
            "its records have {}, and column {needed} is asked for{where_}; {help}",
            match has {
                1 => "1 field".to_owned(),
                n => format!("{n} fields"),
            }
        ))
    }

    /// What to say of a header that has none of these columns of `schema`.
    pub(super) fn lacking(&self, missing: &[&Field], schema: &Schema) -> SourceError {
        let by_name = |f: &&Field| !matches!(f.from, Some(ReadFrom::Position(_)));
        let named = schema.fields.iter().filter(by_name).count();
        let folded: HashSet<_> = self.names.iter().map(|n| names::folded(&text(n))).collect();
        let alike = |f: &&&Field| folded.contains(&names::folded(f.source_name()));
        let found = named - missing.len() + missing.iter().filter(alike).count();
        if found == 0 {
            return self.error(format!(
                "the first line has {} and none is named {}; {}",
                fields(self.names.len()),
                list(missing.iter().map(|f| called(f))),
                self.help(schema)
            ));
        }
        // A line that runs into data has other fields than the one behind it.
        let whole = self.is_header();
        let there: Vec<_> = self.names.iter().map(|n| text(n)).collect();
        let there: Vec<&str> = there.iter().map(AsRef::as_ref).collect();
        let missed = missing.iter().map(|field| {
            let near = || names::nearest(field.source_name(), &there);
            match self
                .alike(field)
                .or_else(|| near().filter(|_| whole && found * 2 >= named))
            {
                Some(near) => format!("{} (did you mean `{near}`?)", called(field)),
                None => called(field),
            }
        });
        let declared: Vec<_> = schema.fields.iter().map(Field::source_name).collect();
        let has = match whole {
            true => names::told(&declared, &there, Place::Line),
            false => columns(there.len()),
        };
        let trimmed: HashSet<_> = self.names.iter().map(|n| n.trim_ascii()).collect();
        let trimmed = |field: &&Field| trimmed.contains(field.source_name().as_bytes());
        let help = if missing.iter().all(trimmed) {
            "its names are surrounded by spaces: write `trim: true`"
        } else {
            "correct the name in `columns`, give the file's name with `from`, or remove the column"
        };
        self.error(format!(
            "the header has no column {}; it has {has}; {help}",
            list(missed)
        ))
    }

    /// Whether the first line has as many fields as the one behind, as one that runs into data has
    /// not.
    fn is_header(&self) -> bool {
        let next = self.next.map(|next| fields_of(next, self.dialect).len());
        next == Some(self.names.len())
    }

    /// The file's name for the column, if it differs in case, spaces and signs only, so that showing
    /// it tells nothing.
    fn alike(&self, field: &Field) -> Option<&str> {
        let wanted = names::folded(field.source_name());
        let names = self
            .names
            .iter()
            .filter_map(|n| std::str::from_utf8(n).ok());
        let mut alike = names.filter(|name| names::folded(name) == wanted);
        alike
            .find_map(names::shown_name)
            .filter(|_| !wanted.is_empty())
    }

    /// The option by which the columns would be found.
    fn help(&self, schema: &Schema) -> String {
        let first = [self.dialect.delimiter].into_iter();
        let others = DELIMITERS
            .iter()
            .filter_map(|d| Delimiter::new(d.as_bytes()));
        for delimiter in first.chain(others) {
            let Some(line) = self.line_with(schema, delimiter) else {
                continue;
            };
            let text = String::from_utf8_lossy(delimiter.bytes());
            let separated = match delimiter == self.dialect.delimiter {
                true => String::new(),
                false => format!("`delimiter: {}`", yaml(&text)),
            };
            let before = match line {
                0 => String::new(),
                1 => "1 line before the header? write".into(),
                n => format!("{n} lines before the header? write"),
            };
            let lines = line as u64 + self.skipped;
            return match (line, separated.as_str()) {
                (0, "") => break,
                (0, delimiter) => format!("write {delimiter}"),
                (_, "") => format!("{before} `skip: {lines}`"),
                (_, delimiter) => format!("{before} `skip: {lines}` and {delimiter}"),
            };
        }
        if self.encoding.is_none() && std::str::from_utf8(self.record).is_err() {
            return "it is not UTF-8: set its encoding, like `encoding: windows-1252`, and check \
                    the names in `columns`"
                .into();
        }
        "if the file has no header line declare `header: false`; otherwise check `delimiter` and \
        the names in `columns`"
            .into()
    }

    /// The line, counted from 0, that has most of the declared names if fields are so delimited.
    fn line_with(&self, schema: &Schema, delimiter: Delimiter) -> Option<usize> {
        let dialect = Dialect {
            delimiter,
            ..self.dialect
        };
        let mut at = 0;
        (0..LINES)
            .map_while(|_| {
                let end = dialect.next_line_end(self.bytes, at);
                let (stop, next) = end.unwrap_or((self.bytes.len(), self.bytes.len()));
                let line = self.bytes.get(at..stop).filter(|_| at < self.bytes.len());
                at = next;
                line
            })
            .position(|line| {
                let line = line.get(..MAX_LINE_LEN).unwrap_or(line);
                let names = fields_of(line, dialect);
                let names: HashSet<_> = names.iter().map(Vec::as_slice).collect();
                let has = |f: &&Field| names.contains(f.source_name().as_bytes());
                let found = schema.fields.iter().filter(has).count();
                found * 2 > schema.fields.len()
            })
    }

    fn with_delimiter(&self, delimiter: &str) -> Option<Dialect> {
        Some(Dialect {
            delimiter: Delimiter::new(delimiter.as_bytes())?,
            ..self.dialect
        })
    }
}

/// The fields of one record.
pub(super) fn fields_of(record: &[u8], dialect: Dialect) -> Vec<Vec<u8>> {
    let mut bytes = record.to_vec();
    let mut spans = Vec::new();
    let mut records = Records::new(&mut bytes, dialect, usize::MAX);
    if records
        .next(|_, span| spans.push(span))
        .is_none_or(|r| r.fields == 0)
    {
        return Vec::new();
    }
    let bytes = records.bytes();
    spans.into_iter().map(|s| s.of(bytes).to_vec()).collect()
}

/// A name as text; one that is none is not shown.
fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}

/// A column by the name that it should have in the file.
fn called(field: &Field) -> String {
    match &field.from {
        Some(ReadFrom::Name(name)) => {
            let short: String = name.chars().take(MAX_NAME_LEN).collect();
            format!("{short:?} (`{}`)", field.name)
        }
        _ => format!("`{}`", field.name),
    }
}

/// The first few, and how many more.
fn list(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = all.len().saturating_sub(LISTED);
    let mut shown: Vec<_> = all.take(LISTED).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

fn columns(count: usize) -> String {
    match count {
        1 => "1 column".into(),
        n => format!("{n} columns"),
    }
}

fn fields(count: usize) -> String {
    match count {
        1 => "1 field".into(),
        n => format!("{n} fields"),
    }
}

/// A delimiter as a manifest writes it.
fn yaml(delimiter: &str) -> String {
    match delimiter {
        "\t" => "\"\\t\"".into(),
        other => format!("\"{other}\""),
    }
}

#[cfg(test)]
#[path = "header_tests.rs"]
pub(super) mod tests;
