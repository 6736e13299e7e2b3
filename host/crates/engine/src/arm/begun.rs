//! Which versions of keys on servers a run began with, by its journal: one that goes on masks its other rows with
//! the same, however often the keys were rotated meanwhile. Keys that are here are compared, not chosen: the plan's
//! identity tells them.

use std::collections::BTreeMap;

use glovebox_core::{Earlier, History, SecretName, Sink};
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::Manifest;

use super::arm_with;
use crate::armed::ArmedStep;
use crate::identity::serves;
use crate::parts::{Parts, shown};
use crate::plan::Plan;
use crate::start::{Start, pipeline_of, unfinished};
use crate::toolbox::Toolbox;

/// Which run is to go on, if one is; the fields are those of [`crate::Run`].
#[derive(Debug, Clone, Copy)]
pub struct Continuing<'a> {
    /// [`crate::Run::name`].
    pub name: &'a str,
    /// [`crate::Run::part`].
    pub part: Option<&'a str>,
    /// [`crate::Run::start`].
    pub start: Start,
    /// [`crate::Run::request`].
    pub request: Option<&'a str>,
}

/// The versions of keys with which a run began, where newer ones are there.
pub(crate) struct Begun {
    run: String,
    versions: BTreeMap<SecretName, u32>,
}

/// These steps or, where a run goes on that began with other versions of keys that stay on servers, the same
/// steps with those. `note` is told of each.
///
/// # Errors
/// Each version that its server does not mask with any more.
pub fn arm_as_begun<'p>(
    steps: Vec<ArmedStep<'p>>,
    (manifest, plan): (&Manifest, &'p Plan),
    toolbox: &dyn Toolbox,
    sink: &mut dyn Sink,
    continuing: Continuing<'_>,
    note: &dyn Fn(&str),
) -> Result<Vec<ArmedStep<'p>>, Vec<Diagnostic>> {
    // What waits behind a gate begins anew.
    if plan.gate.is_some() || steps.iter().all(|step| step.remote.is_empty()) {
        return Ok(steps);
    }
    // A sink that does not answer is asked again by the run, which tells why.
    let history = sink.history().ok().flatten().unwrap_or_default();
    let Some(begun) = continuing
        .with(&history)
        .and_then(|earlier| Begun::of(earlier, &steps, manifest))
    else {
        return Ok(steps);
    };
    for (name, version) in &begun.versions {
        note(&format!(
            "run {} is continued with version {version} of `{name}`, with which it began",
            begun.run
        ));
    }
    drop(steps);
    arm_with(manifest, plan, toolbox, Some(&begun))
}

impl Continuing<'_> {
    /// The run that is gone on with.
    fn with<'h>(&self, history: &'h History) -> Option<&'h Earlier> {
        let serving = |run: &&Earlier| serves(&run.run, self.request);
        let known = history.running.iter().chain(&history.held);
        let requested = known.clone().find(serving);
        match self.start {
            Start::Resume => requested.or_else(|| {
                let pipeline = pipeline_of(self.name, self.part);
                unfinished(history, self.request, &pipeline)
            }),
            Start::Fresh | Start::Again => requested,
            Start::Anew => None,
        }
    }
}

impl Begun {
    /// None where the steps have the versions of that run, as far as the manifest leaves them open.
    fn of(earlier: &Earlier, steps: &[ArmedStep<'_>], manifest: &Manifest) -> Option<Self> {
        let parts = Parts::from_json(&earlier.parts)?;
        let mut versions = BTreeMap::new();
        for (step, written) in steps.iter().zip(&manifest.steps) {
            let then = parts.secrets_of(&step.planned.name);
            let keys = written.keys.iter().zip(&step.secrets).zip(then);
            for ((key, now), then) in keys {
                let named = key.secrets.first().map(|name| &name.value);
                let Some(named) = named.filter(|name| name.version() == 0) else {
                    continue;
                };
                // The journal is in others' reach.
                let Ok(then_named) = SecretName::parse(then) else {
                    continue;
                };
                let differs = then_named.base() == named.base() && then != now;
                if differs && then_named.version() > 0 && step.remote.contains(&key.name.value) {
                    versions.insert(named.clone(), then_named.version());
                }
            }
        }
        let run = shown(&earlier.run);
        (!versions.is_empty()).then_some(Begun { run, versions })
    }

    /// The name by which a key is asked for.
    pub(crate) fn name(&self, name: &SecretName) -> Option<SecretName> {
        Some(name.at(*self.versions.get(name)?))
    }

    /// What to do where the version is not to be had.
    pub(crate) fn help(&self) -> String {
        format!(
            "run {}, which is to be continued, has masked with this version: let the server mask with it again, or \
             start over with `--again`",
            self.run
        )
    }
}
