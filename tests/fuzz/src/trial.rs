//! One component through the sandbox: loaded, opened, given rows, as a run would.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use glovebox_core::{Answer, Batch, FaultKind, Grants, Limits, Origin, PluginError, Schema};
use glovebox_sandbox::{Sandbox, SandboxError};

use crate::mutant::Mutant;
use crate::oracle;

/// Cells that no message may hold.
const CANARIES: [&str; 2] = ["canary-4711-rhubarb", "4711471147114711"];
const NUMBER: i64 = 4_711_471_147_114_711;
const NAME: &str = "mutant";
const ROWS: usize = 20;

/// How far a component came, and what stopped it. Ordered by how far.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Not taken for a plugin, for this reason.
    Refused(String),
    /// Faulted while it described itself.
    LoadFault(&'static str),
    /// Refused its configuration or its announcement was refused.
    NotOpened,
    /// Faulted while it opened.
    OpenFault(&'static str),
    /// Faulted over rows.
    ApplyFault(&'static str),
    /// Answered, and its answers were taken.
    Ran,
    /// The host did what it must not; this is what.
    Wrong(String),
}

/// Where components are tried.
#[derive(Clone)]
pub struct Bench {
    sandbox: Sandbox,
    limits: Limits,
}

impl Bench {
    /// With a sandbox as the program has it, but for its cache: nothing comes twice.
    ///
    /// # Errors
    /// When the sandbox cannot start.
    pub fn new() -> Result<Self, SandboxError> {
        Ok(Bench {
            sandbox: Sandbox::new(None)?,
            limits: Limits {
                memory: 16 << 20,
                time: Duration::from_millis(50),
                returned: 1 << 20,
                findings: 1_000,
                table_elements: 10_000,
                ..Limits::default()
            },
        })
    }

    /// With this much time for each call, where no loop is expected.
    #[must_use]
    pub fn patient(mut self, time: Duration) -> Self {
        self.limits.time = time;
        self
    }

    /// Tries a mutant. Any panic of the host's ends here.
    pub fn run(&self, mutant: &Mutant<'_>) -> Outcome {
        let seed = mutant.seed;
        catch_unwind(AssertUnwindSafe(|| {
            self.all_the_way(&mutant.bytes, seed.config, &seed.grants)
        }))
        // What it said is on standard error already, with its place.
        .unwrap_or_else(|_| Outcome::Wrong("the host panicked".into()))
    }

    fn all_the_way(&self, bytes: &[u8], config: &str, grants: &Grants) -> Outcome {
        let plugin = match self.sandbox.load(NAME, bytes, &self.limits) {
            Ok(plugin) => plugin,
            Err(error) => return ended(&error, Outcome::LoadFault),
        };
        let mut instance = match plugin.open(config, grants) {
            Ok(instance) => instance,
            Err(error) => {
                return match ended(&error, Outcome::OpenFault) {
                    Outcome::Refused(_) => Outcome::NotOpened,
                    other => other,
                };
            }
        };
        if let Err(broken) = oracle::announced(instance.announced(), grants) {
            return Outcome::Wrong(broken.into());
        }
        let mut outcome = Outcome::Ran;
        // After a fault the next batch meets a fresh instance, as in a run.
        for (first, rows) in [("Paris", ROWS), ("poison", ROWS), ("", 0), ("Paris", 1)] {
            let Some(batch) = batch(grants, first, rows) else {
                return Outcome::Wrong("the trial's own batch is none".into());
            };
            match instance.apply(&batch) {
                Ok(answer) => {
                    let announced = instance.announced();
                    if let Err(broken) = oracle::answer(&answer, announced, grants, &batch) {
                        return Outcome::Wrong(broken.into());
                    }
                    // A validator has no words for a cell.
                    if matches!(answer, Answer::Findings(_)) && tells(&format!("{answer:?}")) {
                        return Outcome::Wrong("a cell came out in findings".into());
                    }
                }
                Err(fault) => {
                    if tells(&format!("{fault} {fault:?}")) {
                        return Outcome::Wrong("a cell came out in a fault".into());
                    }
                    outcome = Outcome::ApplyFault(kind(fault.kind));
                }
            }
        }
        outcome
    }
}

fn ended(error: &PluginError, fault: impl FnOnce(&'static str) -> Outcome) -> Outcome {
    if tells(&format!("{error} {error:?}")) {
        return Outcome::Wrong("a cell came out in a refusal".into());
    }
    match error {
        PluginError::Fault(f) => fault(kind(f.kind)),
        PluginError::Config { .. } => Outcome::NotOpened,
        // The host's words go up to what they quote; they are a key of the summary, no more.
        PluginError::Refused { problem, .. } => Outcome::Refused(
            (problem.split([':', '`', ';', ',']).next())
                .unwrap_or_default()
                .trim()
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .collect(),
        ),
    }
}

fn kind(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Trap => "trap",
        FaultKind::Time => "time",
        FaultKind::Memory => "memory",
        FaultKind::Breach => "breach",
        FaultKind::Query(_) => "query",
    }
}

fn tells(text: &str) -> bool {
    CANARIES.iter().any(|canary| text.contains(canary))
}

fn batch(grants: &Grants, first: &str, rows: usize) -> Option<Batch> {
    let mut cities = vec![Some(first), Some(CANARIES[0]), Some("\u{e9}tampes"), None];
    cities.resize(rows, Some("Lyon"));
    let texts: ArrayRef = Arc::new(StringArray::from(cities));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![NUMBER; rows]));
    let columns = [texts, numbers].into_iter().take(grants.fields.len());
    let schema = Schema::new(grants.fields.clone()).to_arrow();
    let columns = RecordBatch::try_new(schema, columns.collect()).ok()?;
    Some(Batch::new(columns, Origin::contiguous(0)))
}
