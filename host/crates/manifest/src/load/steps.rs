//! Reads steps: which plugin, with which grants, configured how.
//!
//! Refuses grants that the step's kind cannot use, since they would promise what never happens.

use std::collections::BTreeMap;

use glovebox_core::{Limits, World};
use serde_json::Value;

use super::columns::columns;
use super::guard;
use super::limits::limits;
use super::plugin::{default_name, plugin};
use super::with::with;
use crate::block::{Block, Reader, Shape};
use crate::diagnostic::Diagnostic;
use crate::formats;
use crate::model::{KeyGrant, LeakGuard, PluginRef, Spanned, Step, With};
use crate::yaml::{Kind, Node};

pub(crate) const STEP: Shape = Shape {
    what: "a step",
    keys: &[
        "name",
        "validate",
        "transform",
        "mask",
        "reads",
        "masks",
        "keeps",
        "adds",
        "with",
        "keys",
        "leak-guard",
        "limits",
    ],
    hints: &[
        (
            "columns",
            "write `reads:` for what the plugin sees, `masks:` for what it may mask, `adds:` for what it adds",
        ),
        ("config", "write `with:`"),
        ("options", "write `with:`"),
        (
            "plugin",
            "say what it does: `validate: PLUGIN`, `transform: PLUGIN` or `mask: PLUGIN`",
        ),
        (
            "filter",
            "write `transform: keep`, with the condition in `with:`",
        ),
        (
            "secrets",
            "write `keys: { NAME-IN-PLUGIN: NAME-OF-SECRET }`",
        ),
    ],
    example: "- { validate: required, reads: [product] }",
};

const KINDS: &[&str] = &["validate", "transform", "mask"];
const KIND_EXAMPLE: &str = "validate: required, or transform: PLUGIN, or mask: PLUGIN";

/// What holds for a step that does not say otherwise.
#[derive(Debug, Default)]
pub(super) struct Base {
    pub(super) limits: Limits,
    pub(super) leak_guard: LeakGuard,
}

/// The manifest's `steps:`. `names` becomes false where columns that are added may be unknown.
pub(super) fn steps(
    reader: &mut Reader<'_>,
    node: &Node,
    base: &Base,
    names: &mut bool,
) -> Vec<Step> {
    let Some(items) = reader.list(
        node,
        "steps",
        "steps: [{ validate: required, reads: [product] }]",
    ) else {
        *names = false;
        return Vec::new();
    };
    let mut steps: Vec<Step> = Vec::with_capacity(items.len());
    for item in items {
        match step(reader, item, base, names) {
            Some((mut step, named)) => {
                if !named {
                    number_default(&mut step, &steps);
                }
                steps.push(step);
            }
            None => *names = false,
        }
    }
    steps
}

/// Two unnamed steps of one plugin are `keep` and `keep 2`.
fn number_default(step: &mut Step, others: &[Step]) {
    let base = step.name.value.clone();
    let mut number = 1;
    while others.iter().any(|o| o.name.value == step.name.value) {
        number += 1;
        step.name.value = format!("{base} {number}");
    }
}

fn step(
    reader: &mut Reader<'_>,
    node: &Node,
    base: &Base,
    names: &mut bool,
) -> Option<(Step, bool)> {
    let head = match &node.kind {
        Kind::Map(entries) => entries.first().map(|e| e.key.span.clone()),
        _ => None,
    };
    let head = head.unwrap_or_else(|| reader.first_line(&node.span));
    let block = reader.block(node, head.clone(), &STEP)?;

    let kind = kind(reader, &block);
    let (world, plugin) = match &kind {
        Some((world, plugin)) => (Some(*world), plugin.clone()),
        None => (None, None),
    };
    let plugin = plugin.unwrap_or(Spanned::new(
        PluginRef::Standard(String::new()),
        head.clone(),
    ));
    let given = block.get("name").map(|(node, _)| name(reader, node));
    let named = given.is_some();
    let step_name = match given.flatten() {
        Some(name) => name,
        None => Spanned::new(default_name(&plugin.value), head.clone()),
    };

    let mut step = Step {
        name: step_name,
        world: world.unwrap_or(World::Transformer),
        plugin,
        reads: Vec::new(),
        masks: Vec::new(),
        keeps: Vec::new(),
        leak_guard: base.leak_guard,
        adds: Vec::new(),
        with: With::new(
            Value::Object(serde_json::Map::new()),
            head.clone(),
            BTreeMap::new(),
        ),
        keys: Vec::new(),
        limits: base.limits.clone(),
        span: head,
    };
    if let Some((node, _)) = block.get("reads") {
        step.reads = reader.names(node, "reads").unwrap_or_default();
    }
    if let Some((node, _)) = block.get("masks") {
        step.masks = reader.names(node, "masks").unwrap_or_default();
    }
    if let Some((node, _)) = block.get("keeps") {
        step.keeps = guard::keeps(reader, node, &step.masks);
    }
    if let Some((node, _)) = block.get("leak-guard") {
        step.leak_guard = guard::leak_guard(reader, node).unwrap_or(step.leak_guard);
    }
    if let Some((node, _)) = block.get("adds") {
        let example = "adds: { customer_id: { type: text } }";
        match reader.map(node, "adds", example) {
            Some(entries) => {
                step.adds = columns(reader, entries);
                for keys in step.adds.iter().filter_map(|c| c.formats.as_ref()) {
                    let say = &mut |problem| reader.say(problem);
                    formats::useless(keys, "a plugin makes these cells", say);
                }
            }
            None => *names = false,
        }
    }
    if let Some((node, head)) = block.get("with") {
        step.with = with(reader, node, head);
    }
    if let Some((node, _)) = block.get("keys") {
        step.keys = keys(reader, node);
    }
    if let Some((node, head)) = block.get("limits") {
        step.limits = limits(reader, node, head, base.limits.clone());
    }
    if let Some(world) = world {
        fitting_grants(reader, &block, world, &step);
    }
    Some((step, named))
}

/// The step's kind and its plugin; the plugin is none where it could not be read.
fn kind(reader: &mut Reader<'_>, block: &Block<'_>) -> Option<(World, Option<Spanned<PluginRef>>)> {
    let present = block.present(KINDS);
    let Some(key) = present.first().copied() else {
        if !block.hinted(&["plugin", "filter"]) {
            reader.say(
                Diagnostic::error(block.head.clone(), "the step does not say what it does")
                    .help(format!("add one of: {KIND_EXAMPLE}")),
            );
        }
        return None;
    };
    let (node, span) = block.get(key)?;
    if let Some(other) = present.get(1) {
        let second = block.get(other).map_or(span.clone(), |(_, span)| span);
        reader.say(
            Diagnostic::error(second, format!("a step is one thing: `{key}` or `{other}`"))
                .label("a second kind")
                .context(span, "the first one")
                .help("make it two steps"),
        );
    }
    let world = match key {
        "validate" => World::Validator,
        "mask" => World::Masker,
        _ => World::Transformer,
    };
    Some((world, plugin(reader, node, key)))
}

fn name(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let name = reader.text(node, "name", "name: complete")?;
    if name.value.chars().count() > 64 || name.value.trim() != name.value {
        reader.say(
            Diagnostic::error(name.span, "this cannot be the name of a step")
                .help("write at most 64 characters, without a space at either end"),
        );
        return None;
    }
    // Rejects and reports name steps, and call the two ends of the pipeline so.
    if matches!(name.value.as_str(), "source" | "sink") {
        reader.say(
            Diagnostic::error(
                name.span.clone(),
                format!("no step may be called `{}`", name.value),
            )
            .help("reports use that name for the pipeline's own end; choose another"),
        );
    }
    Some(name)
}

/// Grants that a step of this kind needs, or cannot use.
fn fitting_grants(reader: &mut Reader<'_>, block: &Block<'_>, world: World, step: &Step) {
    let useless: &[(&'static str, &str)] = match world {
        World::Validator => &[
            (
                "masks",
                "a validator only judges; delete it, or make this a `mask:` step",
            ),
            (
                "adds",
                "a validator only judges; delete it, or make this a `transform:` step",
            ),
            ("keys", "keys are for `mask:` steps; delete it"),
            (
                "keeps",
                "only `mask:` steps keep something of a cell; delete it",
            ),
            (
                "leak-guard",
                "it looks at masks, and only `mask:` steps make them; delete it",
            ),
        ],
        World::Transformer => &[
            (
                "masks",
                "a transformer does not mask; delete it, or make this a `mask:` step",
            ),
            ("keys", "keys are for `mask:` steps; delete it"),
            (
                "keeps",
                "only `mask:` steps keep something of a cell; delete it",
            ),
            (
                "leak-guard",
                "it looks at masks, and only `mask:` steps make them; delete it",
            ),
        ],
        World::Masker => &[(
            "adds",
            "a masker changes the columns in `masks:` and adds none; delete it, or make this a `transform:` step",
        )],
    };
    for (key, help) in useless {
        if let Some((_, span)) = block.get(key) {
            reader.say(
                Diagnostic::error(span, format!("a {world} has no use for `{key}`")).help(*help),
            );
        }
    }
    let written = |key| block.get(key).is_some();
    if world == World::Masker && step.masks.is_empty() {
        // A list whose items were all wrong has been reported.
        let empty = matches!(block.get("masks"), Some((Node { kind: Kind::List(l), .. }, _)) if l.is_empty());
        if empty || !written("masks") {
            let span = block
                .get("masks")
                .map_or(step.span.clone(), |(_, span)| span);
            reader.say(
                Diagnostic::error(span, "the masker may not mask anything")
                    .help("name the columns that it is to mask, like masks: [customer_id]"),
            );
        }
    }
    if world == World::Validator && step.reads.is_empty() {
        let empty = matches!(block.get("reads"), Some((Node { kind: Kind::List(l), .. }, _)) if l.is_empty());
        if empty || !written("reads") {
            let span = block
                .get("reads")
                .map_or(step.span.clone(), |(_, span)| span);
            reader.say(
                Diagnostic::error(span, "the validator does not see anything")
                    .help("name the columns that it is to judge, like reads: [product, price]"),
            );
        }
    }
}

fn keys(reader: &mut Reader<'_>, node: &Node) -> Vec<KeyGrant> {
    let example = "keys: { pseudonym: sales/customer-salt }";
    let Some(entries) = reader.map(node, "keys", example) else {
        return Vec::new();
    };
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
        if let Some(secret) = reader.secret(&entry.value, &what) {
            keys.push(KeyGrant {
                name: entry.key.clone(),
                secret,
            });
        }
    }
    keys
}
