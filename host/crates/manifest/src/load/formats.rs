//! Reads `formats:`: how dates, times, numbers and words of a text are spelled.
//!
//! Refuses patterns that leave something open; whether keys go together is `manifest/formats.rs`'.

use glovebox_core::formats::{
    DateFormat, EPOCH_DAYS, Fraction, Numbers, Pattern, PatternError, TimestampFormat, Unit, Zone,
};

use super::optional;
use crate::block::{Block, Reader, Shape, short};
use crate::diagnostic::Diagnostic;
use crate::model::{FormatKeys, SourceFormats, Span, Spanned};
use crate::yaml::{Kind, Node};

pub(crate) const FORMATS: Shape = Shape {
    what: "the formats",
    keys: &[
        "date",
        "timestamp",
        "zone",
        "fraction",
        "pivot",
        "decimal",
        "thousands",
        "true",
        "false",
    ],
    hints: &[
        ("datetime", "write `timestamp:`"),
        (
            "time",
            "write `timestamp:`; there is no type for a time of day, declare it as text",
        ),
        ("timezone", "write `zone:`"),
        ("yes", "write `true:`"),
        ("no", "write `false:`"),
        ("century", "write `pivot:`"),
        ("nanoseconds", "write `fraction: cut` or `fraction: reject`"),
        ("null", "it stands beside `formats:`, in the source"),
    ],
    example: "formats: { date: \"%d.%m.%Y\", decimal: \",\", thousands: \".\" }",
};

/// What a source's block says of all its columns; what it means for each of them is settled when
/// they are known.
pub(super) fn formats(reader: &mut Reader<'_>, block: &Block<'_>) -> SourceFormats {
    let keys = block
        .get("formats")
        .and_then(|(node, head)| keys(reader, node, head));
    SourceFormats {
        keys: keys.unwrap_or_default(),
        of_columns: Vec::new(),
    }
}

/// A `formats:` block.
pub(super) fn keys(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<FormatKeys> {
    let block = reader.block(node, head, &FORMATS)?;
    Some(FormatKeys {
        date: optional(&block, "date", |node| date(reader, node)),
        timestamp: optional(&block, "timestamp", |node| timestamp(reader, node)),
        zone: optional(&block, "zone", |node| zone(reader, node)),
        fraction: optional(&block, "fraction", |node| fraction(reader, node)),
        pivot: optional(&block, "pivot", |node| {
            let year = reader.whole(node, "pivot", 1000..=9900)?;
            Some(Spanned::new(u16::try_from(year).ok()?, node.span.clone()))
        }),
        decimal: optional(&block, "decimal", |node| {
            sign(reader, node, "decimal", &Numbers::DECIMAL, "\".\" or \",\"")
        }),
        thousands: optional(&block, "thousands", |node| {
            let signs = "\".\", \",\", \"'\", \"_\", or a space, also one that does not break";
            sign(reader, node, "thousands", &Numbers::THOUSANDS, signs)
        }),
        yes: optional(&block, "true", |node| {
            words(reader, node, "true", "true: [yes]")
        }),
        no: optional(&block, "false", |node| {
            words(reader, node, "false", "false: [no]")
        }),
    })
}

fn date(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<DateFormat>> {
    let text = reader.text(node, "date", "date: \"%d.%m.%Y\"")?;
    if text.value == EPOCH_DAYS {
        return Some(Spanned::new(DateFormat::EpochDays, text.span));
    }
    match Pattern::date(&text) {
        Ok(pattern) => Some(Spanned::new(DateFormat::Pattern(pattern), text.span)),
        Err(wrong) => {
            pattern(reader, &text, "date", wrong);
            None
        }
    }
}

fn timestamp(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<TimestampFormat>> {
    let text = reader.text(node, "timestamp", "timestamp: \"%d.%m.%Y %H:%M:%S\"")?;
    let unit = Unit::NAMES
        .into_iter()
        .find(|(name, _)| *name == text.value);
    if let Some((_, unit)) = unit {
        return Some(Spanned::new(TimestampFormat::Epoch(unit), text.span));
    }
    match Pattern::timestamp(&text) {
        Ok(pattern) => Some(Spanned::new(TimestampFormat::Pattern(pattern), text.span)),
        Err(wrong) => {
            pattern(reader, &text, "timestamp", wrong);
            None
        }
    }
}

fn pattern(reader: &mut Reader<'_>, text: &Spanned<String>, key: &str, wrong: PatternError) {
    let epoch = !text.value.contains('%') && text.value.contains("epoch");
    let help = match (epoch, key) {
        (true, "date") => format!("for days since 1970 write {EPOCH_DAYS}"),
        (true, _) => {
            let names: Vec<&str> = Unit::NAMES.iter().map(|(name, _)| *name).collect();
            format!("for numbers since 1970 write one of: {}", names.join(", "))
        }
        (false, "timestamp") if !text.value.contains('%') => {
            "write it like \"%d.%m.%Y %H:%M:%S\"".into()
        }
        _ => wrong.help,
    };
    // In quotes, the text begins behind the first of them; with escapes its places are not those
    // of the value.
    let written = reader.text.get(text.span.clone()).unwrap_or_default();
    let begin = match written.strip_prefix(['"', '\'']) {
        Some(inner) if inner.starts_with(&text.value) => text.span.start + 1,
        _ => text.span.start,
    };
    let span = match wrong.at {
        Some(at) if written.contains(&text.value) => begin + at.start..begin + at.end,
        _ => text.span.clone(),
    };
    reader.say(Diagnostic::error(span, format!("`{key}`: {}", wrong.problem)).help(help));
}

fn zone(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<Zone>> {
    let text = reader.text(node, "zone", "zone: \"+01:00\"")?;
    let zone = Zone::parse(&text);
    if zone.is_none() {
        let problem = format!("`{}` is no offset from UTC", short(&text));
        reader.say(
            Diagnostic::error(text.span.clone(), problem)
                .help("write hours and minutes, like \"+01:00\"; names of zones are not known, since their offset depends on the day"),
        );
    }
    Some(Spanned::new(zone?, text.span))
}

fn fraction(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<Fraction>> {
    let text = reader.text(node, "fraction", "fraction: cut")?;
    let fraction = match text.value.as_str() {
        "reject" => Fraction::Reject,
        "cut" => Fraction::Cut,
        other => {
            let problem = format!("there is no `fraction: {}`", short(other));
            reader.say(
                Diagnostic::error(text.span, problem).help(
                    "write `reject` for rows with digits finer than microseconds to be rejected, or `cut` for these digits to be dropped",
                ),
            );
            return None;
        }
    };
    Some(Spanned::new(fraction, text.span))
}

fn sign(
    reader: &mut Reader<'_>,
    node: &Node,
    key: &str,
    of: &[char],
    signs: &str,
) -> Option<Spanned<char>> {
    let text = reader.any_text(node, key, &format!("{key}: \",\""))?;
    let mut chars = text.value.chars();
    match (chars.next(), chars.next()) {
        (Some(sign), None) if of.contains(&sign) => Some(Spanned::new(sign, text.span)),
        _ => {
            reader.say(
                Diagnostic::error(text.span, format!("this sign cannot stand for `{key}`"))
                    .help(format!("write one of {signs}")),
            );
            None
        }
    }
}

fn words(
    reader: &mut Reader<'_>,
    node: &Node,
    key: &str,
    example: &str,
) -> Option<Spanned<Vec<String>>> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        words.push(reader.text(item, key, example)?.value);
    }
    if words.is_empty() {
        reader.say(
            Diagnostic::error(node.span.clone(), format!("`{key}` has no word"))
                .help(format!("write: {example}")),
        );
        return None;
    }
    Some(Spanned::new(words, node.span.clone()))
}
