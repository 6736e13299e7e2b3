//! `formats:`: how dates, times, numbers and booleans are written.

use glovebox_core::Formats;
use glovebox_core::formats::{
    DateFormat, EPOCH_DAYS, Fraction, Numbers, Pattern, PatternError, TimestampFormat, Unit, Zone,
};
use serde_json::json;

use crate::block::{Reader, short};
use crate::declare::{At, Take, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Own, Whole};
use crate::node::Kind;
use crate::span::Spanned;

section! {
    /// How dates, times, numbers and booleans are written in text; the default form of the type
    /// holds for what is left out.
    #[derive(Eq, Default)]
    pub struct FormatKeys("Formats"): "the formats",
        "formats: { date: \"%d.%m.%Y\", decimal: \",\", thousands: \".\" }"
    {
        /// For columns of type date: a pattern like `%d.%m.%Y`, or `epoch-days`, whole days since
        /// 1970-01-01.
        date: Option<Spanned<DateFormat>> => optional "`YYYY-MM-DD`", DATE, "date: \"%d.%m.%Y\"";
        /// For columns of type timestamp: a pattern like `%d/%m/%Y %H:%M:%S`, or a number since
        /// 1970 in UTC: `epoch-seconds`, `epoch-milliseconds`, `epoch-microseconds`,
        /// `epoch-nanoseconds`.
        timestamp: Option<Spanned<TimestampFormat>>
            => optional "RFC 3339", TIMESTAMP, "timestamp: \"%d.%m.%Y %H:%M:%S\"";
        /// The UTC offset for timestamps without one. Zone names are not supported.
        zone: Option<Spanned<Zone>> => open "+00:00", ZONE, "zone: \"+01:00\"";
        /// What happens to a row with a time finer than microseconds: `reject` it, or `cut` the
        /// extra digits, which rounds down to the microsecond.
        fraction: Option<Spanned<Fraction>> => open "reject", FRACTION, "fraction: cut";
        /// For dates and timestamps: the first of the hundred years that `%y` covers: with 1950,
        /// `49` is 2049. Required with `%y`. Do not read dates of birth this way: people can be
        /// older than that.
        pivot: Option<Spanned<u16>> => optional, Whole(1000..=9900u16);
        /// For float64 and decimal: the decimal separator, `.` or `,`.
        decimal: Option<Spanned<char>> => open ".", DECIMAL, "decimal: \",\"";
        /// For int64, float64 and decimal: the separator between groups of three digits: `.`, `,`,
        /// `'`, `’`, `_`, a space, or a no-break space (U+00A0, U+202F).
        thousands: Option<Spanned<char>> => optional, THOUSANDS, "thousands: \",\"";
        /// Words for true, in any case, instead of the [usual ones](#columns): one word or a list;
        /// set both keys or neither.
        yes = "true": Option<Spanned<Vec<String>>> => optional, WORDS, "true: [yes]";
        /// Words for false.
        no = "false": Option<Spanned<Vec<String>>> => optional, WORDS, "false: [no]";
    }
    hints {
        "datetime" => "write `timestamp:`",
        "time" => "write `timestamp:`; there is no type for a time of day, declare it as text",
        "timezone" => "write `zone:`",
        "yes" => "write `true:`",
        "no" => "write `false:`",
        "century" => "write `pivot:`",
        "nanoseconds" => "write `fraction: cut` or `fraction: reject`",
        "null" => "it belongs next to `formats:`, in the source",
    }
}

/// How a source's text is spelled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceFormats {
    /// What its own block says.
    pub keys: FormatKeys,
    /// What that is for each column, in their order, with what the column says itself; known when
    /// the columns are.
    pub of_columns: Vec<Formats>,
}

impl Take<FormatKeys> for SourceFormats {
    fn take(keys: Spanned<FormatKeys>) -> Self {
        SourceFormats {
            keys: keys.value,
            of_columns: Vec::new(),
        }
    }
}

const DATE: Own<DateFormat> = Own {
    read: date,
    words: "pattern",
    schema: |_| json!({ "type": "string", "minLength": 1 }),
};

const TIMESTAMP: Own<TimestampFormat> = Own {
    read: timestamp,
    words: "pattern",
    schema: |_| json!({ "type": "string", "minLength": 1 }),
};

const ZONE: Own<Zone> = Own {
    read: zone,
    words: "offset",
    schema: |_| json!({ "type": "string", "pattern": "^([+-][0-9]{2}:[0-9]{2}|Z|UTC)$" }),
};

const FRACTION: Own<Fraction> = Own {
    read: fraction,
    words: "`reject`, `cut`",
    schema: |_| json!({ "enum": ["reject", "cut"] }),
};

const DECIMAL: Own<char> = Own {
    read: |reader, at| sign(reader, at, &Numbers::DECIMAL, "\".\" or \",\""),
    words: "one character",
    schema: |_| json!({ "type": "string", "pattern": "^[.,]$" }),
};

const THOUSANDS: Own<char> = Own {
    read: |reader, at| {
        let signs = "\".\", \",\", \"'\", \"_\", or a space (also a no-break space)";
        sign(reader, at, &Numbers::THOUSANDS, signs)
    },
    words: "one character",
    schema: |_| json!({ "type": "string", "pattern": "^[.,'\u{2019}_ \u{a0}\u{202f}]$" }),
};

const WORDS: Own<Vec<String>> = Own {
    read: words,
    words: "text, or list of text",
    schema: |schema| {
        schema.define("WordList", |_| {
            json!({
                "description": "One word, or several.",
                "anyOf": [
                    { "type": "string", "minLength": 1 },
                    { "type": "array", "items": { "type": "string" }, "minItems": 1 },
                ],
            })
        })
    },
};

fn date(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<DateFormat>> {
    let text = reader.text(at.node, at.key, &at.example)?;
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

fn timestamp(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<TimestampFormat>> {
    let text = reader.text(at.node, at.key, &at.example)?;
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

fn zone(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Zone>> {
    let text = reader.text(at.node, at.key, &at.example)?;
    let zone = Zone::parse(&text);
    if zone.is_none() {
        let problem = format!("`{}` is not an offset from UTC", short(&text));
        reader.say(Diagnostic::error(text.span.clone(), problem).help(
            "write hours and minutes, like \"+01:00\"; zone names are not supported, \
                      since their offset depends on the day",
        ));
    }
    Some(Spanned::new(zone?, text.span))
}

fn fraction(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Fraction>> {
    let text = reader.text(at.node, at.key, &at.example)?;
    let fraction = match text.value.as_str() {
        "reject" => Fraction::Reject,
        "cut" => Fraction::Cut,
        other => {
            let problem = format!("there is no `fraction: {}`", short(other));
            reader.say(Diagnostic::error(text.span, problem).help(
                "write `reject` to reject rows with times finer than microseconds, or `cut` \
                    to drop the extra digits",
            ));
            return None;
        }
    };
    Some(Spanned::new(fraction, text.span))
}

fn sign(reader: &mut Reader<'_>, at: &At<'_>, of: &[char], signs: &str) -> Option<Spanned<char>> {
    let text = reader.any_text(at.node, at.key, &at.example)?;
    let mut chars = text.value.chars();
    match (chars.next(), chars.next()) {
        (Some(sign), None) if of.contains(&sign) => Some(Spanned::new(sign, text.span)),
        _ => {
            reader.say(
                Diagnostic::error(
                    text.span,
                    format!("this character cannot be used for `{}`", at.key),
                )
                .help(format!("write one of {signs}")),
            );
            None
        }
    }
}

fn words(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<String>>> {
    let items = match &at.node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(at.node),
    };
    let mut words = Vec::with_capacity(items.len());
    for item in items {
        words.push(reader.text(item, at.key, &at.example)?.value);
    }
    if words.is_empty() {
        reader.say(
            Diagnostic::error(at.node.span.clone(), format!("`{}` has no word", at.key))
                .help(format!("write: {}", at.example)),
        );
        return None;
    }
    Some(Spanned::new(words, at.node.span.clone()))
}
