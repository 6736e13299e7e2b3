//! Compares a masker's requests for keyed masks with what a case expects and with what a run
//! allows.
//! There are no keys here, only their names.

use arrow_array::{Array, RecordBatch};
use glovebox_core::{Answer, Batch, Fault, Form, Method, Origin, PluginError, Schema, Target};
use glovebox_manifest::typed::Ordered;
use glovebox_sandbox::{Frame, GuestOutput, Watched};

use super::case_file::{Case, Keyed, Part};
use super::cells;
use super::effect::{self, Effect, Order};

/// What a masker orders of a batch without rows; or its fault, and where that was.
pub(super) fn rehearse(plugin: &Watched, case: &Case) -> Result<Vec<Order>, (Fault, Vec<Frame>)> {
    let schema = Schema::new(case.grants.fields.clone()).to_arrow();
    let empty = Batch::new(RecordBatch::new_empty(schema), Origin::contiguous(0));
    let silence = GuestOutput::default();
    let opened = plugin.open(&case.config, &case.grants, &silence);
    let mut sitting = match opened {
        Ok(sitting) => sitting,
        Err(PluginError::Fault(fault)) => return Err((fault, silence.take_frames())),
        Err(_) => return Ok(Vec::new()),
    };
    let answer = sitting.apply(&empty);
    Ok(
        match answer.map_err(|fault| (fault, silence.take_frames()))? {
            Answer::Masked(masked) => effect::orders(&masked, &case.grants),
            Answer::Findings(_) | Answer::Transformed { .. } | Answer::Selected { .. } => {
                Vec::new()
            }
        },
    )
}

/// Orders that a run would refuse.
pub(super) fn unordered(case: &Case, before: &[Order], orders: &[Order]) -> Vec<String> {
    let mut wrong = Vec::new();
    for order in orders {
        let Order {
            column,
            method,
            key,
            ..
        } = order;
        let same = |b: &Order| (&b.column, &b.method, &b.key) == (column, method, key);
        if !before.iter().any(same) {
            wrong.push(format!(
                "it requests {} with key `{key}` for column `{column}`, but did not request that \
                for an empty batch; a run refuses it",
                method.name()
            ));
        }
    }
    for order in before.iter().chain(orders) {
        if !case.keys.contains(&order.key) {
            let line = format!(
                "it points at key `{}`, which is not in the case's `keys:`",
                order.key
            );
            if !wrong.contains(&line) {
                wrong.push(line);
            }
        }
    }
    wrong
}

/// Compares the orders with those that are due.
pub(super) fn keyed(case: &Case, effect: &Effect, wrong: &mut Vec<String>) {
    let Some(due) = &case.expect.keyed else {
        return;
    };
    for (column, due) in &due.0 {
        let column = column.value.as_str();
        match effect.orders.iter().find(|o| o.column == column) {
            None => wrong.push(format!("keyed, {column}: expected a keyed mask, got none")),
            Some(got) => order(case, column, due, got, wrong),
        }
    }
    for got in &effect.orders {
        if due.0.iter().all(|(c, _)| c.value != got.column) {
            wrong.push(format!(
                "keyed, {}: expected no keyed mask, got {} with key `{}`",
                got.column,
                got.method.name(),
                got.key
            ));
        }
    }
}

fn order(case: &Case, column: &str, due: &Keyed, got: &Order, wrong: &mut Vec<String>) {
    let mut compare = |what: &str, due: String, got: String| {
        if due != got {
            wrong.push(format!(
                "keyed, {column}, {what}: expected {due}, got {got}"
            ));
        }
    };
    compare("method", due.method.clone(), got.method.name().into());
    compare("key", due.key.clone(), got.key.clone());
    match &got.method {
        Method::Pbkdf2Sha256 { iterations } => {
            let due = due.iterations.unwrap_or(*iterations);
            compare("iterations", due.to_string(), iterations.to_string());
        }
        Method::Ff1(Form { alphabet, .. }) => {
            let due = due.alphabet.as_deref().unwrap_or(alphabet);
            compare("alphabet", format!("{due:?}"), format!("{alphabet:?}"));
        }
        Method::HmacSha256
        | Method::AesSiv
        | Method::Fernet
        | Method::Seal
        | Method::Token
        | Method::Pick(_)
        | Method::Shift { .. } => {}
    }
    let place = match (&due.cells, &due.rows, &due.spans) {
        (None, None, None) => return,
        (Some(_), _, _) => "all cells".to_owned(),
        (_, Some(rows), _) => format!("rows {rows:?}"),
        (_, _, Some(spans)) => match due_spans(case, column, spans, got) {
            Ok(place) => place,
            Err(problem) => {
                wrong.push(format!("keyed, {column}, spans as expected: {problem}"));
                return;
            }
        },
    };
    compare("place", place, got_place(case, column, got));
}

fn got_place(case: &Case, column: &str, got: &Order) -> String {
    match &got.target {
        Target::Cells => "all cells".into(),
        Target::Rows(rows) => {
            let marked: Vec<usize> = (0..rows.len())
                .filter(|&row| effect::marked(rows, row))
                .collect();
            format!("rows {marked:?}")
        }
        Target::Spans(spans) => {
            let spans = spans.rows.iter().zip(&spans.starts).zip(&spans.ends);
            let spans: Vec<String> = spans
                .map(|((&row, &start), &end)| one_span(case, column, row, start, end))
                .collect();
            format!("spans {}", spans.join(", "))
        }
    }
}

fn one_span(case: &Case, column: &str, row: u32, start: u32, end: u32) -> String {
    let text = case.batch.columns.column_by_name(column);
    let text = text.and_then(|c| effect::covered(c.as_ref(), row, start, end));
    format!("row {row} [{start}, {end}] {:?}", text.unwrap_or_default())
}

/// Spans as expected. A part by its text is the first one after the part before it.
fn due_spans(
    case: &Case,
    column: &str,
    due: &Ordered<Vec<Part>>,
    got: &Order,
) -> Result<String, String> {
    let mut spans = Vec::new();
    for (row, parts) in &due.0 {
        let number: u32 = row
            .value
            .parse()
            .map_err(|_| format!("`{}` is not the number of a row", row.value))?;
        let cell = case
            .batch
            .columns
            .column_by_name(column)
            .filter(|c| (number as usize) < c.len())
            .and_then(|c| cells::shown(c.as_ref(), number as usize))
            .unwrap_or_default();
        let mut from = 0;
        for part in parts {
            let (start, end) = match part {
                Part::Bytes(start, end) => (*start, *end),
                Part::Text(text) => {
                    let at = cell.get(from..).and_then(|rest| rest.find(text.as_str()));
                    let start = from
                        + at.ok_or_else(|| format!("row {number} has no other part {text:?}"))?;
                    from = start + text.len();
                    let byte = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                    (byte(start), byte(from))
                }
            };
            spans.push((number, start, end));
        }
    }
    spans.sort_unstable();
    // An order of spans that are none may say so by an order of nothing.
    let nothing = matches!(&got.target, Target::Spans(s) if s.rows.is_empty());
    if spans.is_empty() && nothing {
        return Ok("spans ".into());
    }
    let spans: Vec<String> = spans
        .into_iter()
        .map(|(row, start, end)| one_span(case, column, row, start, end))
        .collect();
    Ok(format!("spans {}", spans.join(", ")))
}
