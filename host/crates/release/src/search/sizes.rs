//! How large the classes of a node are, where nothing else of them is asked: a class is one number, and so
//! millions of them are counted in little memory and time.

use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;

use hashbrown::HashMap;

use super::{Node, Over};

/// Sizes are kept as long as all of them are not larger, in bytes.
const KEPT: usize = 160 << 20;
/// Keys between two looks at whether to stop: some milliseconds.
const BETWEEN_LOOKS: usize = 1 << 16;

/// The classes of nodes, each made of the fewest known ones that are less general.
pub(super) struct Sizes<'a> {
    over: Over<'a>,
    kept: Vec<(Node, Rc<Counted>)>,
}

/// The rows of classes by their numbers.
#[derive(Default)]
struct Counted(HashMap<u64, u64>);

impl Counted {
    fn size(&self) -> usize {
        self.0.capacity() * (2 * size_of::<u64>() + 1)
    }

    /// Rows of classes that are smaller than that.
    fn below(&self, k: u64) -> u64 {
        self.0.values().filter(|rows| **rows < k).sum()
    }
}

impl<'a> Sizes<'a> {
    /// None where the classes of some node have no numbers of 64 bits.
    pub(super) fn new(over: &Over<'a>) -> Option<Self> {
        let plain = over.sensitive.is_empty() && !over.entity;
        let values = over
            .quasi
            .iter()
            .map(|column| column.values().max(1) as u64);
        let mut all = values.map(Some);
        let fits = all.try_fold(1_u64, |all, values| all.checked_mul(values?));
        (plain && fits.is_some()).then(|| Sizes {
            over: *over,
            kept: Vec::new(),
        })
    }

    /// The rows of a node's classes that are too small; none if there are more classes than that.
    pub(super) fn too_small(&mut self, node: &Node, most: usize) -> io::Result<Option<u64>> {
        let below = |kept: &Node| kept.iter().zip(node).all(|(kept, level)| kept <= level);
        let kept = self.kept.iter().filter(|(node, _)| below(node));
        let nearest = kept.min_by_key(|(_, counted)| counted.0.len());
        let nearest = nearest.map(|(node, counted)| (node.clone(), Rc::clone(counted)));
        let made = match &nearest {
            Some((from, counted)) if from == node => {
                return Ok(Some(counted.below(self.over.criteria.k)));
            }
            Some((from, counted)) => Some(self.general(from, counted, node)),
            None => self.count(node, most)?,
        };
        let Some(made) = made.filter(|made| made.0.len() <= most) else {
            return Ok(None);
        };
        let too_small = made.below(self.over.criteria.k);
        let from = nearest.map_or(usize::MAX, |(_, counted)| counted.0.len());
        if made.0.len() <= from - from / 4 {
            self.keep(node, made);
        }
        Ok(Some(too_small))
    }

    /// Keeps what others can be made of, the largest no longer if there is no room for it.
    fn keep(&mut self, node: &Node, mut made: Counted) {
        made.0.shrink_to_fit();
        self.kept.push((node.clone(), Rc::new(made)));
        while self
            .kept
            .iter()
            .map(|(_, counted)| counted.size())
            .sum::<usize>()
            > KEPT
        {
            let sizes = self
                .kept
                .iter()
                .map(|(_, counted)| counted.size())
                .enumerate();
            match sizes.max_by_key(|(_, size)| *size) {
                Some((largest, _)) => drop(self.kept.swap_remove(largest)),
                None => break,
            }
        }
    }

    /// For each column what its values add to a class's number; the groups of a level in the place of
    /// values, where one is given.
    fn terms(&self, from: Option<&Node>, node: &Node) -> Vec<Vec<u64>> {
        let mut step = 1;
        let columns = self.over.quasi.iter().zip(node).enumerate();
        columns
            .map(|(at, (column, level))| {
                let by = step;
                step *= column.groups(*level).max(1) as u64;
                let from = from.and_then(|from| from.get(at));
                let groups = match from {
                    Some(from) => column.up(*from, *level),
                    None => column.group_of(*level).to_vec(),
                };
                groups
                    .into_iter()
                    .map(|group| u64::from(group) * by)
                    .collect()
            })
            .collect()
    }

    /// Counts the classes of a node from the rows' values.
    fn count(&self, node: &Node, most: usize) -> io::Result<Option<Counted>> {
        let terms = self.terms(None, node);
        let mut counted = Counted::default();
        let (mut read, mut stopped) = (0_usize, false);
        self.over.counts.each(&mut |key, count| {
            let parts = key
                .iter()
                .zip(&terms)
                .map(|(value, terms)| terms.get(*value as usize));
            let class: u64 = parts.flatten().sum();
            *counted.0.entry(class).or_default() += count;
            read += 1;
            stopped = read.is_multiple_of(BETWEEN_LOOKS) && (self.over.stop)();
            match stopped || counted.0.len() > most {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        match stopped {
            true => Err(io::ErrorKind::Interrupted.into()),
            false => Ok(Some(counted)),
        }
    }

    /// The same from the classes of a less general node.
    fn general(&self, from: &Node, counted: &Counted, node: &Node) -> Counted {
        let terms = self.terms(Some(from), node);
        let columns = self.over.quasi.iter().zip(from);
        let groups: Vec<u64> = columns
            .map(|(column, level)| column.groups(*level).max(1) as u64)
            .collect();
        let mut general = Counted::default();
        for (class, count) in &counted.0 {
            let mut rest = *class;
            let parts = groups.iter().zip(&terms).map(|(groups, terms)| {
                let group = rest % groups;
                rest /= groups;
                terms.get(usize::try_from(group).unwrap_or(usize::MAX))
            });
            let class: u64 = parts.flatten().sum();
            *general.0.entry(class).or_default() += count;
        }
        general
    }
}
