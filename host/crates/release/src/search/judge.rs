//! Judges nodes, as few as will do: where rows that do not satisfy only become fewer from a node to the more
//! general ones, a chain of nodes is cut in halves (Kohlmayer, Prasser et al., "Flash", 2012).

use std::io;
use std::sync::Arc;

use super::counted::Small;
use super::lattice::{Known, Lattice};
use super::members::Members;
use super::rollup::Rollup;
use super::sizes::Sizes;
use super::{Best, Refusal, Search, Verdict};
use crate::classes::Classes;
use crate::criteria::Criteria;

/// Judges nodes and remembers what is known of them.
pub(super) struct Judge<'s, 'a> {
    search: &'s Search<'a>,
    pub(super) lattice: Lattice,
    rollup: Rollup<'s>,
    /// Where nothing but the size of classes is asked.
    sizes: Option<Sizes<'s, 'a>>,
    /// Where more is.
    members: Option<Members<'s, 'a>>,
}

impl<'s, 'a> Judge<'s, 'a> {
    /// None where there are too many nodes.
    pub(super) fn new(search: &'s Search<'a>) -> Option<Self> {
        Some(Judge {
            search,
            lattice: Lattice::new(search.losses.clone())?,
            rollup: Rollup::new(&search.over, search.base()),
            sizes: search.sizes(),
            members: search.members(),
        })
    }
}

impl Judge<'_, '_> {
    /// What a node makes of the rows; none if it has too many classes.
    fn verdict(&mut self, at: usize, criteria: &Criteria) -> io::Result<Option<Verdict>> {
        let node = self.lattice.node(at);
        if let Some(members) = &self.members {
            let classes = members.classes(&node)?;
            return Ok(Some(self.search.judged(classes, criteria, None)));
        }
        let exact = self.sizes.as_ref().map(|sizes| sizes.exact(&node));
        let counted = match exact.transpose()?.flatten() {
            Some(exact) => Some(Arc::new(exact)),
            None => self.rollup.at(&node, self.search.most_classes())?,
        };
        let classes = counted.map(|counted| Classes::of(counted, self.search.layout()));
        Ok(classes.map(|classes| self.search.judged(classes, criteria, None)))
    }

    /// A node, if it satisfies.
    pub(super) fn found(&mut self, at: usize) -> io::Result<Option<Best>> {
        let over = self.search.over;
        // All classes are made of a node only that satisfies. Where rows only become fewer it is known to.
        if let Some(members) = self.members.as_ref().filter(|_| !over.criteria.only_grow())
            && !members.satisfies(&self.lattice.node(at), over.criteria)?
        {
            return Ok(None);
        }
        let verdict = self.verdict(at, over.criteria)?;
        let verdict = verdict.filter(|verdict| verdict.suppressed() <= over.suppress_at_most);
        Ok(verdict.map(|verdict| Best {
            node: self.lattice.node(at),
            loss: self.lattice.loss(at),
            verdict,
        }))
    }

    /// Whether a node satisfies, or is likely to, which is then known of all that are more general, or less.
    fn satisfies(&mut self, at: usize, criteria: &Criteria) -> io::Result<bool> {
        let sure = |satisfies| match satisfies {
            true => Known::Satisfies,
            false => Known::Not,
        };
        let known = match (&mut self.sizes, &self.members) {
            (Some(sizes), _) => match sizes.small(&self.lattice.node(at))? {
                Small::LikelyFew => Known::Likely,
                small => sure(small == Small::Few),
            },
            (None, Some(members)) => sure(members.satisfies(&self.lattice.node(at), criteria)?),
            (None, None) => {
                let verdict = self.verdict(at, criteria)?;
                let most = self.search.over.suppress_at_most;
                sure(verdict.is_some_and(|verdict| verdict.suppressed() <= most))
            }
        };
        self.lattice.learn(at, known);
        Ok(known != Known::Not)
    }

    /// The node of the least loss that satisfies, where rows that do not only become fewer. Of most nodes that are
    /// more general it is enough that they are likely to satisfy, since this one is counted in the end.
    pub(super) fn best(&mut self, nodes: &[usize]) -> Result<Best, Refusal> {
        let criteria = self.search.over.criteria;
        self.likely(true);
        loop {
            let at = self.least(nodes, criteria)?;
            let at = at.ok_or(Refusal::Unsatisfiable)?;
            if let Some(best) = self.found(at)? {
                return Ok(best);
            }
            if self.lattice.known(at) != Known::Likely {
                return Err(Refusal::Unsatisfiable);
            }
            // What a part of the rows tells is not true of all of these.
            self.likely(false);
            self.lattice.forget_likely();
            self.lattice.learn(at, Known::Not);
        }
    }

    fn likely(&mut self, likely: bool) {
        if let Some(sizes) = &mut self.sizes {
            sizes.set_likely(likely);
        }
    }

    /// Finds out of each of these nodes whether it satisfies.
    pub(super) fn classify(&mut self, nodes: &[usize], criteria: &Criteria) -> io::Result<()> {
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
                Known::Satisfies | Known::Likely => return Ok(Some(node)),
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
        // Once a node is known, most of less loss do not satisfy, and the most general one tells of all below it.
        let mut last = (before < u32::MAX).then(|| high.saturating_sub(1));
        while low < high {
            let middle = last.take().unwrap_or(usize::midpoint(low, high));
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
