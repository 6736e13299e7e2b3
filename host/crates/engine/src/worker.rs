//! One worker: takes chunks and passes them through the steps.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use glovebox_core::{
    Batch, Chunk, ChunkRecord, Decoded, Decoder, Digest, Encoder, FinishedChunk, Payload, RowCounts,
};

use crate::armed::ArmedStep;
use crate::error::RunError;
use crate::evidence::stored;
use crate::identity::{Key, Lines};
use crate::leg::Leg;
use crate::sealed::RowSealer;
use crate::selection::{RowSelection, pick};
use crate::stage::{Stage, Tally, through};
use crate::summary::Summary;
use crate::tokens;

/// How often progress is shown and a request to stop is looked at.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(100);
/// Time that a batch should take when a keyed method is slow, so that a stop is heard.
const SLOW_BATCH: Duration = Duration::from_millis(500);
/// Values that a slow keyed method may compute side by side: fewer would cost as much.
const FULL_LANES: usize = 16;

/// Tells the writer of a panic, which would otherwise wait for a chunk that never comes.
pub(crate) struct Alarm<'a>(pub(crate) &'a Sender<Result<Done, RunError>>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.send(Err(RunError::Panicked));
        }
    }
}

/// The chunks that an earlier process of the run has stored.
pub(crate) struct Stored<'a> {
    run: &'a str,
    digests: HashMap<u64, Digest>,
    /// Whether others may have changed the source since.
    live: bool,
}

impl<'a> Stored<'a> {
    pub(crate) fn new(run: &'a str, chunks: &[ChunkRecord], live: bool) -> Self {
        Stored {
            run,
            digests: chunks.iter().map(|c| (c.index, c.digest)).collect(),
            live,
        }
    }

    /// Those of a range, which were compared with the input when it was cut.
    pub(crate) fn of(run: &'a str, chunks: &[(u64, Digest)]) -> Self {
        Stored {
            run,
            digests: chunks.iter().copied().collect(),
            live: false,
        }
    }

    fn has(&self, index: u64) -> bool {
        self.digests.contains_key(&index)
    }

    /// Ends the run if another chunk is in the place of one that is stored.
    pub(crate) fn is_the_same(&self, index: u64, digest: &Digest) -> Result<(), RunError> {
        match self.digests.get(&index) {
            Some(stored) if stored != digest => Err(self.changed()),
            _ => Ok(()),
        }
    }

    pub(crate) fn all_met(&self, met: usize) -> Result<(), RunError> {
        if met == self.digests.len() {
            Ok(())
        } else {
            Err(self.changed())
        }
    }

    fn changed(&self) -> RunError {
        let run = self.run.to_owned();
        match self.live {
            true => RunError::RowsChanged { run },
            false => RunError::InputChanged { run },
        }
    }
}

/// A chunk that has been through the steps, or need not go.
pub(crate) struct Done {
    pub(crate) index: u64,
    pub(crate) position: u64,
    pub(crate) lines: Lines,
    pub(crate) fate: Fate,
}

/// What became of a chunk.
pub(crate) enum Fate {
    /// It has been through the steps.
    Through(Box<(FinishedChunk, Summary)>),
    /// It is stored already.
    Stored,
    /// None of its rows were asked for.
    PassedOver,
}

/// One worker: a decoder, an instance a step, an encoder.
pub(crate) struct Worker<'a> {
    pub(crate) decoder: Box<dyn Decoder>,
    pub(crate) stages: Vec<Stage<'a>>,
    /// The steps at work.
    pub(crate) leg: &'a Leg<'a>,
    pub(crate) encoder: Box<dyn Encoder>,
    pub(crate) batch_rows: usize,
    pub(crate) stored: &'a Stored<'a>,
    /// Keeps the cells of rejected rows, encrypted, if the manifest wants them.
    pub(crate) sealer: Option<&'a RowSealer>,
    /// The rows that are asked for.
    pub(crate) asked: RowSelection<'a>,
    pub(crate) key: &'a Key,
    /// Whether the journal is to keep a digest of the rows of each chunk.
    pub(crate) proven: bool,
    pub(crate) rows: &'a AtomicU64,
    pub(crate) halt: &'a AtomicBool,
}

impl Worker<'_> {
    pub(crate) fn work(mut self, chunks: &Receiver<Chunk>, done: &Sender<Result<Done, RunError>>) {
        let _alarm = Alarm(done);
        loop {
            let chunk = match chunks.recv_timeout(HEARTBEAT) {
                Ok(chunk) => chunk,
                // A reader that waits for a silent pipe tells nobody that the run is over.
                Err(RecvTimeoutError::Timeout) if !self.halt.load(Ordering::Relaxed) => continue,
                Err(_) => return,
            };
            let result = self.process(chunk);
            let failed = result.is_err();
            if done.send(result).is_err() || failed || self.halt.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    fn process(&mut self, chunk: Chunk) -> Result<Done, RunError> {
        let (index, position, first_row) = (chunk.index, chunk.position, chunk.first_row);
        let lines = self.key.read(&chunk);
        let due = chunk.rows + chunk.rejects.len() as u64;
        let wanted = self.asked.of(first_row, due);
        let done = |fate| {
            Ok(Done {
                index,
                position,
                lines,
                fate,
            })
        };
        if self.stored.has(index) {
            return done(Fate::Stored);
        }
        if wanted == 0 && due > 0 {
            return done(Fate::PassedOver);
        }
        // Decoding takes the records apart.
        let original = self.sealer.map(|_| chunk.clone());
        let mut decoded = self.decoder.decode(chunk)?;
        let mut read = all_read(&decoded, due)?;
        if wanted < due {
            pick(&mut decoded, &self.asked)?;
            read = all_read(&decoded, wanted)?;
        }
        let raw = match self.sealer {
            Some(_) => decoded.batches.clone(),
            None => Vec::new(),
        };
        let mut rejects = decoded.rejects;
        let unread: Vec<u64> = rejects.iter().map(|reject| reject.row).collect();
        let (clean, mut tallies) = self.through_stages(decoded.batches)?;
        let mut encoded = self.encoder.encode(&clean)?;
        let made = tallies
            .iter_mut()
            .flat_map(|t| std::mem::take(&mut t.tokens));
        let tokens = tokens::kept(made.collect(), &clean, &encoded.rejects);
        rejects.append(&mut encoded.rejects);
        rejects.extend(tallies.iter_mut().flat_map(|t| t.rejects.iter().cloned()));
        rejects.sort_by_key(|reject| reject.row);
        let mut summary = Summary {
            from: self.leg.from,
            ..Summary::of(&tallies, &rejects)
        };
        let mut rows = RowCounts {
            read,
            stored: encoded.rows,
            filtered: summary.filtered(),
            rejected: rejects.len() as u64,
        };
        if self.leg.is_made() {
            summary.made = std::mem::take(&mut rows.read);
        }
        if self.leg.gather.is_some() {
            summary.taken = std::mem::take(&mut rows.stored);
        }
        if self.proven {
            let nothing = Payload::Empty;
            let payload = match self.leg.gather {
                Some(_) => &nothing,
                None => &encoded.payload,
            };
            summary.stored = stored(self.key, payload);
        }
        let record = ChunkRecord {
            index,
            first_row,
            rows,
            digest: Digest::default(),
            upto: None,
            summary: summary.to_json(),
        };
        let mut chunk = FinishedChunk {
            record,
            encoded,
            rejects,
            tokens,
            ..FinishedChunk::default()
        };
        if let Some((sealer, original)) = self.sealer.zip(original) {
            let records = match unread.is_empty() {
                true => BTreeMap::new(),
                false => self.decoder.records(&original, &unread),
            };
            let block = sealer.early(index, &chunk.rejects, &raw, &records)?;
            chunk.sealed.extend(block);
            chunk.late = sealer.late(index, raw);
        }
        done(Fate::Through(Box::new((chunk, summary))))
    }

    /// What the steps leave of batches, as the sink takes it, and what each step did.
    fn through_stages(
        &mut self,
        batches: Vec<Batch>,
    ) -> Result<(Vec<Batch>, Vec<Tally>), RunError> {
        let mut tallies: Vec<Tally> = self.stages.iter().map(|_| Tally::default()).collect();
        let mut clean = Vec::with_capacity(batches.len());
        for batch in batches {
            for piece in pieces(&batch, self.batch_rows) {
                if self.halt.load(Ordering::Relaxed) {
                    return Err(RunError::Cancelled);
                }
                let entered = piece.rows() as u64;
                for batch in through(&mut self.stages, &mut tallies, piece)? {
                    let columns = batch.columns.project(self.leg.columns)?;
                    clean.push(Batch::new(columns, batch.origin));
                }
                self.rows.fetch_add(entered, Ordering::Relaxed);
            }
        }
        Ok((clean, tallies))
    }
}

/// How many rows were decoded, if those are all.
fn all_read(decoded: &Decoded, due: u64) -> Result<u64, RunError> {
    let held: usize = decoded.batches.iter().map(Batch::rows).sum();
    match (held + decoded.rejects.len()) as u64 {
        read if read == due => Ok(read),
        read => Err(RunError::Undecoded { due, read }),
    }
}

fn pieces(batch: &Batch, rows: usize) -> impl Iterator<Item = Batch> + '_ {
    (0..batch.rows())
        .step_by(rows)
        .map(move |start| batch.slice(start, rows.min(batch.rows() - start)))
}

/// Rows of a batch: as the source cut it, or fewer where each value takes long.
pub(crate) fn batch_rows(steps: &[ArmedStep<'_>]) -> usize {
    let slowest = steps
        .iter()
        .flat_map(|step| step.costly.iter().map(|(_, cost)| *cost))
        .max();
    match slowest {
        Some(cost) if !cost.is_zero() => usize::try_from(SLOW_BATCH.as_nanos() / cost.as_nanos())
            .map_or(usize::MAX, |r| r.max(FULL_LANES)),
        _ => usize::MAX,
    }
}
