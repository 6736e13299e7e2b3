//! Checks a plugin's answer against its grants, its announcement and the batch.
//! Messages never repeat a number or text that the guest chose, since it could be a cell.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray};
use arrow_schema::DataType as ArrowType;
use glovebox_core::shown::printable;
use glovebox_core::{
    Action, Answer, Batch, DataType, Fault, Field, Finding, Form, Grants, Kept, Masked, Method,
    Piece, Spans, Target,
};

use super::bindings::exports::glovebox::plugin::{masker, transformer, validator};
use super::lift;
use crate::fault::During;

/// The longest key name, FF1 alphabet and constant mask.
const MAX_NAME_LEN: usize = 1 << 10;

/// The longest list of values to choose among, and the most pieces and digits of a made-up value.
const MAX_LIST_LEN: usize = 1 << 20;
const MAX_PIECES: usize = 64;
const MAX_DIGITS: u32 = 64;

/// Refuses a text of more than `longest` bytes.
pub(super) fn length(text: &str, longest: usize, during: &During<'_>) -> Result<(), Fault> {
    if text.len() <= longest {
        Ok(())
    } else {
        Err(during.breach(format_args!("a text of more than {longest} bytes")))
    }
}

pub(super) fn masked_fields(
    fields: &[Field],
    grants: &Grants,
    during: &During<'_>,
) -> Result<(), Fault> {
    let same_names = fields.len() == grants.fields.len()
        && fields
            .iter()
            .zip(&grants.fields)
            .all(|(after, before)| after.name == before.name);
    if !same_names {
        return Err(during.breach("its fields are not the granted ones in their order"));
    }
    let touched = fields
        .iter()
        .zip(&grants.fields)
        .enumerate()
        .find(|(i, (after, before))| {
            !grants.masks.contains(i)
                && (after.data_type != before.data_type || after.nullable != before.nullable)
        });
    match touched {
        Some((_, (field, _))) => Err(during.breach(format_args!(
            "it announced a change to column `{}`, which is not in the step's `masks:`",
            field.name
        ))),
        None => Ok(()),
    }
}

/// What may be found whole in the masks of each column of the masks grant.
pub(super) fn keeps(
    keeps: Vec<masker::Kept>,
    grants: &Grants,
    during: &During<'_>,
) -> Result<Vec<Kept>, Fault> {
    if keeps.len() != grants.masks.len() {
        return Err(during.breach(format_args!(
            "it did not declare exactly once what it keeps of each of the {} columns in the \
            step's `masks:`",
            grants.masks.len()
        )));
    }
    keeps
        .into_iter()
        .map(|kept| {
            Ok(match kept {
                masker::Kept::Nothing => Kept::Nothing,
                masker::Kept::Constant(text) => {
                    length(&text, MAX_NAME_LEN, during)?;
                    Kept::Constant(text)
                }
                masker::Kept::Characters(most) => Kept::Characters(most),
                masker::Kept::Cells => Kept::Cells,
            })
        })
        .collect()
}

pub(super) fn added_fields(
    fields: &[Field],
    grants: &Grants,
    during: &During<'_>,
) -> Result<(), Fault> {
    let granted = |field: &Field| grants.adds.iter().find(|a| a.name == field.name);
    for (i, field) in fields.iter().enumerate() {
        if fields.iter().take(i).any(|f| f.name == field.name) {
            return Err(during.breach("it announced a column twice"));
        }
        match granted(field) {
            None => {
                return Err(during.breach(
                    "it announced a column that is not in the step's `adds:`; grant it there if \
                    you want that",
                ));
            }
            Some(due) if field.nullable && !due.nullable => {
                return Err(during.breach(format_args!(
                    "it announced that column `{}` may be null, but the step's `adds:` says that \
                    it may not",
                    due.name
                )));
            }
            Some(due) if due.data_type != field.data_type => {
                return Err(during.breach(format_args!(
                    "it announced column `{}` as {}, but the step's `adds:` says {}",
                    due.name, field.data_type, due.data_type
                )));
            }
            Some(_) => {}
        }
    }
    if let Some(missing) = grants
        .adds
        .iter()
        .find(|a| fields.iter().all(|f| f.name != a.name))
    {
        return Err(during.breach(format_args!(
            "it does not add column `{}` of the step's `adds:`",
            missing.name
        )));
    }
    Ok(())
}

pub(super) fn findings(
    findings: Vec<validator::Finding>,
    rules: usize,
    rows: usize,
    limit: usize,
    during: &During<'_>,
) -> Result<Vec<Finding>, Fault> {
    let named: usize = findings.iter().map(|f| f.rows.len()).sum();
    if named > limit || findings.len() > limit {
        return Err(during.breach(format_args!(
            "it returned more findings, or rows in them, than the step's `limits: {{ findings: {limit} }}`"
        )));
    }
    findings
        .into_iter()
        .map(|finding| {
            let rule = finding.rule as usize;
            if rule >= rules {
                return Err(during.breach(format_args!(
                    "a finding for a rule beyond the {rules} that it announced"
                )));
            }
            ascending(&finding.rows, rows, "the rows of a finding", during)?;
            Ok(Finding {
                rule,
                rows: finding.rows,
            })
        })
        .collect()
}

/// Row numbers that rise strictly and stay below `rows`.
fn ascending(list: &[u32], rows: usize, what: &str, during: &During<'_>) -> Result<(), Fault> {
    if !list.is_sorted_by(|a, b| a < b) {
        return Err(during.breach(format_args!("{what} are not in ascending order")));
    }
    if list.last().is_some_and(|&last| last as usize >= rows) {
        return Err(during.breach(format_args!("{what} exceed the batch's {rows}")));
    }
    Ok(())
}

pub(super) fn masked(
    masked: Vec<masker::Masked>,
    fields: &[Field],
    grants: &Grants,
    batch: &Batch,
    during: &During<'_>,
) -> Result<Vec<Masked>, Fault> {
    if masked.len() > grants.masks.len() {
        return Err(during.breach(format_args!(
            "it masked more columns than the {} of the step's `masks:`",
            grants.masks.len()
        )));
    }
    let mut checked: Vec<Masked> = Vec::with_capacity(masked.len());
    for entry in masked {
        let column = entry.column as usize;
        let Some(field) = fields
            .get(column)
            .filter(|_| grants.masks.contains(&column))
        else {
            return Err(during.breach(
                "it masked a column that is not in the step's `masks:`; grant it there if you \
                want that",
            ));
        };
        if checked.iter().any(|m| m.column == column) {
            return Err(during.breach(format_args!("it masked column `{}` twice", field.name)));
        }
        let action = action(entry.action, column, field, grants, batch, during)?;
        checked.push(Masked { column, action });
    }
    for &column in &grants.masks {
        let (Some(after), Some(before)) = (fields.get(column), grants.fields.get(column)) else {
            continue;
        };
        let left = checked.iter().all(|m| m.column != column);
        let stricter = before.nullable && !after.nullable;
        if left && (after.data_type != before.data_type || stricter) {
            return Err(during.breach(format_args!(
                "it announced another type for column `{}`, or that it has no nulls, and then did \
                not mask it",
                after.name
            )));
        }
    }
    Ok(checked)
}

fn action(
    action: masker::Action,
    column: usize,
    field: &Field,
    grants: &Grants,
    batch: &Batch,
    during: &During<'_>,
) -> Result<Action, Fault> {
    let rows = batch.rows();
    let retyped = grants
        .fields
        .get(column)
        .is_none_or(|before| before.data_type != field.data_type);
    Ok(match action {
        masker::Action::Replace(values) => {
            Action::Replace(lift::column(values, field, rows, during)?)
        }
        masker::Action::Nullify(target) => {
            let target = self::target(target, column, field, batch, during)?;
            if matches!(target, Target::Spans(_)) {
                return Err(during.breach("it nullified spans; only cells and rows can be null"));
            }
            if !field.nullable {
                return Err(during.breach(format_args!(
                    "it nullified cells of column `{}`, but had announced no nulls",
                    field.name
                )));
            }
            if retyped && target != Target::Cells {
                return Err(during.breach(format_args!(
                    "it left cells of column `{}` unchanged, but had announced another type",
                    field.name
                )));
            }
            Action::Nullify(target)
        }
        masker::Action::Keyed(keyed) => {
            length(&keyed.key, MAX_NAME_LEN, during)?;
            let method = method(keyed.method, grants, during)?;
            let cells = grants.fields.get(column).map(|before| before.data_type);
            let gives = cells.and_then(|cells| method.output(cells));
            if gives.is_some_and(|gives| gives != field.data_type) || !field.nullable {
                return Err(during.breach(format_args!(
                    "{} gives {} cells that may be null, but it had announced something else for \
                    column `{}`",
                    method.name(),
                    gives.unwrap_or(DataType::Text),
                    field.name
                )));
            }
            let target = self::target(keyed.target, column, field, batch, during)?;
            if retyped && target != Target::Cells {
                return Err(during.breach(format_args!(
                    "it left cells of column `{}` unchanged, but had announced another type",
                    field.name
                )));
            }
            Action::Keyed {
                method,
                key: printable(&keyed.key),
                target,
            }
        }
    })
}

fn method(method: masker::Method, grants: &Grants, during: &During<'_>) -> Result<Method, Fault> {
    Ok(match method {
        masker::Method::HmacSha256 => Method::HmacSha256,
        masker::Method::Pbkdf2Sha256(iterations) => Method::Pbkdf2Sha256 { iterations },
        masker::Method::AesSiv => Method::AesSiv,
        masker::Method::Ff1(form) => {
            length(&form.alphabet, MAX_NAME_LEN, during)?;
            Method::Ff1(Form {
                alphabet: form.alphabet.into(),
                keep_first: form.keep_first,
                keep_last: form.keep_last,
                luhn: form.luhn,
            })
        }
        masker::Method::Fernet => Method::Fernet,
        masker::Method::Seal => Method::Seal,
        masker::Method::Token => Method::Token,
        masker::Method::Pick(pieces) => Method::Pick(self::pieces(pieces, during)?),
        masker::Method::Shift(shift) => {
            let entity = shift.entity as usize;
            if entity >= grants.fields.len() {
                return Err(during.breach("it named an entity that is not among its columns"));
            }
            Method::Shift {
                entity,
                days: shift.days,
            }
        }
    })
}

fn pieces(pieces: Vec<masker::Piece>, during: &During<'_>) -> Result<Arc<[Piece]>, Fault> {
    if pieces.len() > MAX_PIECES {
        return Err(during.breach(format_args!("a value of more than {MAX_PIECES} pieces")));
    }
    let pieces = pieces.into_iter().map(|piece| {
        Ok(match piece {
            masker::Piece::Text(text) => {
                length(&text, MAX_NAME_LEN, during)?;
                Piece::Text(text.into())
            }
            masker::Piece::Choice(lines) => {
                length(&lines, MAX_LIST_LEN, during)?;
                Piece::Choice(lines.into())
            }
            masker::Piece::Digits(digits) if digits > MAX_DIGITS => {
                return Err(during.breach(format_args!("a piece of more than {MAX_DIGITS} digits")));
            }
            masker::Piece::Digits(digits) => Piece::Digits(digits),
            masker::Piece::Luhn => Piece::Luhn,
        })
    });
    pieces.collect()
}

fn target(
    target: masker::Target,
    column: usize,
    field: &Field,
    batch: &Batch,
    during: &During<'_>,
) -> Result<Target, Fault> {
    Ok(match target {
        masker::Target::Cells => Target::Cells,
        masker::Target::Rows(bits) => {
            let bits = lift::bitmap(bits, batch.rows(), &field.name, during)?;
            Target::Rows(BooleanArray::new(bits, None))
        }
        masker::Target::Spans(spans) => Target::Spans(self::spans(spans, column, batch, during)?),
    })
}

fn spans(
    spans: masker::Spans,
    column: usize,
    batch: &Batch,
    during: &During<'_>,
) -> Result<Spans, Fault> {
    let (rows, starts, ends) = (&spans.rows, &spans.starts, &spans.ends);
    if rows.len() != starts.len() || rows.len() != ends.len() {
        return Err(during.breach("its spans have unequal numbers of rows, starts and ends"));
    }
    let text = batch
        .columns
        .columns()
        .get(column)
        .filter(|array| *array.data_type() == ArrowType::Utf8)
        .ok_or_else(|| during.breach("it pointed at spans of a column that is not text"))?
        .as_string::<i32>();
    let mut last = (0, 0);
    for ((&row, &start), &end) in rows.iter().zip(starts).zip(ends) {
        let here = row as usize;
        if here >= text.len() || text.is_null(here) {
            return Err(during.breach("a span in a row that does not exist or is null"));
        }
        // `str::get` refuses ends past the cell and inside a character.
        if start >= end || text.value(here).get(start as usize..end as usize).is_none() {
            return Err(during.breach("a span that is empty, past its cell, or inside a character"));
        }
        if row < last.0 || (row == last.0 && start < last.1) {
            return Err(during.breach("its spans overlap or are not in order"));
        }
        last = (row, end);
    }
    Ok(Spans {
        rows: spans.rows,
        starts: spans.starts,
        ends: spans.ends,
    })
}

pub(super) fn transformed(
    result: transformer::Transformed,
    fields: &[Field],
    rows: usize,
    during: &During<'_>,
) -> Result<Answer, Fault> {
    if result.columns.len() != fields.len() {
        return Err(during.breach(format_args!(
            "it did not return the {} columns that it had announced",
            fields.len()
        )));
    }
    let columns = result
        .columns
        .into_iter()
        .zip(fields)
        .map(|(column, field)| lift::column(column, field, rows, during))
        .collect::<Result<_, _>>()?;
    let keep = result
        .keep
        .map(|bits| lift::bitmap(bits, rows, "keep", during))
        .transpose()?
        .map(|bits| BooleanArray::new(bits, None));
    Ok(Answer::Transformed { columns, keep })
}
