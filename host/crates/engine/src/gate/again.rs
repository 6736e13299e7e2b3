//! A release after others: at their levels, and so that nobody is found by comparing them.

use std::io;

use glovebox_core::SinkError;
use glovebox_release::{Best, Column, Search};

use super::caps::{Caps, may_leave};
use super::hold::{self, Hold};
use super::namer::{Namer, Stop};
use super::waiting::Packed;
use crate::gated::{Index, Members};

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
    pub(super) fn hold_to(&self, hold: &Hold, layout: &Packed) -> Result<(Best, Caps), SinkError> {
        let (search, node, over) = (self.search, self.node, self.search.over());
        let mut classes = search
            .classes_at(node)
            .map_err(|problem| hold::cannot(&problem))?;
        let names = names(over.quasi, node);
        let called = self
            .namer
            .names(&classes, &names, (over.threads, over.stop));
        let called = called.ok_or_else(|| hold::cannot(&io::ErrorKind::Interrupted.into()))?;
        let before: Vec<Index<'_>> = self.before.iter().map(Members::index).collect();
        let mut caps = Caps::new(over.quasi.len());
        for ((key, class), (name, _)) in classes.iter().zip(called) {
            let was: Vec<u64> = before.iter().filter_map(|m| m.get(name)).collect();
            match may_leave(class.members, over.criteria.k, &was) {
                Some(members) if members == class.members => {}
                members => caps.add(key, members.unwrap_or(0)),
            }
        }
        let groups: Vec<&[u32]> = over
            .quasi
            .iter()
            .zip(node)
            .map(|(column, level)| column.group_of(*level))
            .collect();
        if caps.cut_some() {
            let chosen = search.classes_of(caps.choose(hold, layout, &groups)?);
            classes = classes.changed(&chosen, &|class| caps.cut(class));
        }
        let verdict = search.judge(classes, &|key| !caps.hold_back(key));
        let best = Best {
            node: node.clone(),
            loss: search.loss(node),
            verdict,
        };
        Ok((best, caps))
    }
}

/// What is written down of a release.
pub(super) struct Naming {
    pub(super) namer: Namer,
    /// The releases before, to which it held.
    pub(super) before: Vec<Members>,
}

impl Naming {
    /// The classes that are released with their members, by what they are called; and those that only were
    /// before, with what they had when they were last. None where it was asked to stop.
    pub(super) fn members(
        self,
        best: &Best,
        quasi: &[Column],
        (threads, stop): (usize, Stop<'_>),
    ) -> Option<Members> {
        let verdict = &best.verdict;
        let names = names(quasi, &best.node);
        let mut called = self
            .namer
            .names(&verdict.classes, &names, (threads, stop))?;
        let mut kept = verdict.kept.iter();
        called.retain(|_| kept.next() == Some(&true));
        let now = Members::of(&called);
        let before = self.before.into_iter();
        let before = before.reduce(|first, then| then.or(&first));
        Some(before.map_or_else(|| now.clone(), |before| now.or(&before)))
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
