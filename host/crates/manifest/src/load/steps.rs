//! Steps: which plugin, with which grants, configured how.
//! Grants that the step's kind cannot use are errors, since they would have no effect.

use std::collections::BTreeMap;

use glovebox_core::{Limits, World};
use serde_json::json;

use super::columns::ADDED;
use super::grants::{KEYS, fitting_grants};
use super::guard::{KEEPS, fitting_keeps};
use super::inside::INSIDE;
use super::limits::LimitKeys;
use super::missing::{Fills, MISSING, apart, missing};
use super::plugin::{PLUGIN, default_name};
use super::sql::{GATHER, SQL};
use super::tables::Tables;
use super::tokens::TokenKeys;
use super::with::WITH;
use crate::block::{Block, Reader};
use crate::declare::{At, Section, section};
use crate::diagnostic::Diagnostic;
use crate::formats;
use crate::kinds::{Named, Names, Own, Size, nested, word};
use crate::load::guard::KeepGrant;
use crate::model::column::Column;
use crate::model::query::Table;
use crate::model::{
    Gather, JsonPath, KeyGrant, LeakGuard, PluginRef, Query, Room, Step, Tokens, With,
};
use crate::span::Spanned;

section! {
    /// One plugin or query at work on the rows: exactly one of `validate`, `transform`, `mask`, `sql`, `gather` and
    /// `missing`.
    struct StepKeys("Step"): "a step", "- { validate: required, reads: [product] }" {
        /// The step's name in rejects and reports: at most 64 characters, unique, neither `source`
        /// nor `sink`.
        name: Option<Spanned<String>> => optional "the plugin's name", NAME, "name: complete";
        /// A validator: it says which rows break which rules.
        validate: Option<Spanned<PluginRef>> => optional, PLUGIN;
        /// A transformer: it adds the columns in `adds`, and filters rows.
        transform: Option<Spanned<PluginRef>> => optional, PLUGIN;
        /// A masker: it says how the cells of the columns in `masks` are masked.
        mask: Option<Spanned<PluginRef>> => optional, PLUGIN;
        /// [A query](sql.md) that makes of each row one row or none: columns that it computes, renames or leaves
        /// out, rows that it filters. It sees the columns that it names.
        sql: Option<Spanned<PluginRef>> => optional, SQL, "sql: \"SELECT *, price * quantity AS total FROM rows WHERE price > 0\"";
        /// [A query over all rows](sql.md#gather): they are sorted, grouped, joined. Rows wait, encrypted, until all are
        /// there, so nothing is stored before.
        gather: Option<Spanned<Query>> => optional, GATHER, "gather: \"SELECT shop, sum(price) AS total FROM rows GROUP BY shop\"";
        /// [What becomes of missing cells](sql.md#missing), column by column: their rows are rejected or dropped, or they are
        /// filled.
        missing: Fills => empty, MISSING, "missing: { country: { value: DE }, email: reject, price: { mean: true, by: [shop] } }";
        /// For `gather:`: [other tables](#tables) that it joins, by their names.
        tables: Named<Table> => empty, Tables;
        /// For `gather:`, and for `missing:` where it needs all rows: its memory.
        memory: Option<usize> => open "256MiB", Size(MIN_MEMORY..=MAX_MEMORY);
        /// For the same: its room on the disk, encrypted, for what does not fit in memory.
        spill: Option<usize> => open "16GiB", Size(0..=MAX_SPILL);
        /// The columns that the plugin sees, and no others; a validator needs at least one.
        reads: Vec<Spanned<String>> => default "[]", Names(0);
        /// The columns that a masker may mask; it also sees them; a masker needs at least one.
        masks: Vec<Spanned<String>> => empty, Names(1);
        /// For maskers: [which cells may stay whole](#the-leak-guard) in a column of `masks`.
        /// Required for your own plugin if it declares that it keeps cells of a guarded column.
        keeps: Vec<KeepGrant> => empty, KEEPS, "keeps: { postcode: 2 }";
        /// The columns that a transformer adds, with the keys of [`columns`](#columns); an existing
        /// column of that name is replaced.
        adds: Option<Vec<Column>> => optional, ADDED, "adds: { customer_id: { type: text } }";
        /// The plugin's configuration: see `glovebox plugin list NAME`.
        with: Option<With> => open "{}", WITH, "with: { prefix: cust }";
        /// For maskers: the plugin's name for a key, and the name of the secret that holds it; the
        /// plugin never sees the key. Of several versions, like `[sales/key@3, sales/key@2]`, the newest
        /// masks, and `glovebox reveal` undoes the masks of all of them.
        keys: Vec<KeyGrant> => empty, KEYS, "keys: { pseudonym: sales/customer-salt }";
        /// For maskers of one column of JSON text: [only what this path leads to](masking.md#inside-json), or each of
        /// a list of paths, is masked.
        inside: Vec<Spanned<JsonPath>> => empty, INSIDE, "inside: $.customer.email";
        /// For maskers: equal cells have the same mask wherever method, key and domain are the same, so
        /// that tables still join. For `hmac-sha256` and
        /// `pbkdf2-sha256` the default is no domain, for other methods the column's name.
        domain: Option<Spanned<String>> => optional, DOMAIN, "domain: customer-id";
        /// For maskers that make [tokens](masking.md#tokens), such as `tokenize`: who opens them.
        tokens: Option<Tokens> => optional, nested::<TokenKeys>();
        /// For maskers: [which columns are guarded](#the-leak-guard).
        leak_guard: Option<LeakGuard> => optional "the manifest's", word::<LeakGuard>();
        /// [The limits of this step](#limits).
        limits: Option<LimitKeys> => optional "the manifest's", nested::<LimitKeys>();
    }
    hints {
        "columns" => "write `reads:` for what the plugin sees, `masks:` for what it may mask, `adds:` for what it adds",
        "config" => "write `with:`",
        "options" => "write `with:`",
        "plugin" => "say what it does: `validate: PLUGIN`, `transform: PLUGIN` or `mask: PLUGIN`",
        "filter" => "write `sql: SELECT * FROM rows WHERE …`, or `transform: keep` with the condition in `with:`",
        "query" => "write `sql:`",
        "group-by" => "write `gather: SELECT … FROM rows GROUP BY …`",
        "fillna" => "write `missing: { COLUMN: { value: … } }`",
        "dropna" => "write `missing: { COLUMN: drop }`",
        "sort" => "write `gather: SELECT * FROM rows ORDER BY …`",
        "join" => "write `gather: SELECT … FROM rows JOIN …`",
        "where" => "write `sql: SELECT * FROM rows WHERE …`",
        "secrets" => "write `keys: { NAME-IN-PLUGIN: NAME-OF-SECRET }`",
    }
    rules {
        "oneOf": [
            { "required": ["validate"], "properties": { "tables": false, "memory": false, "spill": false, "masks": false, "adds": false, "keys": false, "domain": false, "tokens": false, "inside": false, "keeps": false, "leak-guard": false } },
            { "required": ["transform"], "properties": { "tables": false, "memory": false, "spill": false, "masks": false, "keys": false, "domain": false, "tokens": false, "inside": false, "keeps": false, "leak-guard": false } },
            { "required": ["sql"], "properties": { "tables": false, "memory": false, "spill": false, "reads": false, "masks": false, "adds": false, "with": false, "keys": false, "domain": false, "tokens": false, "inside": false, "keeps": false, "leak-guard": false } },
            { "required": ["gather"], "properties": { "reads": false, "masks": false, "adds": false, "with": false, "keys": false, "domain": false, "tokens": false, "inside": false, "keeps": false, "leak-guard": false, "limits": false } },
            { "required": ["missing"], "properties": { "tables": false, "reads": false, "masks": false, "adds": false, "with": false, "keys": false, "domain": false, "tokens": false, "inside": false, "keeps": false, "leak-guard": false } },
            { "required": ["mask", "masks"], "properties": { "tables": false, "memory": false, "spill": false, "adds": false } },
        ]
    }
    settle Draft: settle;
}

const KINDS: &[&str] = &["validate", "transform", "mask", "sql", "gather", "missing"];
const KIND_EXAMPLE: &str = "validate: required, or transform: PLUGIN, or mask: PLUGIN, or sql: SELECT … FROM rows, or gather: SELECT … FROM rows, or missing: { COLUMN: … }";

/// Less than this suffices for no query.
const MIN_MEMORY: u64 = 16 << 20;
const MAX_MEMORY: u64 = 1 << 40;
const MAX_SPILL: u64 = 1 << 44;

/// A step before the manifest's own limits and leak guard are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    step: Step,
    named: bool,
    limits: Option<LimitKeys>,
    leak_guard: Option<LeakGuard>,
    /// Whether the names of all columns that it adds are known.
    pub(super) names: bool,
}

/// The manifest's `steps:`; none for one of which nothing could be read.
pub(super) const STEPS: Own<Vec<Option<Draft>>> = Own {
    read: |reader, at| {
        let items = reader.list(at.node, at.key, &at.example)?;
        let read = |item| StepKeys::read(reader, item, item.first_key());
        let steps = items.iter().map(read).collect();
        Some(Spanned::new(steps, at.head.clone()))
    },
    words: "list",
    schema: |schema| json!({ "type": "array", "items": schema.section::<StepKeys>() }),
};

/// The steps, with what holds for one that does not say otherwise.
pub(super) fn steps(drafts: Vec<Draft>, limits: &Limits, leak_guard: LeakGuard) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::with_capacity(drafts.len());
    let parts = drafts.into_iter().flat_map(|draft| {
        let parts = apart(&draft.step);
        let parts = parts.into_iter();
        parts.map(move |step| Draft {
            step,
            ..draft.clone()
        })
    });
    for draft in parts {
        let mut step = draft.step;
        step.leak_guard = draft.leak_guard.unwrap_or(leak_guard);
        step.limits = match &draft.limits {
            Some(own) => own.over(limits),
            None => limits.clone(),
        };
        if !draft.named {
            number_default(&mut step, &steps);
        }
        steps.push(step);
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

fn settle(keys: StepKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Draft> {
    let head = &block.head;
    let (world, plugin) = match kind(&keys, reader, block) {
        Some((world, plugin)) => (Some(world), plugin),
        None => (None, None),
    };
    let unknown = || Spanned::new(PluginRef::Standard(String::new()), head.clone());
    let plugin = plugin.unwrap_or_else(unknown);
    let called = || Spanned::new(default_name(&plugin.value), head.clone());
    let nothing = || With::new(json!({}), head.clone(), BTreeMap::new());
    fitting_keeps(reader, block, &keys.masks);
    for keys in keys
        .adds
        .iter()
        .flatten()
        .filter_map(|c| c.formats.as_ref())
    {
        let say = &mut |problem| reader.say(problem);
        formats::useless(keys, "a plugin makes these cells", say);
    }
    let step = Step {
        name: keys.name.unwrap_or_else(called),
        world: world.unwrap_or(World::Transformer),
        reads: keys.reads,
        masks: keys.masks,
        keeps: keys.keeps,
        leak_guard: LeakGuard::Personal,
        with: keys.with.unwrap_or_else(nothing),
        keys: keys.keys,
        domain: keys.domain,
        tokens: keys.tokens,
        inside: keys.inside,
        limits: Limits::default(),
        span: head.clone(),
        plugin,
        adds: keys.adds.clone().unwrap_or_default(),
    };
    if let Some(world) = world {
        fitting_grants(reader, block, world, &step);
    }
    Some(Draft {
        step,
        named: block.get("name").is_some(),
        limits: keys.limits,
        leak_guard: keys.leak_guard,
        names: keys.adds.is_some() || block.get("adds").is_none(),
    })
}

/// The step's kind and its plugin; the plugin is none where it could not be read.
fn kind(
    keys: &StepKeys,
    reader: &mut Reader<'_>,
    block: &Block<'_>,
) -> Option<(World, Option<Spanned<PluginRef>>)> {
    let present = block.present(KINDS);
    let Some(key) = present.first().copied() else {
        if !block.hinted(&["plugin", "filter"]) {
            reader.say(
                Diagnostic::error(block.head.clone(), "the step has no kind")
                    .help(format!("add one of: {KIND_EXAMPLE}")),
            );
        }
        return None;
    };
    let (_, span) = block.get(key)?;
    if let Some(other) = present.get(1) {
        let second = block.get(other).map_or(span.clone(), |(_, span)| span);
        reader.say(
            Diagnostic::error(second, format!("a step has one kind: `{key}` or `{other}`"))
                .label("a second kind")
                .context(span, "the first one")
                .help("make it two steps"),
        );
    }
    let (world, plugin) = match key {
        "validate" => (World::Validator, &keys.validate),
        "mask" => (World::Masker, &keys.mask),
        "sql" => (World::Transformer, &keys.sql),
        "gather" => return Some((World::Transformer, gather(keys))),
        "missing" => {
            let head = block.get(key).map_or(block.head.clone(), |(_, span)| span);
            let missing = missing(reader, head, &keys.missing, room(keys));
            return Some((World::Transformer, missing));
        }
        _ => (World::Transformer, &keys.transform),
    };
    Some((world, plugin.clone()))
}

fn gather(keys: &StepKeys) -> Option<Spanned<PluginRef>> {
    let query = keys.gather.as_ref()?;
    let gather = Gather {
        query: query.value.clone(),
        tables: keys
            .tables
            .iter()
            .map(|(name, table)| (name.clone(), table.value.clone()))
            .collect(),
        room: room(keys),
    };
    let gather = PluginRef::Gather(Box::new(gather));
    Some(Spanned::new(gather, query.span.clone()))
}

fn room(keys: &StepKeys) -> Room {
    let open = Room::default();
    Room {
        memory: keys.memory.unwrap_or(open.memory),
        spill: keys.spill.map_or(open.spill, |bytes| bytes as u64),
    }
}

/// Long enough for a sentence, short enough for a tweak.
const MAX_DOMAIN_LEN: usize = 128;

const DOMAIN: Own<String> = Own {
    read: domain,
    words: "text",
    schema: |_| json!({ "type": "string", "minLength": 1, "maxLength": MAX_DOMAIN_LEN }),
};

fn domain(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let domain = reader.text(at.node, at.key, &at.example)?;
    if domain.value.is_empty() || domain.value.len() > MAX_DOMAIN_LEN {
        let help = format!("write 1 to {MAX_DOMAIN_LEN} bytes, like domain: customer-id");
        reader.say(Diagnostic::error(domain.span, "this cannot be a domain").help(help));
        return None;
    }
    Some(domain)
}

const NAME: Own<String> = Own {
    read: name,
    words: "text",
    schema: |_| json!({ "type": "string", "minLength": 1, "maxLength": 64 }),
};

fn name(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let name = reader.text(at.node, at.key, &at.example)?;
    if name.value.chars().count() > 64 || name.value.trim() != name.value {
        reader.say(
            Diagnostic::error(name.span, "this cannot be the name of a step")
                .help("use at most 64 characters, without a space at either end"),
        );
        return None;
    }
    // Rejects and reports name steps, and call the two ends of the pipeline so.
    if matches!(name.value.as_str(), "source" | "sink") {
        reader.say(
            Diagnostic::error(
                name.span.clone(),
                format!("a step may not be named `{}`", name.value),
            )
            .help("reports use that name for the pipeline's own source or sink; choose another"),
        );
    }
    Some(name)
}
