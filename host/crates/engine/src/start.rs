//! How a run begins: from the start, after rows that are already stored, or where an earlier run
//! failed.

mod how;

use std::sync::atomic::{AtomicBool, Ordering};

use glovebox_core::{
    Chunk, ChunkReader, ChunkRecord, Earlier, History, Identity, Job, Mark, RowCounts, RunState,
    Sink, Source,
};

use crate::error::{Known, RunError};
use crate::identity::{Input, Key, serves};
use crate::parts::{Parts, shown};
use crate::peeked::Peeked;
use crate::recognise::{Recogniser, Verdict};

pub use how::Start;

/// What stands between a pipeline's name and that of a part of its input.
const PART: char = '/';
/// Runs among which the last of a pipeline's parts is looked for.
const REMEMBERED: u32 = 1000;

/// What is to be done.
pub(crate) enum Beginning {
    /// This job. Rows before the first of its plan are passed over: an earlier run, if it is known
    /// this one, has stored them.
    Job(Box<Job>, Option<String>),
    /// Nothing: a resumed run had finished.
    Finished(Box<Earlier>),
}

/// What the journal calls a pipeline, or a part of its input.
pub(crate) fn pipeline_of(name: &str, part: Option<&str>) -> String {
    match part {
        Some(part) => format!("{name}{PART}{part}"),
        None => name.to_owned(),
    }
}

/// The unfinished run that another would go on with: one of its request, or of its pipeline.
pub(crate) fn unfinished<'h>(
    history: &'h History,
    request: Option<&str>,
    pipeline: &str,
) -> Option<&'h Earlier> {
    let mut running = history.running.iter();
    let requested = running.find(|run| serves(&run.run, request));
    requested.or_else(|| history.running.iter().find(|run| run.pipeline == pipeline))
}

/// A run that is to be decided on.
pub(crate) struct Candidate<'a> {
    pub(crate) start: Start,
    /// The pipeline of which this is a part, if it is one.
    pub(crate) whole: Option<&'a str>,
    /// The request that it serves.
    pub(crate) request: Option<&'a str>,
    /// Whether rows at the input's beginning that are stored already are passed over.
    pub(crate) only_new: bool,
    /// Whether a living run may be taken from its process.
    pub(crate) take_over: bool,
    /// Whether rows wait for all others, so that of a run that did not finish nothing is there.
    pub(crate) waits: bool,
    /// Whether a proof is to be made, which names the manifest.
    pub(crate) proven: bool,
    pub(crate) parts: &'a Parts,
    /// The key of the journal that was looked into.
    pub(crate) key: &'a Key,
    pub(crate) source: &'a dyn Source,
    pub(crate) sink: &'a mut dyn Sink,
    pub(crate) chunks: &'a mut Peeked,
    pub(crate) stop: &'a AtomicBool,
}

/// Decides by what the sink remembers. `job` is that of a new run.
pub(crate) fn begin(
    candidate: &mut Candidate<'_>,
    history: Option<History>,
    job: Job,
) -> Result<Beginning, RunError> {
    let start = candidate.start;
    let Some(history) = history else {
        return match candidate.only_new {
            true => Err(RunError::NothingKnown),
            false => Ok(anew(job)),
        };
    };
    if candidate.only_new && !history.appends {
        return Err(RunError::BringsUpToDate);
    }
    if candidate.only_new && candidate.waits {
        return Err(RunError::NeedsAllRows);
    }
    let job = Job {
        seen: Some(history.seen),
        ..job
    };
    candidate.beside(&history, &job)?;
    if let Some(earlier) = unfinished(&history, candidate.request, &job.pipeline) {
        match start {
            // Of a run whose rows wait nothing is there; one that began before they did has rows.
            Start::Resume if !candidate.waits || earlier.shows_chunks => {
                return candidate.resume(earlier.clone(), history, job);
            }
            Start::Fresh
                if history.appends
                    && earlier.shows_chunks
                    && earlier.rows != RowCounts::default() =>
            {
                return Err(RunError::Unfinished(candidate.known(earlier)));
            }
            Start::Fresh | Start::Again | Start::Anew | Start::Resume => {}
        }
    }
    if start.is_anew() {
        return Ok(anew(job));
    }
    if let Some(earlier) = candidate.had(&job)? {
        return Ok(Beginning::Finished(Box::new(earlier)));
    }
    if !history.appends {
        candidate.finds_its_rows(&job)?;
        return Ok(anew(job));
    }
    candidate.anew(history.held, job)
}

impl Candidate<'_> {
    /// Refuses to work beside a living run where the two would mix.
    fn beside(&self, history: &History, job: &Job) -> Result<(), RunError> {
        for other in history.running.iter().filter(|r| r.living.is_some()) {
            let own = other.pipeline == job.pipeline;
            let apart = !own && history.appends && other.appends;
            let asked =
                own && self.take_over && (self.start == Start::Resume || self.start.is_anew());
            if !apart && !asked {
                return Err(RunError::Running {
                    known: self.known(other),
                    living: other.living.clone().unwrap_or_default(),
                    own,
                });
            }
        }
        Ok(())
    }

    /// Refuses an upsert that would find none of the rows of the run before, since their keys are
    /// masked otherwise.
    fn finds_its_rows(&mut self, job: &Job) -> Result<(), RunError> {
        if !self.parts.is_upsert() {
            return Ok(());
        }
        let past = match self.whole {
            None => self.sink.past(&job.pipeline)?.unwrap_or_default(),
            Some(pipeline) => self.past_of_parts(pipeline)?,
        };
        let last = past.iter().find(|run| run.rows.stored > 0);
        let before = last.and_then(|run| Some((run, Parts::from_json(&run.parts)?)));
        let Some((last, before)) = before else {
            return Ok(());
        };
        let columns = self.parts.found_otherwise(&before);
        match columns.is_empty() {
            true => Ok(()),
            false => Err(RunError::FoundOtherwise {
                known: self.known(last),
                columns: columns.join("`, `"),
            }),
        }
    }

    /// The last finished runs of all parts of a pipeline.
    fn past_of_parts(&mut self, pipeline: &str) -> Result<Vec<Earlier>, RunError> {
        let is_part = |name: &str| match name.strip_prefix(pipeline) {
            Some(rest) => rest.is_empty() || rest.starts_with(PART),
            None => false,
        };
        let runs = self.sink.runs(REMEMBERED)?.unwrap_or_default();
        let runs = runs.into_iter().map(|listed| listed.run);
        Ok(runs
            .filter(|run| run.state == RunState::Finished && is_part(&run.pipeline))
            .collect())
    }

    /// The finished run of this part that had this very input.
    fn had(&mut self, job: &Job) -> Result<Option<Earlier>, RunError> {
        if self.whole.is_none() || job.plan.rejects().is_some() {
            return Ok(None);
        }
        let mut past = self.sink.past(&job.pipeline)?.unwrap_or_default();
        if let Some(at) = past.iter().position(|run| serves(&run.run, self.request)) {
            return Ok(Some(past.swap_remove(at)));
        }
        past.retain(|run| run.whole.is_some() && run.key == Some(self.key.check()));
        if past.is_empty() || self.source.identity() != Identity::Lines {
            return Ok(None);
        }
        let mark = Some(self.whole_input()?);
        Ok(past.into_iter().find(|run| run.whole == mark))
    }

    /// What the whole input is.
    fn whole_input(&self) -> Result<Mark, RunError> {
        let mut input = Input::default();
        let mut chunks = self.source.chunks()?;
        while let Some(chunk) = self.next(chunks.as_mut())? {
            input = input.with(&self.key.read(&chunk));
        }
        Ok(self.key.mark(&input))
    }

    /// A new run into rows that others have added.
    fn anew(&mut self, held: Vec<Earlier>, job: Job) -> Result<Beginning, RunError> {
        if job.plan.rejects().is_some() {
            return self.rows_anew(held, job);
        }
        // One that has not said yet how its input begins may have this very one.
        let silent = |run: &&Earlier| run.living.is_some() && run.beginning.is_none();
        if let Some(silent) = held.iter().find(silent) {
            self.unless_living(silent)?;
        }
        match self.source.identity() {
            Identity::Place => self.place_anew(held, job),
            Identity::Lines => match self.look().whole(held)? {
                Verdict::New => Ok(anew(job)),
                Verdict::All(earlier) => self.all_held(earlier, job),
                Verdict::Grown(earlier, rows) if self.only_new => Ok(behind(job, rows, &earlier)),
                Verdict::Grown(earlier, rows) => Err(RunError::Grown {
                    known: self.known(&earlier),
                    rows,
                }),
                Verdict::Some(earlier, rows) => Err(self.held(&earlier, Some(rows))),
            },
            Identity::Beginning if self.only_new => Err(RunError::CannotLookAhead),
            Identity::Beginning if held.is_empty() => Ok(anew(job)),
            Identity::Beginning => {
                let Some(first) = self.chunks.first()?.cloned() else {
                    return Ok(anew(job));
                };
                match self.look().beginning(held, &first)? {
                    Verdict::New => Ok(anew(job)),
                    Verdict::All(earlier) => self.all_held(earlier, job),
                    Verdict::Grown(earlier, rows) | Verdict::Some(earlier, rows) => {
                        Err(self.held(&earlier, Some(rows)))
                    }
                }
            }
        }
    }

    /// A new run of an input of which an earlier one has all rows.
    fn all_held(&self, earlier: Box<Earlier>, job: Job) -> Result<Beginning, RunError> {
        self.unless_living(&earlier)?;
        let finished = earlier.state == RunState::Finished;
        let same_plan = earlier.plan.is_of(&job.plan);
        match finished {
            true if self.start == Start::Resume && same_plan => Ok(Beginning::Finished(earlier)),
            true if self.only_new => Ok(behind(job, u64::MAX, &earlier)),
            _ => Err(self.held(&earlier, None)),
        }
    }

    /// A new run over rejects: known by its plan, which names its rows, and by its input.
    fn rows_anew(&mut self, held: Vec<Earlier>, job: Job) -> Result<Beginning, RunError> {
        let finished = held.into_iter().filter(|r| r.state == RunState::Finished);
        let mut twins = finished.filter(|run| run.plan == job.plan).peekable();
        if twins.peek().is_none() {
            return Ok(anew(job));
        }
        let mark = self.whole_input()?;
        match twins.find(|run| run.whole == Some(mark)) {
            None => Ok(anew(job)),
            Some(earlier) if self.start == Start::Resume => {
                Ok(Beginning::Finished(Box::new(earlier)))
            }
            Some(earlier) => Err(self.held(&earlier, None)),
        }
    }

    /// A new run from a table, which is the same input whatever it holds by now.
    fn place_anew(&mut self, held: Vec<Earlier>, job: Job) -> Result<Beginning, RunError> {
        if self.only_new {
            return Err(RunError::CannotLookAhead);
        }
        let Some(earlier) = held.into_iter().find(|run| run.source == job.source) else {
            return Ok(anew(job));
        };
        self.unless_living(&earlier)?;
        if earlier.state != RunState::Finished {
            return Err(self.held(&earlier, None));
        }
        if self.start == Start::Resume
            && earlier.plan == job.plan
            && earlier.whole == Some(self.whole_input()?)
        {
            return Ok(Beginning::Finished(Box::new(earlier)));
        }
        Err(RunError::Loaded(self.known(&earlier)))
    }

    /// Goes on with a run of this pipeline.
    fn resume(
        &mut self,
        earlier: Earlier,
        history: History,
        job: Job,
    ) -> Result<Beginning, RunError> {
        let run = earlier.run.clone();
        // Of one that died before its first chunk there is nothing to compare.
        let begun = earlier.rows != RowCounts::default();
        if begun && earlier.key.is_none() {
            return Err(RunError::OlderJournal(self.known(&earlier)));
        }
        if earlier.plan.rejects() != job.plan.rejects() {
            return Err(RunError::OtherRows { run });
        }
        if !earlier.plan.is_of(&job.plan) {
            let before = Parts::from_json(&earlier.parts);
            let differs = before.map(|before| self.parts.differences(&before));
            return Err(RunError::PlanChanged {
                run,
                differs: list(&differs.unwrap_or_default()),
            });
        }
        if self.proven && !self.parts.same_manifest(&earlier.parts) {
            return Err(RunError::OtherManifest { run });
        }
        if begun && earlier.key != Some(self.key.check()) {
            return Err(RunError::KeyChanged { run });
        }
        let from = earlier.plan.first_row();
        let mut after = None;
        if self.source.identity() == Identity::Lines {
            let stored = self.sink.chunks(&run)?;
            if !self.is_its_input(&stored)? {
                return Err(RunError::InputChanged { run });
            }
            if from > 0 {
                // Its rows are those behind an earlier run's, which has to be there still.
                let held = history.held.into_iter().filter(|r| r.run != run).collect();
                match self.look().whole(held)? {
                    Verdict::Grown(base, rows) if rows == from => after = Some(base.run),
                    Verdict::All(base) if from == u64::MAX => after = Some(base.run),
                    _ => return Err(RunError::InputChanged { run }),
                }
            }
        }
        let resumed = Job {
            plan: earlier.plan,
            run,
            resume: true,
            ..job
        };
        Ok(Beginning::Job(Box::new(resumed), after))
    }

    /// Whether the input has, in their places, the chunks that a run has stored. Before the first
    /// row: a chunk of another input may not be added.
    fn is_its_input(&self, stored: &[ChunkRecord]) -> Result<bool, RunError> {
        let mut due = stored.iter().peekable();
        let mut chunks = self.source.chunks()?;
        let mut input = Input::default();
        while let Some(next) = due.peek() {
            let Some(chunk) = self.next(chunks.as_mut())? else {
                return Ok(false);
            };
            let lines = self.key.read(&chunk);
            if next.index == chunk.index {
                if self.key.chunk(&input, &lines) != next.digest {
                    return Ok(false);
                }
                due.next();
            }
            input = input.with(&lines);
        }
        Ok(true)
    }

    fn next(&self, chunks: &mut dyn ChunkReader) -> Result<Option<Chunk>, RunError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(RunError::Cancelled),
            false => Ok(chunks.next_chunk()?),
        }
    }

    fn look(&mut self) -> Recogniser<'_> {
        Recogniser {
            key: self.key,
            source: self.source,
            sink: &mut *self.sink,
            stop: self.stop,
        }
    }

    /// Why an input is not added whose rows a run has; all of them, or so many.
    fn held(&self, earlier: &Earlier, rows: Option<u64>) -> RunError {
        if let Err(running) = self.unless_living(earlier) {
            return running;
        }
        let known = self.known(earlier);
        match (earlier.state, rows) {
            (RunState::Running, _) => RunError::Unfinished(known),
            (RunState::Abandoned, _) => RunError::GivenUp(known),
            (RunState::Finished, None) => RunError::Already(known),
            (RunState::Finished, Some(rows)) => RunError::Shared { known, rows },
        }
    }

    fn unless_living(&self, earlier: &Earlier) -> Result<(), RunError> {
        match &earlier.living {
            Some(living) => Err(RunError::Running {
                known: self.known(earlier),
                living: living.clone(),
                own: false,
            }),
            None => Ok(()),
        }
    }

    fn known(&self, earlier: &Earlier) -> Box<Known> {
        let before = Parts::from_json(&earlier.parts);
        let differs = before.map(|before| self.parts.differences(&before));
        Box::new(Known {
            run: shown(&earlier.run),
            pipeline: shown(&earlier.pipeline),
            started: shown(&earlier.started),
            stored: earlier.rows.stored,
            differs: list(&differs.unwrap_or_default()),
        })
    }
}

/// A job over all rows that it names.
fn anew(job: Job) -> Beginning {
    Beginning::Job(Box::new(job), None)
}

/// A job over the rows from this one on.
fn behind(job: Job, rows: u64, earlier: &Earlier) -> Beginning {
    let plan = job.plan.beginning(rows);
    Beginning::Job(Box::new(Job { plan, ..job }), Some(earlier.run.clone()))
}

fn list(differences: &[String]) -> String {
    differences.join("; ")
}
