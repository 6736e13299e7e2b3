//! Runs a case in the real sandbox and describes how the result differs from the expected one.

use arrow_array::Array;
use glovebox_core::{Announced, DataType, Fault, PluginError};
use glovebox_manifest::typed::data_type;
use glovebox_sandbox::{Frame, GuestOutput, Watched};
use serde_json::Value;

use super::case_file::{Case, Column, Found, Refusal};
use super::cells;
use super::effect::{self, Effect};
use super::fault;
use super::orders;

/// The most differences of one column that are shown.
const SHOWN: usize = 20;

/// How a case ended: the lines that say what is wrong; none if nothing is.
pub fn run(plugin: &Watched, case: &Case, words: &GuestOutput) -> Vec<String> {
    let expect = &case.expect;
    let mut sitting = match plugin.open(&case.config, &case.grants, words) {
        Ok(sitting) => sitting,
        Err(PluginError::Config { path, message, .. }) => {
            return refused(expect.config_error.as_ref(), &path, &message);
        }
        Err(PluginError::Fault(fault)) => {
            return broken(plugin, case, &fault, &words.take_frames());
        }
        Err(other) => return vec![other.to_string()],
    };
    if expect.config_error.is_some() {
        return vec!["expected it to refuse its `with:`, but it accepted it".into()];
    }
    let announced = sitting.announced().clone();
    let before = match orders::rehearse(plugin, case) {
        Ok(orders) => orders,
        Err((fault, frames)) => return broken(plugin, case, &fault, &frames),
    };
    let answer = match sitting.apply(&case.batch) {
        Ok(answer) => answer,
        Err(fault) => return broken(plugin, case, &fault, &words.take_frames()),
    };
    if expect.trap {
        return vec!["expected it to fail, but it answered".into()];
    }
    let effect = effect::effect(&answer, &announced, &case.grants, &case.batch);
    let mut wrong = orders::unordered(case, &before, &effect.orders);
    rules(case, &announced, &mut wrong);
    fields(case, &announced, &mut wrong);
    findings(case, &effect, &mut wrong);
    orders::keyed(case, &effect, &mut wrong);
    columns(case, &effect, &mut wrong);
    if let Some(due) = &expect.keep
        && *due != effect.kept
    {
        wrong.push(format!("keep: expected {due:?}, got {:?}", effect.kept));
    }
    wrong
}

fn refused(due: Option<&Refusal>, path: &str, message: &str) -> Vec<String> {
    let Some(due) = due else {
        return vec![format!("it refuses its `with:`, at {path:?}: {message}")];
    };
    let mut wrong = Vec::new();
    if let Some(due) = due.path.as_deref().filter(|due| *due != path) {
        wrong.push(format!("config-error path: expected {due:?}, got {path:?}"));
    }
    if let Some(due) = due.message.as_deref().filter(|due| !message.contains(due)) {
        wrong.push(format!(
            "config-error message: expected a text with {due:?}, got {message:?}"
        ));
    }
    wrong
}

fn broken(plugin: &Watched, case: &Case, fault: &Fault, frames: &[Frame]) -> Vec<String> {
    if case.expect.trap {
        return Vec::new();
    }
    let row = fault::culprit(plugin, &case.config, &case.grants, &case.batch, fault);
    fault::told(fault, frames, &case.grants.fields, case.batch.rows(), row)
}

fn rules(case: &Case, announced: &Announced, wrong: &mut Vec<String>) {
    let Some(due) = &case.expect.rules else {
        return;
    };
    let got: Vec<&str> = match announced {
        Announced::Rules(rules) => rules.iter().map(|r| &*r.id).collect(),
        Announced::Masked { .. } | Announced::Added(_) => Vec::new(),
    };
    if *due != got {
        wrong.push(format!("rules: expected {due:?}, got {got:?}"));
    }
}

fn fields(case: &Case, announced: &Announced, wrong: &mut Vec<String>) {
    let Some(due) = &case.expect.fields else {
        return;
    };
    let fields = match announced {
        Announced::Masked { fields, .. } | Announced::Added(fields) => fields.as_slice(),
        Announced::Rules(_) => &[],
    };
    for (name, Column { data_type: due, .. }) in &due.0 {
        let name = &name.value;
        let got = fields
            .iter()
            .find(|f| *f.name == **name)
            .map(|f| f.data_type);
        match (data_type(&due.value), got) {
            (Err(problem), _) => wrong.push(format!("fields, {name}: {problem}")),
            (Ok(due), Some(got)) if due == got => {}
            (Ok(due), Some(got)) => {
                wrong.push(format!("fields, {name}: expected {due}, got {got}"))
            }
            (Ok(due), None) => wrong.push(format!(
                "fields, {name}: expected {due}, but it announced no such column"
            )),
        }
    }
}

fn findings(case: &Case, effect: &Effect, wrong: &mut Vec<String>) {
    let Some(due) = &case.expect.findings else {
        return;
    };
    let got_of = |rule: &str, column: Option<&str>| {
        let mut rows: Vec<u32> = effect
            .findings
            .iter()
            .filter(|(r, c, _)| {
                r == rule && column.is_none_or(|column| c.as_deref() == Some(column))
            })
            .map(|(_, _, row)| *row)
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    };
    let mut compare = |what: String, due: &[u32], got: &[u32]| {
        for row in due.iter().filter(|row| !got.contains(row)) {
            wrong.push(format!(
                "{what}, row {row}: expected a finding, got none{}",
                cells_of(case, *row)
            ));
        }
        for row in got.iter().filter(|row| !due.contains(row)) {
            wrong.push(format!(
                "{what}, row {row}: expected no finding, got one{}",
                cells_of(case, *row)
            ));
        }
    };
    for (rule, found) in &due.0 {
        let rule = rule.value.as_str();
        match found {
            Found::Rows(due) => compare(format!("findings of {rule}"), due, &got_of(rule, None)),
            Found::Columns(columns) => {
                for (column, due) in &columns.0 {
                    let column = column.value.as_str();
                    compare(
                        format!("findings of {rule} in {column}"),
                        due,
                        &got_of(rule, Some(column)),
                    );
                }
                for column in found_in(effect, rule) {
                    if columns.0.iter().all(|(c, _)| c.value != column) {
                        compare(
                            format!("findings of {rule} in {column}"),
                            &[],
                            &got_of(rule, Some(&column)),
                        );
                    }
                }
            }
        }
    }
    let mut unnamed: Vec<&str> = effect
        .findings
        .iter()
        .map(|(rule, _, _)| rule.as_str())
        .collect();
    unnamed.dedup();
    for rule in unnamed {
        if due.0.iter().all(|(r, _)| r.value != rule) {
            compare(format!("findings of {rule}"), &[], &got_of(rule, None));
        }
    }
}

fn found_in(effect: &Effect, rule: &str) -> Vec<String> {
    let of_rule = effect.findings.iter().filter(|(r, _, _)| r == rule);
    let mut columns: Vec<String> = of_rule.filter_map(|(_, c, _)| c.clone()).collect();
    columns.sort();
    columns.dedup();
    columns
}

/// The row as it went in, for a reader of a difference.
fn cells_of(case: &Case, row: u32) -> String {
    let row = row as usize;
    if row >= case.batch.rows() {
        return " (there is no such row)".into();
    }
    let cells = case.grants.fields.iter().zip(case.batch.columns.columns());
    let cells: Vec<String> = cells
        .map(|(field, column)| cells::quoted(cells::shown(column, row).as_deref(), field.data_type))
        .collect();
    format!(" (the row is {})", cells.join(", "))
}

fn columns(case: &Case, effect: &Effect, wrong: &mut Vec<String>) {
    let Some(due) = &case.expect.columns else {
        return;
    };
    for (name, due) in &due.0 {
        let name = name.value.as_str();
        let Some(after) = effect.columns.iter().find(|c| &*c.field.name == name) else {
            wrong.push(format!("columns, {name}: the step has no such column"));
            continue;
        };
        let data_type = after.field.data_type;
        let values: Vec<&Value> = due.iter().map(|v| &v.value).collect();
        let due: Vec<Option<String>> = match cells::column(&values, data_type) {
            Ok(column) => (0..column.len())
                .map(|row| cells::shown(&column, row))
                .collect(),
            Err((row, problem)) => {
                wrong.push(format!(
                    "columns, {name}, value {row} as expected: {problem}"
                ));
                continue;
            }
        };
        if due.len() != after.cells.len() {
            wrong.push(format!(
                "columns, {name}: expected {} values, got {}",
                due.len(),
                after.cells.len()
            ));
        }
        let rows = due.len().max(after.cells.len());
        let mut different = 0;
        for row in 0..rows {
            let (due, got) = (due.get(row), after.cells.get(row));
            if due == got {
                continue;
            }
            different += 1;
            if different <= SHOWN {
                wrong.push(format!(
                    "columns, {name}, row {}:\n    expected {}\n    got      {}",
                    effect
                        .kept
                        .get(row)
                        .map_or_else(|| "-".into(), u32::to_string),
                    written(due, data_type),
                    written(got, data_type)
                ));
            }
        }
        if different > SHOWN {
            wrong.push(format!(
                "columns, {name}: … and {} more rows",
                different - SHOWN
            ));
        }
    }
}

fn written(cell: Option<&Option<String>>, data_type: DataType) -> String {
    match cell {
        None => "no row".into(),
        Some(cell) => cells::quoted(cell.as_deref(), data_type),
    }
}
