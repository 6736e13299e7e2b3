//! The examination of a plugin on every kind of batch: does it keep the contract, is it the same
//! twice, what does it cost.
//!
//! Owns what is measured and the limits that follow from it; refuses to pass a plugin that breaks
//! the contract on one batch.

use std::time::{Duration, Instant};

use glovebox_core::{
    Action, Announced, Answer, Batch, Fault, Field, Masked, PluginError, Rule, Target,
};
use glovebox_sandbox::{GuestOutput, Watched};

use super::batches::{self, Named};
use super::effect;
use super::fault;
use super::specimen::Setting;

/// What `check` found.
#[derive(Debug, Default)]
pub struct Findings {
    /// The rules or fields that it announced.
    pub announced: Vec<String>,
    /// Every batch that it was given.
    pub batches: Vec<Tried>,
    /// Names of batches to which two instances gave different answers.
    pub fickle: Vec<&'static str>,
    /// Bytes of an instance after all batches.
    pub peak: usize,
    /// Of a call with one row.
    pub call: Duration,
    /// Of a row, in batches of 8,192.
    pub row_nanos: f64,
    /// The longest call of all.
    pub longest: Duration,
}

/// One batch.
#[derive(Debug)]
pub struct Tried {
    /// What the batch is called.
    pub name: &'static str,
    /// Rows of the batch.
    pub rows: usize,
    /// How long the call took.
    pub time: Duration,
    /// What went wrong, in lines.
    pub wrong: Vec<String>,
    /// What the guest wrote.
    pub words: Vec<String>,
}

impl Findings {
    /// Whether the contract was kept everywhere.
    pub fn sound(&self) -> bool {
        self.batches.iter().all(|b| b.wrong.is_empty()) && self.fickle.is_empty()
    }

    /// A `limits:` block with room above what was seen.
    pub fn limits(&self) -> String {
        const MIB: usize = 1 << 20;
        let memory = (self.peak * 2).div_ceil(MIB).next_power_of_two().max(4);
        let time = (self.longest * 10).max(Duration::from_millis(100));
        let time = time.as_millis().div_ceil(100) * 100;
        let time = if time.is_multiple_of(1_000) {
            format!("{}s", time / 1_000)
        } else {
            format!("{time}ms")
        };
        format!("limits: {{ memory: {memory}MiB, time: {time} }}")
    }
}

/// Examines a plugin in a setting that it takes.
pub fn examine(plugin: &Watched, setting: &Setting) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    let words = GuestOutput::default();
    let fields = &setting.grants.fields;
    let mut resident = match plugin.open(&setting.config, &setting.grants, &words) {
        Ok(sitting) => Some(sitting),
        Err(error) => anyhow::bail!("{}", error.in_full()),
    };
    if let Some(sitting) = &resident {
        findings.announced = announced(sitting.announced(), setting);
    }
    for Named { name, batch } in batches::every(fields)? {
        let _ = words.take();
        let started = Instant::now();
        let first = match resident.take() {
            Some(mut sitting) => sitting.apply(&batch).map(|answer| (sitting, answer)),
            None => fresh(plugin, setting, &batch, &words),
        };
        let time = started.elapsed();
        let mut tried = Tried {
            name,
            rows: batch.rows(),
            time,
            wrong: Vec::new(),
            words: Vec::new(),
        };
        match first {
            Ok((sitting, answer)) => {
                if batch.rows() == 0
                    && let Answer::Masked(masked) = &answer
                {
                    let orders = effect::orders(masked, &setting.grants);
                    findings.announced.extend(orders.iter().map(|o| {
                        let method = o.method.name();
                        format!("points at key {} for {} ({method})", o.key, o.column)
                    }));
                }
                findings.longest = findings.longest.max(time);
                findings.peak = findings.peak.max(sitting.memory());
                resident = Some(sitting);
                // The second one has seen nothing before, the first all batches so far.
                match fresh(plugin, setting, &batch, &words) {
                    Ok((_, again)) if same(&answer, &again) => {}
                    Ok(_) => findings.fickle.push(name),
                    Err(fault) => tried.wrong = broken(plugin, setting, &batch, &fault, &words),
                }
            }
            Err(fault) => tried.wrong = broken(plugin, setting, &batch, &fault, &words),
        }
        if !tried.wrong.is_empty() {
            tried.words = fault::words(&words);
        }
        findings.batches.push(tried);
    }
    if let Some(mut sitting) = resident
        && findings.sound()
    {
        let one = batches::plain(fields, 1)?;
        let many = batches::plain(fields, 8_192)?;
        findings.call = super::pace::of(&mut sitting, &one)?;
        findings.row_nanos = super::pace::nanos_a_row(super::pace::of(&mut sitting, &many)?, 8_192);
    }
    Ok(findings)
}

fn fresh(
    plugin: &Watched,
    setting: &Setting,
    batch: &Batch,
    words: &GuestOutput,
) -> Result<(glovebox_sandbox::WatchedInstance, Answer), Fault> {
    let mut sitting = plugin
        .open(&setting.config, &setting.grants, words)
        .map_err(|error| match error {
            PluginError::Fault(fault) => fault,
            other => Fault {
                plugin: String::new(),
                kind: glovebox_core::FaultKind::Breach,
                what: format!("opened once and then did not: {}", other.in_full()),
                remedy: "a plugin that opens once must open each time".into(),
            },
        })?;
    let answer = sitting.apply(batch)?;
    Ok((sitting, answer))
}

fn broken(
    plugin: &Watched,
    setting: &Setting,
    batch: &Batch,
    fault: &Fault,
    words: &GuestOutput,
) -> Vec<String> {
    let frames = words.take_frames();
    let row = fault::culprit(plugin, &setting.config, &setting.grants, batch, fault);
    fault::told(fault, &frames, &setting.grants.fields, batch.rows(), row)
}

/// What the plugin said it would do, a line each.
fn announced(announced: &Announced, setting: &Setting) -> Vec<String> {
    let typed = |f: &Field| {
        let nullable = if f.nullable { "" } else { ", never null" };
        format!("{} {}{nullable}", f.name, f.data_type)
    };
    match announced {
        Announced::Rules(rules) => rules
            .iter()
            .map(|rule: &Rule| {
                let column = effect::column_of(rule, &setting.grants);
                let column = column.map(|c| format!(" ({c})")).unwrap_or_default();
                format!("rule {}{column}: {}", rule.id, rule.message)
            })
            .collect(),
        Announced::Masked { fields, keeps } => setting
            .grants
            .masks
            .iter()
            .zip(keeps)
            .filter_map(|(&i, kept)| Some((fields.get(i)?, kept)))
            .map(|(f, kept)| format!("masks to {}; {kept}", typed(f)))
            .collect(),
        Announced::Added(fields) => fields
            .iter()
            .map(|f| format!("adds {}", typed(f)))
            .collect(),
    }
}

/// Whether two answers are the same in every cell.
fn same(one: &Answer, other: &Answer) -> bool {
    match (one, other) {
        (Answer::Findings(a), Answer::Findings(b)) => a == b,
        (Answer::Masked(a), Answer::Masked(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_masked(a, b))
        }
        (
            Answer::Transformed { columns, keep },
            Answer::Transformed {
                columns: other,
                keep: other_keep,
            },
        ) => columns == other && keep == other_keep,
        _ => false,
    }
}

fn same_masked(a: &Masked, b: &Masked) -> bool {
    let same_target = |a: &Target, b: &Target| a == b;
    a.column == b.column
        && match (&a.action, &b.action) {
            (Action::Replace(a), Action::Replace(b)) => a == b,
            (Action::Nullify(a), Action::Nullify(b)) => same_target(a, b),
            (
                Action::Keyed {
                    method,
                    key,
                    target,
                },
                Action::Keyed {
                    method: other,
                    key: other_key,
                    target: other_target,
                },
            ) => method == other && key == other_key && same_target(target, other_target),
            _ => false,
        }
}
