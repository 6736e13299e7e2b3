//! The `missing:` of a step: for each column what becomes of its missing cells.

use std::collections::BTreeMap;

use glovebox_core::World;
use serde_json::json;

use crate::block::{Block, Reader};
use crate::declare::{At, Section, section, words};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, MapOf, Named, Names, Own, Text, word};
use crate::model::missing::{Fill, How, Missing};
use crate::model::{PluginRef, Room, Step, With};
use crate::node::{Kind as Yaml, Node};
use crate::span::{Span, Spanned};

section! {
    /// What becomes of the missing cells of a column: exactly one of `value`, `previous`, `interpolate`, `mean`, `median` and
    /// `mode`.
    pub(crate) struct FillKeys("Fill"): "what is missing", "country: { value: DE }" {
        /// This, in the column's type.
        value: Option<Spanned<String>> => optional, VALUE, "value: DE";
        /// The last cell before that is not missing; needs `order`.
        previous: Option<Spanned<bool>> => optional, Bool, "previous: true";
        /// Numbers on the line between the cell before and the one after, at the row's place in `order`, which is a number, a
        /// day or a time.
        interpolate: Option<Interpolation> => optional, word::<Interpolation>(), "interpolate: linear";
        /// The mean of the others; of whole numbers it is rounded.
        mean: Option<Spanned<bool>> => optional, Bool, "mean: true";
        /// The one in the middle of the others, or the mean of the two there.
        median: Option<Spanned<bool>> => optional, Bool, "median: true";
        /// The most frequent of the others, of several the smallest.
        mode: Option<Spanned<bool>> => optional, Bool, "mode: true";
        /// The others are the rows that are equal in these columns, instead of all.
        by: Vec<Spanned<String>> => empty, Names(0), "by: [shop]";
        /// The column by which rows are in their order; equal ones are as they came.
        order: Option<Spanned<String>> => optional, Text, "order: ts";
    }
    hints {
        "fill" => "write `value:`",
        "with" => "write `value:`",
        "ffill" => "write `previous: true`, and `order:`",
        "group-by" => "write `by:`",
    }
    settle Fill: settle;
}

words! {
    /// How numbers between two others are found.
    pub(crate) enum Interpolation {
        /// On a straight line.
        Linear = "linear",
    }
}

/// The columns, each with its fill.
pub(super) const MISSING: MapOf<Own<Fill>> = MapOf(Own {
    read: fill,
    words: "`reject`, `drop`, `mean`, `median`, `mode` or a block",
    schema: |schema| {
        let block = schema.section::<FillKeys>();
        json!({ "anyOf": [{ "enum": ["reject", "drop", "mean", "median", "mode"] }, block] })
    },
});

/// What `missing:` is read as.
pub(super) type Fills = Named<Fill>;

fn fill(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Fill>> {
    let span = at.node.span.clone();
    let Yaml::Text(word) = &at.node.kind else {
        let fill = FillKeys::read(reader, at.node, at.head.clone())?;
        return Some(Spanned::new(fill, span));
    };
    let computed = |how| Fill::Computed {
        how,
        by: Vec::new(),
        order: None,
    };
    let fill = match word.as_str() {
        "reject" => Fill::Reject,
        "drop" => Fill::Drop,
        "mean" => computed(How::Mean),
        "median" => computed(How::Median),
        "mode" => computed(How::Mode),
        _ => {
            reader.say(
                Diagnostic::error(span, "this is no way to fill what is missing").help(
                    "write reject, drop, mean, median or mode; or { value: … }, { previous: true, order: … }, \
                     { interpolate: linear, order: … }",
                ),
            );
            return None;
        }
    };
    Some(Spanned::new(fill, span))
}

fn settle(keys: FillKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Fill> {
    const WAYS: &[&str] = &["value", "previous", "interpolate", "mean", "median", "mode"];
    let present = block.present(WAYS);
    let mut say = |key: &'static str, problem: &str, help: &str| {
        let place = block.get(key).map_or(block.head.clone(), |(_, span)| span);
        reader.say(Diagnostic::error(place, problem).help(help));
    };
    let first = match present.as_slice() {
        &[one] => one,
        [] => {
            say(
                "",
                "nothing says what becomes of a missing cell",
                "write one of: value, previous, interpolate, mean, median, mode",
            );
            return None;
        }
        &[_, second, ..] => {
            say(
                second,
                "a missing cell is filled in one way",
                "write one of: value, previous, interpolate, mean, median, mode",
            );
            return None;
        }
    };
    let flags = [&keys.previous, &keys.mean, &keys.median, &keys.mode];
    if flags.into_iter().flatten().any(|flag| !flag.value) {
        say(first, "`false` fills nothing", "write `true`, or delete it");
        return None;
    }
    let how = match first {
        "previous" => How::Previous,
        "interpolate" => How::Linear,
        "mean" => How::Mean,
        "median" => How::Median,
        "mode" => How::Mode,
        _ => {
            for key in block.present(&["by", "order"]) {
                say(key, "one value is for all rows", "delete it");
            }
            return keys.value.map(Fill::Value);
        }
    };
    match (how.needs_order(), &keys.order) {
        (true, None) => {
            say(
                first,
                "which row is before another is not said",
                "name the column by which they are in order, like order: ts",
            );
            return None;
        }
        (false, Some(_)) => say("order", "it is the same in any order", "delete it"),
        _ => {}
    }
    Some(Fill::Computed {
        how,
        by: keys.by,
        order: keys.order,
    })
}

/// A step's plugin that fills what is missing.
pub(super) fn missing(
    reader: &mut Reader<'_>,
    head: Span,
    fills: &Fills,
    room: Room,
) -> Option<Spanned<PluginRef>> {
    if fills.is_empty() {
        reader.say(
            Diagnostic::error(head, "no column is named whose cells may be missing")
                .help("write, for example: missing: { country: { value: DE } }"),
        );
        return None;
    }
    let fills = fills.iter();
    let columns = fills.map(|(name, fill)| (name.clone(), fill.value.clone()));
    let columns = columns.collect();
    let missing = Missing { columns, room };
    Some(Spanned::new(PluginRef::Missing(Box::new(missing)), head))
}

/// A step that fills what is missing is up to three, one after the other: rows are rejected, then those that are left
/// are filled each by itself, then by all. The last one has the step's name. Other steps are one.
pub(super) fn apart(step: &Step) -> Vec<Step> {
    let PluginRef::Missing(missing) = &step.plugin.value else {
        return vec![step.clone()];
    };
    let span = &step.plugin.span;
    let mut rejects = Vec::new();
    let mut filled: [Vec<_>; 2] = Default::default();
    let [alone, by_all] = &mut filled;
    for (name, fill) in &missing.columns {
        match fill {
            Fill::Reject => rejects.push(name.clone()),
            Fill::Drop | Fill::Value(_) => alone.push((name.clone(), fill.clone())),
            Fill::Computed { .. } => by_all.push((name.clone(), fill.clone())),
        }
    }
    let mut parts = Vec::with_capacity(1);
    if !rejects.is_empty() {
        let required = PluginRef::Standard("required".into());
        let with = json!({ "allow-empty": true });
        parts.push(Step {
            world: World::Validator,
            plugin: Spanned::new(required, span.clone()),
            reads: rejects,
            with: With::new(with, span.clone(), BTreeMap::new()),
            ..step.clone()
        });
    }
    for columns in filled.into_iter().filter(|columns| !columns.is_empty()) {
        let missing = Missing {
            columns,
            room: missing.room,
        };
        let plugin = PluginRef::Missing(Box::new(missing));
        parts.push(Step {
            plugin: Spanned::new(plugin, span.clone()),
            ..step.clone()
        });
    }
    let mut before = parts.iter_mut().rev().skip(1).rev();
    for (part, number) in before.by_ref().zip(1..) {
        part.name.value = format!("{} ({number})", part.name.value);
    }
    parts
}

/// A text, a number, true or false, as it was written.
const VALUE: Own<String> = Own {
    read: value,
    words: "text, number, true or false",
    schema: |_| json!({ "type": ["string", "number", "boolean"] }),
};

fn value(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let Node { kind, span, .. } = at.node;
    match kind {
        Yaml::Bool(_) | Yaml::Number(_) => {
            let written = reader.text.get(span.clone()).unwrap_or_default();
            Some(Spanned::new(written.to_owned(), span.clone()))
        }
        _ => reader.any_text(at.node, at.key, &at.example),
    }
}
