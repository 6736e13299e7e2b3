//! A release after others: at their levels, and so that nobody is found by comparing them.

use std::collections::HashSet;

use glovebox_core::SinkError;
use glovebox_release::{Best, Column, Histogram, Search};

use super::book::Namer;
use super::caps::{Caps, may_leave};
use super::hold::Hold;
use super::waiting::Packed;
use crate::gated::Members;

/// A release after others of its series.
pub(super) struct Again<'a> {
    pub(super) search: &'a Search<'a>,
    pub(super) node: &'a Vec<usize>,
    pub(super) namer: &'a Namer,
    /// How many members classes had, in each release to which this one has to hold.
    pub(super) before: &'a [Members],
}

impl Again<'_> {
    /// The rows at the levels of the releases before, less those by which a class would have changed by fewer
    /// than k.
    pub(super) fn hold_to(
        &self,
        hold: &mut Hold,
        layout: &Packed,
    ) -> Result<(Best, Caps), SinkError> {
        let (search, node) = (self.search, self.node);
        let names = names(search.quasi, node);
        let whole = search.histogram_at(node);
        let all = search.judge(&whole, &|_| true);
        let mut caps = Caps::default();
        let mut held = HashSet::new();
        for (key, class) in all.classes.iter() {
            let name = self.namer.of(key, &names);
            let was: Vec<u64> = self
                .before
                .iter()
                .filter_map(|m| m.get(&name).copied())
                .collect();
            match may_leave(class.members, search.criteria.k, &was) {
                Some(members) if members == class.members => {}
                Some(members) => caps.add(key, members),
                None => {
                    held.insert(key.to_vec());
                }
            }
        }
        let groups: Vec<&[u32]> = search
            .quasi
            .iter()
            .zip(node)
            .map(|(column, level)| column.group_of(*level))
            .collect();
        let mut left = Histogram::new(whole.width());
        for (key, count) in whole.iter() {
            let class = key.get(..node.len()).unwrap_or_default();
            if !caps.has(class) {
                left.add(key, count);
            }
        }
        if !caps.is_empty() {
            left.merge(&caps.choose(hold, layout, &groups, whole.width())?);
        }
        let verdict = search.judge(&left, &|key| !held.contains(key));
        let best = Best {
            node: node.clone(),
            loss: search.loss(node),
            verdict,
        };
        Ok((best, caps))
    }
}

/// What the groups of a node are called, by column.
pub(super) fn names<'c>(quasi: &'c [Column], node: &[usize]) -> Vec<Vec<Option<&'c str>>> {
    quasi
        .iter()
        .zip(node)
        .map(|(column, level)| column.names(*level).collect())
        .collect()
}
