//! The gate as planned: which of the columns before the sink are which, with their levels.

mod levels;
mod members;
mod record;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use glovebox_core::{
    DataType, Equality, Field, LevelReport, ReleaseReport, Schema, SensitiveReport, hex,
};
use glovebox_manifest::Manifest;
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::{self, AtMost, Distance, DiversityBy, Generalise, Spanned};
use glovebox_release::{Closeness, Criteria, Diversity, Ground, Hierarchy, Sensitive};
use sha2::{Digest, Sha256};

use levels::hierarchy;
pub(crate) use members::{DIGEST, Index, Members, Name};
pub(crate) use record::{Calls, Record};

/// A gate whose columns and levels are known.
#[derive(Debug)]
pub struct PlannedGate {
    /// The quasi-identifiers.
    pub(crate) quasi: Vec<Placed>,
    /// The sensitive columns.
    pub(crate) sensitive: Vec<Placed>,
    /// Where the entity stands.
    pub(crate) entity: Option<usize>,
    /// Whether it is stored too.
    pub(crate) entity_stored: bool,
    /// What is asked.
    pub(crate) criteria: Criteria,
    most: AtMost,
    series: u32,
    /// What tells the quasi-identifiers and their levels from others.
    levels: String,
    /// Where the releases before are written down, if not in a journal.
    pub(crate) beside: Option<PathBuf>,
    /// What decides what a value becomes and which rows leave, for the plan's digest.
    pub(crate) digest: String,
}

/// A column with its place among those that reach the gate.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) name: Arc<str>,
    pub(crate) place: usize,
    pub(crate) hierarchy: Hierarchy,
}

impl PlannedGate {
    /// Whether a column leaves by its levels only.
    #[must_use]
    pub fn generalises(&self, column: &str) -> bool {
        self.quasi.iter().any(|quasi| &*quasi.name == column)
    }

    /// The columns that the sink behind the gate gets, of those that reach it.
    #[must_use]
    pub fn after(&self, schema: &Schema) -> Schema {
        let mut after = schema.clone();
        for quasi in &self.quasi {
            if let Some(field) = after.fields.get_mut(quasi.place) {
                *field = Field {
                    personal: false,
                    equality: Equality::Merges,
                    ..Field::new(Arc::clone(&field.name), DataType::Text)
                };
            }
        }
        if let Some(entity) = self.entity.filter(|_| !self.entity_stored) {
            after
                .fields
                .remove(entity.min(after.fields.len().saturating_sub(1)));
        }
        after
    }

    /// The series to which its releases belong.
    pub(crate) fn series(&self) -> u32 {
        self.series
    }

    /// Whether the releases before, of this series, had the same levels.
    ///
    /// # Errors
    /// When one had others, with what to do.
    pub(crate) fn holds_to(&self, before: &[Record]) -> Result<(), String> {
        match before.iter().all(|record| record.levels == self.levels) {
            true => Ok(()),
            false => Err(format!(
                "the quasi-identifiers or their levels are others than those of the release before, to which this one \
                 has to hold; write `series: {}` in `release:` to begin a new series",
                self.next_series()
            )),
        }
    }

    /// Whether classes were called under this key in the releases before, and in one way: otherwise every one would
    /// seem to be new.
    ///
    /// # Errors
    /// When they were not, with what to do.
    pub(crate) fn calls_alike(&self, before: &[Record], key: u16) -> Result<(), String> {
        let calls = before.first().map(|record| record.calls);
        let alike = |record: &Record| record.key == key && Some(record.calls) == calls;
        match before.iter().all(alike) {
            true => Ok(()),
            false => Err(format!(
                "its classes were called under another `identity-key` when they were released last; use that key, \
                 or write `series: {}` in `release:` to begin a new series",
                self.next_series()
            )),
        }
    }

    /// A release as it is written down.
    pub(crate) fn record(
        &self,
        node: &[usize],
        (key, calls): (u16, Calls),
        members: Members,
    ) -> Record {
        Record {
            series: self.series,
            levels: self.levels.clone(),
            node: node.to_vec(),
            key,
            calls,
            classes: Some(members),
        }
    }

    /// Where later releases of another series begin.
    pub(crate) fn next_series(&self) -> u32 {
        self.series.saturating_add(1)
    }

    /// How many of so many rows may be suppressed.
    pub(crate) fn suppress_at_most(&self, rows: u64) -> u64 {
        match self.most {
            AtMost::Rows(most) => most,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share of rows"
            )]
            AtMost::Share(share) => (share * rows as f64) as u64,
        }
    }

    /// A report that says what was asked and nothing yet of what was reached.
    pub(crate) fn asked(&self, suppress_at_most: u64) -> ReleaseReport {
        let levels = self.quasi.iter().map(|quasi| LevelReport {
            column: quasi.name.to_string(),
            level: 0,
            last: quasi.hierarchy.levels() as u64 - 1,
        });
        let sensitive =
            self.sensitive
                .iter()
                .zip(&self.criteria.sensitive)
                .map(|(column, asked)| SensitiveReport {
                    column: column.name.to_string(),
                    l: asked.l.map(|l| match l {
                        Diversity::Distinct(l) | Diversity::Recursive { l, .. } => l as f64,
                        Diversity::Entropy(l) => l,
                    }),
                    t: asked.t.map(|t| t.t),
                    ..SensitiveReport::default()
                });
        ReleaseReport {
            k: self.criteria.k,
            suppress_at_most,
            levels: levels.collect(),
            sensitive: sensitive.collect(),
            ..ReleaseReport::default()
        }
    }
}

/// A gate before a sink that gets these columns. The entity's is added to them if it is not stored.
pub(crate) fn plan(
    manifest: &Manifest,
    after_steps: &Schema,
    sink_columns: &mut Vec<usize>,
) -> Result<Option<Arc<PlannedGate>>, Vec<Diagnostic>> {
    let Some(gate) = &manifest.gate else {
        return Ok(None);
    };
    let mut problems = Vec::new();
    let mut digest = Sha256::new();
    let mut place = |name: &Spanned<String>, add: bool| {
        let at = after_steps.position(&name.value)?;
        match sink_columns.iter().position(|column| *column == at) {
            None if add => {
                sink_columns.push(at);
                Some(sink_columns.len() - 1)
            }
            place => place,
        }
    };
    let stored = sink_columns_of(gate, &mut place);
    let (quasi, sensitive, entity) = stored.map_err(|name| vec![absent(name)])?;
    let quasi: Vec<Placed> = gate
        .quasi
        .iter()
        .zip(quasi)
        .filter_map(|((name, quasi), place)| {
            placed(name, place, &quasi.by, &mut digest, &mut problems)
        })
        .collect();
    let levels = hex(digest.clone().finalize());
    let sensitive: Vec<Placed> = gate
        .sensitive
        .iter()
        .zip(sensitive)
        .filter_map(|((name, values), place)| {
            let by = match &values.hierarchy {
                Some(file) => Generalise::Listed(file.clone()),
                None => Generalise::Values,
            };
            placed(name, place, &by, &mut digest, &mut problems)
        })
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    let criteria = Criteria {
        k: gate.k,
        sensitive: gate
            .sensitive
            .iter()
            .map(|(_, values)| asked(values))
            .collect(),
    };
    digest.update(format!(
        "{criteria:?} {:?} {entity:?} {}",
        gate.suppress_at_most, gate.series
    ));
    let entity_stored = match (&gate.entity, &manifest.sink.columns) {
        (Some(entity), Some(stored)) => stored.iter().any(|name| name.value == entity.value),
        _ => true,
    };
    Ok(Some(Arc::new(PlannedGate {
        quasi,
        sensitive,
        entity,
        entity_stored,
        criteria,
        most: gate.suppress_at_most,
        series: gate.series,
        levels,
        beside: manifest
            .sink
            .target
            .path()
            .filter(|_| !manifest.sink.target.keeps_journal())
            .map(|path| beside(path)),
        digest: hex(digest.finalize()),
    })))
}

/// A column in its place, with its levels, which go into the digest.
fn placed(
    name: &Spanned<String>,
    place: usize,
    by: &Generalise,
    digest: &mut Sha256,
    problems: &mut Vec<Diagnostic>,
) -> Option<Placed> {
    digest.update((name.value.len() as u64).to_be_bytes());
    digest.update(&name.value);
    // Of a file its content counts, wherever it stands.
    digest.update(match by {
        Generalise::Listed(_) => "listed".to_owned(),
        by => format!("{by:?}"),
    });
    let hierarchy = hierarchy(name, by, digest)
        .map_err(|problem| problems.push(*problem))
        .ok()?;
    Some(Placed {
        name: name.value.as_str().into(),
        place,
        hierarchy,
    })
}

/// Where the quasi-identifiers, the sensitive columns and the entity stand.
type Places = (Vec<usize>, Vec<usize>, Option<usize>);

fn sink_columns_of<'g>(
    gate: &'g model::Gate,
    place: &mut dyn FnMut(&Spanned<String>, bool) -> Option<usize>,
) -> Result<Places, &'g Spanned<String>> {
    let mut place = |name: &'g Spanned<String>, add: bool| place(name, add).ok_or(name);
    let quasi = gate
        .quasi
        .iter()
        .map(|(name, _)| place(name, false))
        .collect::<Result<_, _>>()?;
    let sensitive = gate
        .sensitive
        .iter()
        .map(|(name, _)| place(name, false))
        .collect::<Result<_, _>>()?;
    let entity = match &gate.entity {
        Some(name) => Some(place(name, true)?),
        None => None,
    };
    Ok((quasi, sensitive, entity))
}

/// A column that no step leaves, or that is not stored.
fn absent(name: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(
        name.span.clone(),
        format!("no column `{}` reaches the sink", name.value),
    )
    .label("not a column there")
    .help("name one that is stored, or delete it here")
}

fn asked(values: &model::SensitiveValues) -> Sensitive {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked when it was read"
    )]
    let whole = |l: f64| l as u64;
    Sensitive {
        l: values.l.map(|l| match values.diversity {
            DiversityBy::Distinct => Diversity::Distinct(whole(l)),
            DiversityBy::Entropy => Diversity::Entropy(l),
            DiversityBy::Recursive => Diversity::Recursive {
                c: values.c.unwrap_or(1.0),
                l: whole(l),
            },
        }),
        t: values.t.map(|t| Closeness {
            t,
            ground: match values.distance {
                Distance::Equal => Ground::Equal,
                Distance::Ordered => Ground::Ordered,
                Distance::Hierarchy => Ground::Hierarchical,
            },
        }),
    }
}

/// Where the releases into a file are written down.
fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".release");
    target.with_file_name(name)
}
