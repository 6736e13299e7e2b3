//! What a plugin's answer makes of a batch, as texts that can be compared.
//!
//! Owns how a keyed mask looks without a key: the key's name in `«»`. Refuses nothing: the sandbox
//! has checked the answer.

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray};
use glovebox_core::{
    Action, Announced, Answer, Batch, Field, Grants, Masked, Method, Rule, Spans, Target,
};

use super::cells;

/// A column after the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) field: Field,
    pub(crate) cells: Vec<Option<String>>,
}

/// An order for a keyed mask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) column: String,
    pub(crate) method: Method,
    pub(crate) key: String,
    pub(crate) target: Target,
}

/// What a batch and an answer come to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Effect {
    /// A validator's: rule, column, row, sorted.
    pub(crate) findings: Vec<(String, Option<String>, u32)>,
    /// The granted and added columns, with the rows that stay.
    pub(crate) columns: Vec<After>,
    pub(crate) orders: Vec<Order>,
    /// The rows that stay.
    pub(crate) kept: Vec<u32>,
}

pub(crate) fn effect(
    answer: &Answer,
    announced: &Announced,
    grants: &Grants,
    batch: &Batch,
) -> Effect {
    let rows = u32::try_from(batch.rows()).unwrap_or(u32::MAX);
    let mut effect = Effect {
        kept: (0..rows).collect(),
        ..Effect::default()
    };
    match (answer, announced) {
        (Answer::Findings(findings), Announced::Rules(rules)) => {
            for finding in findings {
                let Some(rule) = rules.get(finding.rule) else {
                    continue;
                };
                let column = column_of(rule, grants);
                let found = finding.rows.iter();
                effect
                    .findings
                    .extend(found.map(|&row| (rule.id.to_string(), column.clone(), row)));
            }
            effect.findings.sort();
        }
        (Answer::Masked(masked), Announced::Masked { fields, .. }) => {
            for (i, field) in fields.iter().enumerate() {
                let Some(before) = batch.columns.columns().get(i) else {
                    continue;
                };
                let action = masked.iter().find(|m| m.column == i).map(|m| &m.action);
                effect.columns.push(After {
                    field: field.clone(),
                    cells: after(action, before.as_ref()),
                });
            }
            effect.orders = orders(masked, grants);
        }
        (Answer::Transformed { columns, keep }, Announced::Added(fields)) => {
            if let Some(keep) = keep {
                effect.kept.retain(|&row| marked(keep, row as usize));
            }
            let stay = |column: &dyn Array| {
                let kept = effect.kept.iter();
                kept.map(|&row| cells::shown(column, row as usize))
                    .collect()
            };
            let untouched = grants
                .fields
                .iter()
                .zip(batch.columns.columns())
                .filter(|(field, _)| fields.iter().all(|f| f.name != field.name));
            let added = fields.iter().zip(columns);
            effect.columns = untouched
                .chain(added)
                .map(|(field, column)| After {
                    field: field.clone(),
                    cells: stay(column.as_ref()),
                })
                .collect();
        }
        // An answer of another world than was announced does not pass the sandbox.
        _ => {}
    }
    effect
}

/// The column that a rule is about.
pub(crate) fn column_of(rule: &Rule, grants: &Grants) -> Option<String> {
    let field = rule.column.and_then(|c| grants.fields.get(c))?;
    Some(field.name.to_string())
}

/// The keyed masks of an answer.
pub(crate) fn orders(masked: &[Masked], grants: &Grants) -> Vec<Order> {
    let order = |entry: &Masked| match &entry.action {
        Action::Keyed {
            method,
            key,
            target,
        } => Some(Order {
            column: grants.fields.get(entry.column)?.name.to_string(),
            method: method.clone(),
            key: key.clone(),
            target: target.clone(),
        }),
        Action::Replace(_) | Action::Nullify(_) => None,
    };
    masked.iter().filter_map(order).collect()
}

fn after(action: Option<&Action>, before: &dyn Array) -> Vec<Option<String>> {
    let unchanged = || (0..before.len()).map(|row| cells::shown(before, row));
    match action {
        None => unchanged().collect(),
        Some(Action::Replace(by)) => (0..by.len()).map(|row| cells::shown(by, row)).collect(),
        Some(Action::Nullify(target)) => unchanged()
            .enumerate()
            .map(|(row, cell)| cell.filter(|_| !hits(target, row)))
            .collect(),
        Some(Action::Keyed {
            key,
            target: Target::Spans(spans),
            ..
        }) => spanned(before, spans, key),
        Some(Action::Keyed { key, target, .. }) => unchanged()
            .enumerate()
            .map(|(row, cell)| {
                if !hits(target, row) {
                    return cell;
                }
                // The host makes no mask of nothing.
                cell.filter(|c| !c.is_empty()).map(|_| format!("«{key}»"))
            })
            .collect(),
    }
}

fn hits(target: &Target, row: usize) -> bool {
    match target {
        Target::Cells => true,
        Target::Rows(rows) => marked(rows, row),
        Target::Spans(_) => false,
    }
}

pub(crate) fn marked(rows: &BooleanArray, row: usize) -> bool {
    row < rows.len() && rows.value(row)
}

fn spanned(before: &dyn Array, spans: &Spans, key: &str) -> Vec<Option<String>> {
    let mut cells: Vec<Option<String>> = (0..before.len())
        .map(|row| cells::shown(before, row))
        .collect();
    let spans = spans.rows.iter().zip(&spans.starts).zip(&spans.ends);
    // From the last to the first, so that what is replaced does not move what is not yet.
    for ((&row, &start), &end) in spans.rev() {
        if let Some(Some(cell)) = cells.get_mut(row as usize)
            && cell.get(start as usize..end as usize).is_some()
        {
            cell.replace_range(start as usize..end as usize, &format!("«{key}»"));
        }
    }
    cells
}

/// The text that a span covers.
pub(crate) fn covered(before: &dyn Array, row: u32, start: u32, end: u32) -> Option<String> {
    let text = before.as_string_opt::<i32>()?;
    let row = row as usize;
    if row >= text.len() || text.is_null(row) {
        return None;
    }
    text.value(row)
        .get(start as usize..end as usize)
        .map(str::to_owned)
}

/// Columns and their types, as a message names a batch.
pub(crate) fn shape(fields: &[Field], rows: usize) -> String {
    let columns: Vec<String> = fields
        .iter()
        .map(|f| format!("{} {}", f.name, f.data_type))
        .collect();
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    format!(
        "{rows} row{} × {} column{} ({})",
        plural(rows),
        fields.len(),
        plural(fields.len()),
        columns.join(", ")
    )
}
