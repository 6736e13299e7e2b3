//! Holds back what a class has grown by since the release before, where that is too few to hide among, and what
//! it has to shrink by more: the rows that come last in the source.

use std::collections::HashSet;

use glovebox_core::SinkError;
use glovebox_release::Histogram;

use super::bits::Bits;
use super::hold::{self, Hold};
use super::waiting::{Packed, Rows};

/// Of each class that may not leave whole, which of it may. There may be millions.
#[derive(Debug)]
pub(super) struct Caps {
    classes: Histogram,
    /// By the places of the classes.
    caps: Vec<Cap>,
    /// How many may leave in part.
    parts: usize,
}

/// What may leave of a class.
#[derive(Debug)]
struct Cap {
    /// So many members, of which there may be none.
    members: u64,
    /// The members that do, where they are entities.
    #[expect(clippy::box_collection, reason = "there may be millions without")]
    entities: Option<Box<HashSet<u64>>>,
    /// Rows before this one, where each is a member.
    until: u64,
    rows: u64,
}

/// How many of a class may leave, if it had so many members in the releases before: none where it may not.
/// Whoever compares two releases sees that nobody came or went, or at least k did.
pub(super) fn may_leave(now: u64, k: u64, before: &[u64]) -> Option<u64> {
    let fits = |members: u64| {
        before
            .iter()
            .all(|was| members == *was || members.abs_diff(*was) >= k)
    };
    // Each release before forbids less than 2k numbers of members, but for its own.
    let least = now.saturating_sub(2 * k * (before.len() as u64 + 1)).max(k);
    (least..=now).rev().find(|members| fits(*members))
}

impl Caps {
    /// None yet, of classes of so many columns.
    pub(super) fn new(columns: usize) -> Self {
        Caps {
            classes: Histogram::new(columns),
            caps: Vec::new(),
            parts: 0,
        }
    }

    /// Lets so many members of a class leave.
    pub(super) fn add(&mut self, class: &[u32], members: u64) {
        let cap = Cap {
            members,
            entities: None,
            until: u64::MAX,
            rows: 0,
        };
        if self.classes.add(class, 1) == Some(self.caps.len()) {
            self.caps.push(cap);
            self.parts += usize::from(members > 0);
        }
    }

    fn of(&self, class: &[u32]) -> Option<&Cap> {
        self.caps.get(self.classes.find(class)?)
    }

    /// Whether of any class a part may leave.
    pub(super) fn cut_some(&self) -> bool {
        self.parts > 0
    }

    /// The classes of which a part may leave.
    pub(super) fn cut_classes(&self) -> impl Iterator<Item = &[u32]> {
        let classes = self.classes.iter().zip(&self.caps);
        let cut = classes.filter(|(_, cap)| cap.members > 0);
        cut.map(|((key, _), _)| key)
    }

    /// Whether a part of this class may leave.
    pub(super) fn cut(&self, class: &[u32]) -> bool {
        self.of(class).is_some_and(|cap| cap.members > 0)
    }

    /// Whether nothing of this class may leave.
    pub(super) fn hold_back(&self, class: &[u32]) -> bool {
        self.of(class).is_some_and(|cap| cap.members == 0)
    }

    /// Whether a row of this class is among those that may leave.
    pub(super) fn lets(&self, class: &[u32], row: u64, entity: Option<u64>) -> bool {
        let Some(cap) = self.of(class) else {
            return true;
        };
        match entity {
            Some(entity) => cap.entities.as_ref().is_some_and(|e| e.contains(&entity)),
            None => row < cap.until,
        }
    }

    /// Looks through the rows that wait for the members that may leave, and counts what leaves of these classes:
    /// by class, sensitive values and entity.
    pub(super) fn choose(
        &mut self,
        hold: &Hold,
        layout: &Packed,
        groups: &[&[u32]],
    ) -> Result<Histogram, SinkError> {
        let mut counted = Histogram::new(layout.width());
        let cut = Bits::of(groups, self.cut_classes());
        for stored in hold.chunks.iter().filter_map(|waiting| waiting.stored) {
            let rows = layout.unpack(&hold.store, stored);
            for rows in rows.map_err(|problem| hold::cannot(&problem))? {
                self.take(&rows, (groups, cut.as_ref()), &mut counted);
            }
        }
        Ok(counted)
    }

    fn take(
        &mut self,
        rows: &Rows,
        (groups, cut): (&[&[u32]], Option<&Bits>),
        counted: &mut Histogram,
    ) {
        let mut class = Vec::with_capacity(groups.len());
        let numbers = cut.map(|cut| (cut, cut.numbers(rows.count, &rows.numbers)));
        let may = |row: usize| {
            let number = |(cut, numbers): &(&Bits, Vec<u32>)| {
                numbers.get(row).is_some_and(|number| cut.has(*number))
            };
            numbers.as_ref().is_none_or(number)
        };
        for row in (0..rows.count).filter(|row| may(*row)) {
            rows.class(row, groups, &mut class);
            let place = self.classes.find(&class);
            let cap = place.and_then(|place| self.caps.get_mut(place));
            let Some(cap) = cap.filter(|cap| cap.members > 0) else {
                continue;
            };
            let leaves = match rows.entity(row) {
                Some(entity) => {
                    let leave = cap.entities.get_or_insert_default();
                    leave.contains(&entity)
                        || (leave.len() as u64) < cap.members && leave.insert(entity)
                }
                None if cap.rows < cap.members => true,
                None => {
                    cap.until = cap.until.min(rows.origin.row(row));
                    false
                }
            };
            if leaves {
                cap.rows += 1;
                let mut key = class.clone();
                rows.rest(row, &mut key);
                counted.add(&key, 1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_changes_by_nobody_or_by_k() {
        for (now, before, leave) in [
            (20, vec![], Some(20)),
            (20, vec![20], Some(20)),
            (23, vec![20], Some(20)),
            (25, vec![20], Some(25)),
            (18, vec![20], Some(15)),
            (15, vec![20], Some(15)),
            (8, vec![9], None),
            (4, vec![], None),
            (12, vec![9], Some(9)),
            // Where two may have been the last, both are held to.
            (23, vec![20, 21], Some(15)),
            (26, vec![20, 21], Some(26)),
        ] {
            let leaves = may_leave(now, 5, &before);
            assert_eq!(leaves, leave, "{now} after {before:?}");
            for was in before {
                assert!(leaves.is_none_or(|now| now == was || now.abs_diff(was) >= 5));
            }
        }
    }
}
