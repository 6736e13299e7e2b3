//! A run, from the first chunk to the commit: read this file to know what happens to a row.
//!
//! One thread cuts the source into chunks. Workers, one a core, decode a chunk into batches, send
//! each batch through the steps on instances of their own, and encode what is left. This thread
//! takes the results in the source's order and hands them to the sink, which stores a chunk with
//! its line in the run's journal or not at all. A run that goes on skips the chunks in the journal.
//! Where a step needs all rows, they wait for it, and what it makes of them is moved on likewise.
//! A chunk in flight holds a token, so memory is bounded whatever the source's size.

mod accounts;
mod finished;
mod moving;
mod proven;
mod rejected;
mod sharded;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use glovebox_core::{
    ChunkRecord, Earlier, Held, History, Identity, Job, Mark, Published, Releasing, Rerun,
    RunReport, Seal, Secret, Sink, SinkError, Source, Totals,
};
use glovebox_manifest::model::AtMost;

use crate::armed::ArmedStep;
use crate::error::RunError;
use crate::evidence::Evidence;
use crate::identity::{Input, Key, serves};
use crate::parts::Parts;
use crate::peeked::Peeked;
use crate::plan::Plan;
use crate::rejects::RejectsFile;
use crate::report::{Ledger, Progress, exceeded};
use crate::rerun::look;
use crate::sealed::SealedWriter;
use crate::selection::Selection;
use crate::shards::Shards;
use crate::start::{Beginning, Candidate, Start, begin};
use crate::unique::sink_schema;
use crate::worker::HEARTBEAT;
use moving::Reading;
use rejected::publish;

/// How often the journal may change between the look into it and the beginning.
const MAX_ATTEMPTS: usize = 50;
/// How long a run that has begun elsewhere may take to say how its input begins.
const BEGINNING: Duration = Duration::from_secs(10);

/// A run that is ready to start.
pub struct Run<'a> {
    /// The pipeline's name.
    pub name: &'a str,
    /// The part of the pipeline's input that this run is over, such as a file's name, where each
    /// part has runs of its own: an unfinished run of one part is in nobody else's way, and an input
    /// that a finished run of this part had is not run again, in no mode.
    pub part: Option<&'a str>,
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
    /// Where their cells are kept, encrypted, and to whom.
    pub sealed: Option<SealTo<'a>>,
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
    /// Where it is to be proven what was read and written: the key of the input's digest, for a sink that keeps no
    /// journal with one of its own.
    pub proof: Option<Proving<'a>>,
    /// Other processes that work on its ranges; without, this one does.
    pub shards: Option<&'a mut dyn Shards>,
    /// Told what cannot be known for sure, before the first row.
    pub note: &'a dyn Fn(&str),
}

/// What a run has come to.
#[derive(Debug, Default)]
pub struct Completed {
    /// Its counts.
    pub report: RunReport,
    /// What it is proven by, if that was asked for and anything is public.
    pub evidence: Option<Evidence>,
}

/// How a run is proven.
#[derive(Debug, Clone, Copy)]
pub struct Proving<'a> {
    /// The key of the input's digest where there is no journal.
    pub key: &'a Secret,
    /// SHA-256 of the manifest, in hexadecimal.
    pub manifest: &'a str,
    /// Whether a proof is to be made now; if not, the journal keeps what one can be made of later.
    pub wanted: bool,
}

/// A file for the cells of rejected rows, and who can open it.
#[derive(Clone)]
pub struct SealTo<'a> {
    /// The file.
    pub path: &'a Path,
    /// The recipients.
    pub recipients: Arc<dyn Seal>,
}

/// What became of a run that was to begin.
enum TakenUp {
    Begun(Box<Begun>),
    /// There is nothing to do: one that was to be gone on with has finished. With the journal's key.
    Finished(Box<Earlier>, Option<Secret>),
}

/// A run that its sink has taken up.
struct Begun {
    job: Job,
    /// The run that has the rows before the first, if there is one.
    after: Option<String>,
    key: Key,
    rejects: RejectsFile,
    sealed: Option<SealedWriter>,
    /// The chunks that it has stored already.
    stored: Vec<ChunkRecord>,
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
    ) -> Result<Completed, RunError> {
        let started = Instant::now();
        let parts = Parts::of(self.plan, self.steps, self.source);
        let parts = parts.of_manifest(self.proof.map(|proof| proof.manifest));
        let mut job = self.job(&parts)?;
        let history = self.history_once_begun(stop)?;
        let key = self.key_of(history.as_ref());
        let start = self.start_by(history.as_ref());
        let rerun = self.rerun(&mut job, &key, start, stop)?;
        let mut chunks = Peeked::new(self.source.chunks()?);
        if self.shards.is_some() {
            self.can_be_sharded(&mut chunks)?;
        }
        let decoders: Vec<_> = (0..self.workers.max(1))
            .map(|_| self.source.decoder())
            .collect::<Result<_, _>>()?;
        if !start.is_anew() {
            self.note_unknown(history.as_ref(), &key);
        }
        let mut begun = match self.begin(job, history, &parts, &mut chunks, stop)? {
            TakenUp::Begun(begun) => *begun,
            TakenUp::Finished(earlier, key) => {
                return self.as_it_was(&earlier, (key, rerun), &parts);
            }
        };
        let mut ledger = self.ledger(&begun.job.run, rerun);
        ledger.resume(&begun.stored);
        let is_shared_out = self.shards.is_some();
        let moved = match is_shared_out {
            true => self.share_out(&mut begun, chunks, &mut ledger, stop, show),
            false => {
                let reading = Reading::of_source(chunks, decoders);
                self.transfer(&mut begun, reading, &mut ledger, stop, show)
            }
        };
        let released = moved.and_then(|input| {
            self.release(&mut ledger, stop, show)?;
            let (published, refused) = self.commit(input, &mut begun, &mut ledger)?;
            Ok((input, published, refused))
        });
        let (input, mut published, refused) = match released {
            Ok(published) => published,
            Err(error @ RunError::Sink(SinkError::Unknown { .. })) => {
                // If the rows are there after all, their rejects have to be.
                publish(begun.rejects, begun.sealed, &mut ledger)?;
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
        let Begun {
            job,
            mut rejects,
            mut sealed,
            ..
        } = begun;
        // Of a run that went on, and of rows that were refused late: in the order of the rows.
        if job.resume || refused || is_shared_out {
            self.rejects_from_journal(&job.run, &mut rejects, sealed.as_mut())
                .map_err(RunError::after_commit)?;
        }
        // Without a new row there is nothing to say of rejects, and the list of the run before may
        // not have been worked off yet.
        if !self.only_new || ledger.has_rows() {
            publish(rejects, sealed, &mut ledger).map_err(RunError::after_commit)?;
        }
        let files = std::mem::take(&mut published.files);
        let evidence = match published.kept {
            true => None,
            false => self
                .evidence(&job.run, &job.plan, input, files)
                .map_err(RunError::after_commit)?,
        };
        Ok(Completed {
            report: ledger.close(self.source, self.at_most, published, started.elapsed()),
            evidence,
        })
    }

    /// Decides how to begin, and has the sink take the run up; once more where other runs began or
    /// ended in between.
    fn begin(
        &mut self,
        mut job: Job,
        mut history: Option<History>,
        parts: &Parts,
        chunks: &mut Peeked,
        stop: &AtomicBool,
    ) -> Result<TakenUp, RunError> {
        let mut attempts = 0;
        let mut begun = loop {
            let key = self.key_of(history.as_ref());
            // Without a journal there is no key yet, and no run to compare with.
            let journal = history.as_ref().and_then(|h| h.key.clone());
            job.key = journal.as_ref().map(|_| key.check());
            let mut candidate = Candidate {
                start: self.start_by(history.as_ref()),
                whole: self.part.map(|_| self.name),
                request: self.request,
                only_new: self.only_new,
                take_over: self.take_over,
                waits: self.plan.waits(),
                proven: self.proof.is_some_and(|proof| proof.wanted),
                parts,
                key: &key,
                source: self.source,
                sink: &mut *self.sink,
                chunks,
                stop,
            };
            let (job, after) = match begin(&mut candidate, history, job.clone())? {
                Beginning::Job(job, after) => (*job, after),
                Beginning::Finished(earlier) => {
                    return Ok(TakenUp::Finished(earlier, journal));
                }
            };
            let claimed = self.claim(job.resume || self.take_over)?;
            let rejects = RejectsFile::create(self.rejects, job.resume || self.take_over)?;
            let columns = sink_schema(self.plan, self.steps).with_natives(&self.source.natives());
            match self.sink.open(&job, &columns) {
                Ok(stored) => {
                    let sealed = self.seal(&job.run, claimed, self.sink.key())?;
                    break Begun {
                        job,
                        after,
                        key,
                        rejects,
                        sealed,
                        stored,
                    };
                }
                Err(SinkError::Overtaken { .. }) if attempts < MAX_ATTEMPTS => attempts += 1,
                Err(error) => return Err(error.into()),
            }
            history = self.history_once_begun(stop)?;
        };
        if let Some(secret) = self.sink.key() {
            begun.key = Key::new(&secret);
        }
        if self.can_look_ahead()
            && begun.stored.is_empty()
            && let Some(first) = chunks.first()?
        {
            let key = &begun.key;
            let first = key.mark(&Input::default().with(&key.read(first)));
            self.sink.begins(&first, key.check())?;
        }
        Ok(TakenUp::Begun(Box::new(begun)))
    }

    /// Lets rows that were held back until all were known pass on, if they may.
    fn release(
        &mut self,
        ledger: &mut Ledger,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<(), RunError> {
        let mut how = Releasing {
            workers: self.workers,
            stop,
            show: &mut |rows| show(ledger.releasing(rows)),
        };
        match self.sink.release(&mut how)? {
            Held::Nothing => {}
            Held::Released(report) => ledger.released(*report),
            Held::Refused(report) => ledger.not_released(*report),
            Held::Stopped => return Err(RunError::Cancelled),
        }
        Ok(())
    }

    /// Publishes once every row has its fate, in which the target has the last word. Returns too
    /// whether it refused rows that had counted as stored.
    fn commit(
        &mut self,
        input: Mark,
        begun: &mut Begun,
        ledger: &mut Ledger,
    ) -> Result<(Published, bool), RunError> {
        let mut any = false;
        loop {
            let rows = ledger.balance()?;
            begun.rejects.sync()?;
            if let Some(sealed) = &mut begun.sealed {
                sealed.sync()?;
            }
            let published = self.end(&Totals { rows, input }, ledger.may_leave())?;
            if published.refused.is_empty() {
                return Ok((published, any));
            }
            any = true;
            ledger.refuse(&published.refused);
            begun.rejects.write(&published.refused)?;
        }
    }

    /// Publishes, unless the rows may not leave, or so many were rejected that what is there is better than what came.
    fn end(&mut self, totals: &Totals, may_leave: bool) -> Result<Published, RunError> {
        if may_leave && (self.sink.appends() || !exceeded(self.at_most, totals.rows)) {
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
        let own = self.pipeline();
        loop {
            let history = self.sink.history()?;
            let silent = history
                .iter()
                .flat_map(|h| &h.running)
                .any(|run| run.living.is_some() && run.beginning.is_none() && run.pipeline != own);
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
            true if self.start == Start::Anew => self.start,
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
        job.plan = only.plan(&job.plan, of_run.clone());
        Ok(Some(Rerun {
            rejects_of: only.place().to_owned(),
            of_run,
            passed_over: met.rows - only.rows().len() as u64,
        }))
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
