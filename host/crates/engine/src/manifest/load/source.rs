//! Reads the source: where the rows come from, and how its file is to be read.
//!
//! Refuses a CSV dialect in which one sign has two meanings.

use std::ops::RangeInclusive;

use super::optional;
use super::postgres_source::postgres_source;
use crate::manifest::block::{Block, Reader, Shape};
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::model::{CsvSource, Input, Source, Span, Spanned};
use crate::manifest::units;
use crate::manifest::yaml::{Kind, Node};

pub(crate) const SOURCE: Shape = Shape {
    what: "the source",
    keys: &["csv", "postgres"],
    hints: &[
        ("path", "put it under the format: csv: { path: sales.csv }"),
        ("columns", "`columns:` stands beside `source:`, not in it"),
        ("postgresql", "write `postgres:`"),
        (
            "table",
            "put it under the format: postgres: { host: db.internal, …, table: sales }",
        ),
        (
            "parquet",
            "this version reads csv and postgres: csv: { path: sales.csv }",
        ),
        (
            "jsonl",
            "this version reads csv and postgres: csv: { path: sales.csv }",
        ),
    ],
    example: "source: { csv: { path: sales.csv } }",
};

pub(crate) const CSV_SOURCE: Shape = Shape {
    what: "the CSV source",
    keys: &[
        "path",
        "header",
        "delimiter",
        "quote",
        "null",
        "max-field",
        "max-record",
    ],
    hints: &[
        ("file", "write `path:`"),
        ("separator", "write `delimiter:`"),
        ("columns", "`columns:` stands beside `source:`, not in it"),
        ("encoding", "delete it: CSV files are read as UTF-8"),
    ],
    example: "csv: { path: sales.csv }",
};

const MAX_FIELD: usize = 1 << 20;
const MAX_RECORD: usize = 8 << 20;
const SIZE_BOUNDS: RangeInclusive<u64> = 1..=256 << 20;

/// The manifest's `source:`.
pub(super) fn source(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<Source> {
    let block = reader.block(node, head, &SOURCE)?;
    let present = block.present(SOURCE.keys);
    if block.has_strangers() && present.is_empty() {
        // What was said about them says this too.
        return None;
    }
    if let [first, second, ..] = present.as_slice() {
        two_sources(reader, &block, first, second);
    }
    if let Some((node, head)) = block.get("postgres") {
        return postgres_source(reader, node, head).map(|s| Source::Postgres(Box::new(s)));
    }
    let (node, head) = reader.need(&block, "csv", CSV_SOURCE.example)?;
    let block = reader.block(node, head, &CSV_SOURCE)?;

    let path = reader
        .need(&block, "path", "path: sales.csv")
        .and_then(|(node, _)| match &node.kind {
            Kind::Text(text) if text == "-" => Some(Spanned::new(Input::Stdin, node.span.clone())),
            _ => reader
                .path(node, "path", "path: sales.csv")
                .map(|p| Spanned::new(Input::File(p.value), p.span)),
        });
    let header = optional(&block, "header", |node| reader.boolean(node, "header"));
    let delimiter = optional(&block, "delimiter", |node| {
        reader.byte(node, "delimiter", "delimiter: \";\"")
    });
    let quote = optional(&block, "quote", |node| {
        reader.byte(node, "quote", "quote: \"'\"")
    });
    let null = optional(&block, "null", |node| nulls(reader, node));
    let max_field = optional(&block, "max-field", |node| {
        reader.size(node, "max-field", SIZE_BOUNDS)
    });
    let max_record = optional(&block, "max-record", |node| {
        reader.size(node, "max-record", SIZE_BOUNDS)
    });

    let csv = CsvSource {
        path: path?,
        header: header.is_none_or(|h| h.value),
        delimiter: delimiter.unwrap_or(b','),
        quote: quote.unwrap_or(b'"'),
        null: null.unwrap_or_else(|| vec![String::new()]),
        max_field: max_field.unwrap_or(MAX_FIELD),
        max_record: max_record.unwrap_or(MAX_RECORD.max(max_field.unwrap_or(0))),
    };
    distinct_signs(reader, &block, csv.delimiter, csv.quote);
    if csv.max_field > csv.max_record {
        let span = block
            .get("max-record")
            .map_or(block.head, |(n, _)| n.span.clone());
        reader.say(
            Diagnostic::error(span, "`max-record` is less than `max-field`").help(format!(
                "a record holds its fields: write at least max-record: {}",
                units::show_size(csv.max_field as u64)
            )),
        );
    }
    Some(Source::Csv(csv))
}

fn two_sources(reader: &mut Reader<'_>, block: &Block<'_>, one: &'static str, two: &'static str) {
    let place = |key| block.get(key).map_or(block.head.clone(), |(_, span)| span);
    reader.say(
        Diagnostic::error(
            place(two),
            format!("rows come from one place: `{one}` or `{two}`"),
        )
        .label("a second source")
        .context(place(one), "the first one")
        .help("delete one; to read both, run two manifests"),
    );
}

/// Complains where fields could not be told from their quotes.
fn distinct_signs(reader: &mut Reader<'_>, block: &Block<'_>, delimiter: u8, quote: u8) {
    if delimiter == quote {
        let place = block.get("delimiter").or(block.get("quote"));
        let span = place.map_or(block.head.clone(), |(node, _)| node.span.clone());
        reader.say(
            Diagnostic::error(span, "`delimiter` and `quote` are the same sign")
                .help("write two different ones, like delimiter: \";\" and quote: '\"'"),
        );
    }
}

fn nulls(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<String>> {
    let example = "null: [\"\", NA]";
    let items = reader.list(node, "null", example)?;
    let mut nulls = Vec::with_capacity(items.len());
    for item in items {
        if let Some(text) = reader.any_text(item, "null", example) {
            nulls.push(text.value);
        }
    }
    Some(nulls)
}

/// Stands for a source that could not be read.
pub(super) fn nothing(span: Span) -> Source {
    Source::Csv(CsvSource {
        path: Spanned::new(Input::Stdin, span),
        header: true,
        delimiter: b',',
        quote: b'"',
        null: vec![String::new()],
        max_field: MAX_FIELD,
        max_record: MAX_RECORD,
    })
}
