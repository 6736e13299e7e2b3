//! Columns: names, types, what is personal, and what is released.

use std::borrow::Cow;

use glovebox_core::{DataType, ReadFrom};
use serde_json::{Value, json};

use super::formats::FormatKeys;
use crate::block::{Block, Reader, short};
use crate::declare::Schema;
use crate::declare::{At, Section, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, Own, Text, Whole, nested, word};
use crate::model::column::{Column, PersonalKind, Release};
use crate::node::{Entry, Kind, Node};
use crate::span::Spanned;
use crate::units::{self, NotAType, TYPES};
use chrono::NaiveDate;

section! {
    /// A column that enters, or that a transformer adds.
    struct ColumnKeys("Column"): "a column", "price: { type: float64 }" {
        /// The type of its cells.
        data_type = "type": Option<Spanned<DataType>> => asked, TYPE, "type: text";
        /// Whether it holds personal data. Such a column does not reach a sink [unless it was
        /// masked](#personal-data). Required for a column added by a step that reads personal ones.
        personal: Option<Spanned<bool>> => open "false", Bool;
        /// What a personal column contains, if it is one of these. `check` then knows the number of
        /// possible values, and [the cost of reversing its mask](masking.md#what-an-attacker-pays).
        kind: Option<Spanned<PersonalKind>> => optional, word::<PersonalKind>();
        /// Lets a personal column out [unmasked, on someone's responsibility](#personal-data).
        release: Option<Spanned<Release>> => optional, nested::<ReleaseKeys>();
        /// Its name in the source if that differs, or in a CSV file its position, counted
        /// from 1. `price: { type: float64, from: "Unit price (€)" }`,
        /// `note: { type: text, from: 7 }` for a blank or duplicate name. In JSON a path, like
        /// `from: user.mail` or `from: items.0.price`: keys joined by dots, list positions counted
        /// from 0; write a dot in a key as `\.`, a backslash as `\\`. Without `from`, the column's
        /// name is the key, including any dots. Not for Parquet and PostgreSQL. Two columns may not
        /// have the same `from`.
        from: Option<Spanned<ReadFrom>> => optional "its name", FROM, "from: \"Unit price\"";
        /// [How its cells are written](#formats), where that differs from the source's `formats`;
        /// for columns of CSV files and JSON.
        formats: Option<FormatKeys> => optional "the source's", nested::<FormatKeys>();
    }
    hints {
        "required" => "use a validator for that: add a step with `validate: required` and `reads: \
        [COLUMN]`",
        "nullable" => "any column may be null; to forbid it add a step with `validate: required`",
        "format" => "write `formats:`, like formats: { date: \"%d.%m.%Y\" }",
        "pii" => "write `personal: true`",
        "sensitive" => "write `personal: true`",
        "mask" => "add a step with `mask: PLUGIN` and `masks: [COLUMN]`",
        "name" => "the name goes before the colon: price: { type: float64 }",
    }
}

section! {
    /// Lets a personal column out without a mask.
    struct ReleaseKeys("Release"): "a release",
        "release: { reason: contract 17, owner: data-protection@example.org, until: 2027-01-31 }"
    {
        /// Why it may leave unmasked.
        reason: Option<Spanned<String>> => asked, Text, "reason: why it may leave unmasked";
        /// Who is responsible for it.
        owner: Option<Spanned<String>> => asked, Text, "owner: who answers for it";
        /// The last day on which it may leave; after that the manifest is refused.
        until: Option<Spanned<NaiveDate>> => asked, UNTIL, "until: 2027-01-31";
    }
    hints {
        "by" => "write `owner:`",
        "expires" => "write `until:`",
    }
    settle Release: release;
}

/// The longest name that PostgreSQL keeps whole.
pub(super) const MAX_NAME_LEN: usize = 63;

/// The manifest's `columns:`.
pub(super) const COLUMNS: Own<Vec<Column>> = Own {
    read: |reader, at| {
        let entries = reader.map(at.node, at.key, &at.example)?;
        if entries.is_empty() {
            let problem = "`columns` declares no column, so there is nothing to read";
            reader.say(Diagnostic::error(at.head.clone(), problem).help(format!(
                "declare what may enter, like {}",
                ColumnKeys::EXAMPLE
            )));
            return None;
        }
        Some(Spanned::new(columns(reader, entries), at.head.clone()))
    },
    words: "block of columns",
    schema: |schema| {
        let mut columns = columns_schema(schema);
        if let Some(columns) = columns.as_object_mut() {
            columns.insert("minProperties".into(), 1.into());
        }
        columns
    },
};

/// Columns that are added to those that are there.
pub(super) const ADDED: Own<Vec<Column>> = Own {
    read: |reader, at| {
        let entries = reader.map(at.node, at.key, &at.example)?;
        Some(Spanned::new(columns(reader, entries), at.head.clone()))
    },
    words: "block of columns",
    schema: columns_schema,
};

fn columns_schema(schema: &mut Schema) -> Value {
    json!({ "type": "object", "additionalProperties": schema.section::<ColumnKeys>() })
}

/// A block of columns. A column that is wrong keeps its name, so that uses of it are not reported
/// as well.
fn columns(reader: &mut Reader<'_>, entries: &[Entry]) -> Vec<Column> {
    entries.iter().map(|entry| column(reader, entry)).collect()
}

fn column(reader: &mut Reader<'_>, entry: &Entry) -> Column {
    let name = entry.key.clone();
    check_name(reader, &name);
    if let Kind::Text(text) = &entry.value.kind {
        // `price: float64`: the type is right, only its place is not.
        let wanted = match units::data_type(text) {
            Ok(_) => text.as_str(),
            Err(_) => "text",
        };
        let span = entry.value.span.clone();
        reader.say(
            Diagnostic::error(span, "a column must be a block of keys")
                .label("this is text")
                .help(format!(
                    "write: {}: {{ type: {wanted} }}",
                    short(&name.value)
                )),
        );
        return Column::new(name, None);
    }
    let value = rejoined(reader, &entry.value);
    match ColumnKeys::read(reader, &value, name.span.clone()) {
        None => Column::new(name, None),
        Some(keys) => Column {
            personal: keys.personal,
            kind: keys.kind,
            release: keys.release,
            from: keys.from,
            formats: keys.formats.map(Box::new),
            ..Column::new(name, keys.data_type)
        },
    }
}

/// The column with its `decimal(12,2)` in one piece. Within braces YAML takes the comma for the end
/// of the value and `2)` for a key.
fn rejoined<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Cow<'n, Node> {
    let Kind::Map(entries) = &node.kind else {
        return Cow::Borrowed(node);
    };
    let first = entries.iter().position(|e| {
        e.key.value == "type" && matches!(&e.value.kind, Kind::Text(t) if t.starts_with("decimal(") && !t.contains(')'))
    });
    let rest = first
        .and_then(|first| entries.get(first + 1))
        .filter(|e| e.key.value.ends_with(')') && e.value.kind == Kind::Null);
    let (Some(first), Some(_)) = (first, rest) else {
        return Cow::Borrowed(node);
    };
    let mut entries = entries.clone();
    let tail = entries.remove(first + 1);
    if let Some(entry) = entries.get_mut(first)
        && let Kind::Text(text) = &mut entry.value.kind
    {
        *text = format!("{text},{}", tail.key.value);
        entry.value.span.end = tail.key.span.end.max(entry.value.span.start);
        let problem = Diagnostic::error(
            entry.value.span.clone(),
            "inside braces, YAML ends a value at the comma",
        );
        reader.say(problem.help(format!("put it in quotes: type: \"{}\"", short(text))));
    }
    Cow::Owned(Node {
        kind: Kind::Map(entries),
        span: node.span.clone(),
    })
}

/// The last column that a file may be asked for by position.
const LAST_POSITION: u64 = 1 << 20;
/// The longest name in a source.
const MAX_SOURCE_NAME_LEN: usize = 4096;

/// Another name, or a position.
const FROM: Own<ReadFrom> = Own {
    read: from,
    words: "text or number",
    schema: |_| {
        json!({ "anyOf": [
            { "type": "string", "minLength": 1, "maxLength": MAX_SOURCE_NAME_LEN },
            { "type": "integer", "minimum": 1, "maximum": LAST_POSITION },
        ]})
    },
};

fn from(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<ReadFrom>> {
    if matches!(at.node.kind, Kind::Number(_)) {
        let position = crate::declare::Kind::read(&Whole(1..=LAST_POSITION), reader, at)?;
        let at = usize::try_from(position.value).ok()?;
        return Some(Spanned::new(ReadFrom::Position(at), position.span));
    }
    let name = reader.any_text(at.node, at.key, &at.example)?;
    let problem = if name.value.is_empty() {
        "`from` is empty"
    } else if name.value.len() > MAX_SOURCE_NAME_LEN {
        "`from` is too long"
    } else {
        return Some(Spanned::new(ReadFrom::Name(name.value.into()), name.span));
    };
    reader.say(Diagnostic::error(name.span, problem).help(
        "write the column's name in the source, or its position as a number, like from: \
                  3",
    ));
    None
}

fn check_name(reader: &mut Reader<'_>, name: &Spanned<String>) {
    let text = name.value.as_str();
    let problem = if text.is_empty() {
        "is empty"
    } else if text.len() > MAX_NAME_LEN {
        "is longer than 63 bytes, PostgreSQL's limit"
    } else if text.trim() != text {
        "begins or ends with a space"
    } else if text.chars().any(char::is_control) {
        "has control characters"
    } else {
        return;
    };
    reader.say(
        Diagnostic::error(name.span.clone(), format!("a column's name {problem}"))
            .help("write a name of 1 to 63 bytes, like unit_price"),
    );
}

/// What a column's cells are.
pub const TYPE: Own<DataType> = Own {
    read: data_type,
    words: "type",
    schema: |schema| {
        schema.define("Type", |_| {
            // `decimal` is the last of them, and the only one with digits.
            let names = TYPES.join("|");
            json!({
                "description": "The type of a column.",
                "type": "string",
                "pattern": format!(r"^(opaque|{names} *\( *[0-9]{{1,2}} *, *[0-9]{{1,2}} *\))$"),
            })
        })
    },
};

fn data_type(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<DataType>> {
    let node = at.node;
    let Kind::Text(text) = &node.kind else {
        reader.wrong_kind(node, "`type`", "the name of a type", "type: text");
        return None;
    };
    let text = Spanned::new(text.clone(), node.span.clone());
    if text.value == "opaque" {
        return Some(Spanned::new(DataType::Opaque, text.span));
    }
    match units::data_type(&text.value) {
        Ok(data_type) => Some(Spanned::new(data_type, text.span)),
        Err(NotAType::Decimal) => {
            reader.say(
                Diagnostic::error(text.span, "`decimal` needs its numbers of digits").help(
                    "write the total number of digits (1 to 38) and those after the decimal \
                    point, like \"decimal(12,2)\", in quotes",
                ),
            );
            None
        }
        Err(NotAType::Unknown(meant)) => {
            let help = match meant {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!(
                    "the types are: {}(12,2), and from PostgreSQL to PostgreSQL opaque",
                    TYPES.join(", ")
                ),
            };
            reader.say(
                Diagnostic::error(text.span, format!("unknown type `{}`", short(&text.value)))
                    .help(help),
            );
            None
        }
    }
}

fn release(keys: ReleaseKeys, _: &mut Reader<'_>, block: &Block<'_>) -> Option<Release> {
    let head = &block.head;
    // What is missing has been said; that the column would reach the sink unmasked is no news.
    let somebody = || Spanned::new(String::new(), head.clone());
    Some(Release {
        reason: keys.reason.unwrap_or_else(somebody),
        owner: keys.owner.unwrap_or_else(somebody),
        until: keys
            .until
            .unwrap_or(Spanned::new(NaiveDate::MAX, head.clone())),
    })
}

pub(super) const UNTIL: Own<NaiveDate> = Own {
    read: date,
    words: "day",
    schema: |_| json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
};

fn date(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<NaiveDate>> {
    let text = reader.any_text(at.node, at.key, &at.example)?;
    let date = units::date(&text.value);
    if date.is_none() {
        reader.say(
            Diagnostic::error(text.span.clone(), "`until` is not a day of the calendar")
                .help("write year-month-day, like 2027-01-31"),
        );
    }
    Some(Spanned::new(date?, text.span))
}
