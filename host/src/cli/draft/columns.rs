//! What a manifest says of each column: its type, whether it may be personal, and why.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use glovebox_connectors::discover::{Doubt, Format, Found, Sample, guess};
use glovebox_core::{DataType, Field};
use glovebox_scan::{ASKED, SURE, Subject, Treatment, Verdict};

use super::judge::Judged;
use super::manifest::Column;

/// Whether a column is marked personal that only may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Caution {
    /// It is: a column that is masked for nothing costs a line of a manifest.
    Mark,
    /// Somebody is asked, by a comment.
    Ask,
}

const UNKNOWN: &str = "text with a name that says nothing about it";

/// The columns; `nulls` gets the words that stand for null among their cells.
pub(in crate::cli) fn columns(
    found: &Found,
    sample: &Sample,
    judged: &[Judged],
    caution: Caution,
    nulls: &mut BTreeSet<&'static str>,
) -> Vec<Column> {
    let fields = found.fields.iter().enumerate();
    fields
        .map(|(i, field)| {
            let verdict = judged.get(i).and_then(|judged| judged.verdict.as_ref());
            column(
                found,
                field,
                &cells(sample, i, field),
                verdict,
                caution,
                nulls,
            )
        })
        .collect()
}

/// The cells of a column of text that are not null and not empty.
fn cells<'s>(sample: &'s Sample, column: usize, field: &Field) -> Vec<&'s str> {
    if field.data_type != DataType::Text {
        return Vec::new();
    }
    let texts = sample
        .batches
        .iter()
        .filter_map(|batch| batch.columns().get(column)?.as_string_opt::<i32>());
    let cells = texts.flat_map(|text| text.iter().flatten());
    cells.collect()
}

fn column(
    found: &Found,
    field: &Field,
    cells: &[&str],
    verdict: Option<&Verdict>,
    caution: Caution,
    nulls: &mut BTreeSet<&'static str>,
) -> Column {
    let is_text = !found.format.has_types();
    let is_csv = matches!(found.format, Format::Csv(_));
    let mut guessed = guess(if is_text { cells } else { &[] }, is_csv);
    if !is_text {
        guessed.data_type = field.data_type;
    }
    // Cells that can be read in two ways are no evidence of either, unless both are personal for sure.
    let two_ways = matches!(guessed.doubt, Some(Doubt::TwoWays(_)));
    let verdict =
        verdict.filter(|v| v.confidence >= if two_ways && !v.by_name { SURE } else { ASKED });
    let unnamed = matches!(&found.format, Format::Csv(options) if !options.header);
    let unknown = unnamed && verdict.is_none() && caution == Caution::Mark;
    let unknown = unknown && guessed.data_type == DataType::Text;
    let is_code = verdict.is_some_and(|v| v.subject.is_some_and(Subject::is_code));
    let number = matches!(guessed.data_type, DataType::Int64 | DataType::Float64);
    if is_text && number && is_code {
        (guessed.data_type, guessed.formats) = (DataType::Text, None);
        guessed.nulls.clear();
    }
    nulls.extend(&guessed.nulls);
    let marked = verdict.is_some_and(|v| caution == Caution::Mark || v.confidence >= SURE);
    let personal = match verdict {
        Some(verdict) => Some(comment(verdict, marked)),
        None => unknown.then(|| UNKNOWN.to_owned()),
    };
    let treatment = || match verdict.and_then(|verdict| verdict.subject) {
        Some(subject) => subject.treatment(guessed.data_type),
        None => Treatment::Redact,
    };
    let doubt = guessed.doubt.map(|doubt| match doubt {
        Doubt::TwoWays(what) => format!("{what}: `formats` says it"),
        Doubt::Misfits(of, misfits, all) => {
            let rejected = match guessed.data_type == of {
                true => ", whose rows are rejected",
                false => "",
            };
            format!("{misfits} of {all} cells are not {of}{rejected}")
        }
    });
    let empty = (is_text && cells.is_empty()).then(|| "all cells seen were empty".to_owned());
    Column {
        name: field.name.to_string(),
        data_type: guessed.data_type,
        from: field.from.clone(),
        formats: guessed.formats,
        treatment: (marked || unknown).then(treatment),
        comment: personal.or(doubt).or(empty),
    }
}

/// What it seems to hold, and by what.
fn comment(verdict: &Verdict, marked: bool) -> String {
    let what = match (verdict.subject, &verdict.rule) {
        (Some(subject), _) => subject.what().to_owned(),
        // The name of a rule is its plugin's word, said before it saw a cell.
        (None, rule) => format!("`{}`", rule.as_deref().unwrap_or_default().escape_debug()),
    };
    let by = match (verdict.by_name, verdict.by_cells) {
        (true, true) => "judging by its name and its cells",
        (true, false) => "by its name",
        (false, _) => "by its cells",
    };
    match marked {
        true => format!("{what}, {by}"),
        false => format!("decide: it may be {what}, {by} ({:.2})", verdict.confidence),
    }
}
