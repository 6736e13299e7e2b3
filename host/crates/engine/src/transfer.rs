//! Moves the rows: one thread cuts the source into chunks, workers take them through the steps, and
//! the calling thread passes them to the sink in the source's order. Tokens bound the chunks in flight.
//!
//! A chunk that is already stored must be the one that the journal has in its place.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use glovebox_core::{Chunk, ChunkReader, Decoder, Encoder, Mark};

use crate::error::RunError;
use crate::gather::Target;
use crate::identity::{Input, Key};
use crate::leg::Leg;
use crate::peeked::Peeked;
use crate::rejects::RejectsFile;
use crate::report::{Ledger, Progress};
use crate::sealed::{RowSealer, SealedWriter};
use crate::selection::RowSelection;
use crate::stage::Stage;
use crate::worker::{Alarm, Done, Fate, HEARTBEAT, Stored, Worker, batch_rows};

/// Chunks in flight for each worker: one at work, one waiting, one done and not yet written.
const CHUNKS_A_WORKER: usize = 3;

/// What a worker needs beside a decoder and an encoder.
pub(crate) struct Transfer<'r> {
    pub(crate) leg: &'r Leg<'r>,
    pub(crate) key: &'r Key,
    /// Whether the journal is to keep a digest of the rows of each chunk.
    pub(crate) proven: bool,
    /// The rows that are asked for.
    pub(crate) asked: RowSelection<'r>,
    pub(crate) stored: &'r Stored<'r>,
    pub(crate) sealer: Option<&'r RowSealer>,
}

impl Transfer<'_> {
    /// Returns how far it came.
    pub(crate) fn run(
        &self,
        chunks: Peeked,
        decoders: Vec<Box<dyn Decoder>>,
        mut writer: Writer<'_>,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<Written, RunError> {
        let in_flight = decoders.len() * CHUNKS_A_WORKER;
        let (return_token, tokens) = bounded(in_flight);
        for _ in 0..in_flight {
            let _ = return_token.send(());
        }
        let (to_workers, from_reader) = bounded(in_flight);
        let (to_writer, from_workers) = unbounded();
        let halt = Arc::new(AtomicBool::new(false));
        let rows = AtomicU64::new(0);
        let lost: Vec<AtomicU64> = self.leg.steps.iter().map(|_| AtomicU64::new(0)).collect();

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
                    let encoder = writer.target.encoder();
                    let worker = self.worker(decoder, encoder, (&lost, &rows, &halt));
                    let (chunks, done) = (from_reader.clone(), to_writer.clone());
                    scope.spawn(move || worker.work(&chunks, &done))
                })
                .collect();
            drop((from_reader, to_writer));

            let written = writer.write_all(&from_workers, &return_token, stop, &mut |ledger| {
                show(ledger.progress(rows.load(Ordering::Relaxed)));
            });
            halt.store(true, Ordering::Relaxed);
            drop((return_token, from_workers));
            let mut panicked = false;
            for worker in workers {
                panicked |= worker.join().is_err();
            }
            let read = written?;
            // All chunks are written, so the reader is at its end, or went down with a panic.
            if panicked || reader.join().is_err() {
                return Err(RunError::Panicked);
            }
            Ok(read)
        })
    }

    fn worker<'s>(
        &'s self,
        decoder: Box<dyn Decoder>,
        encoder: Box<dyn Encoder>,
        (lost, rows, halt): (&'s [AtomicU64], &'s AtomicU64, &'s AtomicBool),
    ) -> Worker<'s> {
        let steps = self.leg.steps.iter().zip(lost);
        Worker {
            decoder,
            stages: steps.map(|(step, lost)| Stage::new(step, lost)).collect(),
            leg: self.leg,
            encoder,
            batch_rows: batch_rows(self.leg.steps),
            stored: self.stored,
            sealer: self.sealer,
            asked: self.asked,
            key: self.key,
            proven: self.proven,
            rows,
            halt,
        }
    }
}

/// The reader's thread: a chunk for each token.
fn read_chunks(
    mut chunks: Peeked,
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

/// What takes finished chunks, in the source's order.
pub(crate) struct Writer<'r> {
    pub(crate) target: &'r mut dyn Target,
    /// The list of rejects; none where it is made of the journal.
    pub(crate) rejects: Option<&'r mut RejectsFile>,
    pub(crate) sealed: Option<&'r mut SealedWriter>,
    pub(crate) ledger: &'r mut Ledger,
    pub(crate) key: &'r Key,
    pub(crate) stored: &'r Stored<'r>,
    /// Whether the journal has yet to be told how the input begins.
    pub(crate) begins: bool,
    /// The number of the first chunk.
    pub(crate) first: u64,
    /// The input before that.
    pub(crate) before: Input,
    /// What the whole input is, once it was read: behind a `gather:` step all chunks are behind all of it.
    pub(crate) whole: Option<Mark>,
}

/// How far the writer is.
pub(crate) struct Written {
    pub(crate) input: Input,
    /// The chunk that is next.
    pub(crate) next: u64,
    /// Chunks that were stored already.
    skipped: usize,
}

impl Writer<'_> {
    fn write_all(
        &mut self,
        done: &Receiver<Result<Done, RunError>>,
        return_token: &Sender<()>,
        stop: &AtomicBool,
        show: &mut dyn FnMut(&Ledger),
    ) -> Result<Written, RunError> {
        let mut waiting: BTreeMap<u64, Done> = BTreeMap::new();
        let mut written = Written {
            next: self.first,
            input: self.before,
            skipped: 0,
        };
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err(RunError::Cancelled);
            }
            show(self.ledger);
            match done.recv_timeout(HEARTBEAT) {
                Ok(done) => {
                    let done = done?;
                    waiting.insert(done.index, done);
                }
                Err(RecvTimeoutError::Timeout) => {}
                // All have ended; a chunk that is missing went down with a panic.
                Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => {
                    self.stored.all_met(written.skipped)?;
                    return Ok(written);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(RunError::Panicked),
            }
            while let Some(done) = waiting.remove(&written.next) {
                self.write(done, &mut written)?;
                let _ = return_token.send(());
            }
        }
    }

    fn write(&mut self, done: Done, written: &mut Written) -> Result<(), RunError> {
        self.ledger.reached(done.position);
        let digest = self.key.chunk(&written.input, &done.lines);
        self.stored.is_the_same(done.index, &digest)?;
        written.input = written.input.with(&done.lines);
        match done.fate {
            Fate::Through(through) => {
                let (mut chunk, summary) = *through;
                chunk.record.digest = digest;
                let mark = self.whole.unwrap_or_else(|| self.key.mark(&written.input));
                if written.next == 0 && self.begins {
                    self.target.begins(&mark, self.key.check())?;
                }
                chunk.record.upto = Some(mark);
                self.ledger.add(chunk.record.rows, &summary);
                if let Some(rejects) = &mut self.rejects {
                    rejects.write(&chunk.rejects)?;
                }
                if let Some(sealed) = &mut self.sealed {
                    chunk
                        .sealed
                        .iter()
                        .try_for_each(|block| sealed.write(block))?;
                }
                self.target.write(chunk)?;
            }
            Fate::Stored => written.skipped += 1,
            Fate::PassedOver => {}
        }
        written.next += 1;
        Ok(())
    }
}
