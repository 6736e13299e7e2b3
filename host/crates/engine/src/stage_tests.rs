//! What a stage does with plugins that no component can play: here a plugin is a closure.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use glovebox_core::{
    About, Announced, Answer, Batch, DataType, Fault, FaultKind, Field, Finding, Grants, Instance,
    KeyError, KeyRing, Method, Origin, Plugin, PluginError, Rule, Schema, Target, World,
};

use super::*;
use crate::plan::PlannedStep;

type Judge = fn(&Batch) -> Result<Answer, Fault>;

/// A validator of column `n`; the rules it announces may change from instance to instance.
struct Closure {
    about: About,
    judge: Judge,
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
        Ok(Box::new(Opened {
            announced: rules(id),
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
    fn mask(&self, key: &str, _: &Method, _: &Target, _: &ArrayRef) -> Result<ArrayRef, KeyError> {
        Err(KeyError::NotGranted(key.to_owned()))
    }
    fn cost_of_one(&self, _: &Method) -> Option<Duration> {
        None
    }
}

fn planned(judge: Judge, steady: bool, lost_time: Duration) -> PlannedStep {
    let fields = vec![Field::new("n", DataType::Int64)];
    let output = Schema::new(fields.clone());
    PlannedStep {
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
            steady,
            opened: AtomicU64::new(0),
        }),
        config: "{}".into(),
        grants: Grants {
            fields,
            masks: Vec::new(),
            adds: Vec::new(),
        },
        inputs: vec![0],
        announced: rules("rule"),
        places: Vec::new(),
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
        frames: Vec::new(),
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
    assert!(matches!(fickle, Err(RunError::Fickle { .. })));
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
