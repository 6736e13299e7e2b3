//! Cuts an input into ranges, ahead of those who work on them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use glovebox_core::{Chunk, ChunkRecord, Digest};

use super::digested;
use super::work::{Range, Ranges};
use crate::error::{RunError, ShardsError};
use crate::identity::{Input, Key, Lines};
use crate::peeked::Peeked;
use crate::selection::RowSelection;

/// Bytes of a range: enough that to begin with it does not show, few enough that a death costs little.
const LEAST: u64 = 1 << 20;
const MOST: u64 = 64 << 20;
/// Into how many ranges, for each process, what is left would be cut if they were all like the next one. They get smaller, so
/// there are few to begin with, and yet all processes end at about the same time.
const EACH: u64 = 2;
/// Chunks of a range, each of which may be a small file: what an earlier process has stored of them is named one by one.
const CHUNKS: u64 = 4096;

/// What an input was cut into.
#[derive(Debug, Default)]
pub(crate) struct Cut {
    /// The whole input.
    pub(crate) input: Input,
    /// Digests of its chunks; none of one that has no row which was asked for.
    pub(crate) digests: Vec<Option<Digest>>,
}

/// What is to be cut, and how.
pub(crate) struct Cutting<'r> {
    key: &'r Key,
    asked: RowSelection<'r>,
    run: &'r str,
    /// Chunks that are stored already.
    stored: HashMap<u64, Digest>,
    /// Bytes of the source, if that is known.
    bytes: Option<u64>,
    processes: u64,
    /// Bytes of the range that is filled.
    size: u64,
    cut: Cut,
    /// Bytes that were read, all together and up to the range that is filled.
    position: u64,
    before: u64,
    open: Option<Range>,
    number: u64,
}

impl<'r> Cutting<'r> {
    /// `bytes` is the source's size, for so many `processes`.
    pub(crate) fn new(
        (key, asked): (&'r Key, RowSelection<'r>),
        (run, stored): (&'r str, &[ChunkRecord]),
        bytes: Option<u64>,
        processes: usize,
    ) -> Self {
        Cutting {
            key,
            asked,
            run,
            stored: stored.iter().map(|c| (c.index, c.digest)).collect(),
            bytes,
            processes: processes.max(1) as u64,
            size: 0,
            cut: Cut::default(),
            position: 0,
            before: 0,
            open: None,
            number: 0,
        }
    }

    /// Where ranges come out, of which few wait.
    pub(crate) fn channel(processes: usize) -> (Sender<Range>, Ranges) {
        let (out, taken): (_, Receiver<Range>) = bounded(processes);
        (out, Ranges(taken))
    }

    /// Cuts all of it, or until nobody takes ranges any more. So many `threads` digest its lines.
    pub(crate) fn cut(
        mut self,
        chunks: Peeked,
        threads: usize,
        out: &Sender<Range>,
        halt: &AtomicBool,
    ) -> Result<Cut, RunError> {
        digested::each(chunks, self.key, threads, &mut |chunk, lines| {
            if halt.load(Ordering::Relaxed) {
                return Err(RunError::Cancelled);
            }
            match self.add(chunk, lines)? {
                // Whoever took them has ended, and tells why.
                Some(full) => out.send(full).map_err(|_| RunError::Cancelled),
                None => Ok(()),
            }
        })?;
        if let Some(last) = self.close() {
            out.send(last).map_err(|_| RunError::Cancelled)?;
        }
        Ok(self.cut)
    }

    /// Adds a chunk; returns the range before it, if it begins another.
    fn add(&mut self, chunk: &Chunk, lines: &Lines) -> Result<Option<Range>, RunError> {
        let many = self
            .open
            .as_ref()
            .is_some_and(|range| range.chunks >= CHUNKS);
        let is_full = many || self.position - self.before >= self.size;
        let place = chunk.place();
        let begins = place.filter(|_| is_full || self.open.is_none());
        let full = begins.and_then(|_| self.close());
        if let Some(begins) = begins {
            self.open = Some(Range {
                number: 0,
                begins,
                chunks: 0,
                position: self.position,
                bytes: 0,
                before: self.cut.input,
                after: self.cut.input,
                stored: Vec::new(),
            });
            self.before = self.position;
            self.size = self.next_size();
        }
        let digest = self.key.chunk(&self.cut.input, lines);
        let due = chunk.rows + chunk.rejects.len() as u64;
        let is_asked = due == 0 || self.asked.of(chunk.first_row, due) > 0;
        self.cut.input = self.cut.input.with(lines);
        self.cut.digests.push(is_asked.then_some(digest));
        self.position = self.position.max(chunk.position);
        let range = self.open.as_mut().ok_or(ShardsError::NoPlace)?;
        range.chunks += 1;
        range.after = self.cut.input;
        range.bytes = self.position - self.before;
        match self.stored.get(&chunk.index) {
            Some(stored) if *stored == digest => range.stored.push((chunk.index, digest)),
            Some(_) => {
                return Err(RunError::InputChanged {
                    run: self.run.to_owned(),
                });
            }
            None if is_asked => {}
            // Nothing of it is to be stored, so it is of no more concern than one that is.
            None => range.stored.push((chunk.index, digest)),
        }
        Ok(full)
    }

    fn next_size(&self) -> u64 {
        let left = self.bytes.unwrap_or(u64::MAX).saturating_sub(self.position);
        (left / (self.processes * EACH)).clamp(LEAST, MOST)
    }

    /// The range that was filled, if there is something to do in it.
    fn close(&mut self) -> Option<Range> {
        let mut range = self.open.take()?;
        if range.stored.len() as u64 == range.chunks {
            return None;
        }
        range.number = self.number;
        self.number += 1;
        Some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_which_all_is_stored_but_one_chunk_is_no_large_message() {
        let range = Range {
            number: u64::MAX,
            begins: glovebox_core::Place::default(),
            chunks: CHUNKS,
            position: u64::MAX,
            bytes: u64::MAX,
            before: Input::default(),
            after: Input::default(),
            stored: (0..CHUNKS).map(|at| (u64::MAX - at, [255; 32])).collect(),
        };
        // A cluster takes a mebibyte.
        assert!(serde_json::to_vec(&range).unwrap().len() < 700_000);
    }
}
