//! What the report says of a release.

use std::collections::BTreeSet;
use std::io;

use glovebox_core::{Reject, ReleaseReport, SensitiveReport};
use glovebox_release::{Best, Refusal, Risk, Search};

use crate::gated::PlannedGate;

/// What was reached at a node.
pub(super) fn reached(report: &mut ReleaseReport, search: &Search<'_>, best: &Best) {
    let verdict = &best.verdict;
    let kept = |class: usize| verdict.kept.get(class).copied().unwrap_or_default();
    let risk = Risk::of(&verdict.classes, search.over().sensitive, &kept);
    report.suppressed_rows = search.over().counts.total() - risk.rows;
    report.smallest_class = risk.smallest;
    report.classes = risk.classes;
    report.highest_risk = risk.highest;
    report.average_risk = risk.average;
    let most = search.most_loss();
    report.information_loss = if most > 0.0 { best.loss / most } else { 0.0 };
    for (level, at) in report.levels.iter_mut().zip(&best.node) {
        level.level = *at as u64;
    }
    for (told, column) in report.sensitive.iter_mut().zip(&risk.sensitive) {
        *told = SensitiveReport {
            distinct_l: column.distinct,
            entropy_l: column.entropy,
            equal_t: column.equal,
            ordered_t: column.ordered,
            ..told.clone()
        };
    }
}

/// Why no node satisfies, and what would.
pub(super) fn refused(
    report: &mut ReleaseReport,
    planned: &PlannedGate,
    search: &Search<'_>,
    refusal: &Refusal,
) -> io::Result<()> {
    report.refused = Some(match refusal {
        Refusal::TooManyNodes | Refusal::Counts(_) | Refusal::Stopped => refusal.to_string(),
        Refusal::Unsatisfiable => {
            "no combination of levels satisfies all that the release asks".to_owned()
        }
    });
    let last: Vec<usize> = report
        .levels
        .iter()
        .map(|level| usize::try_from(level.last).unwrap_or(0))
        .collect();
    let all = search.at(&last)?;
    let risk = Risk::of(&all.classes, search.over().sensitive, &|_| true);
    if risk.smallest < planned.criteria.k {
        // How few there are is not told: it is the size of a class.
        report
            .would_satisfy
            .push("more entities: there are fewer than k".to_owned());
    }
    for (column, told) in planned.sensitive.iter().zip(&risk.sensitive) {
        report.would_satisfy.push(format!(
            "at most l: {} for {}, since it has no more values ({:.2} by entropy)",
            told.distinct, column.name, told.entropy
        ));
    }
    Ok(())
}

/// At the levels of the releases before too many rows would have to be suppressed. Fewer than k are not counted:
/// they could be one class.
pub(super) fn frozen(report: &mut ReleaseReport, planned: &PlannedGate, suppressed: u64) {
    let k = planned.criteria.k;
    let rows = match suppressed < k {
        true => format!("fewer than {k}"),
        false => suppressed.to_string(),
    };
    report.refused = Some(format!(
        "at the levels of the release before, {rows} rows would have to be suppressed: their classes are too small, or \
         changed by fewer than {k} members"
    ));
    report
        .would_satisfy
        .push(format!("suppress-at-most: {}", suppressed.max(k)));
    report.would_satisfy.push(format!(
        "series: {}, which begins a new series; whoever has both releases may find who came or went",
        planned.next_series()
    ));
}

/// The target cannot store what is left of some rows, without which classes would be others.
pub(super) fn not_storable(report: &mut ReleaseReport, refused: &[Reject]) {
    report.refused = Some(format!(
        "the target cannot store what is left of some rows: they break {}",
        rules(refused)
    ));
    report
        .would_satisfy
        .push("a target that can store every level of the quasi-identifiers as text".to_owned());
    report.smallest_class = 0;
    report.classes = 0;
}

/// Which rules rows break: not how many, which could be fewer than a class may have.
pub(super) fn rules(refused: &[Reject]) -> String {
    let violations = refused.iter().flat_map(|reject| &reject.violations);
    let rules: BTreeSet<String> = violations
        .map(|violation| match &violation.column {
            Some(column) => format!("`{}` of `{column}`", violation.rule),
            None => format!("`{}`", violation.rule),
        })
        .collect();
    rules.into_iter().collect::<Vec<_>>().join(", ")
}
