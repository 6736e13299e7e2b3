//! Whether what came through the sandbox's checks keeps the contract, judged anew and by other
//! code.

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
        Announced::Masked { fields, .. } => {
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
        (Answer::Masked(actions), Announced::Masked { fields, .. }) => {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int64Array, RecordBatch};
    use glovebox_core::{DataType, Finding, Masked, Origin, Rule, Schema};

    use super::*;

    fn grants() -> Grants {
        Grants {
            fields: vec![Field::new("city", DataType::Text)],
            masks: vec![0],
            adds: Vec::new(),
        }
    }

    fn batch() -> Batch {
        let cells: ArrayRef = Arc::new(StringArray::from(vec!["\u{e9}tampes", "Lyon"]));
        let schema = Schema::new(grants().fields).to_arrow();
        let columns = RecordBatch::try_new(schema, vec![cells]).expect("it is a batch");
        Batch::new(columns, Origin::contiguous(0))
    }

    #[test]
    fn findings_outside_of_the_batch_are_noticed() {
        let rules = Announced::Rules(vec![Rule {
            id: "rule".into(),
            column: None,
            message: "message".into(),
        }]);
        let judged = |rule, rows: &[u32]| {
            let rows = rows.to_vec();
            let findings = Answer::Findings(vec![Finding { rule, rows }]);
            answer(&findings, &rules, &grants(), &batch())
        };
        assert_eq!(judged(0, &[0, 1]), Ok(()));
        assert!(judged(1, &[0]).is_err());
        assert!(judged(0, &[2]).is_err());
        assert!(judged(0, &[1, 0]).is_err());
        assert!(judged(0, &[1, 1]).is_err());
    }

    #[test]
    fn masks_that_do_not_fit_are_noticed() {
        let fields = Announced::Masked {
            fields: grants().fields,
            keeps: Vec::new(),
        };
        let judged = |column, action| {
            let masked = Answer::Masked(vec![Masked { column, action }]);
            answer(&masked, &fields, &grants(), &batch())
        };
        let spans = |row, start, end| {
            Action::Nullify(Target::Spans(Spans {
                rows: vec![row],
                starts: vec![start],
                ends: vec![end],
            }))
        };
        assert_eq!(judged(0, spans(0, 0, 2)), Ok(()));
        assert!(judged(1, spans(0, 0, 2)).is_err(), "not granted");
        assert!(judged(0, spans(0, 0, 1)).is_err(), "inside a character");
        assert!(judged(0, spans(1, 0, 5)).is_err(), "past the cell");
        assert!(judged(0, spans(2, 0, 1)).is_err(), "past the rows");
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        assert!(judged(0, Action::Replace(numbers)).is_err(), "another type");
        let few: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        assert!(judged(0, Action::Replace(few)).is_err(), "too few");
        let rows = BooleanArray::from(vec![true]);
        assert!(judged(0, Action::Nullify(Target::Rows(rows))).is_err());
    }
}
