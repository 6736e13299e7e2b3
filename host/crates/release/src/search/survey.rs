//! Looks at the classes of a node with their members and values, slice by slice on all threads, in bounded memory:
//! no class is in two slices.

use std::io;
use std::ops::{ControlFlow, Range};

use super::cells::Cells;
use super::groups::Groups;
use super::marks::Asked;
use super::packing::Packing;
use super::rest::Rest;
use super::table::{Part, Table};
use super::terms::Terms;
use super::{Node, Over};
use crate::threads::{Turns, on};

/// Fewer numbers of entries are looked at by one thread.
const SHARED: usize = 1 << 17;

/// What is looked at.
pub(super) struct Survey<'c> {
    pub(super) over: &'c Over<'c>,
    pub(super) packing: &'c Packing<'c>,
    /// The cells of the node's classes.
    pub(super) cells: &'c Cells,
    pub(super) rest: &'c Rest,
    pub(super) from: &'c Table,
    pub(super) node: &'c Node,
    pub(super) asked: &'c Asked,
    pub(super) seed: u64,
    /// What all threads may use, in bytes.
    pub(super) room: usize,
}

/// Classes of some parts, with their cells.
pub(super) struct Slice<'c> {
    over: &'c Over<'c>,
    packing: &'c Packing<'c>,
    all: &'c Cells,
    terms: &'c Terms<u64>,
    parts: &'c [Part],
    /// The first group of the main column that it has.
    group: u32,
    cells: Range<u64>,
    pub(super) seed: u64,
    /// What its thread may use.
    pub(super) room: usize,
}

impl Slice<'_> {
    /// Hands out the cell of each entry, and the entry, until `each` has had enough.
    pub(super) fn each(
        &self,
        each: &mut impl FnMut(u64, &[u64]) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let mut done = false;
        let numbers = self.packing.numbers();
        for part in self.parts {
            part.each(self.over, numbers, &mut |entries| {
                self.terms.each_of(numbers, entries, |sum, entry| {
                    let cell = self.all.cell(sum);
                    done = done || self.cells.contains(&cell) && each(cell, entry).is_break();
                });
                Ok(())
            })?;
            if done {
                break;
            }
        }
        Ok(())
    }

    /// What an entry has beside its class.
    pub(super) fn beside<'e>(&self, entry: &'e [u64]) -> &'e [u64] {
        entry.get(self.packing.words()..).unwrap_or_default()
    }

    /// Where it begins: its first group, and the first of its cells.
    pub(super) fn first(&self) -> (u32, u64) {
        (self.group, self.cells.start)
    }

    /// How many entries its parts have.
    fn entries(&self) -> usize {
        let numbers = self.packing.numbers().max(1);
        self.parts.iter().map(Part::len).sum::<usize>() / numbers
    }

    fn halves(&self) -> [Self; 2] {
        let Range { start, end } = self.cells;
        let middle = u64::midpoint(start, end);
        [start..middle, middle..end].map(|cells| Slice { cells, ..*self })
    }
}

impl Survey<'_> {
    /// Hands out the classes of each slice, until `each` has had enough. What it makes of them is put into what its
    /// thread has, which is returned.
    pub(super) fn all<L: Send>(
        &self,
        new: impl Fn() -> L + Sync,
        each: impl Fn(&mut L, &Slice<'_>, &Groups<'_>) -> io::Result<ControlFlow<()>> + Sync,
    ) -> io::Result<Vec<L>> {
        let main = self.packing.main();
        let up = self
            .packing
            .main_up(None, self.node.get(main).copied().unwrap_or_default());
        let terms = self.packing.celled(self.node, self.cells);
        let all = self.from.len();
        let threads = match all < SHARED {
            true => 1,
            false => self.over.threads.max(1),
        };
        let mut work = Vec::new();
        for (parts, groups) in self.from.spans(&up) {
            let parts = self.from.parts.get(parts).unwrap_or_default();
            let Range { start, end } = self.cells.within(&groups);
            // What is in few groups is shared by all threads.
            let large = parts.iter().map(Part::len).sum::<usize>() * threads * 2 > all;
            let shares = if large { threads as u64 } else { 1 };
            let share = (end - start).div_ceil(shares).max(1);
            let firsts = (0..shares).map(|at| start + at * share);
            let cells = firsts.map(|first| first.min(end)..(first + share).min(end));
            work.extend(
                cells
                    .filter(|cells| !cells.is_empty())
                    .map(|cells| (parts, groups.start, cells)),
            );
        }
        let turns = Turns::new(work.len());
        let room = self.room / threads;
        let made = on(threads, || {
            let mut made = new();
            let mut groups = Groups::new(
                self.rest,
                self.asked,
                self.over.sensitive,
                (self.seed, room),
            );
            for number in turns.take() {
                let Some((parts, group, cells)) = work.get(number) else {
                    continue;
                };
                let slice = Slice {
                    over: self.over,
                    packing: self.packing,
                    all: self.cells,
                    terms: &terms,
                    parts,
                    group: *group,
                    cells: cells.clone(),
                    seed: self.seed,
                    room,
                };
                let looked = look(&slice, &mut groups, &mut |slice, groups| {
                    each(&mut made, slice, groups)
                });
                if looked.as_ref().map_or(true, ControlFlow::is_break) {
                    turns.end();
                }
                let _ = looked?;
            }
            Ok(made)
        });
        made.into_iter().collect()
    }
}

type Each<'e> = dyn FnMut(&Slice<'_>, &Groups<'_>) -> io::Result<ControlFlow<()>> + 'e;

/// Counts the classes of a slice, and where there is no room for them those of its halves.
fn look(
    slice: &Slice<'_>,
    groups: &mut Groups<'_>,
    each: &mut Each<'_>,
) -> io::Result<ControlFlow<()>> {
    groups.clear(slice.cells.clone(), slice.entries());
    let mut full = false;
    slice.each(
        &mut |cell, entry| match groups.add(cell, slice.beside(entry)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => {
                full = true;
                ControlFlow::Break(())
            }
        },
    )?;
    if !full {
        return each(slice, groups);
    }
    for half in slice.halves() {
        if look(&half, groups, each)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}
