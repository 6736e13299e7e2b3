//! What became of each column on its way: by which step, method and key. Proof packs and `glovebox explain`
//! say it alike. Names and digests only.

use std::collections::BTreeSet;

use glovebox_core::{Method, ReadFrom, SecretName, World};
use glovebox_engine::attack::{self, AttackCost};
use glovebox_engine::{ArmedStep, Plan, PlannedStep};
use glovebox_manifest::Manifest;
use glovebox_manifest::model;
use glovebox_proof::{Column, Exemption, KeyUsed, Step, Touch};

/// The columns that are stored, in the sink's order.
pub(crate) fn columns(manifest: &Manifest, plan: &Plan, steps: &[ArmedStep<'_>]) -> Vec<Column> {
    let stored = plan.stored();
    let places = plan.sink_columns.iter();
    let mut columns = columns_at(manifest, plan, steps, places.copied());
    // A gate may see columns that do not leave.
    columns.retain(|column| stored.position(&column.name).is_some());
    columns
}

/// A column by its name after the last step, also where it is not stored.
pub(crate) fn column(
    manifest: &Manifest,
    plan: &Plan,
    steps: &[ArmedStep<'_>],
    name: &str,
) -> Option<Column> {
    let last = plan.steps.last().map_or(&plan.source, |step| &step.output);
    let place = last.position(name)?;
    let found = columns_at(manifest, plan, steps, [place].into_iter());
    found.into_iter().next()
}

/// The place in the source of the column in that place after the last step; none of one that a step made.
pub(crate) fn in_source(plan: &Plan, place: usize) -> Option<usize> {
    let trail = plan.trail(place);
    match plan.steps.first().zip(trail.first()) {
        Some((first, stood)) => stood.and_then(|place| first.before(place)),
        None => Some(place),
    }
}

fn columns_at(
    manifest: &Manifest,
    plan: &Plan,
    steps: &[ArmedStep<'_>],
    places: impl Iterator<Item = usize>,
) -> Vec<Column> {
    let costs = attack::costs(manifest, steps);
    let last = plan.steps.last().map_or(&plan.source, |step| &step.output);
    let column = |place: usize| {
        let trail = plan.trail(place);
        let source = in_source(plan, place).and_then(|place| plan.source.fields.get(place));
        let field = last.fields.get(place)?;
        let touches = manifest.steps.iter().zip(steps).zip(trail);
        let touches =
            touches.filter_map(|((written, step), place)| touch(written, step, place?, &costs));
        Some(Column {
            name: field.name.to_string(),
            source: source.map(|field| match &field.from {
                Some(ReadFrom::Name(name)) => name.to_string(),
                Some(ReadFrom::Position(position)) => format!("column {position}"),
                None => field.name.to_string(),
            }),
            personal: is_personal(manifest, &field.name) || was_personal(plan, place),
            steps: touches.collect(),
            level: None,
        })
    };
    places.filter_map(column).collect()
}

/// What a step does to the column in that place, if anything.
fn touch(
    written: &model::Step,
    step: &ArmedStep<'_>,
    place: usize,
    costs: &[AttackCost],
) -> Option<Touch> {
    let planned = step.planned;
    if planned.made(place) {
        let of = planned.made_of(place).iter();
        let of = of.filter_map(|of| planned.inputs.iter().position(|input| input == of));
        let of = of.filter_map(|of| planned.grants.fields.get(of));
        let (method, made_of) = match planned.takes {
            Some(_) => ("sql", of.map(|field| field.name.to_string()).collect()),
            None => ("plugin", granted(planned)),
        };
        return Some(Touch {
            step: planned.name.to_string(),
            method: method.into(),
            made_of,
            ..Touch::default()
        });
    }
    let masked = planned.grants.masks.iter().copied();
    let mut masked = masked.filter(|mask| planned.inputs.get(*mask) == Some(&place));
    let column = masked.next()?;
    let name = planned.grants.fields.get(column)?.name.to_string();
    let order = step.keyed.iter().find(|order| order.column == column);
    let key = order.and_then(|order| key_used(written, step, &order.key));
    let guarded = planned.guarded.iter().find(|g| g.column == column);
    let inside = planned.inside.iter().filter(|i| i.place == place);
    let cost = costs
        .iter()
        .find(|cost| cost.column == name && *cost.step == *planned.name);
    Some(Touch {
        step: planned.name.to_string(),
        method: order.map_or("plugin", |order| order.method.name()).into(),
        iterations: order.and_then(|order| match order.method {
            Method::Pbkdf2Sha256 { iterations } => Some(iterations),
            _ => None,
        }),
        key,
        inside: inside.map(|inside| inside.path.to_string()).collect(),
        made_of: Vec::new(),
        may_keep: guarded.map(|guarded| guarded.kept.to_string()),
        unguarded: planned.unguarded.iter().any(|column| **column == *name),
        undone_by: cost.map(|cost| cost.undone_by.clone()),
    })
}

/// The version of a key that masks.
fn key_used(written: &model::Step, step: &ArmedStep<'_>, key: &str) -> Option<KeyUsed> {
    let mut keys = written.keys.iter();
    let place = keys.position(|written| written.name.value == key)?;
    let newest = SecretName::parse(step.secrets.get(place)?).ok()?;
    Some(KeyUsed {
        name: newest.base().to_owned(),
        version: newest.version(),
        remote: step.remote.iter().any(|remote| remote == key),
    })
}

/// The steps with their plugins.
pub(crate) fn steps(plan: &Plan) -> Vec<Step> {
    let steps = plan.steps.iter();
    steps
        .map(|step| Step {
            name: step.name.to_string(),
            does: match step.plugin.world() {
                World::Validator => "validate",
                World::Masker => "mask",
                World::Transformer => "transform",
            }
            .into(),
            plugin: step.title(),
            sha256: step.plugin.sha256().to_owned(),
            signed_by: step.signed_by.as_ref().map(|signed| signed.key.clone()),
            reads: granted(step),
        })
        .collect()
}

/// The stored columns that no step masked, on somebody's responsibility.
pub(crate) fn exemptions(manifest: &Manifest, stored: &[Column]) -> Vec<Exemption> {
    let unmasked = |column: &&Column| column.steps.iter().all(|touch| touch.undone_by.is_none());
    let stored = stored.iter().filter(unmasked);
    // A query may have renamed what was released.
    let names = stored.flat_map(|column| {
        let source = column.source.as_deref();
        std::iter::once(column.name.as_str()).chain(source)
    });
    let stored: BTreeSet<&str> = names.collect();
    let columns = manifest.columns.iter();
    let columns = columns.chain(manifest.steps.iter().flat_map(|step| &step.adds));
    let columns = columns.filter(|column| stored.contains(column.name.as_str()));
    let released = columns.filter_map(|column| Some((column, column.release.as_ref()?)));
    released
        .map(|(column, release)| Exemption {
            column: column.name.value.clone(),
            owner: release.value.owner.value.clone(),
            reason: release.value.reason.value.clone(),
            until: Some(release.value.until.value.to_string()),
        })
        .collect()
}

/// What the register of the source's columns leaves alone.
pub(crate) fn register_exemptions(manifest: &Manifest) -> Vec<Exemption> {
    let exempt = manifest.exemptions.iter();
    exempt
        .map(|exempt| Exemption {
            column: exempt.column.value.clone(),
            owner: exempt.owner.value.clone(),
            reason: exempt.reason.value.clone(),
            until: Some(exempt.until.value.to_string()),
        })
        .collect()
}

fn granted(step: &PlannedStep) -> Vec<String> {
    let fields = step.grants.fields.iter();
    fields.map(|field| field.name.to_string()).collect()
}

/// Whether it was personal at some point of its way, under whatever name.
fn was_personal(plan: &Plan, place: usize) -> bool {
    let trail = plan.trail(place);
    let first = plan.steps.first().zip(trail.first().copied().flatten());
    let source = first.and_then(|(step, place)| plan.source.fields.get(step.before(place)?));
    let stood = plan.steps.iter().zip(&trail);
    let mut fields = stood.filter_map(|(step, place)| step.output.fields.get((*place)?));
    source.is_some_and(|field| field.personal) || fields.any(|field| field.personal)
}

fn is_personal(manifest: &Manifest, name: &str) -> bool {
    let added = manifest.steps.iter().rev().flat_map(|step| &step.adds);
    let mut declared = added.chain(&manifest.columns);
    let declared = declared.find(|column| column.name.value == name);
    declared.is_some_and(model::Column::is_personal)
}
