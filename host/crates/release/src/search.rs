//! The search for the node that satisfies at the least loss.
//!
//! A node is a level of each quasi-identifier. Nodes are judged on counts, each made of the smallest
//! known ones that are less general: tables of entries where only the size of classes is asked. Where members or values
//! are asked, too, the entries of all rows are looked at part by part. What does not fit into entries is counted in
//! histograms of whole keys. Where rows that do not satisfy only become fewer from a node to the more
//! general ones, a chain of nodes is cut in halves, and what is known of one is known of all above or
//! below it (Kohlmayer, Prasser et al., "Flash", 2012).

mod cells;
mod count;
mod counted;
mod counts;
mod groups;
mod judge;
mod keys;
mod lattice;
mod made;
mod marks;
mod members;
mod packing;
mod rest;
mod rollup;
mod sizes;
mod survey;
mod table;
mod tally;
mod terms;
mod told;
mod values;

use std::io;
use std::sync::Arc;

use crate::base::{Base, Spill};
use crate::classes::{Classes, Layout};
use crate::column::Column;
use crate::criteria::Criteria;
use crate::histogram::Histogram;
use judge::Judge;
use lattice::Known;
use members::{Members, Records};
use rollup::Rollup;
use sizes::{Entries, Room, Sizes};

/// The level of each quasi-identifier.
pub type Node = Vec<usize>;

/// What is searched.
pub struct Search<'a> {
    over: Over<'a>,
    /// The loss of each level of each quasi-identifier.
    losses: Vec<Vec<f64>>,
    counts: Counts<'a>,
}

/// The counts as they are searched.
enum Counts<'a> {
    /// Where only the size of classes is asked.
    Entries(Entries<'a>),
    /// Where members or values are, too.
    Records(Box<Records<'a>>),
    /// Those of different combinations.
    Merged(Histogram),
    /// As they came, since there are too many.
    AsTheyAre,
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
    /// Where entries go for which there is no room in memory; without, all are held there.
    pub spill: Option<&'a dyn Spill>,
    /// How many threads search.
    pub threads: usize,
    /// Whether to end early.
    pub stop: &'a (dyn Fn() -> bool + Sync),
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
        let values = values::counted(&over)?;
        let entries = Entries::new(&over, &values, Room::default())?;
        let counts = match entries {
            Some(entries) => Counts::Entries(entries),
            None => match Records::new(&over, &values, Room::with_values())? {
                Some(records) => Counts::Records(Box::new(records)),
                None => values::merged(&over)?,
            },
        };
        let columns = over.quasi.iter().zip(&values);
        Ok(Search {
            losses: columns
                .map(|(column, counts)| values::losses(column, counts))
                .collect(),
            counts,
            over,
        })
    }

    /// One that holds all keys: what other ways of counting are held against.
    #[cfg(test)]
    fn of_whole_keys(over: Over<'a>) -> io::Result<Self> {
        let values = values::counted(&over)?;
        let columns = over.quasi.iter().zip(&values);
        Ok(Search {
            losses: columns
                .map(|(column, counts)| values::losses(column, counts))
                .collect(),
            counts: values::merged(&over)?,
            over,
        })
    }

    fn base(&self) -> &dyn Base {
        match &self.counts {
            Counts::Merged(histogram) => histogram,
            Counts::Entries(_) | Counts::Records(_) | Counts::AsTheyAre => self.over.counts,
        }
    }

    fn sizes(&self) -> Option<Sizes<'_, 'a>> {
        match &self.counts {
            Counts::Entries(entries) => Some(Sizes::new(&self.over, entries)),
            Counts::Records(_) | Counts::Merged(_) | Counts::AsTheyAre => None,
        }
    }

    fn members(&self) -> Option<Members<'_, 'a>> {
        match &self.counts {
            Counts::Records(records) => Some(Members::new(&self.over, records)),
            Counts::Entries(_) | Counts::Merged(_) | Counts::AsTheyAre => None,
        }
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
        if self.over.criteria.only_grow() {
            return judge.best(&nodes);
        }
        judge.classify(&nodes, &self.over.criteria.growing())?;
        nodes.retain(|node| judge.lattice.known(*node) == Known::Satisfies);
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
        Ok(self.judge(self.classes_at(node)?, &|_| true))
    }

    /// The classes of a node.
    ///
    /// # Errors
    /// When the counts cannot be read.
    pub fn classes_at(&self, node: &Node) -> io::Result<Classes> {
        match self.members() {
            Some(members) => members.classes(node),
            None => Ok(Classes::of(self.histogram_at(node)?, self.layout())),
        }
    }

    /// How often each combination occurs at a node.
    fn histogram_at(&self, node: &Node) -> io::Result<Arc<Histogram>> {
        let exact = self.sizes().map(|sizes| sizes.exact(node)).transpose()?;
        if let Some(exact) = exact.flatten() {
            return Ok(Arc::new(exact));
        }
        let mut rollup = Rollup::new(&self.over, self.base());
        let found = rollup.at(node, usize::MAX)?;
        Ok(found.unwrap_or_else(|| Arc::new(Histogram::new(self.over.counts.width()))))
    }

    /// The classes of rows that were counted at some node: of each combination of groups, sensitive values and entity
    /// how often it occurs.
    pub fn classes_of(&self, counted: Histogram) -> Classes {
        Classes::of(Arc::new(counted), self.layout())
    }

    /// What may be released of classes. Of those of which `may` says no, nothing is.
    pub fn judge(&self, classes: Classes, may: &dyn Fn(&[u32]) -> bool) -> Verdict {
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
        Judge::new(self).ok_or(Refusal::TooManyNodes)
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

/// An interruption, if it was asked to end early.
fn stopped(over: &Over<'_>) -> io::Result<()> {
    match (over.stop)() {
        true => Err(io::ErrorKind::Interrupted.into()),
        false => Ok(()),
    }
}
