//! The groups of classes that are told by hashes, read from their entries, by which two with one hash are noticed.

use std::io;
use std::ops::ControlFlow;

use super::groups::Groups;
use super::packing::Field;
use super::survey::Slice;

/// A group that is not known yet.
const UNKNOWN: u32 = u32::MAX;

/// The groups of entries' columns at a node, as the columns number them.
pub(super) struct Keys(Vec<(Field, Vec<u32>)>);

impl Keys {
    /// Of each column where its value is, and the group of each value.
    pub(super) fn new(columns: Vec<(Field, Vec<u32>)>) -> Self {
        Keys(columns)
    }

    /// Those of an entry.
    fn of(&self, entry: &[u64]) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(field, groups)| {
            let number = entry.get(field.word).copied().unwrap_or_default();
            let value = number.checked_shr(field.shift).unwrap_or(0) & ((1 << field.bits) - 1);
            let group = usize::try_from(value)
                .ok()
                .and_then(|value| groups.get(value));
            group.copied().unwrap_or_default()
        })
    }

    /// The groups of each class, in their order, where their cells are hashes. None where two classes have the same.
    pub(super) fn of_classes(
        &self,
        slice: &Slice<'_>,
        groups: &Groups<'_>,
        order: &[(u64, usize)],
    ) -> io::Result<Option<Vec<u32>>> {
        let width = self.0.len();
        let mut of_place = vec![0; groups.len()];
        for (at, (_, place)) in order.iter().enumerate() {
            if let Some(of_place) = of_place.get_mut(*place) {
                *of_place = at * width;
            }
        }
        let mut keys = vec![UNKNOWN; order.len() * width];
        let mut alike = false;
        slice.each(&mut |cell, entry| {
            let at = groups.place(cell).and_then(|place| of_place.get(place));
            let known = at.and_then(|at| keys.get_mut(*at..*at + width));
            for (known, group) in known.into_iter().flatten().zip(self.of(entry)) {
                alike |= *known != UNKNOWN && *known != group;
                *known = group;
            }
            match alike {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok((!alike).then_some(keys))
    }
}
