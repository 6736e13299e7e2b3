//! Reads how CSV files are to be read.
//!
//! Refuses a dialect in which one sign has two meanings, and options that would have none.

use std::ops::RangeInclusive;

use super::formats::formats;
use super::{files, optional};
use crate::block::{Block, Reader, Shape, short};
use crate::diagnostic::Diagnostic;
use crate::model::{
    CsvSource, Input, LineEnd, Quotes, Ragged, Source, SourceFormats, Span, Spanned,
};
use crate::units;
use crate::yaml::{Kind, Node};

pub(crate) const CSV_SOURCE: Shape = Shape {
    what: "the CSV source",
    keys: &[
        "path",
        "encoding",
        "skip",
        "header",
        "header-rows",
        "delimiter",
        "quote",
        "quotes",
        "escape",
        "comment",
        "line-end",
        "trim",
        "ragged",
        "null",
        "null-quoted",
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
        ("sep", "write `delimiter:`"),
        ("columns", "`columns:` stands beside `source:`, not in it"),
        ("charset", "write `encoding:`"),
        (
            "skip-rows",
            "write `skip:`, with the number of lines before the header",
        ),
        (
            "skiprows",
            "write `skip:`, with the number of lines before the header",
        ),
        ("newline", "write `line-end:`"),
        ("terminator", "write `line-end:`"),
        ("quoting", "write `quotes: lenient`, or `quote: none`"),
    ],
    example: "csv: { path: sales.csv }",
};

const MAX_FIELD: usize = 1 << 20;
const MAX_RECORD: usize = 8 << 20;
const SIZE_BOUNDS: RangeInclusive<u64> = 1..=256 << 20;
const MOST_SKIPPED: u64 = 1_000_000;
const MOST_HEADER_ROWS: u64 = 16;

/// `source: { csv: … }`.
pub(super) fn csv_source(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<CsvSource> {
    let block = reader.block(node, head, &CSV_SOURCE)?;
    let paths = files::inputs(reader, &block, "path: sales.csv");
    let encoding = optional(&block, "encoding", |node| encoding(reader, node));
    let skip = optional(&block, "skip", |node| {
        reader.whole(node, "skip", 0..=MOST_SKIPPED)
    });
    let header = optional(&block, "header", |node| reader.boolean(node, "header"));
    let header_rows = optional(&block, "header-rows", |node| {
        reader.whole(node, "header-rows", 1..=MOST_HEADER_ROWS)
    });
    let delimiter = optional(&block, "delimiter", |node| reader.delimiter(node));
    let quote = optional(&block, "quote", |node| quote(reader, node));
    let quotes = optional(&block, "quotes", |node| {
        let words = [("strict", Quotes::Strict), ("lenient", Quotes::Lenient)];
        reader.choice(node, "quotes", &words)
    });
    let escape = optional(&block, "escape", |node| {
        reader.byte(node, "escape", r#"escape: "\\""#)
    });
    let comment = optional(&block, "comment", |node| {
        reader.byte(node, "comment", "comment: \"#\"")
    });
    let line_end = optional(&block, "line-end", |node| {
        let words = [
            ("any", LineEnd::Any),
            ("lf", LineEnd::Lf),
            ("crlf", LineEnd::Crlf),
            ("cr", LineEnd::Cr),
        ];
        reader.choice(node, "line-end", &words)
    });
    let trim = optional(&block, "trim", |node| reader.boolean(node, "trim"));
    let ragged = optional(&block, "ragged", |node| {
        let words = [
            ("reject", Ragged::Reject),
            ("pad", Ragged::Pad),
            ("cut", Ragged::Cut),
            ("both", Ragged::Both),
        ];
        reader.choice(node, "ragged", &words)
    });
    let null = optional(&block, "null", |node| nulls(reader, node));
    let null_quoted = optional(&block, "null-quoted", |node| {
        reader.boolean(node, "null-quoted")
    });
    let formats = formats(reader, &block);
    let max_field = optional(&block, "max-field", |node| {
        reader.size(node, "max-field", SIZE_BOUNDS)
    });
    let max_record = optional(&block, "max-record", |node| {
        reader.size(node, "max-record", SIZE_BOUNDS)
    });

    let csv = CsvSource {
        paths: paths?,
        encoding,
        skip: skip.unwrap_or(0),
        header: header.is_none_or(|h| h.value),
        header_rows: header_rows
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(1),
        delimiter: delimiter.unwrap_or_else(|| ",".into()),
        quote: quote.unwrap_or(Some(b'"')),
        quotes: quotes.unwrap_or_default(),
        escape,
        comment,
        line_end: line_end.unwrap_or_default(),
        trim: trim.is_some_and(|t| t.value),
        ragged: ragged.unwrap_or_default(),
        null: null.unwrap_or_else(|| vec![String::new()]),
        null_quoted: null_quoted.is_none_or(|n| n.value),
        formats,
        max_field: max_field.unwrap_or(MAX_FIELD),
        max_record: max_record.unwrap_or(MAX_RECORD.max(max_field.unwrap_or(0))),
    };
    distinct_signs(reader, &block, &csv);
    without_meaning(reader, &block, &csv);
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

/// Complains where a sign would have two meanings.
fn distinct_signs(reader: &mut Reader<'_>, block: &Block<'_>, csv: &CsvSource) {
    let signs = [
        ("quote", csv.quote),
        ("escape", csv.escape),
        ("comment", csv.comment),
    ];
    for (i, (name, sign)) in signs.iter().enumerate() {
        let Some(sign) = sign else { continue };
        let other = match csv.delimiter.as_bytes().contains(sign) {
            true => Some("delimiter"),
            false => {
                let mut earlier = signs.iter().take(i);
                earlier
                    .find(|(_, s)| s == &Some(*sign))
                    .map(|(name, _)| *name)
            }
        };
        let Some(other) = other else { continue };
        let place = block.get(other).or(block.get(name));
        let span = place.map_or(block.head.clone(), |(node, _)| node.span.clone());
        let help = match *name {
            "quote" => "write two different ones, like delimiter: \";\" and quote: '\"'",
            "escape" => "write another; quotes that are doubled need no `escape`",
            _ => "write another, like comment: \"#\"",
        };
        reader.say(
            Diagnostic::error(span, format!("`{other}` and `{name}` are the same sign")).help(help),
        );
    }
}

/// Complains of options that others leave without a meaning.
fn without_meaning(reader: &mut Reader<'_>, block: &Block<'_>, csv: &CsvSource) {
    let mut useless: Vec<(&'static str, &str)> = Vec::new();
    if !csv.header {
        useless.push(("header-rows", "there is no header"));
    }
    if csv.quote.is_none() {
        let why = "with `quote: none`, quotes have no meaning";
        useless.extend([("quotes", why), ("escape", why), ("null-quoted", why)]);
    }
    for (key, why) in useless {
        if let Some((_, span)) = block.get(key) {
            reader.say(
                Diagnostic::error(span, format!("`{key}` has nothing to say here: {why}"))
                    .help("delete one of the two"),
            );
        }
    }
}

fn encoding(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let label = reader.text(node, "encoding", "encoding: windows-1252")?;
    let known = encoding_rs::Encoding::for_label_no_replacement(label.value.as_bytes());
    // Its decoder makes some character of any byte.
    if known.is_none_or(|e| e == encoding_rs::X_USER_DEFINED) {
        reader.say(
            Diagnostic::error(
                label.span,
                format!("unknown encoding `{}`", short(&label.value)),
            )
            .help("write a label of the WHATWG's Encoding Standard, like windows-1252, iso-8859-15, utf-16le, shift_jis or gb18030"),
        );
        return None;
    }
    Some(label.value)
}

/// The byte around fields, or none.
fn quote(reader: &mut Reader<'_>, node: &Node) -> Option<Option<u8>> {
    if matches!(&node.kind, Kind::Text(text) if text == "none") {
        return Some(None);
    }
    reader
        .byte(node, "quote", "quote: \"'\", or quote: none")
        .map(Some)
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
        encoding: None,
        skip: 0,
        header: true,
        header_rows: 1,
        delimiter: ",".into(),
        quote: Some(b'"'),
        quotes: Quotes::Strict,
        escape: None,
        comment: None,
        line_end: LineEnd::Any,
        trim: false,
        ragged: Ragged::Reject,
        null: vec![String::new()],
        null_quoted: true,
        formats: SourceFormats::default(),
        max_field: MAX_FIELD,
        max_record: MAX_RECORD,
    })
}
