//! The sinks that are files.

use glovebox_core::SecretName;

use super::aes::AES_KEY;
use super::age::{ENCRYPT_TO, whole};
use super::mode::{FILE_MODE, Mode, PARQUET_MODE, removals};
use super::objects::{Destination, Place, StoreAccess, Stored};
use crate::block::{Block, Reader};
use crate::declare::{section, words};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, Output, Sign, nested, word};
use crate::span::Spanned;

/// A file of rows.
pub(super) const ROWS: Output = Output {
    what: "rows",
    note: Some("standard output is for the run's report"),
};

/// The same, which may be an object.
const ROWS_OR_OBJECT: Destination = Destination {
    local: ROWS,
    stored: Stored::Object,
};

section! {
    /// A CSV file to write.
    pub struct CsvSink("CsvSink"): "the CSV sink", "csv: { path: clean.csv }" {
        /// The file or object; not `-`, since standard output is for the report.
        path: Place => needed, ROWS_OR_OBJECT, "path: clean.csv";
        /// [How the store is reached](#object-stores) where it is an object.
        store: Option<StoreAccess> => optional, nested::<StoreAccess>();
        /// [What happens to existing rows](#sink).
        mode: Mode => default "replace", FILE_MODE, "mode: replace";
        /// With `replace`: whether a run without a good row removes the existing rows.
        replace_with_nothing: bool => default "false", Bool;
        /// Whether the first record names the columns.
        header: bool => default "true", Bool;
        /// What separates fields.
        delimiter: u8 => default "\",\"", Sign, "delimiter: \";\"";
        /// Encrypt the file with [age](https://age-encryption.org) so that only the owners of these public
        /// keys can read it; [see below](#encrypted-files).
        encrypt_to: Vec<Spanned<String>> => empty, ENCRYPT_TO, "encrypt-to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]";
        /// Whether to put a `'` before text that a spreadsheet would take for a formula.
        escape_formulas: bool => default "false", Bool;
    }
    hints {
        "file" => "write `path:`",
        "columns" => "`columns:` belongs next to `csv:`, not inside it",
        "separator" => "write `delimiter:`",
        "quote" => "delete it: the sink quotes with `\"` where it has to",
        "null" => "delete it: null is written as an empty field",
    }
    check removals[mode];
    check whole[mode, encrypt_to];
    check not_a_quote[delimiter];
}

fn not_a_quote(reader: &mut Reader<'_>, block: &Block<'_>, delimiter: Option<&u8>) {
    if delimiter == Some(&b'"')
        && let Some((node, _)) = block.get("delimiter")
    {
        reader.say(
            Diagnostic::error(
                node.span.clone(),
                "`delimiter` is the sign that goes around fields",
            )
            .help("write another, like delimiter: \";\""),
        );
    }
}

section! {
    /// A file of JSON objects to write, one a line.
    pub struct JsonlSink("JsonlSink"): "the JSON lines sink", "jsonl: { path: clean.jsonl }" {
        /// The file or object; not `-`, since standard output is for the report.
        path: Place => needed, ROWS_OR_OBJECT, "path: clean.jsonl";
        /// [How the store is reached](#object-stores) where it is an object.
        store: Option<StoreAccess> => optional, nested::<StoreAccess>();
        /// [What happens to existing rows](#sink).
        mode: Mode => default "replace", FILE_MODE, "mode: replace";
        /// With `replace`: whether a run without a good row removes the existing rows.
        replace_with_nothing: bool => default "false", Bool;
        /// Encrypt the file with [age](https://age-encryption.org) so that only the owners of these public
        /// keys can read it; [see below](#encrypted-files).
        encrypt_to: Vec<Spanned<String>> => empty, ENCRYPT_TO, "encrypt-to: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]";
    }
    hints {
        "file" => "write `path:`",
        "columns" => "`columns:` belongs next to `jsonl:`, not inside it",
    }
    check removals[mode];
    check whole[mode, encrypt_to];
}

section! {
    /// A Parquet file to write; an existing one is replaced.
    pub struct ParquetSink("ParquetSink"): "the Parquet sink", "parquet: { path: clean.parquet }" {
        /// The file or object; not `-`, since standard output is for the report.
        path: Place => needed, ROWS_OR_OBJECT, "path: clean.parquet";
        /// [How the store is reached](#object-stores) where it is an object.
        store: Option<StoreAccess> => optional, nested::<StoreAccess>();
        /// A Parquet file cannot be appended to.
        mode: Mode => default "replace", PARQUET_MODE, "mode: replace";
        /// With `replace`: whether a run without a good row removes the existing rows.
        replace_with_nothing: bool => default "false", Bool;
        /// How the file's pages are compressed.
        compression: Compression => default "zstd", word::<Compression>();
        /// The key by which the file is encrypted, footer and all, as
        /// [Parquet itself defines it](#encrypted-parquet-files), by the name of its secret.
        encrypt_with: Option<Spanned<SecretName>> => optional, AES_KEY, "encrypt-with: { secret: handover/parquet }";
    }
    hints {
        "file" => "write `path:`",
        "columns" => "`columns:` belongs next to `parquet:`, not inside it",
        "codec" => "write `compression:`",
        "encrypt-to" => "write `encrypt-with:`, with the secret of a key: age is for CSV and JSON lines",
    }
}

words! {
    /// How the pages of a Parquet file are compressed.
    pub enum Compression {
        /// By zstd.
        Zstd = "zstd",
        /// By Snappy.
        Snappy = "snappy",
        /// By gzip.
        Gzip = "gzip",
        /// By LZ4, without frames.
        Lz4 = "lz4",
        /// Not at all.
        None = "none",
    }
}
