//! Numbers, sizes and durations, each within bounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};

use crate::block::Reader;
use crate::declare::Schema;
use crate::declare::{At, Kind};
use crate::diagnostic::Diagnostic;
use crate::node::Kind as Yaml;
use crate::span::Spanned;
use crate::units::{self, show_duration, show_size};

/// A whole number within bounds.
pub struct Whole<T>(pub RangeInclusive<T>);

impl<T: Copy + TryFrom<u64> + TryInto<u64>> Whole<T> {
    fn ends(&self) -> (u64, u64) {
        let wide = |end: &T, or| (*end).try_into().unwrap_or(or);
        (wide(self.0.start(), 0), wide(self.0.end(), u64::MAX))
    }
}

impl<T: Copy + TryFrom<u64> + TryInto<u64>> Kind for Whole<T> {
    type Value = T;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<T>> {
        let Yaml::Number(number) = &at.node.kind else {
            let what = format!("`{}`", at.key);
            reader.wrong_kind(at.node, &what, "a whole number", &at.example);
            return None;
        };
        let (low, high) = self.ends();
        let value = number.as_u64().filter(|n| (low..=high).contains(n));
        match value.and_then(|n| T::try_from(n).ok()) {
            Some(value) => Some(Spanned::new(value, at.node.span.clone())),
            None => {
                out_of_bounds(reader, at, &low.to_string(), &high.to_string());
                None
            }
        }
    }

    fn words(&self) -> String {
        let (low, high) = self.ends();
        format!("number, {low} to {high}")
    }

    fn schema(&self, _: &mut Schema) -> Value {
        let (low, high) = self.ends();
        json!({ "type": "integer", "minimum": low, "maximum": high })
    }

    fn example(&self, key: &str) -> String {
        let (low, high) = self.ends();
        format!("{key}: {}", high.min(low.max(100)))
    }
}

/// A size within bounds, in bytes.
pub struct Size(pub RangeInclusive<u64>);

impl Kind for Size {
    type Value = usize;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<usize>> {
        let bytes = quantity(reader, at, units::size, units::SIZE_HELP)?;
        let within = self.0.contains(&bytes).then_some(bytes);
        match within.and_then(|bytes| usize::try_from(bytes).ok()) {
            Some(bytes) => Some(Spanned::new(bytes, at.node.span.clone())),
            None => {
                let (low, high) = (show_size(*self.0.start()), show_size(*self.0.end()));
                out_of_bounds(reader, at, &low, &high);
                None
            }
        }
    }

    fn words(&self) -> String {
        "size".to_owned()
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define("Size", |_| {
            json!({
                "description": "A size: an integer with its unit.",
                "type": "string", "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)$",
            })
        })
    }

    fn bounds(&self) -> Option<String> {
        let (low, high) = (show_size(*self.0.start()), show_size(*self.0.end()));
        Some(format!("{low} to {high}"))
    }
}

/// A duration within bounds.
pub struct Time(pub RangeInclusive<Duration>);

impl Kind for Time {
    type Value = Duration;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Duration>> {
        let time = quantity(reader, at, units::duration, units::TIME_HELP)?;
        if self.0.contains(&time) {
            return Some(Spanned::new(time, at.node.span.clone()));
        }
        let (low, high) = (show_duration(*self.0.start()), show_duration(*self.0.end()));
        out_of_bounds(reader, at, &low, &high);
        None
    }

    fn words(&self) -> String {
        "duration".to_owned()
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define("Time", |_| {
            json!({
                "description": "A duration: an integer with its unit.",
                "type": "string", "pattern": "^[0-9]+ *(ms|s|min|h|d)$",
            })
        })
    }

    fn bounds(&self) -> Option<String> {
        let (low, high) = (show_duration(*self.0.start()), show_duration(*self.0.end()));
        Some(format!("{low} to {high}"))
    }
}

fn quantity<T>(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    parse: fn(&str) -> Option<T>,
    help: &str,
) -> Option<T> {
    let value = match &at.node.kind {
        Yaml::Broken => return None,
        Yaml::Text(text) => parse(text),
        _ => None,
    };
    if value.is_none() {
        let label = match &at.node.kind {
            Yaml::Number(_) => "the unit is missing",
            _ => "",
        };
        let span = reader.first_line(&at.node.span);
        let problem = format!("`{}` needs a number with a unit", at.key);
        reader.say(Diagnostic::error(span, problem).label(label).help(help));
    }
    value
}

fn out_of_bounds(reader: &mut Reader<'_>, at: &At<'_>, low: &str, high: &str) {
    let problem = format!("`{}` is out of range", at.key);
    reader.say(
        Diagnostic::error(at.node.span.clone(), problem)
            .help(format!("write a value from {low} to {high}")),
    );
}
