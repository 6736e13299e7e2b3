//! What a step may: the keys that its plugin may point at, and which grants its kind can use.

use glovebox_core::{SecretName, World};
use serde_json::json;

use crate::block::{Block, Reader};
use crate::declare::{At, Kind};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Own, Secret};
use crate::model::{KeyGrant, PluginRef, Step};
use crate::node::{Kind as Yaml, Node};
use crate::span::Spanned;

/// Grants that only a masker can use, and what to write instead.
const OF_MASKERS: &[(&str, &str)] = &[
    ("keys", "keys are for `mask:` steps; delete it"),
    ("domain", "domains are for `mask:` steps; delete it"),
    ("tokens", "tokens are for `mask:` steps; delete it"),
    (
        "inside",
        "masking inside JSON is for `mask:` steps; delete it",
    ),
    (
        "keeps",
        "only `mask:` steps can keep parts of a cell; delete it",
    ),
    (
        "leak-guard",
        "it checks masks, which only `mask:` steps make; delete it",
    ),
];

/// Grants that a query has no use for: its text says it all.
const OF_PLUGINS: &[(&str, &str)] = &[
    (
        "reads",
        "a query reads the columns that it names; delete it",
    ),
    (
        "masks",
        "a query does not mask; delete it, and add a `mask:` step",
    ),
    (
        "adds",
        "a query adds the columns that it computes; delete it",
    ),
    ("with", "a query has no options; delete it"),
];

/// What only a written query over all rows takes.
const TABLES: (&str, &str) = (
    "tables",
    "only `gather:` steps join other tables; delete it",
);
/// What only steps over all rows take.
const ROOM: [(&str, &str); 2] = [
    (
        "memory",
        "only steps that need all rows take it; a plugin has `limits: { memory: … }`",
    ),
    ("spill", "only steps that need all rows take it; delete it"),
];
/// What a step over all rows has no use for.
const LIMITS: (&str, &str) = (
    "limits",
    "those are of plugins; a query over all rows has `memory:` and `spill:`",
);

/// Grants that a step of this kind needs, or cannot use.
pub(super) fn fitting_grants(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    world: World,
    step: &Step,
) {
    let query = step.plugin.is_query();
    let (own, of_maskers): (&[(&str, &str)], _) = match world {
        _ if query => (OF_PLUGINS, OF_MASKERS),
        World::Validator => (
            &[
                (
                    "masks",
                    "a validator only reports; delete it, or make this a `mask:` step",
                ),
                (
                    "adds",
                    "a validator only reports; delete it, or make this a `transform:` step",
                ),
            ],
            OF_MASKERS,
        ),
        World::Transformer => (
            &[(
                "masks",
                "a transformer does not mask; delete it, or make this a `mask:` step",
            )],
            OF_MASKERS,
        ),
        World::Masker => (
            &[(
                "adds",
                "a masker changes the columns in `masks:` and adds none; delete it, or make this a `transform:` step",
            )],
            &[][..],
        ),
    };
    let kind = match query {
        true => "query".to_owned(),
        false => world.to_string(),
    };
    let over_all: Vec<(&str, &str)> = match &step.plugin.value {
        PluginRef::Gather(_) => vec![LIMITS],
        _ if step.plugin.gathers() => vec![LIMITS, TABLES],
        _ => [TABLES].into_iter().chain(ROOM).collect(),
    };
    for (key, help) in own.iter().chain(of_maskers).chain(&over_all) {
        if let Some((_, span)) = block.get(key) {
            reader.say(
                Diagnostic::error(span, format!("a {kind} has no use for `{key}`")).help(*help),
            );
        }
    }
    let (key, problem, help) = match world {
        World::Masker if step.masks.is_empty() => (
            "masks",
            "the masker has no columns to mask",
            "name the columns to mask, like masks: [customer_id]",
        ),
        World::Validator if step.reads.is_empty() => (
            "reads",
            "the validator has no columns to read",
            "name the columns to validate, like reads: [product, price]",
        ),
        _ => return,
    };
    let span = match block.get(key) {
        None => step.span.clone(),
        Some((
            Node {
                kind: Yaml::List(items),
                ..
            },
            span,
        )) if items.is_empty() => span,
        // A list whose items were all wrong has been reported.
        Some(_) => return,
    };
    reader.say(Diagnostic::error(span, problem).help(help));
}

/// Versions that are not of one key, or of which two are the same.
fn unlike(secrets: &[Spanned<SecretName>]) -> Option<Diagnostic> {
    let (first, others) = secrets.split_first()?;
    let other = others
        .iter()
        .find(|s| s.value.base() != first.value.base())
        .map(|other| (other, "these are not versions of one key"));
    let pairs = secrets.iter().zip(others);
    let twice = pairs
        .filter(|(a, b)| a.value.version() == b.value.version())
        .map(|(_, b)| (b, "this version of the key is listed twice"))
        .next();
    let (at, problem) = other.or(twice)?;
    Some(
        Diagnostic::error(at.span.clone(), problem)
            .help("list each version of one key once, like [sales/key@2, sales/key@1]"),
    )
}

pub(super) const KEYS: Own<Vec<KeyGrant>> = Own {
    read: keys,
    words: "block",
    schema: |schema| {
        json!({ "type": "object", "additionalProperties": { "anyOf": [
        Kind::schema(&Secret, schema),
        { "type": "array", "minItems": 1, "items": Kind::schema(&Secret, schema) },
    ] } })
    },
};

fn keys(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<KeyGrant>>> {
    let entries = reader.map(at.node, at.key, &at.example)?;
    let mut keys = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = entry.key.value.as_str();
        let ok = name.len() <= 64
            && !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !ok {
            reader.say(
                Diagnostic::error(entry.key.span.clone(), "this cannot be the name of a key")
                    .help("write the plugin's name for it, 1 to 64 letters, digits, `-` or `_`"),
            );
        }
        // A name that cannot be one may be the key itself, written on the wrong side.
        let what = match ok {
            true => format!("`{name}` in `keys`"),
            false => "a value in `keys`".to_owned(),
        };
        let one = std::slice::from_ref(&entry.value);
        let versions = match &entry.value.kind {
            Yaml::List(versions) if !versions.is_empty() => versions.as_slice(),
            _ => one,
        };
        let read = versions.iter().filter_map(|v| reader.secret(v, &what));
        let mut secrets: Vec<_> = read.collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.value.version()));
        if let Some(problem) = unlike(&secrets) {
            reader.say(problem);
        }
        if !secrets.is_empty() {
            keys.push(KeyGrant {
                name: entry.key.clone(),
                secrets,
            });
        }
    }
    Some(Spanned::new(keys, at.head.clone()))
}
