//! All nodes, and what is known of each.

use super::Node;

/// More nodes are not searched.
pub(super) const MAX_NODES: usize = 1 << 24;

/// What is known of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Nothing,
    Satisfies,
    /// By a part of the rows it does.
    Likely,
    Not,
}

/// All combinations of levels, by their number.
pub(super) struct Lattice {
    /// The loss of each level of each column.
    losses: Vec<Vec<f64>>,
    /// By how much the number grows with a column's level.
    steps: Vec<usize>,
    known: Vec<Known>,
    /// All nodes, those of the least loss first, and of equal ones the less general.
    order: Vec<u32>,
    /// The place of each node in that order.
    ranks: Vec<u32>,
}

impl Lattice {
    pub(super) fn new(losses: Vec<Vec<f64>>) -> Option<Self> {
        let mut steps = Vec::with_capacity(losses.len());
        let mut nodes = 1_usize;
        for levels in &losses {
            steps.push(nodes);
            nodes = nodes
                .checked_mul(levels.len())
                .filter(|nodes| *nodes <= MAX_NODES)?;
        }
        let mut lattice = Lattice {
            losses,
            steps,
            known: vec![Known::Nothing; nodes],
            order: Vec::new(),
            ranks: vec![0; nodes],
        };
        lattice.rank();
        Some(lattice)
    }

    fn rank(&mut self) {
        let known = |at: u32| {
            let levels = self.levels(at as usize);
            let loss = self.loss(at as usize);
            (loss, levels.sum::<usize>(), at)
        };
        let mut nodes: Vec<(f64, usize, u32)> = (0..).take(self.known.len()).map(known).collect();
        nodes.sort_by(|(a, x, m), (b, y, n)| a.total_cmp(b).then((x, m).cmp(&(y, n))));
        self.order = nodes.into_iter().map(|(_, _, at)| at).collect();
        for (rank, at) in (0..).zip(&self.order) {
            if let Some(place) = self.ranks.get_mut(*at as usize) {
                *place = rank;
            }
        }
    }

    pub(super) fn known(&self, at: usize) -> Known {
        self.known.get(at).copied().unwrap_or(Known::Not)
    }

    fn levels(&self, at: usize) -> impl Iterator<Item = usize> {
        let columns = self.steps.iter().zip(&self.losses);
        columns.map(move |(step, levels)| at / step % levels.len())
    }

    pub(super) fn node(&self, at: usize) -> Node {
        self.levels(at).collect()
    }

    pub(super) fn loss(&self, at: usize) -> f64 {
        let levels = self.levels(at).zip(&self.losses);
        levels
            .map(|(level, losses)| losses.get(level).copied().unwrap_or_default())
            .sum()
    }

    /// All nodes, those of the least loss first, and of equal ones the less general.
    pub(super) fn by_loss(&self) -> Vec<usize> {
        self.order.iter().map(|at| *at as usize).collect()
    }

    /// A node's place in that order.
    pub(super) fn rank_of(&self, at: usize) -> u32 {
        self.ranks.get(at).copied().unwrap_or(u32::MAX)
    }

    /// The nodes that are one level more general, or one less.
    fn next(&self, at: usize, up: bool) -> impl Iterator<Item = usize> {
        let columns = self.steps.iter().zip(&self.losses);
        columns.filter_map(move |(step, levels)| {
            let level = at / step % levels.len();
            match up {
                true if level + 1 < levels.len() => Some(at + step),
                false if level > 0 => Some(at - step),
                _ => None,
            }
        })
    }

    /// What is found of a node holds for all that are more general if it satisfies, and for all that are
    /// less general if it does not.
    pub(super) fn learn(&mut self, at: usize, known: Known) {
        let more = |before: Known| match before {
            Known::Nothing => known != Known::Nothing,
            Known::Likely => matches!(known, Known::Satisfies | Known::Not),
            Known::Satisfies | Known::Not => false,
        };
        let mut told = vec![at];
        while let Some(at) = told.pop() {
            if let Some(node) = self.known.get_mut(at).filter(|node| more(**node)) {
                *node = known;
                told.extend(self.next(at, known != Known::Not));
            }
        }
    }

    /// Nothing is known any more of nodes of which something was likely.
    pub(super) fn forget_likely(&mut self) {
        let likely = self.known.iter_mut().filter(|node| **node == Known::Likely);
        likely.for_each(|node| *node = Known::Nothing);
    }

    /// Nodes of which nothing is known, each more general than the one before, that come before this rank.
    pub(super) fn chain(&self, from: usize, before: u32) -> Vec<usize> {
        let unknown = |at: &usize| self.known(*at) == Known::Nothing && self.rank_of(*at) < before;
        let mut chain: Vec<usize> = Some(from).filter(unknown).into_iter().collect();
        while let Some(&last) = chain.last() {
            let next = self.next(last, true).filter(unknown);
            match next.min_by_key(|at| self.rank_of(*at)) {
                Some(next) => chain.push(next),
                None => break,
            }
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattice() -> Lattice {
        Lattice::new(vec![vec![0.0, 1.0, 3.0], vec![0.0, 1.5]]).unwrap()
    }

    #[test]
    fn nodes_have_numbers_and_losses() {
        let lattice = lattice();
        let nodes: Vec<_> = lattice
            .by_loss()
            .into_iter()
            .map(|at| (lattice.node(at), lattice.loss(at)))
            .collect();
        let expected = [
            (vec![0, 0], 0.0),
            (vec![1, 0], 1.0),
            (vec![0, 1], 1.5),
            (vec![1, 1], 2.5),
            (vec![2, 0], 3.0),
            (vec![2, 1], 4.5),
        ];
        assert_eq!(nodes, expected);
        assert!(Lattice::new(vec![vec![0.0; 100]; 4]).is_none());
    }

    #[test]
    fn what_is_known_of_one_is_known_of_others() {
        let mut lattice = lattice();
        assert_eq!(lattice.chain(0, u32::MAX), [0, 1, 4, 5]);
        lattice.learn(4, Known::Satisfies);
        lattice.learn(1, Known::Not);
        use Known::{Not, Nothing, Satisfies};
        assert_eq!(
            lattice.known,
            [Not, Not, Nothing, Nothing, Satisfies, Satisfies]
        );
        assert_eq!(lattice.chain(3, u32::MAX), [3]);
        assert_eq!(lattice.chain(3, lattice.rank_of(3)), [] as [usize; 0]);
    }
}
