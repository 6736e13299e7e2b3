//! Histograms at nodes, each made of the smallest one at hand that is less general.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use super::{Node, Over};
use crate::base::{Base, each};
use crate::column::Column;
use crate::histogram::Histogram;

/// Histograms are kept as long as all of them are not larger, in bytes.
const KEPT: usize = 64 << 20;
/// Keys between two looks at whether to stop: some milliseconds.
pub(super) const BETWEEN_LOOKS: usize = 1 << 16;

/// Groups by their level, for each column with the level that they come from and go to.
type Ups = HashMap<(usize, usize, usize), Rc<[u32]>>;

pub(super) struct Rollup<'a> {
    quasi: &'a [Column],
    base: &'a dyn Base,
    stop: &'a (dyn Fn() -> bool + Sync),
    kept: Vec<(Node, Arc<Histogram>)>,
    size: usize,
    ups: Ups,
}

impl<'a> Rollup<'a> {
    /// From these counts, which are those of all rows.
    pub(super) fn new(over: &Over<'a>, base: &'a dyn Base) -> Self {
        Rollup {
            quasi: over.quasi,
            base,
            stop: over.stop,
            kept: Vec::new(),
            size: 0,
            ups: HashMap::new(),
        }
    }

    /// The histogram at a node; none if it has more keys than that.
    pub(super) fn at(&mut self, node: &Node, most: usize) -> io::Result<Option<Arc<Histogram>>> {
        let below = |kept: &Node| kept.iter().zip(node).all(|(kept, level)| kept <= level);
        let kept = self.kept.iter().filter(|(node, _)| below(node));
        let nearest = kept.min_by_key(|(_, histogram)| histogram.len());
        let nearest = nearest.map(|(node, histogram)| (node.clone(), Arc::clone(histogram)));
        if let Some((_, found)) = nearest.as_ref().filter(|(kept, _)| kept == node) {
            return Ok(Some(Arc::clone(found)));
        }
        let made = match &nearest {
            Some((from, histogram)) => self.general(histogram.as_ref(), Some(from), node, most)?,
            None => self.general(self.base, None, node, most)?,
        };
        let Some(made) = made.map(Arc::new) else {
            return Ok(None);
        };
        let from = nearest.map_or(self.base.len(), |(_, histogram)| histogram.len());
        // One that is hardly smaller saves nothing.
        if made.len() <= from - from / 4 && self.size + made.size() <= KEPT {
            self.size += made.size();
            self.kept.push((node.clone(), Arc::clone(&made)));
        }
        Ok(Some(made))
    }

    /// A histogram's keys at a more general node. Those of the base are values.
    fn general(
        &mut self,
        histogram: &dyn Base,
        from: Option<&Node>,
        to: &Node,
        most: usize,
    ) -> io::Result<Option<Histogram>> {
        let ups: Vec<Rc<[u32]>> = (0..self.quasi.len())
            .map(|column| {
                let from = from.and_then(|from| from.get(column)).copied();
                self.up(column, from, to.get(column).copied().unwrap_or_default())
            })
            .collect();
        let mut general = Histogram::new(histogram.width());
        let mut key = vec![0; histogram.width()];
        let mut read = 0_usize;
        let mut stopped = false;
        each(histogram, &mut |old, count| {
            key.copy_from_slice(old);
            for (part, up) in key.iter_mut().zip(&ups) {
                *part = up.get(*part as usize).copied().unwrap_or_default();
            }
            general.add(&key, count);
            read += 1;
            stopped = read.is_multiple_of(BETWEEN_LOOKS) && (self.stop)();
            match stopped || general.len() > most {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        if stopped {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok((general.len() <= most).then_some(general))
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
