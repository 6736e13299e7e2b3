//! Applies a checked answer to its batch: findings become violations, actions become masked
//! columns, added columns are inserted, rows that do not stay are removed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, Scalar, new_null_array,
};
use arrow_buffer::BooleanBufferBuilder;
use arrow_select::zip::zip;
use glovebox_core::{
    Action, Announced, Answer, Batch, Fault, FaultKind, Finding, KeyError, Masked, Masking, Method,
    Refusal, Reject, Target, TokenBatch, Violation,
};

use crate::armed::{ArmedStep, Order, entity_of};
use crate::error::{RunError, StepError};
use crate::guard::{self, Mask};
use crate::plan::PlannedStep;

/// The rule of rows whose mask holds the raw cell.
const LEAK: &str = "leak";

/// A batch after a step.
pub(crate) struct Resolved {
    pub(crate) batch: Batch,
    pub(crate) filtered: u64,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) tokens: Vec<TokenBatch>,
    /// For each path into documents, the rows in which it led to a value.
    pub(crate) inside: Vec<u64>,
}

impl Resolved {
    /// A batch to which nothing was done.
    pub(crate) fn unchanged(batch: Batch) -> Self {
        Resolved {
            batch,
            filtered: 0,
            rejects: Vec::new(),
            tokens: Vec::new(),
            inside: Vec::new(),
        }
    }
}

pub(crate) fn resolve(
    step: &ArmedStep<'_>,
    answer: Answer,
    batch: &Batch,
) -> Result<Resolved, StepError> {
    Ok(match answer {
        Answer::Findings(findings) => findings_resolved(step, &findings, batch)?,
        Answer::Masked(masked) => {
            not_left_personal(step, &masked)?;
            masked_resolved(step, masked, batch)?
        }
        Answer::Transformed { columns, keep } => {
            transformed_resolved(step, columns, keep.as_ref(), batch)?
        }
        Answer::Selected { columns, keep } => {
            selected_resolved(step, columns, keep.as_ref(), batch)?
        }
    })
}

fn findings_resolved(
    step: &ArmedStep<'_>,
    findings: &[Finding],
    batch: &Batch,
) -> Result<Resolved, RunError> {
    let unchanged = |batch: &Batch| Resolved::unchanged(batch.clone());
    let Announced::Rules(rules) = &step.planned.announced else {
        return Ok(unchanged(batch));
    };
    // Each rule once a row, in the order in which they were announced: how often a guest finds one,
    // and in which order, would say more than the contract lets it.
    let mut broken: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
    for finding in findings {
        broken
            .entry(finding.rule)
            .or_default()
            .extend(&finding.rows);
    }
    let mut by_row: BTreeMap<u32, Vec<Violation>> = BTreeMap::new();
    for (rule, rows) in broken {
        let Some(rule) = rules.get(rule) else {
            continue;
        };
        let column = rule
            .column
            .and_then(|c| step.planned.grants.fields.get(c))
            .map(|f| Arc::clone(&f.name));
        for row in rows {
            by_row.entry(row).or_default().push(Violation {
                step: Arc::clone(&step.planned.name),
                column: column.clone(),
                rule: Arc::clone(&rule.id),
                message: Arc::clone(&rule.message),
            });
        }
    }
    if by_row.is_empty() {
        return Ok(unchanged(batch));
    }
    set_aside(batch, by_row)
}

/// The batch without these rows, which are rejected.
fn set_aside(batch: &Batch, by_row: BTreeMap<u32, Vec<Violation>>) -> Result<Resolved, RunError> {
    let mut keep = BooleanBufferBuilder::new(batch.rows());
    keep.append_n(batch.rows(), true);
    let mut rejects = Vec::with_capacity(by_row.len());
    for (row, violations) in by_row {
        let row = row as usize;
        keep.set_bit(row, false);
        rejects.push(Reject {
            row: batch.origin.row(row),
            file: batch.origin.file().cloned(),
            line: batch.origin.line(row),
            violations,
        });
    }
    let left = batch.filter(&BooleanArray::new(keep.finish(), None))?;
    Ok(Resolved {
        rejects,
        ..Resolved::unchanged(left)
    })
}

/// A masker may not hand on a personal column that it was given to mask as it came.
fn not_left_personal(step: &ArmedStep<'_>, masked: &[Masked]) -> Result<(), Fault> {
    let grants = &step.planned.grants;
    let left = grants
        .masks
        .iter()
        .filter(|&&i| masked.iter().all(|m| m.column != i))
        .find_map(|&i| grants.fields.get(i).filter(|f| f.personal));
    match left {
        None => Ok(()),
        Some(left) => Err(Fault {
            plugin: step.planned.plugin.name().to_owned(),
            kind: FaultKind::Breach,
            what: format!("left the personal column `{}` unchanged", left.name),
            remedy: "a masker must mask every personal column of its `masks:`".into(),
        }),
    }
}

/// A keyed mask that was not ordered before the first row, or cannot be made, is the plugin's
/// fault. The name of the key, the alphabet and the number of iterations are its words about rows
/// that it has seen, so none is repeated.
fn not_keyed(step: &ArmedStep<'_>, column: &str, what: &str) -> Fault {
    Fault {
        plugin: step.planned.plugin.name().to_owned(),
        kind: FaultKind::Breach,
        what: format!("requested a keyed mask for column `{column}` {what}"),
        remedy: "its answer was discarded; report this to the plugin's author".into(),
    }
}

/// Why a keyed mask that was ordered is not there.
fn unmasked(step: &ArmedStep<'_>, column: &str, error: KeyError) -> StepError {
    let what = match error {
        KeyError::Remote(problem) => {
            return StepError::Run(RunError::RemoteKey {
                step: step.planned.name.to_string(),
                problem,
            });
        }
        KeyError::NotGranted(_) => "with a key that is not in the step's `keys:`",
        KeyError::Key(_) => "with a key that does not fit the method",
        KeyError::Parameters(_) | KeyError::OneWay(_) => "with parameters that are out of bounds",
        KeyError::Type { .. } | KeyError::Arrow(_) => "whose type cannot be masked with a key",
    };
    not_keyed(step, column, what).into()
}

fn masked_resolved(
    step: &ArmedStep<'_>,
    masked: Vec<Masked>,
    batch: &Batch,
) -> Result<Resolved, StepError> {
    let planned = step.planned;
    let mut columns = batch.columns.columns().to_vec();
    let mut aside = leaked(step, &masked, batch)?;
    let mut tokens = Vec::new();
    for entry in masked {
        let Some(&place) = planned.inputs.get(entry.column) else {
            continue;
        };
        let (Some(column), Some(field)) =
            (columns.get_mut(place), planned.output.fields.get(place))
        else {
            continue;
        };
        *column = match entry.action {
            Action::Replace(values) => values,
            Action::Nullify(Target::Cells) => {
                new_null_array(&field.data_type.to_arrow(), batch.rows())
            }
            Action::Nullify(Target::Rows(rows)) => nullified(column, &rows)?,
            // The sandbox has refused these.
            Action::Nullify(Target::Spans(_)) => Arc::clone(column),
            Action::Keyed {
                method,
                key,
                target,
            } => {
                let order = Order {
                    column: entry.column,
                    method,
                    key,
                };
                if !step.keyed.contains(&order) {
                    let what = "that it had not requested for an empty batch";
                    return Err(not_keyed(step, &field.name, what).into());
                }
                let granted = granted(planned, &order.method, batch);
                let masking = Masking {
                    key: &order.key,
                    method: &order.method,
                    target: &target,
                    column,
                    name: &field.name,
                    entity: entity_of(planned, &order.method, &granted),
                };
                let computed = step.keys.mask(&masking);
                let computed = computed.map_err(|error| unmasked(step, &field.name, error))?;
                for (row, refusal) in computed.refused {
                    let violation = refused(step, &field.name, refusal);
                    aside.entry(row).or_default().push(violation);
                }
                tokens.extend(computed.tokens);
                computed.column
            }
        };
    }
    let batch = rebuilt(step, columns, batch)?;
    let resolved = match aside.is_empty() {
        true => Resolved::unchanged(batch),
        false => set_aside(&batch, aside)?,
    };
    Ok(Resolved { tokens, ..resolved })
}

/// The columns that the step was granted, as they came, for a method that looks at others than its own.
fn granted(planned: &PlannedStep, method: &Method, batch: &Batch) -> Vec<ArrayRef> {
    match method {
        Method::Shift { .. } => {
            let columns = batch.columns.columns();
            let granted = planned
                .inputs
                .iter()
                .filter_map(|&place| columns.get(place));
            granted.map(Arc::clone).collect()
        }
        _ => Vec::new(),
    }
}

/// A cell that the method cannot mask.
fn refused(step: &ArmedStep<'_>, column: &Arc<str>, refusal: Refusal) -> Violation {
    Violation {
        step: Arc::clone(&step.planned.name),
        column: Some(Arc::clone(column)),
        rule: refusal.rule().into(),
        message: format!("`{column}` {}", refusal.message()).into(),
    }
}

/// The rows in which a guarded column's mask holds the raw cell.
fn leaked(
    step: &ArmedStep<'_>,
    masked: &[Masked],
    batch: &Batch,
) -> Result<BTreeMap<u32, Vec<Violation>>, RunError> {
    let planned = step.planned;
    let mut by_row: BTreeMap<u32, Vec<Violation>> = BTreeMap::new();
    for guarded in &planned.guarded {
        let place = planned.inputs.get(guarded.column).copied();
        let raw = place.and_then(|p| batch.columns.columns().get(p));
        let field = planned.grants.fields.get(guarded.column);
        let (Some(raw), Some(field)) = (raw, field) else {
            continue;
        };
        let entry = masked.iter().find(|m| m.column == guarded.column);
        let mask = match entry.map(|m| &m.action) {
            Some(Action::Replace(values)) => Mask::Values(values),
            Some(Action::Keyed { target, .. } | Action::Nullify(target)) => Mask::Pointed(target),
            None => Mask::None,
        };
        let rows = guard::leaks(&guarded.kept, raw, mask)?;
        if rows.is_empty() {
            continue;
        }
        let violation = leak(step, &field.name);
        for row in rows {
            by_row.entry(row).or_default().push(violation.clone());
        }
    }
    Ok(by_row)
}

fn leak(step: &ArmedStep<'_>, column: &Arc<str>) -> Violation {
    let planned = step.planned;
    let remedy = match planned.standard {
        true => "choose other options, or check the row in the source",
        false => {
            "report this to the plugin's author, or, if cells may stay whole, grant it in the \
            step's `keeps:`"
        }
    };
    let message = format!(
        "plugin {} left the cell of `{column}` whole in its mask; {remedy}",
        planned.plugin.name()
    );
    Violation {
        step: Arc::clone(&planned.name),
        column: Some(Arc::clone(column)),
        rule: LEAK.into(),
        message: message.into(),
    }
}

/// The column with the marked rows null, and nothing left of what they held: the buffers go to
/// the next plugin as they are.
fn nullified(column: &ArrayRef, rows: &BooleanArray) -> Result<ArrayRef, RunError> {
    let null = Scalar::new(new_null_array(column.data_type(), 1));
    Ok(zip(rows, &null, column)?)
}

fn transformed_resolved(
    step: &ArmedStep<'_>,
    added: Vec<ArrayRef>,
    keep: Option<&BooleanArray>,
    batch: &Batch,
) -> Result<Resolved, RunError> {
    let mut columns = batch.columns.columns().to_vec();
    for (column, &place) in added.into_iter().zip(&step.planned.places) {
        match columns.get_mut(place) {
            Some(there) => *there = column,
            None => columns.push(column),
        }
    }
    let mut batch = rebuilt(step, columns, batch)?;
    let before = batch.rows();
    if let Some(keep) = keep.filter(|k| k.true_count() < before) {
        batch = batch.filter(keep)?;
    }
    Ok(Resolved {
        filtered: (before - batch.rows()) as u64,
        ..Resolved::unchanged(batch)
    })
}

/// A query's columns are those of the rows that stay, so the rows go first.
fn selected_resolved(
    step: &ArmedStep<'_>,
    made: Vec<ArrayRef>,
    keep: Option<&BooleanArray>,
    batch: &Batch,
) -> Result<Resolved, RunError> {
    let left = match keep {
        Some(keep) => batch.filter(keep)?,
        None => batch.clone(),
    };
    let mut columns = left.columns.columns().to_vec();
    columns.extend(made);
    if let Some(takes) = &step.planned.takes {
        let takes = takes.columns.iter();
        columns = takes.filter_map(|&i| columns.get(i).cloned()).collect();
    }
    Ok(Resolved {
        filtered: (batch.rows() - left.rows()) as u64,
        ..Resolved::unchanged(rebuilt(step, columns, &left)?)
    })
}

fn rebuilt(step: &ArmedStep<'_>, columns: Vec<ArrayRef>, batch: &Batch) -> Result<Batch, RunError> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.rows()));
    let schema = Arc::clone(&step.planned.output_arrow);
    Ok(Batch::new(
        RecordBatch::try_new_with_options(schema, columns, &options)?,
        batch.origin.clone(),
    ))
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;
    use arrow_array::cast::AsArray;

    use super::*;

    #[test]
    fn nothing_is_left_in_the_buffers_of_a_nullified_cell() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["canary-1", "kept", "canary-2"]));
        let rows = BooleanArray::from(vec![true, false, true]);
        let after = nullified(&column, &rows).unwrap();
        let text = after.as_string::<i32>();
        assert_eq!(text.iter().collect::<Vec<_>>(), [None, Some("kept"), None]);
        assert_eq!(text.values().as_slice(), b"kept");
    }
}
