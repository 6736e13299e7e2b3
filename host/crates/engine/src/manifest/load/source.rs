//! Reads the source: where the rows come from, and how its file is to be read.
//!
//! Refuses a CSV dialect in which one sign has two meanings.

use std::ops::RangeInclusive;

use super::formats::formats;
use super::postgres_source::postgres_source;
use super::{files, optional};
use crate::manifest::block::{Block, Reader, Shape};
use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::model::{CsvSource, Input, Source, SourceFormats, Span, Spanned};
use crate::manifest::units;
use crate::manifest::yaml::Node;

pub(crate) const SOURCE: Shape = Shape {
    what: "the source",
    keys: &["csv", "jsonl", "parquet", "postgres"],
    hints: &[
        ("path", "put it under the format: csv: { path: sales.csv }"),
        ("columns", "`columns:` stands beside `source:`, not in it"),
        ("postgresql", "write `postgres:`"),
        (
            "table",
            "put it under the format: postgres: { host: db.internal, …, table: sales }",
        ),
        ("json", "write `jsonl:`, for an object a line"),
        ("ndjson", "write `jsonl:`"),
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
        "formats",
        "max-field",
        "max-record",
    ],
    hints: &[
        ("file", "write `path:`"),
        ("files", "write `path:`, with one path or a list of them"),
        (
            "compression",
            "delete it: gzip and zstd are found by what the file holds",
        ),
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
    let Some(key) = present.first().copied() else {
        // What was said about strangers says this too.
        if !block.has_strangers() {
            reader.say(
                Diagnostic::error(
                    block.head,
                    "the source does not say where the rows come from",
                )
                .help(format!(
                    "add one of: {}; like {}",
                    SOURCE.keys.join(", "),
                    CSV_SOURCE.example
                )),
            );
        }
        return None;
    };
    let (node, head) = block.get(key)?;
    if let Some(other) = present.get(1) {
        let second = block.get(other).map_or(head.clone(), |(_, span)| span);
        reader.say(
            Diagnostic::error(
                second,
                format!("rows come from one place: `{key}` or `{other}`"),
            )
            .label("a second source")
            .context(head.clone(), "the first one")
            .help("delete one; several files of one format are a list under `path:`, and for both, run two manifests"),
        );
    }
    match key {
        "jsonl" => files::jsonl_source(reader, node, head).map(Source::Jsonl),
        "parquet" => files::parquet_source(reader, node, head).map(Source::Parquet),
        "postgres" => postgres_source(reader, node, head).map(|s| Source::Postgres(Box::new(s))),
        _ => csv(reader, node, head).map(Source::Csv),
    }
}

fn csv(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<CsvSource> {
    let block = reader.block(node, head, &CSV_SOURCE)?;
    let paths = files::inputs(reader, &block, "path: sales.csv");
    let header = optional(&block, "header", |node| reader.boolean(node, "header"));
    let delimiter = optional(&block, "delimiter", |node| {
        reader.byte(node, "delimiter", "delimiter: \";\"")
    });
    let quote = optional(&block, "quote", |node| {
        reader.byte(node, "quote", "quote: \"'\"")
    });
    let null = optional(&block, "null", |node| nulls(reader, node));
    let formats = formats(reader, &block);
    let max_field = optional(&block, "max-field", |node| {
        reader.size(node, "max-field", SIZE_BOUNDS)
    });
    let max_record = optional(&block, "max-record", |node| {
        reader.size(node, "max-record", SIZE_BOUNDS)
    });

    let csv = CsvSource {
        paths: paths?,
        header: header.is_none_or(|h| h.value),
        delimiter: delimiter.unwrap_or(b','),
        quote: quote.unwrap_or(b'"'),
        null: null.unwrap_or_else(|| vec![String::new()]),
        formats,
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
    Some(csv)
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
        paths: vec![Spanned::new(Input::Stdin, span)],
        header: true,
        delimiter: b',',
        quote: b'"',
        null: vec![String::new()],
        formats: SourceFormats::default(),
        max_field: MAX_FIELD,
        max_record: MAX_RECORD,
    })
}
