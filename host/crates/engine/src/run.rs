//! A run, from the first chunk to the commit: read this file to know what happens to a row.
//!
//! One thread cuts the source into chunks. Workers, one a core, decode a chunk into batches, send
//! each batch through the steps on instances of their own, and encode what is left. This thread
//! takes the results in the source's order and hands them to the sink, which stores a chunk with
//! its line in the run's journal or not at all. A run that goes on skips the chunks in the journal.
//! A chunk in flight holds a token, so memory is bounded whatever the source's size.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use glovebox_core::{
    Chunk, ChunkReader, Decoder, Earlier, History, Identity, Job, Mark, OnlyNew, Published, Rerun,
    Revise, RunReport, Sink, SinkError, Source, Totals,
};

use crate::arm::ArmedStep;
use crate::error::RunError;
use crate::identity::{Input, Key, new_run, serves};
use crate::parts::{Parts, plan_digest};
use crate::plan::Plan;
use crate::rejects::RejectsFile;
use crate::report::{Ledger, exceeded};
use crate::rerun::look;
use crate::selection::{RowSelection, Selection};
use crate::stage::Stage;
use crate::start::{Beginning, Candidate, Peeked, Start, begin};
use glovebox_manifest::model::AtMost;

use crate::summary::Summary;
use crate::worker::{Alarm, Done, Fate, Stored, Worker, batch_rows};

/// Chunks in flight for each worker: one at work, one waiting, one done and not yet written.
const CHUNKS_A_WORKER: usize = 3;
/// How often the journal may change between the look into it and the beginning.
const MAX_ATTEMPTS: usize = 50;
/// How long a run that has begun elsewhere may take to say how its input begins.
const BEGINNING: Duration = Duration::from_secs(10);
/// How often progress is shown and a request to stop is looked at.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(100);

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
    /// What is done about an earlier run.
    pub start: Start,
    /// Whether rows at the input's beginning that an earlier run has stored are passed over.
    pub only_new: bool,
    /// Whether a run that is living may be taken from its process.
    pub take_over: bool,
    /// The request that this run serves: a run that the journal has of the same request is gone
    /// on with, whatever `start` says.
    pub request: Option<&'a str>,
    /// The rows to run, where an earlier run rejected them; none is all.
    pub only: Option<&'a Selection>,
    /// Told what cannot be known for sure, before the first row.
    pub note: &'a dyn Fn(&str),
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
    /// When it may not begin, fails or is stopped. Then a file is as it was before, and a database
    /// has whole chunks with their journal, from which another run goes on.
    pub fn run(
        mut self,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<RunReport, RunError> {
        let started = Instant::now();
        let parts = Parts::of(self.plan, self.steps, self.source);
        let mut job = Job {
            run: new_run(self.request).map_err(RunError::Random)?,
            pipeline: self.name.to_owned(),
            plan: plan_digest(self.plan, self.steps, self.source),
            parts: parts.to_json(),
            source: self.source.describe(),
            revise: Revise(Summary::revised),
            ..Job::default()
        };
        let mut history = self.history_once_begun(stop)?;
        let mut key = key_of(history.as_ref());
        let start = self.start_by(history.as_ref());
        let rerun = self.rerun(&mut job, &key, start, stop)?;
        let mut chunks = Peeked::new(self.source.chunks()?);
        let decoders: Vec<_> = (0..self.workers.max(1))
            .map(|_| self.source.decoder())
            .collect::<Result<_, _>>()?;
        if start != Start::Again
            && let Some(history) = &history
        {
            let unknown = unknown(&history.held, &key);
            if unknown > 0 {
                (self.note)(&format!(
                    "{unknown} earlier runs into this target were recorded by an earlier version, \
                    or under another `identity-key`: it is unknown whether they already added \
                    this input"
                ));
            }
        }
        let mut attempts = 0;
        let (job, from, after, rejects, stored) = loop {
            // Without a journal there is no key yet, and no run to compare with.
            let journal = history.as_ref().and_then(|h| h.key.as_ref());
            job.key = journal.map(|_| key.check());
            let mut candidate = Candidate {
                start: self.start_by(history.as_ref()),
                request: self.request,
                only_new: self.only_new,
                take_over: self.take_over,
                parts: &parts,
                key: &key,
                source: self.source,
                sink: &mut *self.sink,
                chunks: &mut chunks,
                stop,
            };
            let (decided, from, after) = match begin(&mut candidate, history, job.clone())? {
                Beginning::Job(job, from, after) => (job, from, after),
                Beginning::Finished(earlier) => {
                    let mut rejects = RejectsFile::create(self.rejects, true)?;
                    self.rejects_from_journal(&earlier.run, &mut rejects)?;
                    rejects.publish()?;
                    return Ok(Ledger::new(&self, &earlier.run, rerun).finished(&earlier));
                }
            };
            let rejects = RejectsFile::create(self.rejects, decided.resume || self.take_over)?;
            let columns = self.plan.sink.with_natives(&self.source.natives());
            match self.sink.open(&decided, &columns) {
                Ok(stored) => break (decided, from, after, rejects, stored),
                Err(SinkError::Overtaken { .. }) if attempts < MAX_ATTEMPTS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
            history = self.history_once_begun(stop)?;
            key = key_of(history.as_ref());
        };
        if let Some(secret) = self.sink.key() {
            key = Key::new(&secret);
        }
        if self.can_look_ahead()
            && stored.is_empty()
            && let Some(first) = chunks.first()?
        {
            let first = key.mark(&Input::default().with(&key.read(first)));
            self.sink.begins(&first, key.check())?;
        }

        let mut ledger = Ledger::new(&self, &job.run, rerun);
        ledger.resume(&stored);
        let mut rejects = rejects;
        let asked = match self.only {
            Some(only) => RowSelection::Rejects(only),
            None => RowSelection::From(from),
        };
        let stored = Stored::new(&job.run, &stored, self.source.is_live());
        let published = self
            .move_rows(
                chunks,
                decoders,
                (&key, asked),
                &stored,
                &mut rejects,
                &mut ledger,
                stop,
                show,
            )
            .and_then(|(input, all)| {
                if self.only_new || from > 0 {
                    ledger.only_new(OnlyNew {
                        after_run: after,
                        passed_over: from.min(all),
                    });
                }
                self.commit(input, &mut rejects, &mut ledger)
            });
        let (published, refused) = match published {
            Ok(published) => published,
            Err(error @ RunError::Sink(SinkError::Unknown { .. })) => {
                // If the rows are there after all, their rejects have to be.
                rejects.publish()?;
                self.sink.abort();
                return Err(error);
            }
            Err(error) => {
                return Err(RunError::Ended {
                    error: Box::new(error),
                    stored: self.sink.abort(),
                });
            }
        };
        // Of a run that went on, and of rows that were refused late: in the order of the rows.
        if job.resume || refused {
            self.rejects_from_journal(&job.run, &mut rejects)
                .map_err(RunError::after_commit)?;
        }
        // Without a new row there is nothing to say of rejects, and the list of the run before may
        // not have been worked off yet.
        if !self.only_new || ledger.has_rows() {
            rejects.publish().map_err(RunError::after_commit)?;
        }
        Ok(ledger.close(self.source, self.at_most, published, started.elapsed()))
    }

    /// Publishes once every row has its fate, in which the target has the last word. Returns too
    /// whether it refused rows that had counted as stored.
    fn commit(
        &mut self,
        input: Mark,
        rejects: &mut RejectsFile,
        ledger: &mut Ledger,
    ) -> Result<(Published, bool), RunError> {
        let mut any = false;
        loop {
            let rows = ledger.balance()?;
            rejects.sync()?;
            let published = self.end(&Totals { rows, input })?;
            if published.refused.is_empty() {
                return Ok((published, any));
            }
            any = true;
            ledger.refuse(&published.refused);
            rejects.write(&published.refused)?;
        }
    }

    /// Publishes, unless so many rows were rejected that what is there is better than what came.
    fn end(&mut self, totals: &Totals) -> Result<Published, RunError> {
        if self.sink.appends() || !exceeded(self.at_most, totals.rows) {
            return Ok(self.sink.commit(totals)?);
        }
        Ok(self.sink.withhold(totals)?)
    }

    fn can_look_ahead(&self) -> bool {
        self.source.identity() == Identity::Lines
    }

    /// What the journal says once each run that is under way has said how its input begins.
    fn history_once_begun(&mut self, stop: &AtomicBool) -> Result<Option<History>, RunError> {
        let since = Instant::now();
        loop {
            let history = self.sink.history()?;
            let silent = history.iter().flat_map(|h| &h.running).any(|run| {
                run.living.is_some() && run.beginning.is_none() && run.pipeline != self.name
            });
            if !silent || since.elapsed() > BEGINNING {
                return Ok(history);
            }
            if stop.load(Ordering::Relaxed) {
                return Err(RunError::Cancelled);
            }
            std::thread::sleep(HEARTBEAT);
        }
    }

    /// What is done about earlier runs: one of the same request was begun by its rules already.
    fn start_by(&self, history: Option<&History>) -> Start {
        let mut known = history.iter().flat_map(|h| h.running.iter().chain(&h.held));
        match known.any(|run| serves(&run.run, self.request)) {
            true => Start::Resume,
            false => self.start,
        }
    }

    /// Of a run over rejects: whether the input has those rows, and what the journal says of them. It
    /// is known by them from here on.
    fn rerun(
        &mut self,
        job: &mut Job,
        key: &Key,
        start: Start,
        stop: &AtomicBool,
    ) -> Result<Option<Rerun>, RunError> {
        let Some(only) = self.only else {
            return Ok(None);
        };
        let met = only.meet(self.source, key, stop)?;
        let of_run = look(self.sink, job, only, &met, start)?;
        if of_run.is_none() {
            (self.note)(&only.unknown());
        }
        job.plan = only.plan(&job.plan, of_run.as_deref());
        Ok(Some(Rerun {
            rejects_of: only.place().to_owned(),
            of_run,
            passed_over: met.rows - only.rows().len() as u64,
        }))
    }

    /// An earlier process of the run took its rejects with it; the sink's journal has them all.
    fn rejects_from_journal(
        &mut self,
        run: &str,
        rejects: &mut RejectsFile,
    ) -> Result<(), RunError> {
        rejects.clear()?;
        let mut written = Ok(());
        self.sink.rejects(run, &mut |kept| {
            if written.is_ok() {
                written = rejects.write_kept(&kept);
            }
        })?;
        written?;
        rejects.sync()
    }

    /// Everything between the first chunk and the commit. Returns what the input is, and its rows.
    #[allow(clippy::too_many_arguments)]
    fn move_rows(
        &mut self,
        chunks: Peeked,
        decoders: Vec<Box<dyn Decoder>>,
        (key, asked): (&Key, RowSelection<'_>),
        stored: &Stored<'_>,
        rejects: &mut RejectsFile,
        ledger: &mut Ledger,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<(Mark, u64), RunError> {
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
                        stored,
                        asked,
                        key,
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
                let mut input = Input::default();
                let mut skipped = 0;
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
                        Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => {
                            stored.all_met(skipped)?;
                            return Ok((key.mark(&input), input.rows));
                        }
                        Err(RecvTimeoutError::Disconnected) => return Err(RunError::Panicked),
                    }
                    while let Some(done) = waiting.remove(&next) {
                        ledger.reached(done.position);
                        let digest = key.chunk(&input, &done.lines);
                        stored.is_the_same(done.index, &digest)?;
                        input = input.with(&done.lines);
                        match done.fate {
                            Fate::Through(through) => {
                                let (mut chunk, summary) = *through;
                                chunk.record.digest = digest;
                                let mark = key.mark(&input);
                                if next == 0 && !self.can_look_ahead() {
                                    self.sink.begins(&mark, key.check())?;
                                }
                                chunk.record.upto = Some(mark);
                                ledger.add(chunk.record.rows, &summary);
                                rejects.write(&chunk.rejects)?;
                                self.sink.write(chunk)?;
                            }
                            Fate::Stored => skipped += 1,
                            Fate::PassedOver => {}
                        }
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
            let read = written?;
            // All chunks are written, so the reader is at its end, or went down with a panic.
            if panicked || reader.join().is_err() {
                return Err(RunError::Panicked);
            }
            Ok(read)
        })
    }
}

/// The key of the journal that was looked into.
fn key_of(history: Option<&History>) -> Key {
    let secret = history.and_then(|history| history.key.as_ref());
    secret.map_or_else(Key::none, Key::new)
}

/// How many runs have stored rows of inputs that cannot be compared under this key.
fn unknown(held: &[Earlier], key: &Key) -> usize {
    let other = |run: &&Earlier| run.key != Some(key.check()) && run.rows.stored > 0;
    held.iter().filter(other).count()
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

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
