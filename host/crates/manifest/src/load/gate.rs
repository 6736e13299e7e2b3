//! `release:`, the gate before the sink: which columns could tell who somebody is, what is asked of rows
//! that look the same in them, and how many rows may be suppressed for it.

use std::path::PathBuf;

use serde_json::json;

use super::criteria::{DatePart, Distance, DiversityBy};
use super::rejects::AT_MOST;
use crate::block::{Block, Reader};
use crate::declare::{At, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{File, ListOf, MapOf, Named, Own, Text, Whole, nested, word};
use crate::model::gate::{Gate, Generalise, Quasi, SensitiveValues};
use crate::model::rejects::AtMost;
use crate::node::Kind as Yaml;
use crate::span::Spanned;

section! {
    /// What is asked of the rows before they may leave.
    pub(crate) struct GateKeys("Gate"): "the release gate",
        "release: { k: 5, quasi-identifiers: { age: { width: [1, 5, 20] } } }"
    {
        /// How many entities at least have to look the same in all quasi-identifiers.
        k: u64 => needed, Whole(2..=1_000_000u64), "k: 5";
        /// The columns by which somebody could be recognised, [with their levels](#levels).
        quasi_identifiers: Named<Quasi> => needed, MapOf(nested::<QuasiKeys>()),
            "quasi-identifiers: { age: { width: [1, 5, 20] }, sex: {} }";
        /// The columns whose values must not be known of anybody, with what is asked of them in every class.
        sensitive: Named<SensitiveValues> => empty, MapOf(nested::<SensitiveKeys>()),
            "sensitive: { diagnosis: { l: 3 } }";
        /// The column that says whom a row is about, where several rows can be about one. It need not be stored.
        entity: Option<Spanned<String>> => optional "each row is about another", Text, "entity: customer_id";
        /// How many rows of small classes may be suppressed: a number, or a percentage of the rows that reach the gate.
        suppress_at_most: Option<Spanned<AtMost>> => optional "`0%`", AT_MOST, "suppress-at-most: 4%";
        /// Later releases hold to the levels of the first [of the same series](#later-releases).
        series: u32 => default "1", Whole(1..=1_000_000u32);
    }
    hints {
        "l" => "write it under the column: sensitive: { diagnosis: { l: 3 } }",
        "t" => "write it under the column: sensitive: { diagnosis: { t: 0.2 } }",
        "at-most" => "write `suppress-at-most:`",
        "suppress" => "write `suppress-at-most:`",
        "columns" => "write `quasi-identifiers:`",
        "owner" => "this `release:` is the gate before the sink; a column that leaves unmasked has its `release:` under the column",
    }
    settle Gate: gate;
}

section! {
    /// The levels of a quasi-identifier; without a key its values, and nothing.
    pub(crate) struct QuasiKeys("QuasiIdentifier"): "a quasi-identifier", "age: { width: [1, 5, 20] }" {
        /// A file with a line a value: the value, what it becomes at the next level, and so on, separated by `;`.
        hierarchy: Option<Spanned<PathBuf>> => optional, File, "hierarchy: age.csv";
        /// Numbers by intervals of these widths; `1` is the whole number itself.
        width: Vec<Spanned<u64>> => empty, ListOf(Whole(1..=1_000_000_000_000u64)), "width: [1, 5, 20]";
        /// Dates by these parts: `day`, `month`, `quarter`, `year`, `decade`.
        date: Vec<Spanned<DatePart>> => empty, ListOf(word::<DatePart>()), "date: [month, year]";
        /// Text by so many first characters.
        prefix: Vec<Spanned<u64>> => empty, ListOf(Whole(1..=1000u64)), "prefix: [5, 3, 1]";
    }
    hints {
        "file" => "write `hierarchy:`",
        "digits" => "write `prefix:`",
        "dates" => "write `date:`",
    }
    settle Quasi: quasi;
}

section! {
    /// What is asked of a sensitive column's values in every class.
    pub(crate) struct SensitiveKeys("Sensitive"): "a sensitive column", "diagnosis: { l: 3 }" {
        /// How many values there have to be.
        l: Option<Spanned<f64>> => optional "any number", L, "l: 3";
        /// How they are counted.
        diversity: DiversityBy => default "distinct", word::<DiversityBy>();
        /// With `diversity: recursive`: how much more often the most frequent may be than all from the `l`th on.
        c: Option<Spanned<f64>> => optional, C, "c: 3";
        /// How far at most the values may be from those of all rows, from 0 to 1.
        t: Option<Spanned<f64>> => optional "any distance", T, "t: 0.2";
        /// How far apart two values are.
        distance: Distance => default "equal", word::<Distance>();
        /// With `distance: hierarchy`: the file, as that of a quasi-identifier.
        hierarchy: Option<Spanned<PathBuf>> => optional, File, "hierarchy: diagnosis.csv";
    }
    hints {
        "k" => "`k` belongs next to `sensitive`, not under a column",
        "ground" => "write `distance:`",
    }
    settle SensitiveValues: sensitive;
}

const L: Own<f64> = Own {
    read: |reader, at| number(reader, at, 1.0, 1e6),
    words: "number, 1 to 1000000",
    schema: |_| json!({ "type": "number", "minimum": 1, "maximum": 1e6 }),
};

const C: Own<f64> = Own {
    read: |reader, at| number(reader, at, 0.0, 1e6),
    words: "number, 0 to 1000000",
    schema: |_| json!({ "type": "number", "minimum": 0, "maximum": 1e6 }),
};

const T: Own<f64> = Own {
    read: |reader, at| number(reader, at, 0.0, 1.0),
    words: "number, 0 to 1",
    schema: |_| json!({ "type": "number", "minimum": 0, "maximum": 1 }),
};

fn number(reader: &mut Reader<'_>, at: &At<'_>, low: f64, high: f64) -> Option<Spanned<f64>> {
    let Yaml::Number(number) = &at.node.kind else {
        reader.wrong_kind(at.node, &format!("`{}`", at.key), "a number", &at.example);
        return None;
    };
    let value = number.as_f64().filter(|n| (low..=high).contains(n));
    if value.is_none() {
        let problem = format!("`{}` is out of range", at.key);
        let help = format!("write a number from {low} to {high}, like {}", at.example);
        reader.say(Diagnostic::error(at.node.span.clone(), problem).help(help));
    }
    Some(Spanned::new(value?, at.node.span.clone()))
}

fn gate(keys: GateKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Gate> {
    if keys.quasi_identifiers.is_empty() {
        let place = block
            .get("quasi-identifiers")
            .map_or(block.head.clone(), |(_, span)| span);
        reader.say(
            Diagnostic::error(place, "the release names no quasi-identifier")
                .help("name the columns by which somebody could be recognised: their age, sex, place, profession, dates"),
        );
        return None;
    }
    Some(Gate {
        k: keys.k,
        quasi: keys
            .quasi_identifiers
            .into_iter()
            .map(|(name, quasi)| (name, quasi.value))
            .collect(),
        sensitive: keys
            .sensitive
            .into_iter()
            .map(|(name, values)| (name, values.value))
            .collect(),
        entity: keys.entity,
        suppress_at_most: keys
            .suppress_at_most
            .map_or(AtMost::Rows(0), |most| most.value),
        series: keys.series,
        span: block.head.clone(),
    })
}

fn quasi(keys: QuasiKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Quasi> {
    let present = block.present(&["hierarchy", "width", "date", "prefix"]);
    if let Some(other) = present.get(1) {
        let place = block
            .get(other)
            .map_or(block.head.clone(), |(_, span)| span);
        reader.say(
            Diagnostic::error(place, "a quasi-identifier has one kind of levels")
                .help("write one of `hierarchy`, `width`, `date` and `prefix`"),
        );
        return None;
    }
    let values = |list: Vec<Spanned<u64>>| list.into_iter().map(|n| n.value).collect();
    let by = match present.first() {
        Some(&"width") => Generalise::Width(values(keys.width)),
        Some(&"date") => Generalise::Date(keys.date.into_iter().map(|part| part.value).collect()),
        Some(&"prefix") => Generalise::Prefix(values(keys.prefix)),
        // A file that could not be read as a path has been complained about.
        Some(_) => Generalise::Listed(keys.hierarchy?),
        None => Generalise::Values,
    };
    Some(Quasi {
        by,
        span: block.head.clone(),
    })
}

fn sensitive(
    keys: SensitiveKeys,
    reader: &mut Reader<'_>,
    block: &Block<'_>,
) -> Option<SensitiveValues> {
    let mut say = |key, problem: &str, help: &str| {
        let place = block.get(key).map_or(block.head.clone(), |(_, span)| span);
        reader.say(Diagnostic::error(place, problem).help(help));
    };
    let recursive = keys.diversity == DiversityBy::Recursive;
    if keys.l.is_none() && keys.t.is_none() {
        say(
            "l",
            "nothing is asked of a sensitive column",
            "write what is asked, like diagnosis: { l: 3 }",
        );
        return None;
    }
    if keys.l.is_none() && block.get("diversity").is_some() {
        say(
            "diversity",
            "`diversity` says how `l` is counted, and there is none",
            "write l: 3 beside it",
        );
    }
    if recursive != keys.c.is_some() {
        say(
            "c",
            "`c` and `diversity: recursive` belong together",
            "write diversity: recursive, c: 3, or neither",
        );
        return None;
    }
    let listed = keys.distance == Distance::Hierarchy;
    if listed != keys.hierarchy.is_some() {
        say(
            "hierarchy",
            "`hierarchy` and `distance: hierarchy` belong together",
            "write distance: hierarchy, hierarchy: diagnosis.csv, or neither",
        );
        return None;
    }
    if keys.t.is_none() && block.get("distance").is_some() {
        say(
            "distance",
            "`distance` says how `t` is measured, and there is none",
            "write t: 0.2 beside it",
        );
    }
    let whole = keys.l.as_ref().is_none_or(|l| l.fract() == 0.0);
    if !whole && keys.diversity != DiversityBy::Entropy {
        say(
            "l",
            "values are counted in whole numbers",
            "write l: 3, or diversity: entropy",
        );
        return None;
    }
    Some(SensitiveValues {
        l: keys.l.map(|l| l.value),
        diversity: keys.diversity,
        c: keys.c.map(|c| c.value),
        t: keys.t.map(|t| t.value),
        distance: keys.distance,
        hierarchy: keys.hierarchy,
    })
}
