//! Turns a checked manifest into a plan: plugins are opened once, types are known through every
//! step.
//! A plan has no secrets, so it can be shown, stored and sent.

mod grants;
mod missing;
mod personal;
mod query;
mod step;

use std::collections::BTreeSet;
use std::sync::Arc;

use glovebox_core::{Announced, Field, Grants, PluginError, Schema, World};

use crate::gated::{self, PlannedGate};
use crate::toolbox::{PublicKey, Toolbox};
use glovebox_manifest::Manifest;
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::{self, PluginRef};
use grants::{grants, guards, inside, no_column, released};
use query::plan_query;

pub use query::Takes;
pub use step::{InsideColumn, PlannedStep};

/// What a run will do.
pub struct Plan {
    /// The columns that enter.
    pub source: Schema,
    /// The steps, in order.
    pub steps: Vec<PlannedStep>,
    /// The columns that reach the sink, in order.
    pub sink: Schema,
    /// Where each of them stands after the last step.
    pub sink_columns: Vec<usize>,
    /// What is asked of rows before they reach the sink; with it, `sink` is what reaches the gate.
    pub gate: Option<Arc<PlannedGate>>,
    /// Those by which an upsert finds the row that is there.
    pub upsert_keys: Vec<String>,
}

impl Plan {
    /// The columns that are stored.
    #[must_use]
    pub fn stored(&self) -> Schema {
        match &self.gate {
            Some(gate) => gate.after(&self.sink),
            None => self.sink.clone(),
        }
    }

    /// Whether rows wait for all others, so that of a run that does not finish nothing is there.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.gate.is_some() || self.gathers()
    }

    /// Whether a step is a query over all rows.
    #[must_use]
    pub fn gathers(&self) -> bool {
        self.steps.iter().any(|step| step.gather.is_some())
    }

    /// Where a column that stands there after the last step stood after each step; none before it was
    /// there.
    #[must_use]
    pub fn trail(&self, place: usize) -> Vec<Option<usize>> {
        let mut trail = vec![None; self.steps.len()];
        let mut place = Some(place);
        for (step, stood) in self.steps.iter().zip(&mut trail).rev() {
            *stood = place;
            place = place.and_then(|place| step.before(place));
        }
        trail
    }
}

/// Opens every plugin once and follows the columns through the steps.
///
/// # Errors
/// Everything that is wrong, each at its place in the manifest.
pub fn plan(manifest: &Manifest, toolbox: &dyn Toolbox) -> Result<Plan, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let trusted = trusted_keys(manifest, toolbox)?;
    let source = Schema::new(
        manifest
            .columns
            .iter()
            .map(model::Column::to_field)
            .collect(),
    );
    let released = released(manifest);
    let mut schema = source.clone();
    let mut steps = Vec::with_capacity(manifest.steps.len());
    for step in &manifest.steps {
        let strange = strange_options(step, toolbox);
        if !strange.is_empty() {
            problems.extend(strange);
            schema = as_granted(step, schema);
            continue;
        }
        match plan_step(step, &schema, &trusted, &released, toolbox) {
            Ok(planned) => {
                schema = planned.output.clone();
                steps.push(planned);
            }
            // What a query that is wrong would leave, nobody knows.
            Err(problem) if step.plugin.is_query() => {
                problems.push(*problem);
                return Err(problems);
            }
            Err(problem) => {
                problems.push(*problem);
                // The rest is planned as if the step had kept to its grants.
                schema = as_granted(step, schema);
            }
        }
    }
    let problem = |name: &model::Spanned<String>| {
        let names: Vec<&str> = schema.fields.iter().map(|f| &*f.name).collect();
        no_column(name, &names, "no step leaves a column")
    };
    let mut sink_columns = match &manifest.sink.columns {
        None => (0..schema.fields.len()).collect(),
        Some(columns) => columns
            .iter()
            .filter_map(|name| {
                let position = schema.position(name);
                if position.is_none() {
                    problems.push(problem(name));
                }
                position
            })
            .collect::<Vec<_>>(),
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let personal = personal::unmasked(manifest, &source, &steps, &sink_columns, &released);
    if !personal.is_empty() {
        return Err(personal);
    }
    let gate = gated::plan(manifest, &schema, &mut sink_columns)?;
    let sink = Schema::new(
        sink_columns
            .iter()
            .filter_map(|&i| schema.fields.get(i).cloned())
            .collect(),
    );
    let upsert_keys = manifest.sink.target.upsert_keys().iter();
    Ok(Plan {
        source,
        steps,
        sink,
        sink_columns,
        gate,
        upsert_keys: upsert_keys.map(|key| key.value.clone()).collect(),
    })
}

/// All keys or none: with one of them missing, every plugin of its owner would be called false.
fn trusted_keys(
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Vec<PublicKey>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let keys = manifest.trusted_keys.iter();
    let read = keys.filter_map(|key| {
        let problem = |message| problems.push(Diagnostic::error(key.span.clone(), message));
        toolbox.trusted_key(key).map_err(problem).ok()
    });
    let read = read.collect();
    if problems.is_empty() {
        Ok(read)
    } else {
        Err(problems)
    }
}

/// Options that a standard plugin does not have, found by the schema that it carries, before it is
/// opened: its own words name no other.
fn strange_options(step: &model::Step, toolbox: &dyn Toolbox) -> Vec<Diagnostic> {
    let PluginRef::Standard(name) = &step.plugin.value else {
        return Vec::new();
    };
    match toolbox.plugin(&step.plugin, &step.limits) {
        Ok(plugin) if plugin.world() == step.world => {
            crate::options::unknown(name, &step.with, &plugin.about().config_schema)
        }
        // What is wrong there is said when it is opened.
        _ => Vec::new(),
    }
}

fn plan_step(
    step: &model::Step,
    input: &Schema,
    trusted: &[PublicKey],
    released: &BTreeSet<&str>,
    toolbox: &dyn Toolbox,
) -> Result<PlannedStep, Box<Diagnostic>> {
    if step.plugin.is_query() {
        return plan_query(step, input, toolbox);
    }
    let at_plugin = |message: String| Diagnostic::error(step.plugin.span.clone(), message);
    let (plugin, signed_by) = if trusted.is_empty() {
        let plugin = toolbox.plugin(&step.plugin, &step.limits);
        plugin.map(|plugin| (plugin, None))
    } else {
        toolbox.signed_plugin(&step.plugin, &step.limits, trusted)
    }
    .map_err(|e| at_plugin(e.in_full()))?;
    if plugin.world() != step.world {
        return Err(Box::new(
            at_plugin(format!(
                "{} is a {}, not a {}",
                plugin_name(&step.plugin),
                plugin.world(),
                step.world
            ))
            .label("of another kind")
            .help(format!("write `{}:` here", keyword(plugin.world()))),
        ));
    }
    let (grants, inputs) = grants(step, input)?;
    let config = step.with.value.to_string();
    let instance = plugin.open(&config, &grants).map_err(|error| match error {
        PluginError::Config { path, message, .. } => refused(step, &path, &message),
        other => at_plugin(other.in_full()),
    })?;
    let announced = instance.announced().clone();
    let inside = inside(step, &grants, &inputs, &announced)
        .map_err(|problem| Box::new(Diagnostic::error(step.span.clone(), problem)))?;
    let (guarded, unguarded) = guards(step, &grants, &announced, released)?;
    let (output, places) = after(step, input, &grants, &inputs, &announced);
    let planned = PlannedStep {
        name: step.name.as_str().into(),
        plugin,
        signed_by,
        config,
        grants,
        inputs,
        inside,
        announced,
        guarded,
        unguarded,
        standard: step.plugin.is_standard(),
        places,
        width: input.fields.len(),
        takes: None,
        gather: None,
        output_arrow: output.to_arrow(),
        output,
        lost_time: step.limits.lost_time,
    };
    match personal::undeclared(step, &planned) {
        Some(problem) => Err(problem),
        None => Ok(planned),
    }
}

/// The plugin refuses its `with:` block. What one from a file says of it is for its author; where it
/// points is the manifest's own text.
fn refused(step: &model::Step, path: &str, message: &str) -> Diagnostic {
    let name = plugin_name(&step.plugin);
    let place = step.with.span_of(path);
    match &step.plugin.value {
        PluginRef::Standard(plugin) => {
            Diagnostic::error(place, format!("{name} refuses its `with:`: {message}"))
                .help(format!("`glovebox plugin list {plugin}` shows its options"))
        }
        PluginRef::File { path, .. } => {
            let path = path.display();
            Diagnostic::error(place, format!("{name} refuses its `with:`"))
                .label("refused here")
                .help(format!("`glovebox plugin list {path}` shows its options"))
                .note(format!(
                    "`glovebox plugin check {path} --with '{{ … }}'` shows the plugin's own message"
                ))
        }
        // A query has none.
        PluginRef::Sql(_) | PluginRef::Gather(_) | PluginRef::Missing(_) => {
            Diagnostic::error(place, format!("{name} refuses its `with:`"))
        }
    }
}

/// The columns after the step, and where a transformer's go.
fn after(
    step: &model::Step,
    input: &Schema,
    grants: &Grants,
    inputs: &[usize],
    announced: &Announced,
) -> (Schema, Vec<usize>) {
    let mut output = input.clone();
    let mut places = Vec::new();
    match announced {
        Announced::Rules(_) => {}
        Announced::Masked { fields, .. } => {
            for &mask in &grants.masks {
                let place = inputs.get(mask).and_then(|&i| output.fields.get_mut(i));
                if let (Some(place), Some(field)) = (place, fields.get(mask)) {
                    *place = Field {
                        personal: false,
                        ..field.clone()
                    };
                }
            }
        }
        Announced::Added(fields) => {
            for field in fields {
                let personal = step
                    .adds
                    .iter()
                    .any(|a| a.name.as_str() == &*field.name && a.is_personal());
                places.push(put(
                    &mut output,
                    Field {
                        personal,
                        ..field.clone()
                    },
                ));
            }
        }
    }
    (output, places)
}

fn put(schema: &mut Schema, field: Field) -> usize {
    match schema.position(&field.name) {
        Some(position) => {
            if let Some(place) = schema.fields.get_mut(position) {
                *place = field;
            }
            position
        }
        None => {
            schema.fields.push(field);
            schema.fields.len() - 1
        }
    }
}

fn as_granted(step: &model::Step, mut schema: Schema) -> Schema {
    for added in &step.adds {
        put(&mut schema, added.to_field());
    }
    schema
}

fn keyword(world: World) -> &'static str {
    match world {
        World::Validator => "validate",
        World::Masker => "mask",
        World::Transformer => "transform",
    }
}

fn plugin_name(plugin: &PluginRef) -> String {
    match plugin {
        PluginRef::Standard(name) => format!("`{name}`"),
        PluginRef::File { path, .. } => format!("`{}`", path.display()),
        PluginRef::Sql(_) | PluginRef::Gather(_) | PluginRef::Missing(_) => "the query".to_owned(),
    }
}
