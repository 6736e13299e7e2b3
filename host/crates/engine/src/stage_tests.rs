//! What a stage does with plugins that no component can play: here a plugin is a closure.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use glovebox_core::{
    About, Action, Announced, Answer, Batch, Computed, DataType, Fault, FaultKind, Field, Finding,
    Grants, Instance, Kept, KeyError, KeyRing, Masked, Masking, Method, Origin, Plugin,
    PluginError, Refusal, Revealing, Rule, Schema, Secret, Token, World,
};

use super::*;
use crate::guard::Guarded;
use crate::plan::PlannedStep;

type Judge = fn(&Batch) -> Result<Answer, Fault>;

/// A validator of column `n`; the rules it announces may change from instance to instance. Or a
/// masker of it.
struct Closure {
    about: About,
    judge: Judge,
    masks: bool,
    steady: bool,
    opened: AtomicU64,
}

fn rules(id: &str) -> Announced {
    Announced::Rules(vec![Rule {
        id: id.into(),
        column: Some(0),
        message: "`n` is wrong".into(),
    }])
}

fn masked() -> Announced {
    Announced::Masked {
        fields: vec![Field::new("n", DataType::Int64)],
        keeps: vec![Kept::Nothing],
    }
}

impl Plugin for Closure {
    fn name(&self) -> &str {
        "closure"
    }
    fn world(&self) -> World {
        World::Validator
    }
    fn about(&self) -> &About {
        &self.about
    }
    fn sha256(&self) -> &str {
        ""
    }
    fn open(&self, _: &str, _: &Grants) -> Result<Box<dyn Instance>, PluginError> {
        let n = self.opened.fetch_add(1, Ordering::Relaxed);
        let id = if self.steady || n == 0 {
            "rule"
        } else {
            "other"
        };
        let announced = match self.masks {
            true => masked(),
            false => rules(id),
        };
        Ok(Box::new(Opened {
            announced,
            judge: self.judge,
        }))
    }
}

struct Opened {
    announced: Announced,
    judge: Judge,
}

impl Instance for Opened {
    fn announced(&self) -> &Announced {
        &self.announced
    }
    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        (self.judge)(batch)
    }
}

struct NoKeys;

impl KeyRing for NoKeys {
    fn has(&self, _: &str) -> bool {
        false
    }
    fn mask(&self, masking: &Masking<'_>) -> Result<Computed, KeyError> {
        Err(KeyError::NotGranted(masking.key.to_owned()))
    }
    fn reveal(
        &self,
        revealing: &Revealing<'_>,
        _: &[&str],
    ) -> Result<Vec<Result<Secret, Refusal>>, KeyError> {
        Err(KeyError::NotGranted(revealing.key.to_owned()))
    }
    fn tokens(&self, _: &str, _: &str, _: &[&str]) -> Result<Vec<Token>, KeyError> {
        Err(KeyError::OneWay("token"))
    }

    fn cost_of_one(&self, _: &Method) -> Option<Duration> {
        None
    }
    fn check_value(&self) -> u16 {
        0
    }
}

fn planned(judge: Judge, steady: bool, lost_time: Duration) -> PlannedStep {
    let fields = vec![Field::new("n", DataType::Int64)];
    let output = Schema::new(fields.clone());
    PlannedStep {
        inside: Vec::new(),
        name: "step".into(),
        plugin: Arc::new(Closure {
            about: About {
                name: "closure".into(),
                version: "1".into(),
                summary: String::new(),
                documentation: String::new(),
                config_schema: String::new(),
            },
            judge,
            masks: false,
            steady,
            opened: AtomicU64::new(0),
        }),
        signed_by: None,
        config: "{}".into(),
        grants: Grants {
            fields,
            masks: Vec::new(),
            adds: Vec::new(),
        },
        inputs: vec![0],
        announced: rules("rule"),
        guarded: Vec::new(),
        unguarded: Vec::new(),
        standard: false,
        places: Vec::new(),
        width: 1,
        takes: None,
        gather: None,
        output_arrow: output.to_arrow(),
        output,
        lost_time,
    }
}

fn armed(planned: &PlannedStep) -> ArmedStep<'_> {
    ArmedStep {
        planned,
        keys: Arc::new(NoKeys),
        keyed: Vec::new(),
        costly: Vec::new(),
        secrets: Vec::new(),
        remote: Vec::new(),
        weak: Vec::new(),
        tables: Vec::new(),
    }
}

/// Rows 100, 101, … with these numbers.
fn batch(numbers: Vec<i64>) -> Batch {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64)]).to_arrow();
    let column: ArrayRef = Arc::new(Int64Array::from(numbers));
    Batch::new(
        RecordBatch::try_new(schema, vec![column]).unwrap(),
        Origin::contiguous(100),
    )
}

fn numbers(batch: &Batch) -> &[i64] {
    let column = batch.columns.column(0).as_any();
    column.downcast_ref::<Int64Array>().unwrap().values()
}

fn trap() -> Fault {
    Fault {
        plugin: "closure".into(),
        kind: FaultKind::Trap,
        what: "panicked".into(),
        remedy: "look".into(),
    }
}

/// Traps on negative numbers, finds odd ones.
fn picky(batch: &Batch) -> Result<Answer, Fault> {
    let cells = numbers(batch);
    if cells.iter().any(|n| *n < 0) {
        return Err(trap());
    }
    let odd = (0_u32..).zip(cells).filter(|(_, n)| *n % 2 == 1);
    let rows = odd.map(|(row, _)| row).collect();
    Ok(Answer::Findings(vec![Finding { rule: 0, rows }]))
}

#[test]
fn poison_rows_are_found_alone_and_the_others_keep_their_order_and_numbers() {
    let planned = planned(picky, true, Duration::from_secs(60));
    let (step, lost) = (armed(&planned), AtomicU64::new(0));
    let mut tally = Tally::default();
    let mut cells: Vec<i64> = (0..64).map(|n| n * 2).collect();
    cells[5] = -1;
    cells[40] = 7;
    cells[63] = -1;
    let done = Stage::new(&step, &lost)
        .apply(batch(cells.clone()), &mut tally)
        .unwrap();

    let kept: Vec<i64> = done.iter().flat_map(|b| numbers(b).to_vec()).collect();
    let expected: Vec<i64> = cells.into_iter().filter(|n| n % 2 == 0).collect();
    assert_eq!(kept, expected);
    tally.rejects.sort_by_key(|r| r.row);
    let fates: Vec<(u64, &str)> = tally
        .rejects
        .iter()
        .map(|r| (r.row, &*r.violations[0].rule))
        .collect();
    assert_eq!(
        fates,
        [(105, "plugin-trap"), (140, "rule"), (163, "plugin-trap")]
    );
    assert_eq!(tally.rows_in, 64);
}

#[test]
fn a_plugin_that_only_fails_is_given_up_when_it_has_cost_too_much() {
    fn slow(_: &Batch) -> Result<Answer, Fault> {
        std::thread::sleep(Duration::from_millis(2));
        Err(trap())
    }
    let planned = planned(slow, true, Duration::from_millis(5));
    let (step, lost) = (armed(&planned), AtomicU64::new(0));
    let given_up = Stage::new(&step, &lost).apply(batch(vec![1; 64]), &mut Tally::default());
    let Err(RunError::TooManyFaults { step, last, .. }) = given_up else {
        panic!("it went on");
    };
    assert_eq!((step.as_str(), *last), ("step", trap()));
}

#[test]
fn a_plugin_that_announces_something_else_is_not_used() {
    let planned = planned(picky, false, Duration::from_secs(60));
    let (step, lost) = (armed(&planned), AtomicU64::new(0));
    let mut stage = Stage::new(&step, &lost);
    // The first instance is as planned; the trap makes the stage open another.
    let fickle = stage.apply(batch(vec![2, -1]), &mut Tally::default());
    assert!(matches!(fickle, Err(RunError::Nondeterministic { .. })));
}

#[test]
fn an_empty_batch_is_not_shown_to_a_plugin() {
    fn never(_: &Batch) -> Result<Answer, Fault> {
        Err(trap())
    }
    let planned = planned(never, true, Duration::ZERO);
    let (step, lost) = (armed(&planned), AtomicU64::new(0));
    let done = Stage::new(&step, &lost).apply(batch(Vec::new()), &mut Tally::default());
    assert!(done.unwrap().is_empty());
}

/// A masker of column `n`, guarded, that may keep so much of it.
fn guarded(judge: Judge, kept: Kept) -> PlannedStep {
    let mut step = planned(judge, true, Duration::ZERO);
    let plugin = Closure {
        about: step.plugin.about().clone(),
        judge,
        masks: true,
        steady: true,
        opened: AtomicU64::new(0),
    };
    step.plugin = Arc::new(plugin);
    step.announced = masked();
    step.grants.masks = vec![0];
    step.guarded = vec![Guarded { column: 0, kept }];
    step
}

/// Rounds down to tens.
fn tens(batch: &Batch) -> Result<Answer, Fault> {
    let cells = numbers(batch).iter().map(|n| n / 10 * 10);
    Ok(Answer::Masked(vec![Masked {
        column: 0,
        action: Action::Replace(Arc::new(Int64Array::from_iter_values(cells))),
    }]))
}

#[test]
fn a_row_whose_mask_is_its_cell_is_rejected_as_a_leak_and_the_rest_goes_on() {
    let planned = guarded(tens, Kept::Nothing);
    let (step, lost) = (armed(&planned), AtomicU64::new(0));
    let mut tally = Tally::default();
    let cells = vec![37, 40, 41, 50];
    let done = Stage::new(&step, &lost)
        .apply(batch(cells), &mut tally)
        .unwrap();
    assert_eq!(done.iter().map(numbers).collect::<Vec<_>>(), [&[30, 40]]);
    let rows: Vec<u64> = tally.rejects.iter().map(|r| r.row).collect();
    assert_eq!(rows, [101, 103]);
    let Some(violation) = tally.rejects.first().and_then(|r| r.violations.first()) else {
        panic!("no violation");
    };
    assert_eq!(
        (&*violation.rule, violation.column.as_deref()),
        ("leak", Some("n"))
    );
    assert_eq!(
        &*violation.message,
        "plugin closure left the cell of `n` whole in its mask; report this to the plugin's \
        author, or, if cells may stay whole, grant it in the step's `keeps:`"
    );
    assert!(tally.faults.is_empty(), "a leak is no fault");
}

#[test]
fn a_batch_of_leaks_only_leaves_nothing() {
    let planned = guarded(tens, Kept::Nothing);
    let (step, lost) = (armed(&planned), AtomicU64::new(0));
    let mut tally = Tally::default();
    let done = Stage::new(&step, &lost)
        .apply(batch(vec![10, 20, 30]), &mut tally)
        .unwrap();
    assert!(done.is_empty());
    assert_eq!(tally.rejects.len(), 3);
}

#[test]
fn what_a_step_may_keep_goes_on() {
    let planned = guarded(tens, Kept::Cells);
    let (step, lost) = (armed(&planned), AtomicU64::new(0));
    let mut tally = Tally::default();
    let done = Stage::new(&step, &lost)
        .apply(batch(vec![37, 40]), &mut tally)
        .unwrap();
    assert_eq!(done.iter().map(numbers).collect::<Vec<_>>(), [&[30, 40]]);
    assert!(tally.rejects.is_empty());
}
