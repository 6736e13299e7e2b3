//! File sources with few options, and the `path` of a source.

use glovebox_core::{Input, SecretName};
use serde_json::{Value, json};

use super::aes::AES_KEY;
use super::age::DECRYPT_WITH;
use super::formats::SourceFormats;
use super::objects::{StoreAccess, address};
use crate::block::{Block, Reader};
use crate::declare::Schema;
use crate::declare::{self, At, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Size, nested, path_schema};
use crate::load::formats::FormatKeys;
use crate::node::{Kind, Node};
use crate::span::Spanned;

/// The most that a field or a record of text may be allowed to have.
pub(super) const MAX_BYTES: u64 = 256 << 20;

section! {
    /// UTF-8 files of JSON objects: one per line, an array, or objects over several lines; plain or
    /// compressed with gzip or zstd.
    pub struct JsonlSource("JsonlSource"): "the JSON lines source", "jsonl: { path: sales.jsonl }" {
        /// Which files.
        paths = "path": Vec<Spanned<Input>> => needed, Inputs, "path: sales.jsonl";
        /// The private key that opens the files if they are [encrypted with age](#encrypted-files), by the name of its
        /// secret.
        decrypt_with: Option<Spanned<SecretName>> => optional, DECRYPT_WITH, "decrypt-with: { secret: partner/age }";
        /// [How dates, times, numbers and booleans are written](#formats) in strings, for all
        /// columns.
        formats: SourceFormats => empty, nested::<FormatKeys>();
        /// [How the store is reached](#object-stores) that has the files, where they are objects.
        store: Option<StoreAccess> => optional, nested::<StoreAccess>();
        /// A longer line or object is rejected without being kept in memory.
        max_record: usize => default "8MiB", Size(1..=MAX_BYTES);
    }
    hints {
        "file" => "write `path:`",
        "files" => "write `path:`, with one path or a list of them",
        "columns" => "`columns:` belongs next to `source:`, not inside it",
        "compression" => "delete it: gzip and zstd are detected from the content",
        "max-field" => "write `max-record:`, the bytes of an object",
        "encoding" => "delete it: JSON is UTF-8; convert another file first, for example with iconv",
        "layout" => "delete it: lines, arrays and multi-line objects are detected from the start \
        of the file",
    }
}

section! {
    /// Parquet files.
    pub struct ParquetSource("ParquetSource"): "the Parquet source", "parquet: { path: sales.parquet }" {
        /// Which files; not standard input: a Parquet file is read from its end.
        paths = "path": Vec<Spanned<Input>> => needed, Inputs, "path: sales.parquet";
        /// The key of files that are [encrypted as Parquet itself defines it](#encrypted-parquet-files), by the
        /// name of its secret.
        decrypt_with: Option<Spanned<SecretName>> => optional, AES_KEY, "decrypt-with: { secret: handover/parquet }";
        /// [How the store is reached](#object-stores) that has the files, where they are objects.
        store: Option<StoreAccess> => optional, nested::<StoreAccess>();
    }
    hints {
        "file" => "write `path:`",
        "files" => "write `path:`, with one path or a list of them",
        "columns" => "`columns:` belongs next to `source:`, not inside it",
        "compression" => "delete it: compression is detected from the file",
    }
    check no_stdin[paths];
}

fn no_stdin(reader: &mut Reader<'_>, _: &Block<'_>, paths: Option<&Vec<Spanned<Input>>>) {
    let mut paths = paths.into_iter().flatten();
    if let Some(stdin) = paths.find(|p| p.value == Input::Stdin) {
        reader.say(
            Diagnostic::error(
                stdin.span.clone(),
                "a Parquet file cannot be read from standard input",
            )
            .help("save it to a file first and name that file: path: sales.parquet")
            .note("its footer, at the end of the file, says what is where"),
        );
    }
}

/// A source's `path:`: one file, pattern or folder, a list of these, or standard input.
pub(super) struct Inputs;

impl declare::Kind for Inputs {
    type Value = Vec<Spanned<Input>>;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Self::Value>> {
        let inputs = inputs(reader, at.node, &at.example)?;
        Some(Spanned::new(inputs, at.node.span.clone()))
    }

    fn words(&self) -> String {
        "[files](#source)".to_owned()
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define("Paths", |schema| {
            let path = path_schema(schema);
            json!({
                "description": "What is read: one path, or a list of them. A path is a file, a pattern of files (`in/*.csv`), or a folder, relative to the manifest's folder; or the address of objects of a store (`s3://bucket/in/*.csv`); `-` alone is standard input.",
                "anyOf": [
                    path,
                    { "type": "array", "items": path, "minItems": 1, "uniqueItems": true },
                ],
            })
        })
    }
}

fn inputs(reader: &mut Reader<'_>, node: &Node, example: &str) -> Option<Vec<Spanned<Input>>> {
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
    let mut refused = false;
    for item in items {
        let Some(read) = input(reader, item, example) else {
            refused = true;
            continue;
        };
        if let Some(first) = inputs.iter().find(|i| i.value == read.value) {
            let first = first.span.clone();
            reader.say(
                Diagnostic::error(read.span.clone(), "this path is listed twice")
                    .label("again here")
                    .context(first, "first here")
                    .help("delete one of them: its rows would be read twice"),
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
            .help("write only path: \"-\", or name only files"),
        );
    }
    (!refused).then_some(inputs)
}

fn input(reader: &mut Reader<'_>, node: &Node, example: &str) -> Option<Spanned<Input>> {
    if matches!(&node.kind, Kind::Text(text) if text == "-") {
        return Some(Spanned::new(Input::Stdin, node.span.clone()));
    }
    if let Some(url) = address(reader, node)? {
        return Some(Spanned::new(Input::Object(url.value), url.span));
    }
    let path = reader.path(node, "path", example)?;
    Some(Spanned::new(Input::Path(path.value), path.span))
}
