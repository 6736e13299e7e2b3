//! Makes a plan ready to run: fetches secrets, passes keys to rings, and tries keyed steps on an
//! empty batch, so that a key that was not granted or a method that takes hours is known before the
//! first row.

mod begun;
mod keys;

use std::sync::Arc;

use arrow_array::RecordBatch;
use glovebox_core::{
    Action, Answer, Batch, KeyRing, Masking, Method, Origin, Schema, Seal, Secret, StepKeys, World,
};

use begun::Begun;
pub use begun::{Continuing, arm_as_begun};
use keys::{RunKeys, fetched_keys};

use crate::armed::{ArmedStep, Order, Tables, entity_of, name_of};
use crate::attack;
use crate::gate::Gate;
use crate::plan::{Plan, PlannedStep};
use crate::toolbox::{SinkSecrets, SourceSecrets, Toolbox};
use crate::weak::MIN_KEY_LEN;
use glovebox_manifest::Manifest;
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model;

/// Fetches the keys of every step.
///
/// # Errors
/// Each secret that is missing, at the place that names it.
pub fn arm<'p>(
    manifest: &Manifest,
    plan: &'p Plan,
    toolbox: &dyn Toolbox,
) -> Result<Vec<ArmedStep<'p>>, Vec<Diagnostic>> {
    arm_with(manifest, plan, toolbox, None)
}

/// The same for a run that goes on, with the versions of keys with which it began.
pub(crate) fn arm_with<'p>(
    manifest: &Manifest,
    plan: &'p Plan,
    toolbox: &dyn Toolbox,
    begun: Option<&Begun>,
) -> Result<Vec<ArmedStep<'p>>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut armed = Vec::with_capacity(plan.steps.len());
    let keys = RunKeys::new(toolbox, stores(manifest), begun);
    for (step, planned) in manifest.steps.iter().zip(&plan.steps) {
        let step = arm_step(step, planned, &keys).and_then(|armed| {
            Ok(ArmedStep {
                tables: tables(step, manifest, toolbox)?,
                ..armed
            })
        });
        match step {
            Ok(step) => armed.push(step),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() {
        problems = attack::refused(manifest, &armed);
    }
    if problems.is_empty() {
        Ok(armed)
    } else {
        Err(problems)
    }
}

/// The sink, with its password or the key of its file.
///
/// # Errors
/// When that secret is missing, or the program was built without such a sink.
pub fn sink(
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Box<dyn glovebox_core::Sink>, Vec<Diagnostic>> {
    let secret = match manifest.sink.target.encrypt_with() {
        Some(name) => {
            let key = toolbox.secret(&stores(manifest), name);
            Some(key.map_err(|e| vec![missing(name.span.clone(), &e)])?)
        }
        None => sink_password(manifest, toolbox)?,
    };
    let secrets = SinkSecrets {
        secret,
        store: store_key(manifest.sink.target.store(), manifest, toolbox)?,
        identity: identity_key(manifest, toolbox)?,
    };
    let whole = manifest.gathers();
    let sink = toolbox.sink(&manifest.sink.target, secrets, whole);
    sink.map_err(|problem| vec![Diagnostic::error(manifest.sink.span.clone(), problem)])
}

/// The same behind its release gate, if it has one.
///
/// # Errors
/// As [`sink`].
pub fn gated_sink(
    manifest: &Manifest,
    plan: &Plan,
    toolbox: &dyn Toolbox,
) -> Result<Box<dyn glovebox_core::Sink>, Vec<Diagnostic>> {
    let sink = sink(manifest, toolbox)?;
    Ok(match &plan.gate {
        Some(gate) => Box::new(Gate::new(Arc::clone(gate), sink)),
        None => sink,
    })
}

/// The key of the journal's digests, where the manifest names one.
fn identity_key(
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Option<Secret>, Vec<Diagnostic>> {
    let Some(name) = manifest.sink.target.identity_key() else {
        return Ok(None);
    };
    let secret = toolbox.secret(&stores(manifest), name);
    let secret = secret.map_err(|e| vec![missing(name.span.clone(), &e)])?;
    if secret.expose().len() < MIN_KEY_LEN {
        let problem = format!(
            "the secret `{}` is shorter than {MIN_KEY_LEN} bytes, so it could be found by brute \
            force",
            name.value
        );
        let help = format!(
            "make one with: glovebox secret set {} --generate",
            name.value
        );
        return Err(vec![
            Diagnostic::error(name.span.clone(), problem).help(help),
        ]);
    }
    Ok(Some(secret))
}

/// The password of the sink, where it takes one.
///
/// # Errors
/// When its secret is missing.
pub fn sink_password(
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Option<Secret>, Vec<Diagnostic>> {
    password(manifest.sink.target.server(), manifest, toolbox)
}

fn password(
    server: Option<&model::Server>,
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Option<Secret>, Vec<Diagnostic>> {
    let Some(name) = server.map(|server| &server.password) else {
        return Ok(None);
    };
    let secret = toolbox.secret(&stores(manifest), name);
    secret
        .map(Some)
        .map_err(|e| vec![missing(name.span.clone(), &e)])
}

/// What a store of objects is logged in to by, where the manifest names it.
fn store_key(
    access: Option<&model::StoreAccess>,
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Option<Secret>, Vec<Diagnostic>> {
    let Some(name) = access.and_then(|access| access.access_key.as_ref()) else {
        return Ok(None);
    };
    let secret = toolbox.secret(&stores(manifest), name);
    secret
        .map(Some)
        .map_err(|e| vec![missing(name.span.clone(), &e)])
}

/// The source, with its password or the key of its files.
///
/// # Errors
/// When that secret is missing, or the program was built without such a source.
pub fn source(
    manifest: &Manifest,
    columns: Schema,
    toolbox: &dyn Toolbox,
) -> Result<Box<dyn glovebox_core::Source>, Vec<Diagnostic>> {
    open(&manifest.source, columns, manifest, toolbox)
}

/// A source of the manifest's, whichever.
fn open(
    source: &model::Source,
    columns: Schema,
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Box<dyn glovebox_core::Source>, Vec<Diagnostic>> {
    let secret = match source.decrypt_with() {
        Some(name) => {
            let key = toolbox.secret(&stores(manifest), name);
            Some(key.map_err(|e| vec![missing(name.span.clone(), &e)])?)
        }
        None => password(source.server(), manifest, toolbox)?,
    };
    let secrets = SourceSecrets {
        secret,
        store: store_key(source.store(), manifest, toolbox)?,
    };
    let opened = toolbox.source(source, columns, secrets);
    opened.map_err(|problem| vec![Diagnostic::error(source.span(), problem)])
}

/// The tables that a step reads beside the rows.
fn tables(
    step: &model::Step,
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Tables, Vec<Diagnostic>> {
    let model::PluginRef::Gather(gather) = &step.plugin.value else {
        return Ok(Vec::new());
    };
    let tables = gather.tables.iter().map(|(name, table)| {
        let fields = table.columns.iter().map(model::Column::to_field);
        let columns = Schema::new(fields.collect());
        let source = open(&table.source, columns, manifest, toolbox)?;
        Ok((name.value.clone(), Arc::from(source)))
    });
    tables.collect()
}

/// The key that signs what runs let out, if they are proven.
///
/// # Errors
/// When its secret is missing.
pub fn proof_key(
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Option<Secret>, Vec<Diagnostic>> {
    let Some(proof) = &manifest.proof else {
        return Ok(None);
    };
    let secret = toolbox.secret(&stores(manifest), &proof.key);
    secret
        .map(Some)
        .map_err(|e| vec![missing(proof.key.span.clone(), &e)])
}

/// Who the rejects are sealed to, if anybody.
///
/// # Errors
/// Each key that is missing, or is none.
pub fn recipients(
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Option<Arc<dyn Seal>>, Vec<Diagnostic>> {
    let Some(sealed) = &manifest.rejects.sealed else {
        return Ok(None);
    };
    let stores = stores(manifest);
    let mut problems = Vec::new();
    let mut keys = Vec::with_capacity(sealed.recipients.len());
    for name in &sealed.recipients {
        match toolbox.secret(&stores, name) {
            Ok(key) => keys.push(key),
            Err(error) => problems.push(missing(name.span.clone(), &error)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let recipients = toolbox.recipients(&keys);
    recipients.map(Some).map_err(|(place, problem)| {
        let name = sealed.recipients.get(place);
        let span = name.map_or(sealed.path.span.clone(), |name| name.span.clone());
        let help = "store the public key that `glovebox key new NAME --pair` prints with: glovebox secret set NAME";
        vec![Diagnostic::error(span, problem).help(help)]
    })
}

fn stores(manifest: &Manifest) -> Vec<model::Store> {
    manifest
        .credentials
        .iter()
        .map(|s| s.value.clone())
        .collect()
}

fn missing(span: model::Span, error: &glovebox_core::CredentialError) -> Diagnostic {
    Diagnostic::error(span, error.to_string())
}

fn arm_step<'p>(
    step: &model::Step,
    planned: &'p PlannedStep,
    run_keys: &RunKeys<'_>,
) -> Result<ArmedStep<'p>, Vec<Diagnostic>> {
    let fetched = fetched_keys(step, run_keys)?;
    let domain = step.domain.as_ref().map(|d| d.value.as_str().into());
    let at_step = |message: String| vec![Diagnostic::error(step.span.clone(), message)];
    let keys = run_keys
        .toolbox
        .key_ring(StepKeys {
            keys: fetched.keys,
            domain,
            tokens: step.tokens.as_ref().map(|tokens| tokens.terms.clone()),
        })
        .map_err(|e| at_step(e.to_string()))?;
    let keyed = if planned.plugin.world() == World::Masker {
        rehearse(planned, keys.as_ref()).map_err(at_step)?
    } else {
        Vec::new()
    };
    if let Some(tokens) = &step.tokens
        && !keyed.iter().any(|order| order.method == Method::Token)
    {
        let problem = "no mask of this step is a token";
        let help = "use `mask: tokenize`, or delete `tokens:`";
        return Err(vec![
            Diagnostic::error(tokens.span.clone(), problem).help(help),
        ]);
    }
    let costly = keyed
        .iter()
        .filter_map(|order| Some((order.method.clone(), keys.cost_of_one(&order.method)?)))
        .collect();
    Ok(ArmedStep {
        planned,
        keys,
        keyed,
        costly,
        secrets: fetched.newest,
        remote: fetched.remote,
        weak: fetched.weak,
        tables: Vec::new(),
    })
}

/// Calls a masker with no rows, to see which keys and methods it points at. In the run it may
/// order these and no others: one that it chose after seeing rows could say something about them,
/// or cost hours.
fn rehearse(step: &PlannedStep, keys: &dyn KeyRing) -> Result<Vec<Order>, String> {
    let schema = Schema::new(step.grants.fields.clone()).to_arrow();
    let empty = Batch::new(RecordBatch::new_empty(schema), Origin::contiguous(0));
    let mut instance = step
        .plugin
        .open(&step.config, &step.grants)
        .map_err(|e| e.in_full())?;
    let answer = instance
        .apply(&empty)
        .map_err(|e| format!("when tried on an empty batch, {}", e.in_full()))?;
    let Answer::Masked(masked) = answer else {
        return Ok(Vec::new());
    };
    let mut orders = Vec::new();
    for entry in masked {
        if let Action::Keyed {
            method,
            key,
            target,
        } = entry.action
        {
            let Some(column) = empty.columns.columns().get(entry.column) else {
                continue;
            };
            let masking = Masking {
                key: &key,
                method: &method,
                target: &target,
                column,
                name: name_of(step, entry.column),
                entity: entity_of(step, &method, empty.columns.columns()),
            };
            keys.mask(&masking).map_err(|e| e.to_string())?;
            orders.push(Order {
                column: entry.column,
                method,
                key,
            });
        }
    }
    Ok(orders)
}
