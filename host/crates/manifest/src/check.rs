//! Checks that the parts of a manifest fit together: names through all steps, what is personal,
//! which files are written.

mod from;
mod gate;
mod names;
mod objects;
mod opaque;
mod paths;
mod pins;
mod privacy;

use std::collections::HashMap;

use chrono::NaiveDate;

use super::block::short;
use super::diagnostic::Diagnostic;
use super::load::Draft;
use super::model::{Column, Manifest, PluginRef, Span, Step};
use super::near::closest;

pub use pins::unpinned;

/// What a check has to know besides the manifest.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The names of the standard plugins.
    pub standard: &'a [&'a str],
    /// Today.
    pub today: NaiveDate,
}

/// What does not fit in a manifest; empty where all does.
pub fn check(manifest: &Manifest, known: &Known<'_>) -> Vec<Diagnostic> {
    problems(manifest, known, true, true)
}

/// The same for one that could not be read wholly: what is unknown is not complained about.
pub(crate) fn check_draft(draft: &Draft, known: &Known<'_>) -> Vec<Diagnostic> {
    problems(&draft.manifest, known, draft.names, draft.sink)
}

fn problems(manifest: &Manifest, known: &Known<'_>, names: bool, sink: bool) -> Vec<Diagnostic> {
    let mut problems = Vec::new();

    plugins(manifest, known, &mut problems);
    step_names(manifest, &mut problems);
    names::collisions(manifest, &mut problems);
    if names {
        names::uses(manifest, sink, &mut problems);
    }
    from::uses(manifest, &mut problems);
    opaque::uses(manifest, sink, &mut problems);
    gate::uses(manifest, sink, &mut problems);
    objects::uses(manifest, sink, &mut problems);
    privacy::kinds(manifest, &mut problems);
    privacy::inside(manifest, &mut problems);
    privacy::releases(manifest, known.today, &mut problems);
    privacy::exemptions(manifest, known.today, &mut problems);
    privacy::derived(manifest, &mut problems);
    if sink {
        privacy::stored(manifest, &mut problems);
        privacy::tokens(manifest, &mut problems);
        paths::distinct(manifest, &mut problems);
    }
    problems
}

fn plugins(manifest: &Manifest, known: &Known<'_>, problems: &mut Vec<Diagnostic>) {
    for step in &manifest.steps {
        let PluginRef::Standard(name) = &step.plugin.value else {
            continue;
        };
        // An empty name stands for one that could not be read.
        if name.is_empty() || known.standard.contains(&name.as_str()) {
            continue;
        }
        let help = match closest(name, known.standard.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the standard plugins are: {}; write your own with its path, like ./{}.wasm",
                known.standard.join(", "),
                short(name)
            ),
        };
        problems.push(
            Diagnostic::error(
                step.plugin.span.clone(),
                format!("there is no standard plugin `{}`", short(name)),
            )
            .help(help),
        );
    }
}

/// Rejects and reports tell steps apart by name.
fn step_names(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    for (i, step) in manifest.steps.iter().enumerate() {
        let earlier = manifest.steps.iter().take(i);
        let mut same = earlier.filter(|s| s.name.to_lowercase() == step.name.to_lowercase());
        if let Some(first) = same.next() {
            problems.push(
                Diagnostic::error(
                    step.name.span.clone(),
                    format!("two steps are named `{}`", short(&step.name)),
                )
                .label("again here")
                .context(first.name.span.clone(), "first here")
                .help("give each step a unique `name:`; rejects and reports use it"),
            );
        }
    }
}

/// A column at some point between source and sink.
#[derive(Debug, Clone, Copy)]
struct Live<'m> {
    column: &'m Column,
    /// Whether a masker has had it since it came to be.
    masked: bool,
}

impl Live<'_> {
    /// Whether it may still hold what must not leave.
    fn is_raw(&self) -> bool {
        self.column.is_personal() && !self.masked
    }
}

/// The columns between source and sink: what enters, then what each step makes of it.
#[derive(Debug)]
struct Flow<'m> {
    live: Vec<Live<'m>>,
    /// Where each name is among them.
    places: HashMap<&'m str, usize>,
    /// Whether a query has been passed. What it leaves hangs on the types of its columns, so it is known
    /// when plugins have been opened; what is missing here is not complained about before.
    open: bool,
}

impl<'m> Flow<'m> {
    fn from_source(manifest: &'m Manifest) -> Self {
        let mut flow = Flow {
            live: Vec::new(),
            places: HashMap::new(),
            open: false,
        };
        for column in &manifest.columns {
            flow.add(column);
        }
        flow
    }

    fn find(&self, name: &str) -> Option<&Live<'m>> {
        self.places
            .get(name)
            .and_then(|place| self.live.get(*place))
    }

    /// Whether there is certainly no column of that name.
    fn lacks(&self, name: &str) -> bool {
        !self.open && !self.places.contains_key(name)
    }

    fn add(&mut self, column: &'m Column) {
        let fresh = Live {
            column,
            masked: false,
        };
        let place = self.places.entry(&column.name.value);
        let place = *place.or_insert(self.live.len());
        match self.live.get_mut(place) {
            Some(old) => *old = fresh,
            None => self.live.push(fresh),
        }
    }

    fn apply(&mut self, step: &'m Step) {
        if matches!(step.plugin.value, PluginRef::Sql(_) | PluginRef::Gather(_)) {
            self.live.clear();
            self.places.clear();
            self.open = true;
            return;
        }
        for masked in &step.masks {
            let place = self.places.get(masked.value.as_str());
            if let Some(live) = place.and_then(|place| self.live.get_mut(*place)) {
                live.masked = true;
            }
        }
        for column in &step.adds {
            self.add(column);
        }
    }

    /// What was probably meant by a name that is not there.
    fn closest(&self, name: &str) -> Option<&'m str> {
        closest(name, self.live.iter().map(|l| l.column.name.value.as_str()))
    }

    fn list(&self) -> String {
        const SHOWN: usize = 12;
        let names = self.live.iter().map(|l| l.column.name.value.as_str());
        let mut list: Vec<String> = names.take(SHOWN).map(short).collect();
        if self.live.len() > SHOWN {
            list.push(format!("and {} more", self.live.len() - SHOWN));
        }
        list.join(", ")
    }
}

/// Where a column was declared.
fn declared(column: &Column) -> Span {
    column.name.span.clone()
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
