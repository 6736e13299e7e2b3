//! Counts the classes of a node from a table of entries, on all threads, and stops once too many rows are of
//! classes that are too small.

use std::io;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::cells::{Cells, Entries};
use super::counted::{Counted, Small};
use super::packing::Packing;
use super::table::{Part, Table};
use super::tally::{Cell, Dense, Sparse};
use super::terms::Terms;
use super::{Node, Over};
use crate::threads::{Turns, on};

/// Fewer entries are counted by one thread.
const SHARED: usize = 1 << 16;
/// So many cells an entry are less work than finding its class.
const CELLS_AN_ENTRY: u64 = 8;
/// So many cells are always.
const FEW_CELLS: u64 = 1 << 12;
/// A table is worth keeping if it has so many times fewer entries than what it is made of.
pub(super) const SMALLER: usize = 8;
/// A part of this size tells of the whole what is likely, where that is enough.
const SAMPLED: usize = 8;
/// And is clear if it is less than this share of what may be.
const CLEAR: f64 = 0.9;
/// Entries of a part of a table that is made.
const PART: usize = 1 << 14;

/// What is counted.
pub(super) struct Count<'c> {
    pub(super) over: &'c Over<'c>,
    pub(super) packing: &'c Packing<'c>,
    pub(super) from: &'c Table,
    pub(super) node: &'c Node,
    /// So many rows may be of classes that are too small.
    pub(super) limit: u64,
    /// The classes are wanted if there are no more.
    pub(super) keep: usize,
    /// And with all their rows.
    pub(super) exact: bool,
    /// It is enough to know what is likely where that is clear from a part.
    pub(super) likely: bool,
    pub(super) seed: u64,
    /// What all threads may use to count in, in bytes.
    pub(super) room: usize,
}

/// Parts of the table that have classes of their own.
struct Span {
    parts: Range<usize>,
    groups: Range<u32>,
    entries: usize,
}

/// What classes are counted by in cells.
struct Numbered<'c> {
    cells: &'c Cells,
    terms: Terms<u32>,
    /// The cells' entries, once they are wanted.
    entries: OnceLock<Entries>,
}

/// What all threads have counted.
#[derive(Default)]
struct Shared {
    small: AtomicU64,
    /// So many entries were counted.
    seen: AtomicUsize,
    /// What is left was not counted, since that is likely to change nothing.
    likely: AtomicBool,
    classes: AtomicUsize,
}

/// What a thread counts in.
struct Scratch<T> {
    dense: Dense<T>,
    sparse: Sparse,
    /// The entries of classes, by the number of their work.
    made: Vec<(usize, Vec<u64>)>,
}

impl Count<'_> {
    pub(super) fn all(&self) -> io::Result<Counted> {
        match !self.exact && self.over.criteria.k <= u8::MAX.into() {
            true => self.all_in::<u8>(),
            false => self.all_in::<u32>(),
        }
    }

    fn all_in<T: Cell>(&self) -> io::Result<Counted> {
        let main = self.packing.main();
        let from = self.from.node.as_ref().and_then(|node| node.get(main));
        let level = self.node.get(main).copied().unwrap_or_default();
        let up = self.packing.main_up(from.copied(), level);
        let spans: Vec<Span> = self
            .from
            .spans(&up)
            .into_iter()
            .map(|span| self.span(span))
            .collect();
        let entries = self.from.len();
        let threads = if entries < SHARED {
            1
        } else {
            self.over.threads.max(1)
        };
        let largest = spans.iter().map(|span| span.entries).max().unwrap_or(0);
        let cells = self.packing.cells(self.node);
        let fits = cells
            .as_ref()
            .filter(|cells| self.dense::<T>(cells.all(), entries, threads));
        match fits {
            Some(cells) if largest * threads > entries / 2 => self.whole::<T>(cells, threads),
            _ => self.by_spans::<T>(&spans, cells.as_ref(), threads),
        }
    }

    fn span(&self, (parts, groups): (Range<usize>, Range<u32>)) -> Span {
        let of = self.from.parts.get(parts.clone()).unwrap_or_default();
        Span {
            entries: of.iter().map(Part::len).sum(),
            parts,
            groups,
        }
    }

    /// Whether so many entries are counted in so many cells.
    fn dense<T>(&self, cells: u64, entries: usize, threads: usize) -> bool {
        let room = self.room / threads / size_of::<T>();
        cells <= room as u64 && cells <= (entries as u64 * CELLS_AN_ENTRY).max(FEW_CELLS)
    }

    /// Threads share the parts, and what they have counted is added up.
    fn whole<T: Cell>(&self, cells: &Cells, threads: usize) -> io::Result<Counted> {
        let terms = self
            .packing
            .numbered(self.from.node.as_ref(), self.node, cells);
        let size = usize::try_from(cells.all()).unwrap_or(usize::MAX);
        if !self.exact && size > SAMPLED {
            let some = self.first_cells::<T>(size / SAMPLED, &terms, threads)?;
            let small = some.below(self.over.criteria.k);
            if small > self.limit {
                return Ok(Counted::without(Small::TooMany));
            }
            if self.likely_few(small, self.from.len() / SAMPLED) {
                return Ok(Counted::without(Small::LikelyFew));
            }
        }
        let all = self.first_cells::<T>(size, &terms, threads)?;
        let small = match all.below(self.over.criteria.k) > self.limit {
            true => Small::TooMany,
            false => Small::Few,
        };
        // What is made of a node that satisfies is asked for more often than what is made of others.
        let wanted = small == Small::Few
            && all.classes().take(self.keep.saturating_add(1)).count() <= self.keep;
        let table = wanted.then(|| {
            let entries_of = self.packing.entries_of(cells);
            let entry =
                |(cell, rows): (u64, u64)| entries_of.of(cell) | rows.min(self.packing.most());
            let entries = all.classes().map(entry);
            self.table::<T>(self.cut(&entries.collect::<Vec<_>>()), true)
        });
        Ok(Counted { small, table })
    }

    /// The rows of so many cells.
    fn first_cells<T: Cell>(
        &self,
        size: usize,
        terms: &Terms<u32>,
        threads: usize,
    ) -> io::Result<Dense<T>> {
        let turns = Turns::new(self.from.parts.len());
        let most = self.packing.most();
        let counted: Vec<io::Result<_>> = on(threads, || {
            let mut dense = Dense::<T>::default();
            dense.clear(size);
            for part in turns.take().filter_map(|at| self.from.parts.get(at)) {
                let counted = part.each(self.over, 1, &mut |entries| {
                    let mut add = dense.adder();
                    terms.each(entries, |cell, entry| add(cell, entry & most));
                    Ok(())
                });
                counted.inspect_err(|_| turns.end())?;
            }
            Ok(dense)
        });
        let mut counted = counted.into_iter();
        let mut all = counted.next().unwrap_or_else(|| Ok(Dense::default()))?;
        for dense in counted {
            all.join(&dense?);
        }
        Ok(all)
    }

    /// Whether it is enough to know, and clear, that there will be few, if so many entries had so many rows of
    /// classes that are too small.
    fn likely_few(&self, small: u64, seen: usize) -> bool {
        let all = self.from.len();
        let expected = small as f64 * all as f64 / seen.max(1) as f64;
        self.likely && seen >= all / SAMPLED && expected < self.limit as f64 * CLEAR
    }

    /// Parts of entries that come by the groups of the main column.
    fn cut(&self, entries: &[u64]) -> Vec<Part> {
        let parts = entries.chunks(PART).map(|part| {
            let group = |entry: Option<&u64>| entry.map_or(0, |entry| self.packing.main_of(*entry));
            Part::of(group(part.first())..group(part.last()) + 1, part.to_vec())
        });
        parts.collect()
    }

    fn table<T>(&self, parts: Vec<Part>, dense: bool) -> Table {
        let counted = if dense && size_of::<T>() == 1 {
            u8::MAX.into()
        } else {
            self.packing.most()
        };
        Table {
            node: Some(self.node.clone()),
            parts,
            exact: self.from.exact && self.over.counts.total() <= counted.min(u32::MAX.into()),
        }
    }

    /// Threads take spans, or slices of those that are large, in turn.
    fn by_spans<T: Cell>(
        &self,
        spans: &[Span],
        cells: Option<&Cells>,
        threads: usize,
    ) -> io::Result<Counted> {
        let entries = self.from.len();
        let cells_of = |span: &Span| {
            let groups = span.groups.end - span.groups.start;
            let fits =
                |cells: &&Cells| self.dense::<T>(cells.of_main(groups), span.entries, threads);
            cells.filter(fits)
        };
        let mut work: Vec<(usize, Option<(u64, u32)>)> = Vec::new();
        for (at, span) in spans.iter().enumerate() {
            if cells_of(span).is_some() {
                work.push((at, None));
                continue;
            }
            let large = threads > 1 && span.entries * threads * 2 > entries;
            let bits = if large {
                threads.next_power_of_two().ilog2()
            } else {
                0
            };
            work.extend((0..1_u64 << bits).map(|slice| (at, Some((slice, bits)))));
        }
        let numbered = cells.map(|cells| Numbered {
            terms: self
                .packing
                .numbered(self.from.node.as_ref(), self.node, cells),
            cells,
            entries: OnceLock::new(),
        });
        let packed = self.packing.packed(self.from.node.as_ref(), self.node);
        let turns = Turns::new(work.len());
        let shared = Shared::default();
        let counted: Vec<io::Result<_>> = on(threads, || {
            let mut scratch = Scratch::<T>::new(self, threads);
            for number in turns.take() {
                let Some((span, slice)) = work
                    .get(number)
                    .and_then(|(at, slice)| Some((spans.get(*at)?, *slice)))
                else {
                    continue;
                };
                let counted = match (slice, numbered.as_ref()) {
                    (None, Some(numbered)) => {
                        scratch.dense(self, (number, span), numbered, &shared)
                    }
                    (slice, _) => scratch.sparse(
                        self,
                        (number, span),
                        &packed,
                        slice.unwrap_or_default(),
                        &shared,
                    ),
                };
                counted.inspect_err(|_| turns.end())?;
                if slice.is_none_or(|(_, bits)| bits == 0) {
                    shared.seen.fetch_add(span.entries, Ordering::Relaxed);
                }
                if shared.too_many(self) || shared.likely_few(self) {
                    turns.end();
                }
            }
            Ok(scratch.made)
        });
        let made = counted.into_iter().collect::<io::Result<Vec<_>>>()?;
        if shared.too_many(self) {
            return Ok(Counted::without(Small::TooMany));
        }
        if shared.likely.into_inner() {
            return Ok(Counted::without(Small::LikelyFew));
        }
        let table = (shared.classes.into_inner() <= self.keep).then(|| {
            let mut made: Vec<_> = made.into_iter().flatten().collect();
            made.sort_unstable();
            let any_dense = work.iter().any(|(_, slice)| slice.is_none());
            let parts = made.into_iter().filter_map(|(number, entries)| {
                let (span, _) = work.get(number)?;
                Some(Part::of(spans.get(*span)?.groups.clone(), entries))
            });
            self.table::<T>(parts.collect(), any_dense)
        });
        Ok(Counted {
            small: Small::Few,
            table,
        })
    }

    /// Whether the classes of a span are wanted, which has so many: not if those of all are too many, or hardly
    /// fewer than entries, as then those of other spans will be.
    fn wants(&self, classes: usize, entries: usize, shared: &Shared) -> bool {
        let hardly_fewer = !self.exact && classes > entries / SMALLER;
        let more = if hardly_fewer {
            self.keep.saturating_add(1)
        } else {
            classes
        };
        let before = shared.classes.fetch_add(more, Ordering::Relaxed);
        before.saturating_add(more) <= self.keep
    }

    /// The parts of a span.
    fn parts(&self, span: &Span) -> &[Part] {
        self.from.parts.get(span.parts.clone()).unwrap_or_default()
    }
}

impl Shared {
    fn too_many(&self, count: &Count<'_>) -> bool {
        self.small.load(Ordering::Relaxed) > count.limit
    }

    /// Whether what is left need not be counted.
    fn likely_few(&self, count: &Count<'_>) -> bool {
        let seen = self.seen.load(Ordering::Relaxed);
        let small = self.small.load(Ordering::Relaxed);
        let few = seen < count.from.len() && count.likely_few(small, seen);
        self.likely.fetch_or(few, Ordering::Relaxed);
        few
    }
}

impl<T: Cell> Scratch<T> {
    fn new(count: &Count<'_>, threads: usize) -> Self {
        // While its places become more, old ones are there too.
        let room = count.room / threads / size_of::<u64>() / 2;
        Scratch {
            dense: Dense::default(),
            sparse: Sparse::new(count.seed, count.packing.count_bits(), room),
            made: Vec::new(),
        }
    }

    fn dense(
        &mut self,
        count: &Count<'_>,
        (number, span): (usize, &Span),
        Numbered {
            cells,
            terms,
            entries: entries_of,
        }: &Numbered<'_>,
        shared: &Shared,
    ) -> io::Result<()> {
        let most = count.packing.most();
        let first = cells.step_of_main() * u64::from(span.groups.start);
        let size = cells.of_main(span.groups.end - span.groups.start);
        self.dense
            .clear(usize::try_from(size).unwrap_or(usize::MAX));
        for part in count.parts(span) {
            // Another thread may have counted enough.
            if shared.too_many(count) {
                return Ok(());
            }
            part.each(count.over, 1, &mut |entries| {
                let mut add = self.dense.adder();
                terms.each(entries, |cell, entry| add(cell - first, entry & most));
                Ok(())
            })?;
        }
        shared
            .small
            .fetch_add(self.dense.below(count.over.criteria.k), Ordering::Relaxed);
        let classes = self.dense.classes().count();
        if count.wants(classes, span.entries, shared) {
            let entries_of = entries_of.get_or_init(|| count.packing.entries_of(cells));
            let mut entries: Vec<u64> = Vec::with_capacity(classes);
            let all = self.dense.classes();
            entries.extend(all.map(|(cell, rows)| entries_of.of(first + cell) | rows.min(most)));
            self.made.push((number, entries));
        }
        Ok(())
    }

    /// Where there are more classes than places, they are counted a slice after the other.
    fn sparse(
        &mut self,
        count: &Count<'_>,
        (number, span): (usize, &Span),
        terms: &Terms<u64>,
        (slice, bits): (u64, u32),
        shared: &Shared,
    ) -> io::Result<()> {
        self.sparse.clear(span.entries >> bits);
        let mut full = false;
        for part in count.parts(span) {
            part.each(count.over, 1, &mut |entries| {
                terms.each(entries, |class, entry| {
                    full = full || self.sparse.add(class, entry, (slice, bits)).is_err();
                });
                Ok(())
            })?;
            if full {
                for half in [slice * 2, slice * 2 + 1] {
                    self.sparse(count, (number, span), terms, (half, bits + 1), shared)?;
                }
                return Ok(());
            }
        }
        shared
            .small
            .fetch_add(self.sparse.below(count.over.criteria.k), Ordering::Relaxed);
        let classes = self.sparse.len();
        if count.wants(classes, span.entries >> bits, shared) {
            let mut entries: Vec<u64> = Vec::with_capacity(classes);
            entries.extend(self.sparse.entries());
            if count.exact {
                // So that the same rows are released in the same order of classes.
                entries.sort_unstable();
            }
            self.made.push((number, entries));
        }
        Ok(())
    }
}
