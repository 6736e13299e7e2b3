//! A plan made ready to run: its secrets fetched, its keys handed to rings, its keyed steps tried
//! on an empty batch, so that a key that was not granted or a method that takes hours is known
//! before the first row.
//!
//! Owns the moment at which secrets are read; refuses to let one into the plan.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch};
use glovebox_core::{
    Action, Answer, Batch, KeyRing, Masking, Method, Origin, Schema, Secret, StepKey, StepKeys,
    World,
};

use crate::attack;
use crate::plan::{Plan, PlannedStep};
use crate::toolbox::Toolbox;
use glovebox_manifest::Manifest;
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model;

/// A step and its keys.
pub struct ArmedStep<'p> {
    /// The step.
    pub planned: &'p PlannedStep,
    /// Its keys.
    pub keys: Arc<dyn KeyRing>,
    /// The keyed masks that its plugin orders, fixed before it has seen a row.
    pub keyed: Vec<Order>,
    /// Those that cost enough a value to be worth a warning.
    pub costly: Vec<(Method, Duration)>,
    /// Its keys that can be found by trying.
    pub weak: Vec<WeakKey>,
}

/// A key that can be found by trying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeakKey {
    /// The plugin's name for it.
    pub key: String,
    /// The secret's name.
    pub secret: String,
    /// How.
    pub weakness: Weakness,
}

/// How a key is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weakness {
    /// It is short enough to be tried out.
    Short,
    /// It is a word that is tried first.
    Known,
}

/// Words that people take for keys, in lower case and without digits at their end.
const KNOWN: [&str; 40] = [
    "",
    "abc",
    "admin",
    "changeit",
    "changeme",
    "customer",
    "default",
    "demo",
    "dev",
    "dummy",
    "example",
    "glovebox",
    "hash",
    "hmac",
    "key",
    "letmein",
    "mask",
    "masking",
    "mysalt",
    "mysecret",
    "mysecretkey",
    "none",
    "passw",
    "passwd",
    "password",
    "pepper",
    "placeholder",
    "prod",
    "production",
    "pseudonym",
    "qwerty",
    "salt",
    "saltsalt",
    "sample",
    "secret",
    "secretkey",
    "staging",
    "supersecret",
    "test",
    "welcome",
];

fn weakness(secret: &Secret) -> Option<Weakness> {
    let bytes = secret.expose();
    let word = bytes.iter().filter(|b| b.is_ascii_alphabetic());
    let word: Vec<u8> = word.map(u8::to_ascii_lowercase).collect();
    // What has anything beside letters, digits and signs between them is no word.
    let plain = bytes.is_ascii() && bytes.len() < 2 * LONG_ENOUGH;
    let known = plain && KNOWN.iter().any(|known| known.as_bytes() == word);
    let short = bytes.len() < LONG_ENOUGH;
    match (known, short) {
        (true, _) => Some(Weakness::Known),
        (false, true) => Some(Weakness::Short),
        (false, false) => None,
    }
}

/// Bytes of a key that nobody can try out: 128 bits, if they are random.
pub const LONG_ENOUGH: usize = 16;

/// A keyed mask that a plugin may order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Index into the granted fields.
    pub column: usize,
    /// The method.
    pub method: Method,
    /// The plugin's name for the key.
    pub key: String,
}

/// Fetches the keys of every step.
///
/// # Errors
/// Each secret that is missing, at the place that names it.
pub fn arm<'p>(
    manifest: &Manifest,
    plan: &'p Plan,
    toolbox: &dyn Toolbox,
) -> Result<Vec<ArmedStep<'p>>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut armed = Vec::with_capacity(plan.steps.len());
    for (step, planned) in manifest.steps.iter().zip(&plan.steps) {
        match arm_step(manifest, step, planned, toolbox) {
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

/// The shortest key of a journal's digests, in bytes.
const SHORTEST_KEY: usize = 16;

/// The sink, with its password.
///
/// # Errors
/// When the password's secret is missing, or the program was built without such a sink.
pub fn sink(
    manifest: &Manifest,
    toolbox: &dyn Toolbox,
) -> Result<Box<dyn glovebox_core::Sink>, Vec<Diagnostic>> {
    let password = sink_password(manifest, toolbox)?;
    let identity = identity_key(manifest, toolbox)?;
    let sink = toolbox.sink(&manifest.sink.target, password, identity);
    sink.map_err(|problem| vec![Diagnostic::error(manifest.sink.span.clone(), problem)])
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
    if secret.expose().len() < SHORTEST_KEY {
        let problem = format!(
            "the secret `{}` is shorter than {SHORTEST_KEY} bytes, and could be found by trying",
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

/// The source, with its password.
///
/// # Errors
/// When the password's secret is missing, or the program was built without such a source.
pub fn source(
    manifest: &Manifest,
    columns: Schema,
    toolbox: &dyn Toolbox,
) -> Result<Box<dyn glovebox_core::Source>, Vec<Diagnostic>> {
    let password = password(manifest.source.server(), manifest, toolbox)?;
    let source = toolbox.source(&manifest.source, columns, password);
    source.map_err(|problem| vec![Diagnostic::error(manifest.source.span(), problem)])
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
    manifest: &Manifest,
    step: &model::Step,
    planned: &'p PlannedStep,
    toolbox: &dyn Toolbox,
) -> Result<ArmedStep<'p>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let (mut keys, mut weak) = (Vec::new(), Vec::new());
    for key in &step.keys {
        let mut versions = Vec::with_capacity(key.secrets.len());
        for name in &key.secrets {
            match toolbox.secret(&stores(manifest), name) {
                Ok(secret) => {
                    if let Some(weakness) = weakness(&secret) {
                        weak.push(WeakKey {
                            key: key.name.value.clone(),
                            secret: name.value.to_string(),
                            weakness,
                        });
                    }
                    versions.push((name.value.version(), secret));
                }
                Err(error) => problems.push(missing(name.span.clone(), &error)),
            }
        }
        let name = key.name.value.clone();
        keys.push(StepKey { name, versions });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let domain = step.domain.as_ref().map(|d| d.value.as_str().into());
    let at_step = |message: String| vec![Diagnostic::error(step.span.clone(), message)];
    let keys = toolbox
        .key_ring(StepKeys { keys, domain })
        .map_err(|e| at_step(e.to_string()))?;
    let keyed = if planned.plugin.world() == World::Masker {
        rehearse(planned, keys.as_ref()).map_err(at_step)?
    } else {
        Vec::new()
    };
    let costly = keyed
        .iter()
        .filter_map(|order| Some((order.method.clone(), keys.cost_of_one(&order.method)?)))
        .collect();
    Ok(ArmedStep {
        planned,
        keys,
        keyed,
        costly,
        weak,
    })
}

/// The name of a granted column.
pub(crate) fn name_of(step: &PlannedStep, column: usize) -> &str {
    let field = step.grants.fields.get(column);
    field.map_or("", |field| &*field.name)
}

/// The entities by which a method moves cells, among the columns that were granted.
pub(crate) fn entity_of<'a>(
    step: &'a PlannedStep,
    method: &Method,
    granted: &'a [ArrayRef],
) -> Option<(&'a ArrayRef, &'a str)> {
    match method {
        Method::Shift { entity, .. } => Some((granted.get(*entity)?, name_of(step, *entity))),
        _ => None,
    }
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
        .map_err(|e| format!("tried on a batch without rows, {}", e.in_full()))?;
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
