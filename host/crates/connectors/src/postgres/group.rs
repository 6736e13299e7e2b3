//! Chunks on their way to the server: their rows as COPY takes them, and their entries in the
//! journal, a column each.

use std::collections::{BTreeMap, BTreeSet};

use glovebox_core::{FinishedChunk, Late, Origin, Payload, Reject, SealedBlock};

use super::tokens::Tokens;
use crate::database::journal::signed;

/// What a reject weighs beside payloads, in bytes.
const REJECT_BYTES: usize = 256;

/// Chunks that are stored together, without their payloads.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) payloads: Vec<Vec<u8>>,
    /// Of each payload its chunk's place in the group, and where its rows stood.
    pub(super) places: Vec<(usize, Vec<(Origin, usize)>)>,
    pub(super) bytes: usize,
    pub(super) index: Vec<i64>,
    pub(super) first_row: Vec<i64>,
    pub(super) read: Vec<i64>,
    pub(super) stored: Vec<i64>,
    pub(super) filtered: Vec<i64>,
    pub(super) rejected: Vec<i64>,
    pub(super) digest: Vec<Vec<u8>>,
    pub(super) summary: Vec<String>,
    pub(super) lines: Vec<Option<i64>>,
    pub(super) upto: Vec<Option<Vec<u8>>>,
    pub(super) rejects: Rejects,
    pub(super) sealed: Vec<SealedBlock>,
    /// Of each chunk what encrypts the rows that the server refuses.
    pub(super) late: Vec<Late>,
    pub(super) tokens: Tokens,
}

/// Rejects, a column each.
#[derive(Debug, Default)]
pub(super) struct Rejects {
    pub(super) chunk: Vec<i64>,
    pub(super) row: Vec<i64>,
    pub(super) line: Vec<Option<i64>>,
    pub(super) violations: Vec<String>,
    pub(super) file: Vec<Option<String>>,
}

impl Rejects {
    /// Adds a reject of that chunk, and says what it weighs.
    pub(super) fn add(&mut self, chunk: i64, reject: &Reject) -> Result<usize, &'static str> {
        let violations = serde_json::to_string(&reject.violations)
            .map_err(|_| "violations are not to be written as JSON")?;
        let weight = violations.len() + REJECT_BYTES;
        self.chunk.push(chunk);
        self.row.push(signed(reject.row));
        self.line.push(reject.line.map(signed));
        self.violations.push(violations);
        self.file.push(reject.file.as_deref().map(str::to_owned));
        Ok(weight)
    }

    /// Those of some chunks.
    fn of(&self, stays: impl Fn(&i64) -> bool) -> Rejects {
        let placed = self.chunk.iter().enumerate();
        let gone = placed.filter(|(_, chunk)| !stays(chunk));
        let gone: BTreeSet<usize> = gone.map(|(place, _)| place).collect();
        Rejects {
            chunk: kept(&self.chunk, &gone),
            row: kept(&self.row, &gone),
            line: kept(&self.line, &gone),
            violations: kept(&self.violations, &gone),
            file: kept(&self.file, &gone),
        }
    }
}

/// A column of a group without these places.
fn kept<T: Clone>(column: &[T], gone: &BTreeSet<usize>) -> Vec<T> {
    let placed = column.iter().enumerate();
    let stays = placed.filter(|(place, _)| !gone.contains(place));
    stays.map(|(_, value)| value.clone()).collect()
}

impl Group {
    /// Adds a chunk, if its payload is what a COPY takes.
    pub(super) fn add(&mut self, chunk: FinishedChunk) -> Result<(), &'static str> {
        match chunk.encoded.payload {
            Payload::Bytes(bytes) => {
                self.bytes += bytes.len();
                self.payloads.push(bytes);
                self.places.push((self.index.len(), chunk.encoded.origins));
            }
            Payload::Empty => {}
            Payload::Batches(_) => return Err("COPY takes bytes, not columns"),
        }
        let record = chunk.record;
        let index = signed(record.index);
        for reject in &chunk.rejects {
            self.bytes += self.rejects.add(index, reject)?;
        }
        self.bytes += record.summary.len() + self.tokens.add(chunk.tokens);
        self.bytes += chunk
            .sealed
            .iter()
            .map(|block| block.line.len())
            .sum::<usize>();
        self.sealed.extend(chunk.sealed);
        self.late.push(chunk.late);
        self.index.push(index);
        self.first_row.push(signed(record.first_row));
        self.read.push(signed(record.rows.read));
        self.stored.push(signed(record.rows.stored));
        self.filtered.push(signed(record.rows.filtered));
        self.rejected.push(signed(record.rows.rejected));
        self.digest.push(record.digest.to_vec());
        self.summary.push(record.summary);
        self.lines.push(record.upto.map(|mark| signed(mark.lines)));
        self.upto.push(record.upto.map(|mark| mark.digest.to_vec()));
        Ok(())
    }

    /// The same without the chunks in these places. What belongs to none of the others stays: it is
    /// stored once only anyway.
    pub(super) fn without(&self, gone: &BTreeSet<usize>) -> Group {
        let stays = |place: &usize| !gone.contains(place);
        let chunks: BTreeSet<i64> = gone
            .iter()
            .filter_map(|place| self.index.get(*place).copied())
            .collect();
        let stays_of = |chunk: &i64| !chunks.contains(chunk);
        // The place that a chunk has once those before it are gone.
        let moved = |place: usize| place - gone.range(..place).count();
        let payloads = self.payloads.iter().zip(&self.places);
        let (payloads, places) = payloads
            .filter(|(_, (place, _))| stays(place))
            .map(|(payload, (place, origins))| (payload.clone(), (moved(*place), origins.clone())))
            .unzip();
        Group {
            payloads,
            places,
            bytes: self.bytes,
            index: kept(&self.index, gone),
            first_row: kept(&self.first_row, gone),
            read: kept(&self.read, gone),
            stored: kept(&self.stored, gone),
            filtered: kept(&self.filtered, gone),
            rejected: kept(&self.rejected, gone),
            digest: kept(&self.digest, gone),
            summary: kept(&self.summary, gone),
            lines: kept(&self.lines, gone),
            upto: kept(&self.upto, gone),
            rejects: self.rejects.of(stays_of),
            sealed: self
                .sealed
                .iter()
                .filter(|block| stays_of(&signed(block.chunk)))
                .cloned()
                .collect(),
            late: kept(&self.late, gone),
            tokens: self.tokens.clone(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// What it holds in memory, roughly.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Refused rows by their chunk's place in the group.
pub(super) fn by_chunk(refused: &[(usize, Reject)]) -> BTreeMap<usize, Vec<Reject>> {
    let mut by_chunk: BTreeMap<usize, Vec<Reject>> = BTreeMap::new();
    for (chunk, reject) in refused {
        by_chunk.entry(*chunk).or_default().push(reject.clone());
    }
    by_chunk
}
