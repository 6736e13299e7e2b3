//! A release after others: at their levels, and so that nobody is found by comparing them.

use std::collections::HashSet;

use glovebox_core::SinkError;
use glovebox_release::{Best, Column, Search};

use super::book::Namer;
use super::caps::{Caps, may_leave};
use super::hold::{self, Hold};
use super::waiting::Packed;
use crate::gated::{Members, Name};

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
        let (search, node) = (self.search, self.node);
        let names = names(search.over().quasi, node);
        let mut classes = search
            .classes_at(node)
            .map_err(|problem| hold::cannot(&problem))?;
        let mut caps = Caps::default();
        let mut held = HashSet::new();
        for (key, class) in classes.iter() {
            let name = self.namer.of(key, &names);
            let was: Vec<u64> = self
                .before
                .iter()
                .filter_map(|m| m.get(&name).copied())
                .collect();
            match may_leave(class.members, search.over().criteria.k, &was) {
                Some(members) if members == class.members => {}
                Some(members) => caps.add(key, members),
                None => {
                    held.insert(key.to_vec());
                }
            }
        }
        let groups: Vec<&[u32]> = search
            .over()
            .quasi
            .iter()
            .zip(node)
            .map(|(column, level)| column.group_of(*level))
            .collect();
        if !caps.is_empty() {
            let chosen = search.classes_of(caps.choose(hold, layout, &groups)?);
            classes = classes.changed(&chosen, &|class| caps.has(class));
        }
        let verdict = search.judge(classes, &|key| !held.contains(key));
        let best = Best {
            node: node.clone(),
            loss: search.loss(node),
            verdict,
        };
        Ok((best, caps))
    }
}

/// The classes that are released with their members, by what they are called; then those that only were
/// before, with what they had when they were last.
pub(super) fn members(
    best: &Best,
    namer: &Namer,
    names: &[Vec<Option<&str>>],
    before: Vec<Members>,
    threads: usize,
) -> Vec<(Name, u64)> {
    let verdict = &best.verdict;
    let share = verdict.classes.len().div_ceil(threads.max(1)).max(1);
    let of_share = |first: usize| {
        let classes = verdict.classes.iter().zip(&verdict.kept).skip(first);
        let kept = classes.take(share).filter(|(_, kept)| **kept);
        let named = kept.map(|((key, class), _)| (namer.of(key, names), class.members));
        let mut named: Vec<_> = named.collect();
        named.sort_unstable();
        named
    };
    let mut now: Vec<(Name, u64)> = Vec::with_capacity(verdict.classes.len());
    std::thread::scope(|scope| {
        let firsts = (0..verdict.classes.len()).step_by(share);
        let shares: Vec<_> = firsts
            .map(|first| scope.spawn(move || of_share(first)))
            .collect();
        for share in shares {
            match share.join() {
                Ok(named) => now.extend(named),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    // Merges the shares, each of which is sorted.
    now.sort();
    let mut gone = Members::new();
    before.into_iter().for_each(|members| gone.extend(members));
    gone.retain(|name, _| now.binary_search_by(|(now, _)| now.cmp(name)).is_err());
    now.extend(gone);
    now
}

/// What the groups of a node are called, by column.
pub(super) fn names<'c>(quasi: &'c [Column], node: &[usize]) -> Vec<Vec<Option<&'c str>>> {
    quasi
        .iter()
        .zip(node)
        .map(|(column, level)| column.names(*level).collect())
        .collect()
}
