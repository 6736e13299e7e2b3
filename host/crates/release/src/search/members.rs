//! Judges nodes by the members of their classes and by their sensitive values, and makes the classes of the node that
//! is found: by parts of the main column, so that what all take together is bounded.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::cells::{Cells, Hashes};
use super::groups::Groups;
use super::keys::Keys;
use super::made::{Made, classes};
use super::marks::Asked;
use super::packing::Packing;
use super::rest::Rest;
use super::sizes::Room;
use super::survey::Survey;
use super::table::Table;
use super::{Node, Over};
use crate::classes::{Classes, shares_of};
use crate::criteria::{Closeness, Criteria, Diversity};
use crate::distance::Metric;

/// Seeds that are tried before it is given up to tell classes apart by hashes. That two of a billion are alike under
/// one is less likely than one in ten.
const SEEDS: u64 = 64;

/// All rows as entries of several numbers.
pub(super) struct Records<'a> {
    room: Room,
    packing: Packing<'a>,
    rows: Table,
    seed: u64,
    hashes: Hashes,
    /// Of each sensitive column the share of each value in all rows.
    shares: Vec<Vec<f64>>,
    /// How far apart its values are, where it is asked.
    metrics: Vec<Option<Metric>>,
}

/// The members and values of classes.
pub(super) struct Members<'s, 'a> {
    over: &'s Over<'a>,
    records: &'s Records<'a>,
}

/// What a thread finds of the classes that are kept: of each sensitive column the rows of each value.
type Kept = Vec<Vec<u64>>;

impl<'a> Records<'a> {
    /// None where there is no quasi-identifier. `counts` are those of each column's values.
    pub(super) fn new(
        over: &Over<'a>,
        counts: &[Vec<u64>],
        room: Room,
    ) -> io::Result<Option<Self>> {
        let Some(packing) = Packing::with_rest(over) else {
            return Ok(None);
        };
        let of_main = counts.get(packing.main()).map_or(&[][..], Vec::as_slice);
        let rows = Table::of_rows(over, &packing, of_main, room.rows)?;
        let asked = over.criteria.sensitive.iter().zip(over.sensitive);
        Ok(Some(Records {
            room,
            packing,
            rows,
            seed: RandomState::new().hash_one(0),
            hashes: Hashes::new(RandomState::new().hash_one(0)),
            shares: counts
                .iter()
                .skip(over.quasi.len())
                .map(|counts| shares_of(counts))
                .collect(),
            metrics: asked
                .map(|(asked, column)| asked.t.map(|t| t.ground.metric(column)))
                .collect(),
        }))
    }

    /// What entries have beside their classes.
    fn rest(&self) -> io::Result<&Rest> {
        let rest = self.packing.rest();
        rest.ok_or_else(|| io::Error::other("entries have nothing beside their classes"))
    }
}

impl<'s, 'a> Members<'s, 'a> {
    pub(super) fn new(over: &'s Over<'a>, records: &'s Records<'a>) -> Self {
        Members { over, records }
    }

    /// Whether no more rows of a node are of classes that do not satisfy than may be suppressed.
    ///
    /// With each class that is dropped the shares of values in all rows that are kept change. So what is kept is
    /// found in rounds: by the shares in all rows, then by those in the rows that this has kept, and so on until
    /// nothing more is dropped. A round holds each class against the shares of all rounds before.
    pub(super) fn satisfies(&self, node: &Node, criteria: &Criteria) -> io::Result<bool> {
        let close = criteria.sensitive.iter().any(|s| s.t.is_some());
        let mut rounds = vec![self.records.shares.clone()];
        let mut before = None;
        loop {
            let Some((small, kept)) = self.round(node, criteria, &rounds)? else {
                return Ok(false);
            };
            if !close || small == 0 || before == Some(small) {
                return Ok(true);
            }
            before = Some(small);
            rounds.push(kept.iter().map(|counts| shares_of(counts)).collect());
        }
    }

    /// How many rows are of classes that do not satisfy, and the values of those that do; none if they are too many.
    fn round(
        &self,
        node: &Node,
        criteria: &Criteria,
        rounds: &[Vec<Vec<f64>>],
    ) -> io::Result<Option<(u64, Kept)>> {
        let asked = asked(criteria);
        let limit = self.over.suppress_at_most;
        let small = AtomicU64::new(0);
        let none = || -> Kept {
            let columns = self.over.sensitive.iter();
            columns.map(|column| vec![0; column.values()]).collect()
        };
        // What is told alike here is not where the node's classes are made.
        let cells = self.records.packing.told(node, self.records.hashes);
        let kept = self
            .survey(node, &cells, &asked)?
            .all(none, |kept, _, groups| {
                let fits = self.fits(groups, criteria, rounds, kept);
                let rows = groups.rows().iter().zip(fits);
                let dropped = rows.filter(|(_, fits)| !fits).map(|(rows, _)| rows).sum();
                let before = small.fetch_add(dropped, Ordering::Relaxed);
                Ok(match before.saturating_add(dropped) > limit {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                })
            })?;
        let small = small.into_inner();
        if small > limit {
            return Ok(None);
        }
        let mut all = none();
        for kept in kept {
            for (all, counts) in all.iter_mut().zip(kept) {
                all.iter_mut()
                    .zip(counts)
                    .for_each(|(all, count)| *all += count);
            }
        }
        Ok(Some((small, all)))
    }

    /// Of each class whether it satisfies; those that do are counted by their values.
    fn fits(
        &self,
        groups: &Groups<'_>,
        criteria: &Criteria,
        rounds: &[Vec<Vec<f64>>],
        kept: &mut Kept,
    ) -> Vec<bool> {
        let mut fits: Vec<bool> = (0..groups.len()).map(|at| groups.enough(at)).collect();
        let mut of_columns = Vec::new();
        let columns = criteria.sensitive.iter().zip(&self.records.metrics);
        for (column, (asked, metric)) in columns.enumerate() {
            let close = asked.t.zip(metric.as_ref());
            if !by_counts(asked.l) && close.is_none() {
                continue;
            }
            let values = groups.values(column);
            let mut class: Vec<(u32, u64)> = Vec::new();
            for of_class in values.chunk_by(|a, b| a.0 == b.0) {
                let place = of_class.first().map_or(0, |(place, _, _)| *place as usize);
                let Some(fits) = fits.get_mut(place).filter(|fits| **fits) else {
                    continue;
                };
                class.clear();
                class.extend(of_class.iter().map(|(_, value, count)| (*value, *count)));
                let near = |(closeness, metric): (Closeness, &Metric)| {
                    let mut rounds = rounds.iter().filter_map(|round| round.get(column));
                    rounds.all(|all| closeness.holds(metric, &class, all))
                };
                *fits = asked.l.is_none_or(|l| l.holds(&class)) && close.is_none_or(near);
            }
            if close.is_some() {
                of_columns.push((column, values));
            }
        }
        for (column, values) in of_columns {
            let Some(kept) = kept.get_mut(column) else {
                continue;
            };
            for (place, value, count) in values {
                let fits = fits.get(place as usize) == Some(&true);
                if let Some(sum) = kept.get_mut(value as usize).filter(|_| fits) {
                    *sum += count;
                }
            }
        }
        fits
    }

    /// The classes of a node, with all their members and values.
    pub(super) fn classes(&self, node: &Node) -> io::Result<Classes> {
        let asked = Asked {
            members: 0,
            values: Vec::new(),
            counts: vec![true; self.over.sensitive.len()],
        };
        let (rest, packing) = (self.records.rest()?, &self.records.packing);
        let sensitive = self.over.sensitive.len();
        for times in 0..SEEDS {
            let cells = packing.told(node, self.records.hashes.again(times));
            let keys = cells
                .are_hashed()
                .then(|| Keys::new(packing.groups_at(node)));
            let alike = AtomicBool::new(false);
            let made = self
                .survey(node, &cells, &asked)?
                .all(Vec::new, |all, slice, groups| {
                    let made = Made::of(slice, groups, rest, (sensitive, keys.as_ref()))?;
                    let Some(made) = made else {
                        alike.store(true, Ordering::Relaxed);
                        return Ok(ControlFlow::Break(()));
                    };
                    all.push(made);
                    Ok(ControlFlow::Continue(()))
                })?;
            if !alike.into_inner() {
                let made = made.into_iter().flatten().collect();
                return Ok(classes(made, self.over, (packing, &cells), node));
            }
        }
        Err(io::Error::other("classes cannot be told apart"))
    }

    fn survey<'c>(
        &'c self,
        node: &'c Node,
        cells: &'c Cells,
        asked: &'c Asked,
    ) -> io::Result<Survey<'c>> {
        Ok(Survey {
            over: self.over,
            packing: &self.records.packing,
            cells,
            rest: self.records.rest()?,
            from: &self.records.rows,
            node,
            asked,
            seed: self.records.seed,
            room: self.records.room.counting,
        })
    }
}

/// Whether it takes more than to tell values apart.
fn by_counts(l: Option<Diversity>) -> bool {
    !matches!(l, None | Some(Diversity::Distinct(_)))
}

/// What has to be counted of a class.
fn asked(criteria: &Criteria) -> Asked {
    let sensitive = || criteria.sensitive.iter();
    Asked {
        members: criteria.k,
        values: sensitive()
            .map(|asked| match asked.l {
                Some(Diversity::Distinct(l)) => l,
                _ => 0,
            })
            .collect(),
        counts: sensitive()
            .map(|asked| asked.t.is_some() || by_counts(asked.l))
            .collect(),
    }
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
