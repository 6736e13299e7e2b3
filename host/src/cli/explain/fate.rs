//! What became of a row: by the journal of its run, or else as the pipeline decides it now.

use glovebox_core::{Earlier, PlanRows, Sink, shown_row};
use glovebox_engine::{RowFate, Traced};
use serde::Serialize;
use serde_json::Value;

/// What became of the row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Fate {
    /// `stored`, `filtered`, `rejected`, `absent` from the run or the source, `at-gate`: a release gate let it
    /// out, unless its class was too small, `gathered` by a step that made other rows of it and of others, or `undecided` where the journal does not know and the source was not
    /// to be read.
    pub(super) is: &'static str,
    /// `journal`, or `pipeline` where it was decided anew; absent where there is no journal to ask.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) known_by: Option<&'static str>,
    /// The step that filtered or gathered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<String>,
    /// The rules that it breaks, as rejects have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) violations: Option<Value>,
}

impl Fate {
    fn of(is: &'static str, known_by: &'static str) -> Self {
        Fate {
            is,
            known_by: Some(known_by),
            step: None,
            violations: None,
        }
    }

    /// Of a row of which the journal, if there is one, knows no more than that it was not rejected.
    pub(super) fn undecided(has_journal: bool) -> Self {
        Fate {
            known_by: has_journal.then_some("journal"),
            ..Fate::of("undecided", "")
        }
    }
}

/// What the journal knows of a row; none where it does not decide between stored and filtered.
pub(super) fn journal(
    sink: &mut dyn Sink,
    run: &Earlier,
    row: u64,
    gather: Option<&str>,
) -> anyhow::Result<Option<Fate>> {
    let known = |is| Fate::of(is, "journal");
    let mut violations = None;
    sink.rejects(&run.run, &mut |kept| {
        if kept.row == row {
            violations = Some(kept.violations);
        }
    })?;
    if let Some(violations) = violations {
        return Ok(Some(Fate {
            violations: serde_json::from_str(&violations).ok(),
            ..known("rejected")
        }));
    }
    match run.plan.rows {
        PlanRows::All => {}
        PlanRows::From(first) if row < first => return Ok(Some(known("absent"))),
        // The chunks of a run over some rows do not say which those were.
        PlanRows::From(_) | PlanRows::Rejects { .. } => return Ok(None),
    }
    let mut chunks = sink.chunks(&run.run)?;
    let all = chunks.len();
    chunks.retain(|chunk| chunk.first_row == shown_row(chunk.first_row));
    let gathered = gather.is_some() || chunks.len() < all;
    let behind = chunks.partition_point(|chunk| chunk.first_row <= row);
    let chunk = behind.checked_sub(1).and_then(|place| chunks.get(place));
    let Some(chunk) = chunk else {
        return Ok(Some(known("absent")));
    };
    let is_last = behind == chunks.len();
    let rows = chunk.rows;
    if is_last && row >= chunk.first_row + rows.read {
        return Ok(Some(known("absent")));
    }
    Ok(match rows.filtered {
        0 if gathered => Some(Fate {
            step: gather.map(str::to_owned),
            ..known("gathered")
        }),
        0 => Some(known("stored")),
        // Which step it was, the journal knows by its counts only.
        _ => None,
    })
}

/// What the pipeline makes of the row now.
pub(super) fn replayed(traced: Option<Traced>, gated: bool) -> Fate {
    let known = |is| Fate::of(is, "pipeline");
    match traced.map(|traced| traced.fate) {
        None => known("absent"),
        Some(RowFate::Passed) if gated => known("at-gate"),
        Some(RowFate::Passed) => known("stored"),
        Some(RowFate::Gathered { step }) => Fate {
            step: Some(step),
            ..known("gathered")
        },
        Some(RowFate::Filtered { step }) => Fate {
            step: Some(step),
            ..known("filtered")
        },
        Some(RowFate::Rejected(reject)) => Fate {
            violations: serde_json::to_value(&reject.violations).ok(),
            ..known("rejected")
        },
    }
}
