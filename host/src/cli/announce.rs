//! What is said of keys before the first row: those that could be found, and those that take long.

use std::time::Duration;

use glovebox_core::Source;
use glovebox_engine::{ArmedStep, MIN_KEY_LEN, Selection, Weakness};

use super::say;

/// A keyed mask that will take longer is announced before the first row.
const WORTH_A_WARNING: Duration = Duration::from_secs(10);

/// Says which keys whoever has the masks could find by trying.
pub(super) fn announce_short_keys(steps: &[ArmedStep<'_>]) {
    let mut said = std::collections::BTreeSet::new();
    for weak in steps.iter().flat_map(|step| &step.weak) {
        let secret = &weak.secret;
        if !said.insert(secret) {
            continue;
        }
        say::note(&match weak.weakness {
            Weakness::Short => format!(
                "the mask key `{secret}` has fewer than {MIN_KEY_LEN} bytes, so whoever has the \
                masks may find it by brute force; `glovebox secret set NAME --generate` makes a \
                strong one, but masks will then differ"
            ),
            Weakness::Known => format!(
                "the mask key `{secret}` is a word that attackers try first, good for a demonstration and for nothing else; `glovebox secret set NAME --generate` makes one that nobody finds, and other masks"
            ),
        });
    }
}

/// Says before the first row what a slow keyed mask may cost.
pub(super) fn announce_cost(
    steps: &[ArmedStep<'_>],
    source: &dyn Source,
    only: Option<&Selection>,
    cores: usize,
) {
    let rows = match only {
        Some(only) => Some(only.rows().len() as u64),
        None => source.estimate_rows(),
    };
    for step in steps {
        for (_, one) in &step.costly {
            let name = &step.planned.name;
            match rows {
                Some(rows) => {
                    let total = glovebox_masking::estimate(rows, *one, cores);
                    if total > WORTH_A_WARNING {
                        say::note(&format!(
                            "step `{name}` may take {}: about {rows} rows, {} for each distinct value, {} cores",
                            glovebox_masking::spell(total),
                            glovebox_masking::spell(*one),
                            cores
                        ));
                    }
                }
                None => say::note(&format!(
                    "step `{name}` takes {} for each distinct value, but the source does not say \
                    how many rows it has",
                    glovebox_masking::spell(*one)
                )),
            }
        }
    }
}
