//! Entries in parts, in the order of the main column's groups. What does not fit into
//! memory is spilled.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::packing::Packing;
use super::{Node, Over, stopped};
use crate::base::{Block, Spill};
use crate::threads::{Turns, on};

/// A part has about so many, at least.
const PART: u64 = 1 << 14;
/// There are so many parts, at most.
const PARTS: u64 = 512;
/// Entries that a thread gathers before it adds them to a part.
const GATHERED: usize = 128;
/// Entries that are spilled together, at least.
const SPILLED: usize = 1 << 13;
/// Entries that are handed out together.
pub(super) const PIECE: usize = 1 << 14;

/// Entries of a node, or of values. Where an entry is several numbers they follow each other, and all lengths are those
/// of numbers.
pub(super) struct Table {
    pub(super) node: Option<Node>,
    pub(super) parts: Vec<Part>,
    /// Whether no count was too large for an entry.
    pub(super) exact: bool,
}

/// Entries of some groups of the main column, of which the first and the last may have more in others.
#[derive(Default)]
pub(super) struct Part {
    pub(super) groups: Range<u32>,
    pub(super) entries: Vec<u64>,
    /// Where more of them are.
    spilled: Vec<usize>,
    len: usize,
    /// It was known from the start that there is no room for it.
    spills: bool,
}

impl Part {
    pub(super) fn of(groups: Range<u32>, entries: Vec<u64>) -> Self {
        Part {
            groups,
            len: entries.len(),
            entries,
            ..Part::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Hands its entries, each of so many numbers, out piece by piece.
    pub(super) fn each(
        &self,
        over: &Over<'_>,
        numbers: usize,
        each: &mut dyn FnMut(&[u64]) -> io::Result<()>,
    ) -> io::Result<()> {
        // No entry is in two.
        let piece = PIECE / numbers.max(1) * numbers.max(1);
        let mut pieces = |entries: &[u64]| {
            entries.chunks(piece.max(numbers)).try_for_each(|piece| {
                stopped(over)?;
                each(piece)
            })
        };
        pieces(&self.entries)?;
        let mut read = Vec::new();
        for place in &self.spilled {
            read.clear();
            if let Some(spill) = over.spill {
                spill.get(*place, &mut read)?;
            }
            pieces(&read)?;
        }
        Ok(())
    }

    fn spill(&mut self, spill: &dyn Spill) -> io::Result<()> {
        self.spilled.push(spill.put(&self.entries)?);
        match self.spills {
            true => self.entries.clear(),
            false => self.entries = Vec::new(),
        }
        Ok(())
    }
}

impl Table {
    /// The entries of all rows. `counts` are those of the main column's values; beyond so many bytes entries are
    /// spilled.
    pub(super) fn of_rows(
        over: &Over<'_>,
        packing: &Packing<'_>,
        counts: &[u64],
        room: usize,
    ) -> io::Result<Self> {
        let building = Building::new(over, packing, counts, room / size_of::<u64>());
        let turns = Turns::new(over.counts.blocks());
        let done = on(over.threads, || {
            let done = building.gather(over, packing, &turns);
            if done.is_err() {
                turns.end();
            }
            done
        });
        done.into_iter().collect::<io::Result<()>>()?;
        let parts = building.parts.into_iter();
        let parts = parts.map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut table = Table {
            node: None,
            parts: parts.collect(),
            exact: over.counts.total() <= packing.most(),
        };
        if packing.rest().is_none() {
            table.merge(over, packing)?;
        }
        Ok(table)
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(Part::len).sum()
    }

    /// Bytes that it holds.
    pub(super) fn size(&self) -> usize {
        let parts = self.parts.iter();
        parts
            .map(|part| part.entries.capacity() * size_of::<u64>())
            .sum()
    }

    /// Parts of which no class at a more general node, with these groups of the main column, is in two, and the
    /// groups that are in each.
    pub(super) fn spans(&self, up: &[u32]) -> Vec<(Range<usize>, Range<u32>)> {
        let group = |at: u32| up.get(at as usize).copied().unwrap_or_default();
        let mut spans: Vec<(Range<usize>, Range<u32>)> = Vec::new();
        let parts = self
            .parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.len() > 0);
        for (at, part) in parts {
            let first = group(part.groups.start);
            let end = group(part.groups.end.saturating_sub(1)) + 1;
            match spans.last_mut() {
                Some((parts, groups)) if groups.end > first => {
                    parts.end = at + 1;
                    groups.end = end;
                }
                _ => spans.push((at..at + 1, first..end)),
            }
        }
        spans
    }

    /// Merges equal entries if there are many.
    fn merge(&mut self, over: &Over<'_>, packing: &Packing<'_>) -> io::Result<()> {
        let in_memory = |part: &&mut Part| part.spilled.is_empty();
        let mut parts: Vec<&mut Part> = self.parts.iter_mut().filter(in_memory).collect();
        let Some(largest) = parts.iter_mut().max_by_key(|part| part.entries.len()) else {
            return Ok(());
        };
        let before = largest.entries.len();
        merged(&mut largest.entries, packing.count_bits());
        largest.len = largest.entries.len();
        if largest.len > before / 2 {
            return Ok(());
        }
        let turns = Turns::new(parts.len());
        let parts: Vec<Mutex<&mut Part>> = parts.into_iter().map(Mutex::new).collect();
        let done = on(over.threads, || {
            for part in turns.take().filter_map(|at| parts.get(at)) {
                stopped(over)?;
                let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
                merged(&mut part.entries, packing.count_bits());
                part.entries.shrink_to_fit();
                part.len = part.entries.len();
            }
            Ok(())
        });
        done.into_iter().collect()
    }
}

/// Parts to which several threads add.
struct Building {
    parts: Vec<Mutex<Part>>,
    /// By a value's place the part in which it is.
    part_of: Vec<u32>,
    in_memory: AtomicUsize,
    /// Which parts are in memory was known from the start.
    by_part: bool,
    /// So many entries may be in memory.
    room: usize,
}

impl Building {
    fn new(over: &Over<'_>, packing: &Packing<'_>, counts: &[u64], room: usize) -> Self {
        let mut by_place = vec![0; counts.len()];
        for (place, count) in packing.places().iter().zip(counts) {
            if let Some(at) = by_place.get_mut(*place as usize) {
                *at = *count;
            }
        }
        let least = PART.max(over.counts.total() / PARTS);
        let numbers = packing.numbers();
        // What each row adds; fewer entries than rows are not foreseen.
        let foreseen = over.counts.len() as u64 == over.counts.total();
        let fits = foreseen && over.counts.len() <= room / numbers;
        // Entries of several numbers are not merged, so that it is known what there is room for.
        let by_part = foreseen && numbers > 1;
        let mut left = room;
        let mut parts = Vec::new();
        let mut part_of = Vec::with_capacity(counts.len());
        let (mut from, mut rows) = (0, 0);
        for (place, count) in (0..).zip(&by_place) {
            part_of.push(u32::try_from(parts.len()).unwrap_or(u32::MAX));
            rows += count;
            if rows >= least || place as usize + 1 == by_place.len() {
                let length = usize::try_from(rows).unwrap_or(usize::MAX);
                let length = length.saturating_mul(numbers);
                let spills = by_part && length > left && over.spill.is_some();
                let foreseen = match by_part || fits {
                    _ if spills => SPILLED + GATHERED,
                    true => length,
                    false => 0,
                };
                left = left.saturating_sub(foreseen);
                parts.push(Mutex::new(Part {
                    spills,
                    ..Part::of(from..place + 1, Vec::with_capacity(foreseen))
                }));
                (from, rows) = (place + 1, 0);
            }
        }
        Building {
            parts,
            part_of,
            in_memory: AtomicUsize::new(0),
            by_part,
            room,
        }
    }

    /// Adds the blocks that are this thread's.
    fn gather(&self, over: &Over<'_>, packing: &Packing<'_>, turns: &Turns) -> io::Result<()> {
        let shifts: Vec<(usize, u32)> = packing.shifts().collect();
        let numbers = packing.numbers();
        let mut gathered: Vec<Vec<u64>> = self
            .parts
            .iter()
            .map(|_| Vec::with_capacity(GATHERED))
            .collect();
        let mut block = Block::default();
        let mut entries: Vec<u64> = Vec::new();
        let mut places: Vec<u32> = Vec::new();
        for number in turns.take() {
            stopped(over)?;
            over.counts.read(number, &mut block)?;
            entries.clear();
            match packing.rest() {
                None => {
                    entries.extend(block.counts().map(|count| count.min(packing.most())));
                }
                Some(rest) => {
                    entries.resize(block.keys * numbers, 0);
                    rest.of(&block, numbers, &mut entries);
                }
            }
            let columns = block.columns.iter_mut().zip(&shifts);
            for (at, (column, (word, shift))) in columns.enumerate() {
                if at == packing.main() {
                    let place = |value: &u32| packing.places().get(*value as usize).copied();
                    places.clear();
                    places.extend(column.iter().map(|value| place(value).unwrap_or_default()));
                    std::mem::swap(column, &mut places);
                }
                let of_keys = entries.iter_mut().skip(*word).step_by(numbers);
                for (entry, value) in of_keys.zip(column.iter()) {
                    *entry += u64::from(*value) << shift;
                }
            }
            let main = block
                .columns
                .get(packing.main())
                .map_or(&[][..], Vec::as_slice);
            let part_of = |place: &u32| self.part_of.get(*place as usize).copied().unwrap_or(0);
            if let Some(rest) = packing.rest() {
                let of_keys = entries.chunks_exact(numbers).zip(block.counts());
                for ((entry, count), place) in of_keys.zip(main) {
                    let part = part_of(place) as usize;
                    let Some(gathered) = gathered.get_mut(part) else {
                        continue;
                    };
                    // What is counted more often than an entry can tell is several.
                    let mut left = count;
                    while left > 0 {
                        let count = left.min(rest.most());
                        left -= count;
                        gathered.extend_from_slice(entry);
                        let first = gathered.len() - rest.numbers();
                        if let Some(first) = gathered.get_mut(first) {
                            *first |= count;
                        }
                        if gathered.len() >= GATHERED {
                            self.add(part, gathered, over, packing)?;
                        }
                    }
                }
                continue;
            }
            for (entry, place) in entries.iter().zip(main) {
                let part = part_of(place) as usize;
                let Some(gathered) = gathered.get_mut(part) else {
                    continue;
                };
                gathered.push(*entry);
                if gathered.len() == GATHERED {
                    self.add(part, gathered, over, packing)?;
                }
            }
        }
        let mut rest = gathered.iter_mut().enumerate();
        rest.try_for_each(|(part, gathered)| self.add(part, gathered, over, packing))
    }

    /// Moves entries into a part, and that out of memory if there is too much.
    fn add(
        &self,
        part: usize,
        entries: &mut Vec<u64>,
        over: &Over<'_>,
        packing: &Packing<'_>,
    ) -> io::Result<()> {
        let Some(part) = self.parts.get(part) else {
            return Ok(());
        };
        let in_memory = self.in_memory.fetch_add(entries.len(), Ordering::Relaxed);
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        part.len += entries.len();
        part.entries.append(entries);
        let out = match self.by_part {
            true => part.spills,
            false => in_memory > self.room,
        };
        let full = out && part.entries.len() >= SPILLED;
        let Some(spill) = over.spill.filter(|_| full) else {
            return Ok(());
        };
        let before = part.entries.len();
        if packing.rest().is_none() {
            merged(&mut part.entries, packing.count_bits());
        }
        let after = part.entries.len();
        part.len -= before - after;
        let freed = match after > before / 2 {
            true => {
                part.spill(spill)?;
                before
            }
            false => before - after,
        };
        self.in_memory.fetch_sub(freed, Ordering::Relaxed);
        Ok(())
    }
}

/// Makes one of equal entries, with the sum of their counts as far as there is room for it.
fn merged(entries: &mut Vec<u64>, count_bits: u32) {
    let most = (1_u64 << count_bits) - 1;
    entries.sort_unstable();
    entries.dedup_by(|next, kept| {
        let same = *next >> count_bits == *kept >> count_bits;
        if same {
            let count = (*next & most) + (*kept & most);
            *kept = *kept & !most | count.min(most);
        }
        same
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_entries_become_one_whose_count_is_no_larger_than_there_is_room() {
        let mut entries = vec![0x203, 0x101, 0x1fd, 0x202, 0x1fe];
        merged(&mut entries, 8);
        assert_eq!(entries, [0x1ff, 0x205]);
    }
}
