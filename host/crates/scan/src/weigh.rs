//! How sure it is that a column holds personal data of a kind: by the share of its cells that a
//! recogniser finds, and by its name. Pure arithmetic; docs/scan.md has it in words.

use crate::facts::{Facts, KINDS, OWN};
use crate::hints::{Hint, hint};
use crate::look::Looked;
use crate::subject::Subject;

/// From here on a column is taken for personal.
pub const SURE: f64 = 0.8;
/// From here on somebody has to decide.
pub const ASKED: f64 = 0.3;

/// What the name alone says, where cells say nothing, and where they contradict it.
const NAME_ALONE: f64 = 0.5;
const NAME_CONTRADICTED: f64 = 0.4;
/// Cells by which a name is contradicted if none of them is of the kind.
const CONTRADICTION: u64 = 20;
/// What a name that agrees takes away of the doubt that cells leave.
const AGREEMENT: f64 = 0.75;
/// What such a name needs of the cells, to be more than a name.
const MIN_SUPPORT: f64 = 0.1;
/// Cells that are too few to tell chance from anything: somebody is asked if most are of a kind.
const FEW: u64 = 50;
const MOST: f64 = 0.5;
/// What stays where the name is of something that is not personal.
const OF_A_THING: f64 = 0.6;
/// From which share of places or organisations on names are not those of people.
const OTHERS: f64 = 0.08;
/// What stays then.
const OF_OTHERS: f64 = 0.3;

/// What a column seems to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The recogniser's rule; none if it is by the name alone.
    pub rule: Option<String>,
    /// What it is about; none for what only one's own recogniser knows.
    pub subject: Option<Subject>,
    /// From 0 to 1.
    pub confidence: f64,
    /// The share of cells that were found, of those that are not null.
    pub share: f64,
    /// Whether the column's name says so, too.
    pub by_name: bool,
    /// Whether its cells say so.
    pub by_cells: bool,
}

/// Weighs what was found in a column; none if nothing was.
pub fn weigh(looked: &Looked) -> Option<Verdict> {
    let named = hint(&looked.name);
    let mut best: Option<Verdict> = None;
    for (rule, found) in &looked.found {
        let facts = KINDS
            .iter()
            .find(|facts| facts.rule == &**rule)
            .unwrap_or(&OWN);
        let subject = facts.subject;
        let agrees = matches!(named, Some(Hint::Of(named)) if Some(named) == subject);
        let evidence = evidence(*found, looked, facts) * doubt(named, facts, looked);
        let share = share(*found, looked.cells);
        let confidence = match agrees && evidence >= MIN_SUPPORT {
            true => 1.0 - (1.0 - evidence) * (1.0 - AGREEMENT),
            false if looked.cells < FEW && share >= MOST && facts.alone >= SURE => {
                evidence.max(ASKED)
            }
            false => evidence,
        };
        if facts.is_personal
            && best
                .as_ref()
                .is_none_or(|best| confidence > best.confidence)
        {
            best = Some(Verdict {
                rule: Some(rule.to_string()),
                subject,
                confidence,
                share,
                by_name: agrees,
                by_cells: true,
            });
        }
    }
    let best = best.filter(|best| best.confidence >= MIN_SUPPORT);
    let Some(Hint::Of(named)) = named else {
        return best;
    };
    let of_name = Verdict {
        rule: None,
        subject: Some(named),
        confidence: match looked.cells < CONTRADICTION
            || !named.is_recognised()
            || !looked.is_judged
        {
            true => NAME_ALONE,
            false => NAME_CONTRADICTED,
        },
        share: 0.0,
        by_name: true,
        by_cells: false,
    };
    match best {
        // A name that is sure of something beside it, such as a note that holds e-mail addresses.
        Some(best) if best.confidence >= of_name.confidence => Some(best),
        _ => Some(of_name),
    }
}

fn share(found: u64, cells: u64) -> f64 {
    // Both are far below 2^53.
    found.min(cells) as f64 / cells.max(1) as f64
}

/// What cells say: the lower bound of their share, less what would be found by chance, as part of what
/// is found in columns of the kind.
fn evidence(found: u64, looked: &Looked, facts: &Facts) -> f64 {
    let bound = wilson(found, looked.cells);
    let part = (bound - facts.chance) / (facts.typical - facts.chance);
    part.clamp(0.0, 1.0) * facts.alone
}

/// What else is known that speaks against a kind that is easily mistaken.
fn doubt(named: Option<Hint>, facts: &Facts, looked: &Looked) -> f64 {
    let is_thing = named == Some(Hint::Thing) && facts.alone < 1.0;
    let others = facts.told_from.iter().map(|rule| {
        let found = looked.found.iter().find(|(found, _)| &**found == *rule);
        found.map_or(0.0, |(_, found)| share(*found, looked.cells))
    });
    let of_others = others.fold(0.0, f64::max) >= OTHERS;
    (if is_thing { OF_A_THING } else { 1.0 }) * (if of_others { OF_OTHERS } else { 1.0 })
}

/// The lower bound of the interval in which a share lies with a confidence of 95 %, by a sample of
/// it: E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference, 1927.
pub fn wilson(found: u64, of: u64) -> f64 {
    const Z: f64 = 1.959_964;
    if of == 0 {
        return 0.0;
    }
    let (n, p) = (of as f64, share(found, of));
    let square = Z * Z;
    let spread = Z * (p * (1.0 - p) / n + square / (4.0 * n * n)).sqrt();
    ((p + square / (2.0 * n) - spread) / (1.0 + square / n)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_findings_than_cells_are_as_many_as_cells() {
        assert_eq!(
            wilson(20_000, 10_000).to_bits(),
            wilson(10_000, 10_000).to_bits()
        );
        assert!(wilson(20_000, 10_000) > 0.99);
    }

    fn looked(name: &str, cells: u64, found: &[(&str, u64)]) -> Looked {
        Looked {
            name: name.into(),
            cells,
            is_judged: true,
            found: found.iter().map(|(rule, n)| ((*rule).into(), *n)).collect(),
        }
    }

    fn confidence(name: &str, cells: u64, found: &[(&str, u64)]) -> f64 {
        weigh(&looked(name, cells, found)).map_or(0.0, |verdict| verdict.confidence)
    }

    #[test]
    fn the_bound_is_that_of_published_tables() {
        // R. G. Newcombe, Two-sided confidence intervals for the single proportion, 1998, table I.
        for (found, of, bound) in [
            (81, 263, 0.2553),
            (15, 148, 0.0624),
            (0, 20, 0.0),
            (1, 29, 0.0061),
        ] {
            assert!((wilson(found, of) - bound).abs() < 5e-5, "{found}/{of}");
        }
        assert_eq!(wilson(0, 0), 0.0);
    }

    #[test]
    fn what_passes_by_chance_is_no_evidence() {
        // A tenth of all digits has a card's check digit, and most nine digits are a possible SSN.
        assert!(confidence("x", 10_000, &[("card", 1_000)]) < ASKED);
        assert!(confidence("x", 10_000, &[("us-ssn", 8_900)]) < ASKED);
        assert!(confidence("x", 10_000, &[("card", 9_990)]) >= SURE);
        assert!(confidence("x", 10_000, &[("us-ssn", 10_000)]) >= SURE);
        assert!(confidence("x", 10_000, &[("us-ssn-digits", 10_000)]) < ASKED);
    }

    #[test]
    fn a_name_raises_and_never_decides() {
        let bare = [("us-ssn-digits", 10_000)];
        assert!(confidence("ssn", 10_000, &bare) >= SURE);
        let alone = confidence("ssn", 10_000, &[]);
        assert!((ASKED..SURE).contains(&alone));
        assert_eq!(confidence("ssn", 3, &[]), alone, "there are other numbers");
        let few = confidence("phone", 3, &[]);
        assert!(
            confidence("phone", 10_000, &[]) < few,
            "too few to contradict"
        );
        assert!((ASKED..SURE).contains(&confidence("religion", 10_000, &[])));
        assert!(confidence("order_number", 10_000, &[("phone-digits", 10_000)]) < ASKED);
        assert_eq!(weigh(&looked("x", 10_000, &[])), None);
        assert_eq!(weigh(&looked("x", 0, &[])), None);
    }

    #[test]
    fn few_cells_of_a_kind_that_nothing_else_looks_like_are_enough() {
        let verdict = weigh(&looked("note", 10_000, &[("email", 800)])).unwrap();
        assert_eq!(verdict.subject, Some(Subject::Email));
        assert!(verdict.confidence >= SURE && (verdict.share - 0.08).abs() < 1e-9);
        assert!(confidence("x", 10_000, &[("phone", 800)]) < ASKED);
    }

    #[test]
    fn where_there_are_few_cells_somebody_is_asked() {
        assert_eq!(confidence("x", 2, &[("us-ssn", 2)]), ASKED);
        assert!(confidence("x", 100, &[("us-ssn", 89)]) < ASKED);
        assert!(confidence("x", 2, &[("us-ssn-digits", 2)]) < ASKED);
    }

    #[test]
    fn firms_and_towns_are_called_after_people() {
        let names = [("person-name", 6_000)];
        assert!(confidence("x", 10_000, &names) >= SURE);
        let firms = [("person-name", 6_000), ("organisation", 2_000)];
        assert!(confidence("x", 10_000, &firms) < SURE);
        assert!(confidence("company", 10_000, &names) < SURE);
    }
}
