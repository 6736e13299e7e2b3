//! The search for the node that satisfies at the least loss.
//!
//! A node is a level of each quasi-identifier. Nodes are judged on histograms, each made of the smallest
//! known one that is less general. Where rows that do not satisfy only become fewer from a node to the more
//! general ones, a chain of nodes is cut in halves, and what is known of one is known of all above or
//! below it (Kohlmayer, Prasser et al., "Flash", 2012).

mod lattice;
mod rollup;
mod sizes;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::base::Base;
use crate::classes::{Classes, Layout};
use crate::column::Column;
use crate::criteria::Criteria;
use crate::histogram::Histogram;
use lattice::{Known, Lattice};
use rollup::Rollup;
use sizes::Sizes;

/// The level of each quasi-identifier.
pub type Node = Vec<usize>;

/// What is searched.
pub struct Search<'a> {
    over: Over<'a>,
    /// The loss of each level of each quasi-identifier.
    losses: Vec<Vec<f64>>,
}

/// The counts that are searched, and what is asked.
#[derive(Clone, Copy)]
pub struct Over<'a> {
    /// The quasi-identifiers.
    pub quasi: &'a [Column],
    /// The sensitive columns.
    pub sensitive: &'a [Column],
    /// Whether a key ends with its entity's number, in two halves.
    pub entity: bool,
    /// How often each combination occurs: a value of each quasi-identifier, of each sensitive column,
    /// and the entity.
    pub counts: &'a dyn Base,
    /// What is asked of a class.
    pub criteria: &'a Criteria,
    /// Rows that may be suppressed, at most.
    pub suppress_at_most: u64,
    /// Whether to end early.
    pub stop: &'a dyn Fn() -> bool,
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
#[derive(Debug, thiserror::Error)]
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
    /// It was asked to end early.
    #[error("the search was stopped")]
    Stopped,
    /// The counts cannot be read.
    #[error("the counts cannot be read: {0}")]
    Counts(io::Error),
}

/// A stop is passed on as an interruption.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::Interrupted => Refusal::Stopped,
            _ => Refusal::Counts(error),
        }
    }
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
    /// A search over these counts.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn new(over: Over<'a>) -> io::Result<Self> {
        Ok(Search {
            losses: losses(over.quasi, over.counts)?,
            over,
        })
    }

    /// What it is over.
    pub fn over(&self) -> &Over<'a> {
        &self.over
    }

    fn layout(&self) -> Layout {
        Layout {
            quasi: self.over.quasi.len(),
            sensitive: self.over.sensitive.len(),
            entity: self.over.entity,
        }
    }

    /// The node that satisfies at the least loss.
    ///
    /// # Errors
    /// When none does.
    pub fn best(&self) -> Result<Best, Refusal> {
        let mut judge = self.judges()?;
        let mut nodes = judge.lattice.by_loss();
        let growing = self.over.criteria.growing();
        if self.over.criteria.only_grow() {
            let best = judge.least(&nodes, &growing)?;
            nodes = vec![best.ok_or(Refusal::Unsatisfiable)?];
        } else {
            judge.classify(&nodes, &growing)?;
            nodes.retain(|node| judge.lattice.known(*node) == Known::Satisfies);
        }
        for at in nodes {
            if let Some(best) = judge.found(at)? {
                return Ok(best);
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
        judge.classify(&nodes, &self.over.criteria.growing())?;
        nodes.retain(|node| judge.lattice.known(*node) == Known::Satisfies);
        for at in nodes {
            judge.found(at)?.into_iter().for_each(&mut each);
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
        judge.classify(&nodes, &self.over.criteria.growing())?;
        if self.over.criteria.only_grow() {
            let satisfies = |node: &&usize| judge.lattice.known(**node) == Known::Satisfies;
            return Ok(nodes.iter().filter(satisfies).count() as u64);
        }
        let mut count = 0;
        self.all(|_| count += 1)?;
        Ok(count)
    }

    /// What a node makes of the rows, whether it satisfies or not.
    ///
    /// # Errors
    /// When the counts cannot be read.
    pub fn at(&self, node: &Node) -> io::Result<Verdict> {
        Ok(self.judge(self.histogram_at(node)?, &|_| true))
    }

    /// How often each combination occurs at a node.
    ///
    /// # Errors
    /// When the counts cannot be read.
    pub fn histogram_at(&self, node: &Node) -> io::Result<Arc<Histogram>> {
        let mut rollup = Rollup::new(&self.over);
        let found = rollup.at(node, usize::MAX)?;
        Ok(found.unwrap_or_else(|| Arc::new(Histogram::new(self.over.counts.width()))))
    }

    /// What may be released of rows that were counted at some node. Of classes of which `may` says no,
    /// nothing is.
    pub fn judge(&self, counted: Arc<Histogram>, may: &dyn Fn(&[u32]) -> bool) -> Verdict {
        let classes = Classes::of(counted, self.layout());
        let may: Vec<bool> = classes.iter().map(|(key, _)| may(key)).collect();
        self.judged(classes, self.over.criteria, Some(&may))
    }

    /// The loss at a node.
    pub fn loss(&self, node: &Node) -> f64 {
        let levels = self.losses.iter().zip(node);
        levels
            .filter_map(|(losses, level)| losses.get(*level))
            .sum()
    }

    /// The loss at the most general levels.
    pub fn most_loss(&self) -> f64 {
        self.losses.iter().filter_map(|levels| levels.last()).sum()
    }

    /// More classes than this never satisfy: all but those of suppressed rows have k members.
    fn most_classes(&self) -> usize {
        let over = &self.over;
        // With these a class has several keys.
        if over.entity || !over.sensitive.is_empty() {
            return usize::MAX;
        }
        let suppressed = over.suppress_at_most.min(over.counts.total());
        let most = (over.counts.total() - suppressed) / over.criteria.k.max(1) + suppressed;
        usize::try_from(most).unwrap_or(usize::MAX)
    }

    fn judges(&self) -> Result<Judge<'_, 'a>, Refusal> {
        let lattice = Lattice::new(self.losses.clone()).ok_or(Refusal::TooManyNodes)?;
        Ok(Judge {
            search: self,
            lattice,
            rollup: Rollup::new(&self.over),
            sizes: Sizes::new(&self.over),
        })
    }

    /// Classes are dropped until those that are left satisfy among themselves: with each that is dropped
    /// the shares of a sensitive column's values in all rows change.
    fn judged(&self, classes: Classes, criteria: &Criteria, held: Option<&[bool]>) -> Verdict {
        let mut kept: Option<Vec<bool>> = held.map(<[bool]>::to_vec);
        loop {
            let mut fits = criteria.satisfied(&classes, self.over.sensitive, kept.as_deref());
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
    /// Where nothing but the size of classes is asked.
    sizes: Option<Sizes<'s>>,
}

impl Judge<'_, '_> {
    /// What a node makes of the rows; none if it has too many classes.
    fn verdict(&mut self, at: usize, criteria: &Criteria) -> io::Result<Option<Verdict>> {
        let most = self.search.most_classes();
        let counted = self.rollup.at(&self.lattice.node(at), most)?;
        let classes = counted.map(|counted| Classes::of(counted, self.search.layout()));
        Ok(classes.map(|classes| self.search.judged(classes, criteria, None)))
    }

    /// A node, if it satisfies.
    fn found(&mut self, at: usize) -> io::Result<Option<Best>> {
        let over = self.search.over;
        let verdict = self.verdict(at, over.criteria)?;
        let verdict = verdict.filter(|verdict| verdict.suppressed() <= over.suppress_at_most);
        Ok(verdict.map(|verdict| Best {
            node: self.lattice.node(at),
            loss: self.lattice.loss(at),
            verdict,
        }))
    }

    /// Whether a node satisfies, which is then known of all that are more general, or less.
    fn satisfies(&mut self, at: usize, criteria: &Criteria) -> io::Result<bool> {
        let most = self.search.over.suppress_at_most;
        let suppressed = match &mut self.sizes {
            Some(sizes) => sizes.too_small(&self.lattice.node(at), self.search.most_classes())?,
            None => {
                let verdict = self.verdict(at, criteria)?;
                verdict.map(|verdict| verdict.suppressed())
            }
        };
        let satisfies = suppressed.is_some_and(|suppressed| suppressed <= most);
        self.lattice.learn(at, satisfies);
        Ok(satisfies)
    }

    /// Finds out of each of these nodes whether it satisfies.
    fn classify(&mut self, nodes: &[usize], criteria: &Criteria) -> io::Result<()> {
        for &node in nodes {
            if self.lattice.known(node) == Known::Not {
                continue;
            }
            self.halve(node, criteria, u32::MAX)?;
        }
        Ok(())
    }

    /// The first node that satisfies. They come by their loss.
    fn least(&mut self, nodes: &[usize], criteria: &Criteria) -> io::Result<Option<usize>> {
        let mut best = None;
        for &node in nodes {
            let before = best.map_or(u32::MAX, |best| self.lattice.rank_of(best));
            if self.lattice.rank_of(node) >= before {
                break;
            }
            match self.lattice.known(node) {
                // All before it do not.
                Known::Satisfies => return Ok(Some(node)),
                Known::Not => {}
                Known::Nothing => best = self.halve(node, criteria, before)?.or(best),
            }
        }
        Ok(best)
    }

    /// Cuts a chain of unknown nodes, from this one up, in halves until all are known. Returns the least
    /// general that satisfies.
    fn halve(
        &mut self,
        from: usize,
        criteria: &Criteria,
        before: u32,
    ) -> io::Result<Option<usize>> {
        let chain = self.lattice.chain(from, before);
        let (mut low, mut high) = (0, chain.len());
        let mut found = None;
        while low < high {
            let middle = usize::midpoint(low, high);
            let Some(&at) = chain.get(middle) else {
                break;
            };
            if self.satisfies(at, criteria)? {
                found = Some(at);
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(found)
    }
}

/// The loss of each level of each column.
fn losses(quasi: &[Column], counts: &dyn Base) -> io::Result<Vec<Vec<f64>>> {
    let mut values: Vec<Vec<u64>> = quasi
        .iter()
        .map(|column| vec![0; column.values()])
        .collect();
    counts.each(&mut |key, count| {
        for (value, counts) in key.iter().zip(&mut values) {
            if let Some(sum) = counts.get_mut(*value as usize) {
                *sum += count;
            }
        }
        ControlFlow::Continue(())
    })?;
    let of_column = |(column, counts): (&Column, &Vec<u64>)| {
        let levels = 0..column.levels();
        levels.map(|level| loss(column, counts, level)).collect()
    };
    Ok(quasi.iter().zip(&values).map(of_column).collect())
}

fn loss(column: &Column, counts: &[u64], level: usize) -> f64 {
    let mut groups = vec![0_u64; column.groups(level)];
    let values = || column.group_of(level).iter().zip(counts);
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
}
