//! What is asked of a class before its rows may be released.
//!
//! k-anonymity: Sweeney 2002. l-diversity, distinct, entropy and recursive: Machanavajjhala,
//! Kifer, Gehrke and Venkitasubramaniam 2007. t-closeness: Li, Li and Venkatasubramanian 2007.

use crate::classes::Classes;
use crate::column::Column;
use crate::distance::{Metric, distance};

/// What rounding may take from an entropy or add to a distance.
const ROUNDING: f64 = 1e-12;

/// What is asked of each class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Criteria {
    /// Its least number of members.
    pub k: u64,
    /// What is asked of each sensitive column's values.
    pub sensitive: Vec<Sensitive>,
}

/// What is asked of a sensitive column's values in each class.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sensitive {
    /// That there are many.
    pub l: Option<Diversity>,
    /// That they are as everywhere.
    pub t: Option<Closeness>,
}

/// How different the values of a class have to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Diversity {
    /// At least so many different ones.
    Distinct(u64),
    /// −Σ q ln q ≥ ln l
    Entropy(f64),
    /// r₁ < c · Σ_{i≥l} rᵢ, of the counts by size.
    Recursive {
        /// The factor.
        c: f64,
        /// From which on.
        l: u64,
    },
}

/// How near the values of a class have to be to those of all rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closeness {
    /// The largest distance.
    pub t: f64,
    /// How it is measured.
    pub ground: Ground,
}

/// How far apart two values are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ground {
    /// One apart, whichever they are.
    #[default]
    Equal,
    /// By how many values are between them.
    Ordered,
    /// By the level of the column's hierarchy at which they become the same.
    Hierarchical,
}

impl Criteria {
    /// Whether a class that is joined with another one that satisfies does not stop to: whether the rows
    /// that do not satisfy only become fewer with more general levels.
    pub(crate) fn only_grow(&self) -> bool {
        self.sensitive.iter().all(|sensitive| {
            sensitive.t.is_none() && matches!(sensitive.l, None | Some(Diversity::Distinct(_)))
        })
    }

    /// The part of it of which that holds.
    pub(crate) fn growing(&self) -> Criteria {
        let sensitive = self.sensitive.iter().map(|sensitive| Sensitive {
            l: match sensitive.l {
                // Any of the three needs as many different values.
                Some(Diversity::Entropy(l)) => Some(Diversity::Distinct(whole(l))),
                Some(Diversity::Recursive { l, .. }) => Some(Diversity::Distinct(l)),
                distinct => distinct,
            },
            t: None,
        });
        Criteria {
            k: self.k,
            sensitive: sensitive.collect(),
        }
    }

    /// Of each class whether it satisfies. Distances are those to the classes that are `kept`.
    pub(crate) fn satisfied(
        &self,
        classes: &Classes,
        columns: &[Column],
        kept: Option<&[bool]>,
    ) -> Vec<bool> {
        let mut fits: Vec<bool> = classes
            .iter()
            .map(|(_, class)| class.members >= self.k)
            .collect();
        let columns = columns.iter().zip(classes.shares());
        for (sensitive, (column, shares)) in self.sensitive.iter().zip(columns) {
            if let Some(l) = sensitive.l {
                for (at, fits) in fits.iter_mut().enumerate().filter(|(_, fits)| **fits) {
                    *fits = l.holds(shares.of(at));
                }
            }
            if let Some(closeness) = sensitive.t {
                let metric = closeness.ground.metric(column);
                let all = classes.all(shares, column.values(), |class| {
                    kept.is_none_or(|kept| kept.get(class).copied().unwrap_or_default())
                });
                for (at, fits) in fits.iter_mut().enumerate().filter(|(_, fits)| **fits) {
                    *fits = closeness.holds(&metric, shares.of(at), &all);
                }
            }
        }
        fits
    }
}

impl Closeness {
    /// Whether the values of a class, with their counts, are so near to the shares of all rows.
    pub(crate) fn holds(self, metric: &Metric, values: &[(u32, u64)], all: &[f64]) -> bool {
        distance(metric, values, all) <= self.t + ROUNDING
    }
}

impl Ground {
    pub(crate) fn metric(self, column: &Column) -> Metric {
        match self {
            Ground::Equal => Metric::Equal,
            Ground::Ordered => {
                let mut places = vec![0; column.values()];
                for (place, id) in (0..).zip(column.ordered().1) {
                    if let Some(at) = places.get_mut(id as usize) {
                        *at = place;
                    }
                }
                Metric::Ordered(places)
            }
            Ground::Hierarchical => {
                let levels = 0..column.levels().saturating_sub(1);
                Metric::Hierarchical(
                    levels
                        .map(|level| column.group_of(level).to_vec())
                        .collect(),
                )
            }
        }
    }
}

impl Diversity {
    /// Whether the values of a class, with their counts, are so different.
    pub(crate) fn holds(self, values: &[(u32, u64)]) -> bool {
        match self {
            Diversity::Distinct(l) => values.len() as u64 >= l,
            Diversity::Entropy(l) => entropy(values) + ROUNDING >= l.ln(),
            Diversity::Recursive { c, l } => {
                let mut counts: Vec<u64> = values.iter().map(|(_, count)| *count).collect();
                counts.sort_unstable_by(|a, b| b.cmp(a));
                let first = counts.first().copied().unwrap_or_default();
                let rest = counts
                    .iter()
                    .skip(usize::try_from(l).unwrap_or(usize::MAX).saturating_sub(1));
                (first as f64) < c * rest.sum::<u64>() as f64
            }
        }
    }
}

/// −Σ q ln q of the values of a class, with their counts.
pub fn entropy(values: &[(u32, u64)]) -> f64 {
    let rows: u64 = values.iter().map(|(_, count)| count).sum();
    let terms = values.iter().map(|&(_, count)| {
        let q = count as f64 / rows as f64;
        -q * q.ln()
    });
    terms.sum()
}

/// The least whole number that is not below it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is in range"
)]
fn whole(l: f64) -> u64 {
    (l - ROUNDING).ceil().clamp(0.0, 9e15) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_as_different_as_is_asked() {
        let even = [(0, 3), (1, 3), (2, 3)];
        let uneven = [(0, 7), (1, 1), (2, 1)];
        assert!(Diversity::Distinct(3).holds(&even) && Diversity::Distinct(3).holds(&uneven));
        assert!(!Diversity::Distinct(4).holds(&even));
        // Of values that are equally frequent the entropy is ln 3 exactly.
        assert!(Diversity::Entropy(3.0).holds(&even));
        assert!(!Diversity::Entropy(3.0).holds(&uneven) && Diversity::Entropy(1.9).holds(&uneven));
        let recursive = |c| Diversity::Recursive { c, l: 2 }.holds(&uneven);
        assert!(recursive(3.6) && !recursive(3.5));
        assert!(!Diversity::Recursive { c: 100.0, l: 4 }.holds(&uneven));
        assert_eq!([whole(5.0), whole(4.2), whole(1.0)], [5, 5, 1]);
    }
}
