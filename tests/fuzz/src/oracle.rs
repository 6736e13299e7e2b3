//! Whether what came through the sandbox's checks keeps the contract, judged anew and by other code.
//!
//! Owns the promises that `Announced` and `Answer` make to the engine; refuses to share a line with
//! the sandbox, whose mistakes it is to find.

use arrow_array::{Array, ArrayRef, BooleanArray, StringArray};
use glovebox_core::{Action, Announced, Answer, Batch, Field, Grants, Spans, Target};

/// What an announcement breaks.
pub(crate) fn announced(announced: &Announced, grants: &Grants) -> Result<(), &'static str> {
    match announced {
        Announced::Rules(rules) => hold(
            rules
                .iter()
                .all(|r| r.column.is_none_or(|c| c < grants.fields.len())),
            "a rule is about a column that is not granted",
        ),
        Announced::Masked(fields) => {
            hold(
                fields.len() == grants.fields.len(),
                "a masker's fields are not as many as granted",
            )?;
            for (i, (field, granted)) in fields.iter().zip(&grants.fields).enumerate() {
                hold(field.name == granted.name, "a masker renamed a field")?;
                hold(
                    grants.masks.contains(&i) || field.data_type == granted.data_type,
                    "a masker changed the type of a field that it may not mask",
                )?;
            }
            Ok(())
        }
        Announced::Added(fields) => {
            hold(
                fields.len() == grants.adds.len(),
                "a transformer's columns are not as many as granted",
            )?;
            for added in &grants.adds {
                hold(
                    (fields.iter()).any(|f| f.name == added.name && f.data_type == added.data_type),
                    "a transformer does not add what it is granted",
                )?;
            }
            Ok(())
        }
    }
}

/// What an answer breaks.
pub(crate) fn answer(
    answer: &Answer,
    announced: &Announced,
    grants: &Grants,
    batch: &Batch,
) -> Result<(), &'static str> {
    let rows = batch.rows();
    match (answer, announced) {
        (Answer::Findings(findings), Announced::Rules(rules)) => {
            for finding in findings {
                hold(
                    finding.rule < rules.len(),
                    "a finding names a rule that is not there",
                )?;
                hold(
                    finding.rows.is_sorted_by(|a, b| a < b),
                    "rows of a finding do not rise",
                )?;
                let last = finding.rows.last();
                hold(
                    last.is_none_or(|&row| (row as usize) < rows),
                    "a finding names a row that is not there",
                )?;
            }
            Ok(())
        }
        (Answer::Masked(actions), Announced::Masked(fields)) => {
            let mut seen = Vec::new();
            for masked in actions {
                hold(
                    grants.masks.contains(&masked.column),
                    "a column is masked outside of the grant",
                )?;
                hold(!seen.contains(&masked.column), "a column is masked twice")?;
                seen.push(masked.column);
                let field = fields.get(masked.column).ok_or("a column is not there")?;
                let cells = batch.columns.column(masked.column);
                match &masked.action {
                    Action::Replace(column) => self::column(column, field, rows)?,
                    Action::Keyed { target, .. } | Action::Nullify(target) => {
                        self::target(target, cells)?;
                    }
                }
            }
            Ok(())
        }
        (Answer::Transformed { columns, keep }, Announced::Added(fields)) => {
            hold(
                columns.len() == fields.len(),
                "the columns are not as many as announced",
            )?;
            for (column, field) in columns.iter().zip(fields) {
                self::column(column, field, rows)?;
            }
            keep.as_ref().map_or(Ok(()), |keep| mask(keep, rows))
        }
        _ => Err("the answer is of another world than the announcement"),
    }
}

fn column(column: &ArrayRef, field: &Field, rows: usize) -> Result<(), &'static str> {
    hold(column.len() == rows, "a column has not the batch's length")?;
    hold(
        *column.data_type() == field.data_type.to_arrow(),
        "a column is not of the announced type",
    )?;
    hold(
        field.nullable || column.null_count() == 0,
        "a column that was announced without nulls has some",
    )?;
    hold(
        column.to_data().validate_full().is_ok(),
        "a column is not what Arrow calls valid",
    )
}

fn target(target: &Target, cells: &ArrayRef) -> Result<(), &'static str> {
    match target {
        Target::Cells => Ok(()),
        Target::Rows(rows) => mask(rows, cells.len()),
        Target::Spans(spans) => self::spans(spans, cells),
    }
}

fn mask(mask: &BooleanArray, rows: usize) -> Result<(), &'static str> {
    hold(mask.len() == rows, "a row mask has not the batch's length")?;
    hold(mask.null_count() == 0, "a row mask has nulls")
}

fn spans(spans: &Spans, cells: &ArrayRef) -> Result<(), &'static str> {
    let texts = cells.as_any().downcast_ref::<StringArray>();
    let texts = texts.ok_or("spans point into a column that is not text")?;
    hold(
        spans.rows.len() == spans.starts.len() && spans.rows.len() == spans.ends.len(),
        "spans have not as many rows as starts and ends",
    )?;
    let mut before = (0_u32, 0_u32);
    for ((&row, &start), &end) in spans.rows.iter().zip(&spans.starts).zip(&spans.ends) {
        hold((row, start) >= before, "spans overlap or do not rise")?;
        before = (row, end);
        let text = texts.iter().nth(row as usize).flatten().unwrap_or_default();
        hold(
            text.get(start as usize..end as usize).is_some(),
            "a span is not a part of its cell",
        )?;
    }
    Ok(())
}

fn hold(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}
