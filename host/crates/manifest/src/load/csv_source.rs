//! The CSV source: which files, and how they are to be read.

use glovebox_core::{Input, SecretName};
use serde_json::{Value, json};

use super::age::DECRYPT_WITH;
use super::files::{Inputs, MAX_BYTES};
use super::formats::SourceFormats;
use super::objects::StoreAccess;
use crate::block::{Block, Reader, short};
use crate::declare::Schema;
use crate::declare::{At, Section, section, stand_in, words};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, Own, Sign, Size, Whole, is_named_tab, nested, tab_help, word};
use crate::load::formats::FormatKeys;
use crate::node::Kind;
use crate::span::{Span, Spanned};
use crate::units;

section! {
    /// CSV files, plain or compressed with gzip or zstd.
    pub struct CsvSource("CsvSource"): "the CSV source", "csv: { path: sales.csv }" {
        /// Which files.
        paths = "path": Vec<Spanned<Input>> => needed, Inputs, "path: sales.csv";
        /// The private key that opens the files if they are [encrypted with age](#encrypted-files), by the name of its
        /// secret.
        decrypt_with: Option<Spanned<SecretName>> => optional, DECRYPT_WITH, "decrypt-with: { secret: partner/age }";
        /// [How the store is reached](#object-stores) that has the files, where they are objects.
        store: Option<StoreAccess> => optional, nested::<StoreAccess>();
        /// The files' encoding, as a label of the [Encoding
        /// Standard](https://encoding.spec.whatwg.org/#names-and-labels), such as `windows-1252`
        /// (also called `latin1`), `iso-8859-15`, `utf-16le`, `shift_jis`. A cell with bytes that
        /// are invalid in it rejects its row.
        encoding: Option<String> => open "utf-8", ENCODING, "encoding: windows-1252";
        /// How many lines to skip before the header, or before the first record, whatever they
        /// contain.
        skip: u64 => default "0", Whole(0..=1_000_000u64);
        /// Whether the first record names the columns. If not, they are taken by position, or as
        /// [`from`](#columns) says, and the usual number of fields in the first 100 records (within
        /// 64 KiB) with all declared columns is expected of every record: others are `ragged`.
        header: bool => default "true", Bool;
        /// How many records form the header; a column's name is made of all of them, joined by a
        /// space: `Price net`.
        header_rows: usize => default "1", Whole(1..=16usize);
        /// What separates fields: characters other than letters, digits and line breaks, such as
        /// `";"` or `"||"`; a tab is `"\t"`, in double quotes.
        delimiter: String => default "\",\"", DELIMITER, "delimiter: \";\"";
        /// What encloses fields; must differ from `delimiter`. `none`: quotes are ordinary text.
        quote: Option<u8> => default "'\"'", QUOTE, "quote: \"'\", or quote: none";
        /// What happens to records with wrong quotes, [see below](#quotes): `lenient` reads them
        /// anyway, and may merge several rows into one.
        quotes: Quotes => default "strict", word::<Quotes>();
        /// Inside quotes, makes the quote that follows it, or another escape character, ordinary
        /// text: `"\\"`. Doubled quotes always work.
        escape: Option<u8> => optional, Sign, r#"escape: "\\""#;
        /// Lines that begin with it are skipped.
        comment: Option<u8> => optional, Sign, "comment: \"#\"";
        /// What ends a record. With `any`, each of the three does; otherwise the other two are part
        /// of cells.
        line_end: LineEnd => default "any", word::<LineEnd>();
        /// Whether to remove spaces and tabs around fields; inside quotes they stay.
        trim: bool => default "false", Bool;
        /// What happens to records with more or fewer fields than the header: `pad` adds nulls for
        /// missing fields at the end, `cut` drops extra fields at the end. Careful: a delimiter
        /// missing in the middle of a row then shifts cells into other columns.
        ragged: Ragged => default "reject", word::<Ragged>();
        /// The cells that stand for null.
        null: Vec<String> => default "[\"\"]", NULLS, "null: [\"\", NA]";
        /// Whether this also applies inside quotes; `false`: `""` is an empty text.
        null_quoted: bool => default "true", Bool;
        /// [How dates, times, numbers and booleans are written](#formats), for all columns.
        formats: SourceFormats => empty, nested::<FormatKeys>();
        /// A longer field rejects its row.
        max_field: usize => default "1MiB", Size(1..=MAX_BYTES);
        /// A longer record is rejected without being kept in memory; at least `max-field`.
        max_record: usize => default "8MiB", Size(1..=MAX_BYTES);
    }
    hints {
        "file" => "write `path:`",
        "files" => "write `path:`, with one path or a list of them",
        "compression" => "delete it: gzip and zstd are detected from the content",
        "separator" => "write `delimiter:`",
        "sep" => "write `delimiter:`",
        "columns" => "`columns:` belongs next to `source:`, not inside it",
        "charset" => "write `encoding:`",
        "skip-rows" => "write `skip:`, with the number of lines before the header",
        "skiprows" => "write `skip:`, with the number of lines before the header",
        "newline" => "write `line-end:`",
        "terminator" => "write `line-end:`",
        "quoting" => "write `quotes: lenient`, or `quote: none`",
    }
    settle CsvSource: settle;
}

words! {
    /// What happens to CSV records with wrong quotes.
    pub enum Quotes {
        /// They are rejected.
        Strict = "strict",
        /// They are read anyway.
        Lenient = "lenient",
    }
}

words! {
    /// What ends a CSV record.
    pub enum LineEnd {
        /// `\n`, `\r\n` or `\r`.
        Any = "any",
        /// `\n`.
        Lf = "lf",
        /// `\r\n`.
        Crlf = "crlf",
        /// `\r`.
        Cr = "cr",
    }
}

words! {
    /// What happens to CSV records with too few or too many fields.
    pub enum Ragged {
        /// They are rejected.
        Reject = "reject",
        /// Missing fields are null.
        Pad = "pad",
        /// Extra fields are dropped.
        Cut = "cut",
        /// Both.
        Both = "both",
    }
}

fn settle(mut csv: CsvSource, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<CsvSource> {
    if block.get("max-record").is_none() {
        csv.max_record = csv.max_record.max(csv.max_field);
    }
    distinct_signs(reader, block, &csv);
    without_meaning(reader, block, &csv);
    if csv.max_field > csv.max_record {
        let place = block.get("max-record");
        let span = place.map_or(block.head.clone(), |(n, _)| n.span.clone());
        reader.say(
            Diagnostic::error(span, "`max-record` is less than `max-field`").help(format!(
                "a record contains its fields: write at least max-record: {}",
                units::show_size(csv.max_field as u64)
            )),
        );
    }
    Some(csv)
}

/// Stands for a source that could not be read.
pub(super) fn nothing(folder: &std::path::Path, span: &Span) -> Option<CsvSource> {
    let text = "path: \"-\"";
    let node = stand_in(text, span)?;
    CsvSource::read(&mut Reader::new(text, folder), &node, span.clone())
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
            "escape" => "write another; doubled quotes need no `escape`",
            _ => "write another, like comment: \"#\"",
        };
        reader.say(
            Diagnostic::error(
                span,
                format!(
                    "`{other}` and `{name}` are the same \
                                            character"
                ),
            )
            .help(help),
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
        let why = "with `quote: none`, quotes are ordinary text";
        useless.extend([("quotes", why), ("escape", why), ("null-quoted", why)]);
    }
    for (key, why) in useless {
        if let Some((_, span)) = block.get(key) {
            reader.say(
                Diagnostic::error(span, format!("`{key}` has no effect here: {why}"))
                    .help("delete one of the two"),
            );
        }
    }
}

const ENCODING: Own<String> = Own {
    read: encoding,
    words: "text",
    schema: |_| json!({ "type": "string", "minLength": 1 }),
};

fn encoding(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let label = reader.text(at.node, at.key, &at.example)?;
    let known = encoding_rs::Encoding::for_label_no_replacement(label.value.as_bytes());
    // The decoder of the second one makes some character of any byte.
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
    Some(label)
}

const DELIMITER: Own<String> = Own {
    read: delimiter,
    words: "one character or a few",
    schema: |_| json!({ "type": "string", "minLength": 1, "maxLength": MAX_DELIMITER_LEN }),
};
const MAX_DELIMITER_LEN: usize = 16;

fn delimiter(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let text = reader.any_text(at.node, at.key, &at.example)?;
    let usable = |c: char| !c.is_alphanumeric() && (c == '\t' || !c.is_control());
    let named = is_named_tab(&text.value);
    if !named && (1..=MAX_DELIMITER_LEN).contains(&text.len()) && text.chars().all(usable) {
        return Some(text);
    }
    let help = match named {
        true => tab_help(at.key),
        false => format!(
            "write one or more characters (at most 16 bytes) other than letters, digits and line \
            breaks: {}",
            at.example
        ),
    };
    reader.say(
        Diagnostic::error(
            text.span,
            "`delimiter` must be one or more \
                                            characters",
        )
        .help(help),
    );
    None
}

const QUOTE: Own<Option<u8>> = Own {
    read: |reader, at| {
        if matches!(&at.node.kind, Kind::Text(text) if text == "none") {
            return Some(Spanned::new(None, at.node.span.clone()));
        }
        let sign = crate::declare::Kind::read(&Sign, reader, at)?;
        Some(Spanned::new(Some(sign.value), sign.span))
    },
    words: "one character or `none`",
    schema: |_| json!({ "type": "string", "pattern": format!("^({}|none)$", Sign::PATTERN) }),
};

const NULLS: Own<Vec<String>> = Own {
    read: |reader, at| {
        let items = reader.list(at.node, at.key, &at.example)?;
        let texts = items
            .iter()
            .filter_map(|item| reader.any_text(item, at.key, &at.example));
        let nulls = texts.map(|text| text.value).collect();
        Some(Spanned::new(nulls, at.node.span.clone()))
    },
    words: "list of text",
    schema: |_: &mut Schema| -> Value { json!({ "type": "array", "items": { "type": "string" } }) },
};
