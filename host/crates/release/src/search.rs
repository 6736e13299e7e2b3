//! The search for the node that satisfies at the least loss.
//!
//! A node is a level of each quasi-identifier. Nodes are judged on histograms, each made of the smallest
//! known one that is less general. Where rows that do not satisfy only become fewer from a node to the more
//! general ones, a chain of nodes is cut in halves, and what is known of one is known of all above or
//! below it (Kohlmayer, Prasser et al., "Flash", 2012).

mod lattice;
mod rollup;

use crate::classes::{Classes, Layout};
use crate::column::Column;
use crate::criteria::Criteria;
use crate::histogram::Histogram;
use lattice::{Known, Lattice};
use rollup::Rollup;

/// The level of each quasi-identifier.
pub type Node = Vec<usize>;

/// What is searched.
pub struct Search<'a> {
    /// The quasi-identifiers.
    pub quasi: &'a [Column],
    /// The sensitive columns.
    pub sensitive: &'a [Column],
    /// Whether a key ends with its entity's number, in two halves.
    pub entity: bool,
    /// How often each combination occurs: a value of each quasi-identifier, of each sensitive column,
    /// and the entity.
    pub histogram: &'a Histogram,
    /// What is asked of a class.
    pub criteria: &'a Criteria,
    /// Rows that may be suppressed, at most.
    pub suppress_at_most: u64,
}

/// A node that satisfies.
#[derive(Debug, Clone)]
pub struct Best {
    /// Its levels.
    pub node: Node,
    /// −Σ log₂(count(value) / count(generalised)) over all rows and quasi-identifiers.
    pub loss: f64,
    /// What it makes of the rows.
    pub verdict: Verdict,
}

/// What a node makes of the rows.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// All classes.
    pub classes: Classes,
    /// Of each class whether it may be released.
    pub kept: Vec<bool>,
}

/// Why nothing may be released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are too many nodes.
    #[error(
        "the quasi-identifiers have more than {} combinations of levels; give them fewer levels",
        lattice::MAX_NODES
    )]
    TooManyNodes,
    /// Not even the most general values satisfy.
    #[error("no combination of levels satisfies")]
    Unsatisfiable,
}

impl Verdict {
    /// Rows of classes that may be released.
    pub fn released(&self) -> u64 {
        self.classes.rows() - self.suppressed()
    }

    /// Rows of classes that may not be released.
    pub fn suppressed(&self) -> u64 {
        let kept = self.kept.iter();
        let classes = self.classes.iter().zip(kept).filter(|(_, kept)| !**kept);
        classes.map(|((_, class), _)| class.rows).sum()
    }
}

impl<'a> Search<'a> {
    fn layout(&self) -> Layout {
        Layout {
            quasi: self.quasi.len(),
            sensitive: self.sensitive.len(),
            entity: self.entity,
        }
    }

    /// The node that satisfies at the least loss.
    ///
    /// # Errors
    /// When none does.
    pub fn best(&self) -> Result<Best, Refusal> {
        let mut judge = self.judges()?;
        let mut nodes = judge.lattice.by_loss();
        let growing = self.criteria.growing();
        if self.criteria.only_grow() {
            let best = judge
                .least(&nodes, &growing)
                .ok_or(Refusal::Unsatisfiable)?;
            nodes = vec![best];
        } else {
            judge.classify(&nodes, &growing);
            nodes.retain(|node| judge.lattice.known(*node) == Known::Satisfies);
        }
        for at in nodes {
            let node = judge.lattice.node(at);
            let verdict = judge.verdict(&node, self.criteria);
            if verdict.suppressed() <= self.suppress_at_most {
                let loss = judge.lattice.loss(at);
                return Ok(Best {
                    node,
                    loss,
                    verdict,
                });
            }
        }
        Err(Refusal::Unsatisfiable)
    }

    /// All nodes that satisfy, with their verdicts, by their loss.
    ///
    /// # Errors
    /// When there are too many nodes.
    pub fn all(&self, mut each: impl FnMut(Best)) -> Result<(), Refusal> {
        let mut judge = self.judges()?;
        let mut nodes = judge.lattice.by_loss();
        judge.classify(&nodes, &self.criteria.growing());
        nodes.retain(|node| judge.lattice.known(*node) == Known::Satisfies);
        for at in nodes {
            let node = judge.lattice.node(at);
            let verdict = judge.verdict(&node, self.criteria);
            if verdict.suppressed() <= self.suppress_at_most {
                let loss = judge.lattice.loss(at);
                each(Best {
                    node,
                    loss,
                    verdict,
                });
            }
        }
        Ok(())
    }

    /// How many nodes satisfy.
    ///
    /// # Errors
    /// When there are too many.
    pub fn count(&self) -> Result<u64, Refusal> {
        let mut judge = self.judges()?;
        let nodes = judge.lattice.by_loss();
        judge.classify(&nodes, &self.criteria.growing());
        if self.criteria.only_grow() {
            let satisfies = |node: &&usize| judge.lattice.known(**node) == Known::Satisfies;
            return Ok(nodes.iter().filter(satisfies).count() as u64);
        }
        let mut count = 0;
        self.all(|_| count += 1)?;
        Ok(count)
    }

    /// What a node makes of the rows, whether it satisfies or not.
    pub fn at(&self, node: &Node) -> Verdict {
        self.judge(&self.histogram_at(node), &|_| true)
    }

    /// How often each combination occurs at a node.
    pub fn histogram_at(&self, node: &Node) -> Histogram {
        let mut rollup = Rollup::new(self.quasi, self.histogram);
        rollup.at(node).as_ref().clone()
    }

    /// What may be released of rows that were counted at some node. Of classes of which `may` says no,
    /// nothing is.
    pub fn judge(&self, counted: &Histogram, may: &dyn Fn(&[u32]) -> bool) -> Verdict {
        let classes = Classes::of(counted, self.layout());
        let may: Vec<bool> = classes.iter().map(|(key, _)| may(key)).collect();
        self.judged(classes, self.criteria, Some(&may))
    }

    /// The loss at a node.
    pub fn loss(&self, node: &Node) -> f64 {
        let losses = losses(self.quasi, self.histogram);
        let levels = losses.iter().zip(node);
        levels
            .filter_map(|(losses, level)| losses.get(*level))
            .sum()
    }

    /// The loss at the most general levels.
    pub fn most_loss(&self) -> f64 {
        let losses = losses(self.quasi, self.histogram);
        losses.iter().filter_map(|levels| levels.last()).sum()
    }

    fn judges(&self) -> Result<Judge<'_, 'a>, Refusal> {
        let losses = losses(self.quasi, self.histogram);
        let lattice = Lattice::new(losses).ok_or(Refusal::TooManyNodes)?;
        Ok(Judge {
            search: self,
            lattice,
            rollup: Rollup::new(self.quasi, self.histogram),
        })
    }

    /// Classes are dropped until those that are left satisfy among themselves: with each that is dropped
    /// the shares of a sensitive column's values in all rows change.
    fn judged(&self, classes: Classes, criteria: &Criteria, held: Option<&[bool]>) -> Verdict {
        let mut kept: Option<Vec<bool>> = held.map(<[bool]>::to_vec);
        loop {
            let mut fits = criteria.satisfied(&classes, self.sensitive, kept.as_deref());
            if let Some(kept) = &kept {
                fits.iter_mut()
                    .zip(kept)
                    .for_each(|(fits, kept)| *fits &= *kept);
            }
            let same = kept.as_ref().is_some_and(|kept| *kept == fits);
            if same || fits.iter().all(|fits| *fits) {
                return Verdict {
                    classes,
                    kept: fits,
                };
            }
            kept = Some(fits);
        }
    }
}

/// Judges nodes and remembers what is known of them.
struct Judge<'s, 'a> {
    search: &'s Search<'a>,
    lattice: Lattice,
    rollup: Rollup<'s>,
}

impl Judge<'_, '_> {
    fn verdict(&mut self, node: &Node, criteria: &Criteria) -> Verdict {
        let classes = Classes::of(&self.rollup.at(node), self.search.layout());
        self.search.judged(classes, criteria, None)
    }

    /// Whether a node satisfies, which is then known of all that are more general, or less.
    fn satisfies(&mut self, at: usize, criteria: &Criteria) -> bool {
        let verdict = self.verdict(&self.lattice.node(at), criteria);
        let satisfies = verdict.suppressed() <= self.search.suppress_at_most;
        self.lattice.learn(at, satisfies);
        satisfies
    }

    /// Finds out of each of these nodes whether it satisfies.
    fn classify(&mut self, nodes: &[usize], criteria: &Criteria) {
        for &node in nodes {
            if self.lattice.known(node) == Known::Not {
                continue;
            }
            self.halve(node, criteria, f64::INFINITY);
        }
    }

    /// The node that satisfies at the least loss. They come by their loss.
    fn least(&mut self, nodes: &[usize], criteria: &Criteria) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        for &node in nodes {
            let bound = best.map_or(f64::INFINITY, |(loss, _)| loss);
            if self.lattice.loss(node) >= bound {
                break;
            }
            match self.lattice.known(node) {
                Known::Satisfies => best = Some((self.lattice.loss(node), node)),
                Known::Not => {}
                Known::Nothing => {
                    if let Some(found) = self.halve(node, criteria, bound)
                        && self.lattice.loss(found) < bound
                    {
                        best = Some((self.lattice.loss(found), found));
                    }
                }
            }
        }
        best.map(|(_, node)| node)
    }

    /// Cuts a chain of unknown nodes, from this one up, in halves until all are known. Returns the least
    /// general that satisfies.
    fn halve(&mut self, from: usize, criteria: &Criteria, bound: f64) -> Option<usize> {
        let chain = self.lattice.chain(from, bound);
        let (mut low, mut high) = (0, chain.len());
        let mut found = None;
        while low < high {
            let middle = usize::midpoint(low, high);
            let &at = chain.get(middle)?;
            if self.satisfies(at, criteria) {
                found = Some(at);
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        found
    }
}

/// The loss of each level of each column.
fn losses(quasi: &[Column], histogram: &Histogram) -> Vec<Vec<f64>> {
    let mut losses = Vec::with_capacity(quasi.len());
    for (place, column) in quasi.iter().enumerate() {
        let mut counts = vec![0_u64; column.values()];
        for (key, count) in histogram.iter() {
            let value = key
                .get(place)
                .and_then(|&value| counts.get_mut(value as usize));
            if let Some(sum) = value {
                *sum += count;
            }
        }
        let of_level = (0..column.levels()).map(|level| {
            let mut groups = vec![0_u64; column.groups(level)];
            let values = || column.group_of(level).iter().zip(&counts);
            for (&group, count) in values() {
                if let Some(sum) = groups.get_mut(group as usize) {
                    *sum += count;
                }
            }
            let occurring = values().filter(|(_, count)| **count > 0);
            let terms = occurring.map(|(&group, &count)| {
                let group = groups.get(group as usize).copied().unwrap_or(count);
                count as f64 * (group as f64 / count as f64).log2()
            });
            terms.sum()
        });
        losses.push(of_level.collect());
    }
    losses
}
