//! Reads what names files: the paths of a source, and the sources and sinks that are files of a
//! format with little to choose.
//!
//! Refuses standard input beside files, and what a format cannot do.

use super::formats::formats;
use super::lenient::replace_with_nothing;
use super::optional;
use super::sink::{file, mode};
use crate::block::{Block, Reader, Shape, short};
use crate::diagnostic::Diagnostic;
use crate::model::{
    Compression, Input, JsonlSource, Mode, ParquetSink, ParquetSource, Span, Spanned,
};
use crate::yaml::{Kind, Node};

pub(crate) const JSONL_SOURCE: Shape = Shape {
    what: "the JSON lines source",
    keys: &["path", "formats", "max-record"],
    hints: &[
        ("file", "write `path:`"),
        ("files", "write `path:`, with one path or a list of them"),
        ("columns", "`columns:` stands beside `source:`, not in it"),
        (
            "compression",
            "delete it: gzip and zstd are found by what the file holds",
        ),
        ("max-field", "write `max-record:`, the bytes of an object"),
        (
            "encoding",
            "delete it: JSON is UTF-8; convert another file first, for example with iconv",
        ),
        (
            "layout",
            "delete it: lines, arrays and objects over lines are told apart by how the file begins",
        ),
    ],
    example: "jsonl: { path: sales.jsonl }",
};

pub(crate) const PARQUET_SOURCE: Shape = Shape {
    what: "the Parquet source",
    keys: &["path"],
    hints: &[
        ("file", "write `path:`"),
        ("files", "write `path:`, with one path or a list of them"),
        ("columns", "`columns:` stands beside `source:`, not in it"),
        (
            "compression",
            "delete it: the file says how it is compressed",
        ),
    ],
    example: "parquet: { path: sales.parquet }",
};

pub(crate) const PARQUET_SINK: Shape = Shape {
    what: "the Parquet sink",
    keys: &["path", "mode", "replace-with-nothing", "compression"],
    hints: &[
        ("file", "write `path:`"),
        ("columns", "`columns:` stands beside `parquet:`, not in it"),
        ("codec", "write `compression:`"),
    ],
    example: "parquet: { path: clean.parquet }",
};

/// The largest record that a source holds.
const MAX_RECORD: usize = 8 << 20;

/// A source's `path:`: one file, pattern or folder, a list of these, or standard input.
pub(super) fn inputs(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    example: &str,
) -> Option<Vec<Spanned<Input>>> {
    let (node, _) = reader.need(block, "path", example)?;
    let Kind::List(items) = &node.kind else {
        return input(reader, node, example).map(|input| vec![input]);
    };
    if items.is_empty() {
        reader.say(
            Diagnostic::error(node.span.clone(), "the list of files is empty")
                .help(format!("name one, like {example}")),
        );
        return None;
    }
    let mut inputs: Vec<Spanned<Input>> = Vec::with_capacity(items.len());
    for item in items {
        let read = input(reader, item, example)?;
        if let Some(first) = inputs.iter().find(|i| i.value == read.value) {
            let first = first.span.clone();
            reader.say(
                Diagnostic::error(read.span.clone(), "this path is in the list twice")
                    .label("again here")
                    .context(first, "first here")
                    .help("delete one of them: its rows would come twice"),
            );
        }
        inputs.push(read);
    }
    if let Some(stdin) = inputs.iter().find(|i| i.value == Input::Stdin)
        && inputs.len() > 1
    {
        reader.say(
            Diagnostic::error(
                stdin.span.clone(),
                "standard input cannot be one of several inputs",
            )
            .help("write path: \"-\" alone, or name files only"),
        );
    }
    Some(inputs)
}

fn input(reader: &mut Reader<'_>, node: &Node, example: &str) -> Option<Spanned<Input>> {
    if matches!(&node.kind, Kind::Text(text) if text == "-") {
        return Some(Spanned::new(Input::Stdin, node.span.clone()));
    }
    let path = reader.path(node, "path", example)?;
    Some(Spanned::new(Input::File(path.value), path.span))
}

/// `source: { jsonl: … }`.
pub(super) fn jsonl_source(
    reader: &mut Reader<'_>,
    node: &Node,
    head: Span,
) -> Option<JsonlSource> {
    let block = reader.block(node, head, &JSONL_SOURCE)?;
    let paths = inputs(reader, &block, "path: sales.jsonl");
    let formats = formats(reader, &block);
    let max_record = optional(&block, "max-record", |node| {
        reader.size(node, "max-record", 1..=256 << 20)
    });
    Some(JsonlSource {
        paths: paths?,
        formats,
        max_record: max_record.unwrap_or(MAX_RECORD),
    })
}

/// `source: { parquet: … }`.
pub(super) fn parquet_source(
    reader: &mut Reader<'_>,
    node: &Node,
    head: Span,
) -> Option<ParquetSource> {
    let block = reader.block(node, head, &PARQUET_SOURCE)?;
    let paths = inputs(reader, &block, "path: sales.parquet")?;
    if let Some(stdin) = paths.iter().find(|p| p.value == Input::Stdin) {
        reader.say(
            Diagnostic::error(
                stdin.span.clone(),
                "a Parquet file cannot be read from standard input",
            )
            .help("save it to a file first, and name that: path: sales.parquet")
            .note("what is in it, and where, stands at its end"),
        );
    }
    Some(ParquetSource { paths })
}

/// `sink: { parquet: … }`.
pub(super) fn parquet_sink(
    reader: &mut Reader<'_>,
    node: &Node,
    head: Span,
) -> Option<ParquetSink> {
    let block = reader.block(node, head, &PARQUET_SINK)?;
    let path = file(reader, &block, "path: clean.parquet");
    if mode(reader, &block, Mode::Replace) == Mode::Append
        && let Some((node, _)) = block.get("mode")
    {
        reader.say(
            Diagnostic::error(node.span.clone(), "a Parquet file cannot be added to")
                .help("write mode: replace, or write each run's rows to a file of its own: readers take a folder of them as one table"),
        );
    }
    let replace_with_nothing = replace_with_nothing(reader, &block, Mode::Replace);
    let compression = optional(&block, "compression", |node| compression(reader, node));
    Some(ParquetSink {
        path: path?,
        replace_with_nothing,
        compression: compression.unwrap_or_default(),
    })
}

fn compression(reader: &mut Reader<'_>, node: &Node) -> Option<Compression> {
    let text = reader.text(node, "compression", "compression: zstd")?;
    Some(match text.value.as_str() {
        "zstd" => Compression::Zstd,
        "snappy" => Compression::Snappy,
        "gzip" => Compression::Gzip,
        "lz4" => Compression::Lz4,
        "none" => Compression::None,
        other => {
            reader.say(
                Diagnostic::error(
                    text.span.clone(),
                    format!("unknown compression `{}`", short(other)),
                )
                .help("write one of: zstd, snappy, gzip, lz4, none"),
            );
            return None;
        }
    })
}
