//! Reads columns: names, types, what is personal, and what is released.
//!
//! Refuses names that a database would cut, and types that it would have to guess.

use std::borrow::Cow;

use glovebox_core::{DataType, ReadFrom};

use super::formats;
use crate::block::{Block, Reader, Shape, short};
use crate::diagnostic::Diagnostic;
use crate::model::{Column, Date, Release, Span, Spanned};
use crate::units::{self, NotAType, TYPES};
use crate::yaml::{Entry, Kind, Node};

pub(crate) const COLUMN: Shape = Shape {
    what: "a column",
    keys: &["type", "personal", "release", "from", "formats"],
    hints: &[
        (
            "required",
            "that is a validator's work: add a step with `validate: required` and `reads: [COLUMN]`",
        ),
        (
            "nullable",
            "any column may be null; to forbid it add a step with `validate: required`",
        ),
        (
            "format",
            "write `formats:`, like formats: { date: \"%d.%m.%Y\" }",
        ),
        ("pii", "write `personal: true`"),
        ("sensitive", "write `personal: true`"),
        (
            "mask",
            "add a step with `mask: PLUGIN` and `masks: [COLUMN]`",
        ),
        (
            "name",
            "the name stands before the colon: price: { type: float64 }",
        ),
    ],
    example: "price: { type: float64 }",
};

pub(crate) const RELEASE: Shape = Shape {
    what: "a release",
    keys: &["reason", "owner", "until"],
    hints: &[("by", "write `owner:`"), ("expires", "write `until:`")],
    example: "release: { reason: contract 17, owner: data-protection@example.org, until: 2027-01-31 }",
};

/// The longest name that PostgreSQL keeps whole.
pub(crate) const LONGEST_NAME: usize = 63;

/// The manifest's `columns:`, and whether all their names could be read.
pub(super) fn declared(reader: &mut Reader<'_>, block: &Block<'_>) -> (Vec<Column>, bool) {
    let example = "columns: { price: { type: float64 } }";
    let Some((node, head)) = reader.need(block, "columns", example) else {
        return (Vec::new(), false);
    };
    let Some(entries) = reader.map(node, "columns", example) else {
        return (Vec::new(), false);
    };
    if entries.is_empty() {
        reader.say(
            Diagnostic::error(head, "`columns` declares no column, so nothing may enter")
                .help(format!("declare what may enter, like {}", COLUMN.example)),
        );
        return (Vec::new(), false);
    }
    (columns(reader, entries), true)
}

/// A block of columns. A column that is wrong keeps its name, so that uses of it are not reported
/// as well.
pub(super) fn columns(reader: &mut Reader<'_>, entries: &[Entry]) -> Vec<Column> {
    entries.iter().map(|entry| column(reader, entry)).collect()
}

fn column(reader: &mut Reader<'_>, entry: &Entry) -> Column {
    let name = entry.key.clone();
    check_name(reader, &name);
    let mut column = Column {
        data_type: Spanned::new(DataType::Text, name.span.clone()),
        name,
        personal: None,
        release: None,
        from: None,
        formats: None,
    };
    if let Kind::Text(text) = &entry.value.kind {
        // `price: float64`: the type is right, only its place is not.
        let wanted = match units::data_type(text) {
            Ok(_) => text.as_str(),
            Err(_) => "text",
        };
        reader.say(
            Diagnostic::error(
                entry.value.span.clone(),
                "a column should be a block of keys",
            )
            .label("this is text")
            .help(format!(
                "write: {}: {{ type: {wanted} }}",
                short(&column.name.value)
            )),
        );
        return column;
    }
    let value = rejoined(reader, &entry.value);
    let Some(block) = reader.block(&value, column.name.span.clone(), &COLUMN) else {
        return column;
    };
    let found = reader.need(&block, "type", "type: text");
    if let Some(data_type) = found.and_then(|(node, _)| data_type(reader, node)) {
        column.data_type = data_type;
    }
    if let Some((node, _)) = block.get("personal") {
        column.personal = reader.boolean(node, "personal");
    }
    if let Some((node, head)) = block.get("release") {
        column.release = release(reader, node, head);
    }
    if let Some((node, _)) = block.get("from") {
        column.from = from(reader, node);
    }
    if let Some((node, head)) = block.get("formats") {
        column.formats = formats::keys(reader, node, head).map(Box::new);
    }
    column
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
            "within braces, YAML ends a value at the comma",
        );
        reader.say(problem.help(format!("put it in quotes: type: \"{}\"", short(text))));
    }
    Cow::Owned(Node {
        kind: Kind::Map(entries),
        span: node.span.clone(),
    })
}

/// The most columns that a file may be asked for by position.
const LAST_POSITION: u64 = 1 << 20;
/// The longest name in a source.
const LONGEST_SOURCE_NAME: usize = 4096;

/// Another name, or a position.
fn from(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<ReadFrom>> {
    if matches!(node.kind, Kind::Number(_)) {
        let position = reader.whole(node, "from", 1..=LAST_POSITION)?;
        let position = ReadFrom::Position(usize::try_from(position).ok()?);
        return Some(Spanned::new(position, node.span.clone()));
    }
    let name = reader.any_text(node, "from", "from: \"Unit price\"")?;
    let problem = if name.value.is_empty() {
        "`from` is empty"
    } else if name.value.len() > LONGEST_SOURCE_NAME {
        "`from` is too long"
    } else {
        return Some(Spanned::new(ReadFrom::Name(name.value.into()), name.span));
    };
    reader.say(
        Diagnostic::error(name.span, problem)
            .help("write the name that the column has in the source, or its position as a number, like from: 3"),
    );
    None
}

fn check_name(reader: &mut Reader<'_>, name: &Spanned<String>) {
    let text = name.value.as_str();
    let problem = if text.is_empty() {
        "is empty"
    } else if text.len() > LONGEST_NAME {
        "is longer than 63 bytes, where PostgreSQL cuts it"
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

fn data_type(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<DataType>> {
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
                Diagnostic::error(text.span, "`decimal` needs its digits").help(
                    "write the digits in all (1 to 38) and those after the point, like \"decimal(12,2)\", in quotes",
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

fn release(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<Spanned<Release>> {
    let block = reader.block(node, head.clone(), &RELEASE)?;
    let reason = reader
        .need(&block, "reason", "reason: why it may leave unmasked")
        .and_then(|(node, _)| reader.text(node, "reason", "reason: why it may leave unmasked"));
    let owner = reader
        .need(&block, "owner", "owner: who answers for it")
        .and_then(|(node, _)| reader.text(node, "owner", "owner: who answers for it"));
    let until = reader
        .need(&block, "until", "until: 2027-01-31")
        .and_then(|(node, _)| date(reader, node));
    // What is missing has been said; that the column would reach the sink unmasked is no news.
    let somebody = || Spanned::new(String::new(), head.clone());
    let far = Date {
        year: 9999,
        month: 12,
        day: 31,
    };
    let release = Release {
        reason: reason.unwrap_or_else(somebody),
        owner: owner.unwrap_or_else(somebody),
        until: until.unwrap_or(Spanned::new(far, head.clone())),
    };
    Some(Spanned::new(release, head))
}

fn date(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<Date>> {
    let text = reader.any_text(node, "until", "until: 2027-01-31")?;
    let date = units::date(&text.value);
    if date.is_none() {
        reader.say(
            Diagnostic::error(text.span.clone(), "`until` is not a day of the calendar")
                .help("write year-month-day, like 2027-01-31"),
        );
    }
    Some(Spanned::new(date?, text.span))
}
