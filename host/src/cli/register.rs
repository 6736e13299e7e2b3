//! A manifest as the register of its source's columns: which ones it does not mention, and what all of
//! them hold.

use glovebox_core::{DataType, Field, Schema, Source, SourceError};
use glovebox_engine::arm;
use glovebox_manifest::{Diagnostic, Manifest, model};
use glovebox_scan::{ASKED, SURE};

use super::draft::Judged;
use crate::compose::Composed;

/// Why a source is not open.
pub(super) enum Unopened {
    /// What is wrong in the manifest.
    Manifest(Vec<Diagnostic>),
    /// What is wrong with the source.
    Source(SourceError),
}

/// The source with the columns that the manifest declares, and behind them those that it does not
/// mention. Where a file has no types, all are text: a cell of another type than the declared one is
/// looked at, too.
pub(super) fn whole_source(
    manifest: &Manifest,
    composed: &Composed,
) -> Result<Box<dyn Source>, Unopened> {
    let is_text = matches!(
        manifest.source,
        model::Source::Csv(_) | model::Source::Jsonl(_)
    );
    let declared = manifest.columns.iter().map(|column| {
        let field = column.to_field();
        match is_text {
            true => Field {
                data_type: DataType::Text,
                ..field
            },
            false => field,
        }
    });
    let mut fields: Vec<Field> = declared.collect();
    let open = |fields: Vec<Field>| arm::source(manifest, Schema::new(fields), composed);
    let source = open(fields.clone()).map_err(Unopened::Manifest)?;
    let undeclared = source.undeclared().map_err(Unopened::Source)?;
    if undeclared.is_empty() {
        return Ok(source);
    }
    fields.extend(undeclared);
    open(fields).map_err(Unopened::Manifest)
}

/// What is said of declared columns that are not personal and seem to be, and are not exempt.
pub(super) struct Suspects {
    /// Of those that surely are.
    pub(super) refused: Vec<String>,
    /// Of those about which somebody has to decide.
    pub(super) asked: Vec<String>,
}

pub(super) fn suspects(manifest: &Manifest, judged: &[Judged]) -> Suspects {
    let mut suspects = Suspects {
        refused: Vec::new(),
        asked: Vec::new(),
    };
    for column in manifest
        .columns
        .iter()
        .filter(|column| !column.is_personal())
    {
        let name = &column.name.value;
        let exempt = manifest.exemptions.iter().any(|e| e.column.value == *name);
        let found = judged.iter().find(|judged| *judged.field.name == **name);
        let verdict = found.and_then(|judged| judged.verdict.as_ref());
        let Some(verdict) = verdict.filter(|v| v.confidence >= ASKED && !exempt) else {
            continue;
        };
        let what = match (verdict.subject, &verdict.rule) {
            (Some(subject), _) => subject.what().to_owned(),
            (None, rule) => format!("`{}`", rule.as_deref().unwrap_or_default()),
        };
        let found = format!(
            "{what} (confidence {:.2}, {:.1} % of its cells)",
            verdict.confidence,
            verdict.share * 100.0
        );
        let help = "write `personal: true` and mask it, or list it under `exemptions`";
        match verdict.confidence >= SURE {
            true => suspects.refused.push(format!(
                "column `{name}` is not declared personal and holds {found}; {help}"
            )),
            false => suspects.asked.push(format!(
                "column `{name}` may hold {found}; if it does, {help}"
            )),
        }
    }
    suspects
}
