//! A run, from the first chunk to the commit: read this file to know what happens to a row.
//!
//! One thread cuts the source into chunks. Workers, one a core, decode a chunk into batches, send
//! each batch through the steps on instances of their own, and encode what is left. This thread
//! takes the results in the source's order and hands them to the sink, which publishes all or
//! nothing. A chunk in flight holds a token, so memory is bounded whatever the source's size.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use glovebox_core::{
    Batch, Chunk, ChunkReader, Decoder, Encoded, Encoder, Reject, RunReport, Sink, SinkError,
    Source,
};

use crate::arm::ArmedStep;
use crate::error::RunError;
use crate::manifest::model::AtMost;
use crate::plan::Plan;
use crate::rejects::RejectsFile;
use crate::report::Ledger;
use crate::stage::{Stage, Tally, through};

/// Chunks in flight for each worker: one at work, one waiting, one done and not yet written.
const CHUNKS_A_WORKER: usize = 3;
/// How often progress is shown and a request to stop is looked at.
const HEARTBEAT: Duration = Duration::from_millis(100);
/// Time that a batch should take when a keyed method is slow, so that a stop is heard.
const SLOW_BATCH: Duration = Duration::from_millis(500);

/// A run that is ready to start.
pub struct Run<'a> {
    /// The pipeline's name.
    pub name: &'a str,
    /// What to do.
    pub plan: &'a Plan,
    /// Its steps, with their keys.
    pub steps: &'a [ArmedStep<'a>],
    /// Where the rows come from.
    pub source: &'a dyn Source,
    /// Where they go.
    pub sink: &'a mut dyn Sink,
    /// Where rejects are written down.
    pub rejects: &'a Path,
    /// How many there may be.
    pub at_most: Option<AtMost>,
    /// Threads that work on chunks.
    pub workers: usize,
}

/// Rows so far, for a progress bar.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Rows that have been through the steps.
    pub rows: u64,
    /// Bytes of the source that are behind us.
    pub bytes: u64,
}

impl Run<'_> {
    /// Runs to the end. `stop` asks it to end early; `show` is called about ten times a second.
    ///
    /// # Errors
    /// When it fails or is stopped; then the sink and the rejects are as they were before.
    pub fn run(
        mut self,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<RunReport, RunError> {
        let started = Instant::now();
        let chunks = self.source.chunks()?;
        let decoders: Vec<_> = (0..self.workers.max(1))
            .map(|_| self.source.decoder())
            .collect::<Result<_, _>>()?;
        let mut rejects = RejectsFile::create(self.rejects)?;
        self.sink.open(&self.plan.sink)?;

        let mut ledger = Ledger::new(&self);
        let moved = self.move_rows(chunks, decoders, &mut rejects, &mut ledger, stop, show);
        let committed = moved
            .and_then(|()| ledger.balance())
            .and_then(|()| rejects.sync())
            .and_then(|()| Ok(self.sink.commit()?));
        if let Err(error) = committed {
            if matches!(error, RunError::Sink(SinkError::Unknown { .. })) {
                // If the rows are there after all, their rejects have to be.
                rejects.publish()?;
            }
            self.sink.abort();
            return Err(error);
        }
        rejects.publish().map_err(RunError::after_commit)?;
        Ok(ledger.close(self.at_most, started.elapsed()))
    }

    /// Everything between the first chunk and the commit.
    fn move_rows(
        &mut self,
        chunks: Box<dyn ChunkReader>,
        decoders: Vec<Box<dyn Decoder>>,
        rejects: &mut RejectsFile,
        ledger: &mut Ledger,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<(), RunError> {
        let in_flight = decoders.len() * CHUNKS_A_WORKER;
        let (return_token, tokens) = bounded(in_flight);
        for _ in 0..in_flight {
            let _ = return_token.send(());
        }
        let (to_workers, from_reader) = bounded(in_flight);
        let (to_writer, from_workers) = unbounded();
        let halt = Arc::new(AtomicBool::new(false));
        let rows = AtomicU64::new(0);
        let lost: Vec<AtomicU64> = self.steps.iter().map(|_| AtomicU64::new(0)).collect();

        // Not a thread of the scope, which would wait for it: a pipe may be silent for ever.
        let reader = std::thread::spawn({
            let to_writer = to_writer.clone();
            let halt = Arc::clone(&halt);
            move || read_chunks(chunks, &tokens, &to_workers, &to_writer, &halt)
        });
        std::thread::scope(|scope| {
            let workers: Vec<_> = decoders
                .into_iter()
                .map(|decoder| {
                    let worker = Worker {
                        decoder,
                        stages: self
                            .steps
                            .iter()
                            .zip(&lost)
                            .map(|(step, lost)| Stage::new(step, lost))
                            .collect(),
                        sink_columns: &self.plan.sink_columns,
                        encoder: self.sink.encoder(),
                        batch_rows: batch_rows(self.steps),
                        rows: &rows,
                        halt: &halt,
                    };
                    let (chunks, done) = (from_reader.clone(), to_writer.clone());
                    scope.spawn(move || worker.work(&chunks, &done))
                })
                .collect();
            drop((from_reader, to_writer));

            let written = (|| {
                let mut waiting: BTreeMap<u64, Done> = BTreeMap::new();
                let mut next = 0;
                loop {
                    if stop.load(Ordering::Relaxed) {
                        return Err(RunError::Cancelled);
                    }
                    show(ledger.progress(rows.load(Ordering::Relaxed)));
                    match from_workers.recv_timeout(HEARTBEAT) {
                        Ok(done) => {
                            let done: Done = done?;
                            waiting.insert(done.index, done);
                        }
                        Err(RecvTimeoutError::Timeout) => {}
                        // All have ended; a chunk that is missing went down with a panic.
                        Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => return Ok(()),
                        Err(RecvTimeoutError::Disconnected) => return Err(RunError::Panicked),
                    }
                    while let Some(done) = waiting.remove(&next) {
                        ledger.add(&done);
                        rejects.write(&done.rejects)?;
                        self.sink.write(done.encoded)?;
                        next += 1;
                        let _ = return_token.send(());
                    }
                }
            })();
            halt.store(true, Ordering::Relaxed);
            drop((return_token, from_workers));
            let mut panicked = false;
            for worker in workers {
                panicked |= worker.join().is_err();
            }
            written?;
            // All chunks are written, so the reader is at its end, or went down with a panic.
            if panicked || reader.join().is_err() {
                return Err(RunError::Panicked);
            }
            Ok(())
        })
    }
}

/// The reader's thread: a chunk for each token.
fn read_chunks(
    mut chunks: Box<dyn ChunkReader>,
    tokens: &Receiver<()>,
    to_workers: &Sender<Chunk>,
    to_writer: &Sender<Result<Done, RunError>>,
    halt: &AtomicBool,
) {
    let _alarm = Alarm(to_writer);
    while tokens.recv().is_ok() && !halt.load(Ordering::Relaxed) {
        match chunks.next_chunk() {
            Ok(Some(chunk)) => {
                if to_workers.send(chunk).is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                // The writer may have stopped for a reason of its own.
                let _ = to_writer.send(Err(error.into()));
                return;
            }
        }
    }
}

/// Tells the writer of a panic, which would otherwise wait for a chunk that never comes.
struct Alarm<'a>(&'a Sender<Result<Done, RunError>>);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.send(Err(RunError::Panicked));
        }
    }
}

/// A chunk that has been through the steps.
pub(crate) struct Done {
    pub(crate) index: u64,
    pub(crate) position: u64,
    pub(crate) read: u64,
    /// What each step did.
    pub(crate) tallies: Vec<Tally>,
    /// All rejects of the chunk, in the order of their rows.
    pub(crate) rejects: Vec<Reject>,
    pub(crate) encoded: Encoded,
}

/// One worker: a decoder, an instance a step, an encoder.
struct Worker<'a> {
    decoder: Box<dyn Decoder>,
    stages: Vec<Stage<'a>>,
    sink_columns: &'a [usize],
    encoder: Box<dyn Encoder>,
    batch_rows: usize,
    rows: &'a AtomicU64,
    halt: &'a AtomicBool,
}

impl Worker<'_> {
    fn work(mut self, chunks: &Receiver<Chunk>, done: &Sender<Result<Done, RunError>>) {
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
        let (index, position) = (chunk.index, chunk.position);
        let due = chunk.rows + chunk.rejects.len() as u64;
        let decoded = self.decoder.decode(chunk)?;
        let mut rejects = decoded.rejects;
        let held: usize = decoded.batches.iter().map(Batch::rows).sum();
        let read = (held + rejects.len()) as u64;
        if read != due {
            return Err(RunError::Undecoded { due, read });
        }
        let mut tallies: Vec<Tally> = self.stages.iter().map(|_| Tally::default()).collect();
        let mut clean = Vec::with_capacity(decoded.batches.len());
        for batch in decoded.batches {
            for piece in pieces(&batch, self.batch_rows) {
                if self.halt.load(Ordering::Relaxed) {
                    return Err(RunError::Cancelled);
                }
                let entered = piece.rows() as u64;
                for batch in through(&mut self.stages, &mut tallies, piece)? {
                    let columns = batch.columns.project(self.sink_columns)?;
                    clean.push(Batch::new(columns, batch.origin));
                }
                self.rows.fetch_add(entered, Ordering::Relaxed);
            }
        }
        let mut encoded = self.encoder.encode(&clean)?;
        rejects.append(&mut encoded.rejects);
        rejects.extend(tallies.iter_mut().flat_map(|t| t.rejects.iter().cloned()));
        rejects.sort_by_key(|reject| reject.row);
        Ok(Done {
            index,
            position,
            read,
            tallies,
            rejects,
            encoded,
        })
    }
}

fn pieces(batch: &Batch, rows: usize) -> impl Iterator<Item = Batch> + '_ {
    (0..batch.rows())
        .step_by(rows)
        .map(move |start| batch.slice(start, rows.min(batch.rows() - start)))
}

/// Rows of a batch: as the source cut it, or fewer where each value takes long.
fn batch_rows(steps: &[ArmedStep<'_>]) -> usize {
    let slowest = steps
        .iter()
        .flat_map(|step| step.costly.iter().map(|(_, cost)| *cost))
        .max();
    match slowest {
        Some(cost) if !cost.is_zero() => usize::try_from(SLOW_BATCH.as_nanos() / cost.as_nanos())
            .map_or(usize::MAX, |r| r.max(1)),
        _ => usize::MAX,
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
