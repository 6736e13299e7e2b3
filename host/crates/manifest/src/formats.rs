//! `formats:` of a source and of single columns, checked together.

use glovebox_core::formats::{DateFormat, Numbers, Pattern, TimestampFormat, Words};
use glovebox_core::{DataType, Formats};

use super::diagnostic::Diagnostic;
use super::model::{Column, CsvSource, FormatKeys, Ragged, Source, Span, Spanned};

impl FormatKeys {
    /// These, and for what they leave open those of the source.
    fn over(&self, source: &FormatKeys) -> FormatKeys {
        fn first<T: Clone>(a: &Option<T>, b: &Option<T>) -> Option<T> {
            a.clone().or_else(|| b.clone())
        }
        FormatKeys {
            date: first(&self.date, &source.date),
            timestamp: first(&self.timestamp, &source.timestamp),
            zone: first(&self.zone, &source.zone),
            fraction: first(&self.fraction, &source.fraction),
            pivot: first(&self.pivot, &source.pivot),
            decimal: first(&self.decimal, &source.decimal),
            thousands: first(&self.thousands, &source.thousands),
            yes: first(&self.yes, &source.yes),
            no: first(&self.no, &source.no),
        }
    }

    /// Its keys with their places.
    fn present(&self) -> Vec<(&'static str, &Span)> {
        fn place<'k, T>(
            key: &'static str,
            value: &'k Option<Spanned<T>>,
        ) -> Option<(&'static str, &'k Span)> {
            value.as_ref().map(|v| (key, &v.span))
        }
        [
            place("date", &self.date),
            place("timestamp", &self.timestamp),
            place("zone", &self.zone),
            place("fraction", &self.fraction),
            place("pivot", &self.pivot),
            place("decimal", &self.decimal),
            place("thousands", &self.thousands),
            place("true", &self.yes),
            place("false", &self.no),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What the keys say together; a problem is said where it was written.
    fn settle(&self, say: &mut dyn FnMut(Diagnostic)) -> Formats {
        let decimal = self.decimal.as_ref().map_or('.', |d| d.value);
        let thousands = self.thousands.as_ref().map(|t| t.value);
        let numbers = Numbers::new(decimal, thousands).unwrap_or_else(|| {
            let place = self.thousands.as_ref().map(|t| t.span.clone());
            say(Diagnostic::error(
                place.unwrap_or_default(),
                format!("`thousands` and `decimal` are both `{decimal}`"),
            )
            .help("write two different signs, like decimal: \",\" and thousands: \".\""));
            Numbers::default()
        });
        let formats = Formats {
            date: value(&self.date),
            timestamp: value(&self.timestamp),
            zone: value(&self.zone),
            fraction: value(&self.fraction),
            pivot: self.pivot.as_ref().map(|p| p.value),
            numbers,
            booleans: self.words(say),
        };
        let patterns = [
            self.date.as_ref().and_then(|d| match &d.value {
                DateFormat::Pattern(pattern) => Some((pattern, &d.span)),
                _ => None,
            }),
            self.timestamp.as_ref().and_then(|t| match &t.value {
                TimestampFormat::Pattern(pattern) => Some((pattern, &t.span)),
                _ => None,
            }),
        ];
        let short = |(pattern, _): &(&Pattern, &Span)| pattern.has_short_years();
        let mut short = patterns.into_iter().flatten().filter(short);
        if let Some((_, span)) = short.next()
            && self.pivot.is_none()
        {
            say(
                Diagnostic::error(span.clone(), "`%y` does not say which century").help(
                    "add the first of the hundred years that it should cover, like pivot: \
                          1950; for dates of birth use %Y, with four-digit years",
                ),
            );
        }
        formats
    }

    fn words(&self, say: &mut dyn FnMut(Diagnostic)) -> Option<Words> {
        let (yes, no) = match (&self.yes, &self.no) {
            (None, None) => return None,
            (Some(yes), Some(no)) => (yes, no),
            (Some(only), None) => {
                say(
                    Diagnostic::error(only.span.clone(), "`true` has words but `false` has none")
                        .help("add: false: [no]"),
                );
                return None;
            }
            (None, Some(only)) => {
                say(
                    Diagnostic::error(only.span.clone(), "`false` has words but `true` has none")
                        .help("add: true: [yes]"),
                );
                return None;
            }
        };
        let words = Words::new(yes, no);
        if words.is_none() {
            say(
                Diagnostic::error(no.span.clone(), "a word means both true and false")
                    .label("one of these")
                    .context(yes.span.clone(), "is among these, too")
                    .help("write each word only once; case is ignored"),
            );
        }
        words
    }
}

fn value<T: Clone + Default>(key: &Option<Spanned<T>>) -> T {
    key.as_ref().map(|k| k.value.clone()).unwrap_or_default()
}

/// Gives each of the columns its spelling, and says what is wrong.
pub(crate) fn settle(source: &mut Source, columns: &[Column], say: &mut dyn FnMut(Diagnostic)) {
    match source {
        Source::Csv(csv) => {
            let all = columns.iter().filter_map(|c| c.formats.as_deref());
            for keys in all.chain([&csv.formats.keys]) {
                unquoted(csv, keys, say);
            }
            csv.formats.of_columns = of_columns(&csv.formats.keys, columns, &csv.null, say);
        }
        Source::Jsonl(jsonl) => {
            jsonl.formats.of_columns = of_columns(&jsonl.formats.keys, columns, &[], say);
        }
        Source::Parquet(_) | Source::Postgres(_) => {
            for keys in columns.iter().filter_map(|c| c.formats.as_ref()) {
                useless(keys, "this source's cells are values, not text", say);
            }
        }
    }
}

/// Says so where a sign of a number would end its field, and nothing would show that: without quotes
/// a field cannot have it, and where records may be longer than the header the rest is left out.
fn unquoted(csv: &CsvSource, keys: &FormatKeys, say: &mut dyn FnMut(Diagnostic)) {
    let silent = csv.quote.is_none() || matches!(csv.ragged, Ragged::Cut | Ragged::Both);
    for (name, sign) in [("decimal", &keys.decimal), ("thousands", &keys.thousands)] {
        let Some(sign) = sign else { continue };
        if silent && csv.delimiter.contains(sign.value) {
            say(Diagnostic::error(
                sign.span.clone(),
                format!("`{name}` and `delimiter` are both `{}`", sign.value),
            )
            .help("numbers with this character need quotes: do not set `quote: none` or `ragged`"));
        }
    }
}

/// What the text of each column is, by its own `formats:` and the source's; and all that is wrong
/// with them. `null` are the source's cells for null.
fn of_columns(
    source: &FormatKeys,
    columns: &[Column],
    null: &[String],
    say: &mut dyn FnMut(Diagnostic),
) -> Vec<Formats> {
    let shared = source.settle(say);
    if let (Some(words), Some(yes)) = (&shared.booleans, &source.yes) {
        apart(words, null, &yes.span, say);
    }
    columns
        .iter()
        .map(|column| {
            let Some(own) = &column.formats else {
                return shared.clone();
            };
            for (key, span) in own.present() {
                suits(key, span, column, say);
            }
            let mut problems = Vec::new();
            let both = own.over(source);
            let formats = both.settle(&mut |problem| problems.push(problem));
            // What is wrong with the source's keys alone was said of the source.
            let places: Vec<&Span> = own.present().into_iter().map(|(_, span)| span).collect();
            problems.retain(|p| places.contains(&&p.span));
            problems.into_iter().for_each(&mut *say);
            if let (Some(words), Some(yes)) = (&formats.booleans, &own.yes) {
                apart(words, null, &yes.span, say);
            }
            formats
        })
        .collect()
}

/// A cell that is null is not read any further.
fn apart(words: &Words, null: &[String], place: &Span, say: &mut dyn FnMut(Diagnostic)) {
    if let Some(both) = words
        .all()
        .find(|w| null.iter().any(|n| n.to_lowercase() == *w))
    {
        say(Diagnostic::error(
            place.clone(),
            format!("`{both}` means both null and true or false"),
        )
        .help("delete it here, or from `null:`"));
    }
}

/// Says so where a key is of no use to its column.
fn suits(key: &str, place: &Span, column: &Column, say: &mut dyn FnMut(Diagnostic)) {
    let data_type = column.data_type.value;
    let (fits, types) = match key {
        "date" => (data_type == DataType::Date, "date"),
        "timestamp" | "zone" | "fraction" => (data_type == DataType::Timestamp, "timestamp"),
        "pivot" => (
            matches!(data_type, DataType::Date | DataType::Timestamp),
            "date and timestamp",
        ),
        "decimal" => (
            matches!(data_type, DataType::Float64 | DataType::Decimal { .. }),
            "float64 and decimal",
        ),
        "thousands" => (
            matches!(
                data_type,
                DataType::Int64 | DataType::Float64 | DataType::Decimal { .. }
            ),
            "int64, float64 and decimal",
        ),
        _ => (data_type == DataType::Boolean, "boolean"),
    };
    if !fits {
        say(Diagnostic::error(
            place.clone(),
            format!("`{key}` is for columns of type {types}"),
        )
        .label(format!("this column is {data_type}"))
        .help("delete it, or correct the column's type"));
    }
}

/// Says so where nothing is read as text.
pub(crate) fn useless(keys: &FormatKeys, why: &str, say: &mut dyn FnMut(Diagnostic)) {
    for (_, span) in keys.present().into_iter().take(1) {
        say(Diagnostic::error(span.clone(), "`formats` is for text")
            .label(why)
            .help("delete it"));
    }
}
