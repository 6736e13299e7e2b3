//! Histograms at nodes, each made of the smallest one at hand that is less general.

use std::collections::HashMap;
use std::rc::Rc;

use super::Node;
use crate::column::Column;
use crate::histogram::Histogram;

/// Histograms are kept as long as all of them are not larger, in bytes.
const KEPT: usize = 64 << 20;

/// Groups by their level, for each column with the level that they come from and go to.
type Ups = HashMap<(usize, usize, usize), Rc<[u32]>>;

pub(super) struct Rollup<'a> {
    quasi: &'a [Column],
    base: &'a Histogram,
    kept: Vec<(Node, Rc<Histogram>)>,
    size: usize,
    ups: Ups,
}

impl<'a> Rollup<'a> {
    pub(super) fn new(quasi: &'a [Column], base: &'a Histogram) -> Self {
        Rollup {
            quasi,
            base,
            kept: Vec::new(),
            size: 0,
            ups: HashMap::new(),
        }
    }

    /// The histogram at a node.
    pub(super) fn at(&mut self, node: &Node) -> Rc<Histogram> {
        let below = |kept: &Node| kept.iter().zip(node).all(|(kept, level)| kept <= level);
        let kept = self.kept.iter().filter(|(node, _)| below(node));
        let nearest = kept.min_by_key(|(_, histogram)| histogram.len());
        let nearest = nearest.map(|(node, histogram)| (node.clone(), Rc::clone(histogram)));
        if let Some((_, found)) = nearest.as_ref().filter(|(kept, _)| kept == node) {
            return Rc::clone(found);
        }
        let made = match &nearest {
            Some((from, histogram)) => self.general(histogram, Some(from), node),
            None => self.general(self.base, None, node),
        };
        let made = Rc::new(made);
        let from = nearest.map_or(self.base.len(), |(_, histogram)| histogram.len());
        // One that is hardly smaller saves nothing.
        if made.len() <= from - from / 4 && self.size + made.size() <= KEPT {
            self.size += made.size();
            self.kept.push((node.clone(), Rc::clone(&made)));
        }
        made
    }

    /// A histogram's keys at a more general node. Those of the base are values.
    fn general(&mut self, histogram: &Histogram, from: Option<&Node>, to: &Node) -> Histogram {
        let ups: Vec<Rc<[u32]>> = (0..self.quasi.len())
            .map(|column| {
                let from = from.and_then(|from| from.get(column)).copied();
                self.up(column, from, to.get(column).copied().unwrap_or_default())
            })
            .collect();
        let mut general = Histogram::new(histogram.width());
        let mut key = vec![0; histogram.width()];
        for (old, count) in histogram.iter() {
            key.copy_from_slice(old);
            for (part, up) in key.iter_mut().zip(&ups) {
                *part = up.get(*part as usize).copied().unwrap_or_default();
            }
            general.add(&key, count);
        }
        general
    }

    /// What the groups of a level become at another; without a level, the values.
    fn up(&mut self, column: usize, from: Option<usize>, to: usize) -> Rc<[u32]> {
        let Some(of) = self.quasi.get(column) else {
            return Rc::from([]);
        };
        let key = (column, from.map_or(0, |from| from + 1), to);
        let up = self.ups.entry(key).or_insert_with(|| match from {
            Some(from) => of.up(from, to).into(),
            None => of.group_of(to).into(),
        });
        Rc::clone(up)
    }
}
