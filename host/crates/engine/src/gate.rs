//! The gate before the sink: rows are held back, generalised until they satisfy what the manifest asks of
//! a release, and passed on, or not at all.
//!
//! A [`Gate`] is a sink before the sink. While rows come it counts how often each combination of
//! quasi-identifiers occurs and keeps the rows in a file that nobody else can open or read. Once all
//! are there it searches on the counts, and only then the sink behind it sees a row.

mod cells;
mod hold;
mod intake;
mod passing;
mod planned;
mod told;

use std::sync::Arc;

use glovebox_core::{
    ChunkRecord, Digest, Earlier, Encoder, FinishedChunk, Held, History, Job, Keeps, KeptReject,
    Known, Listed, Mark, Payload, Published, Releasing, Revise, Schema, SealedBlock, Secret, Sink,
    SinkError, TokenStore, Totals,
};
use glovebox_release::Search;

pub use planned::PlannedGate;
pub(crate) use planned::plan;

use hold::Hold;
use intake::{Counted, Intake};
use passing::Passing;

/// A sink that holds back rows until they may be released.
pub struct Gate {
    inner: Box<dyn Sink>,
    planned: Arc<PlannedGate>,
    counted: Arc<Counted>,
    hold: Option<Hold>,
    revise: Revise,
    schema: Schema,
    /// The members of kept classes have to be so many still if rows of them are refused.
    passed: Option<Passing>,
}

impl Gate {
    /// A gate before a sink.
    pub fn new(planned: Arc<PlannedGate>, inner: Box<dyn Sink>) -> Self {
        Gate {
            counted: Arc::new(Counted::new(&planned)),
            planned,
            inner,
            hold: None,
            revise: Revise::default(),
            schema: Schema::default(),
            passed: None,
        }
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.inner.describe(),
            problem: problem.to_owned(),
        }
    }
}

/// All that is not about rows is the sink's behind it.
impl Sink for Gate {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn probe(&mut self, schema: &Schema, keeps: Keeps) -> Result<(), SinkError> {
        self.inner.probe(&self.planned.after(schema), keeps)
    }

    fn history(&mut self) -> Result<Option<History>, SinkError> {
        self.inner.history()
    }

    fn past(&mut self, pipeline: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        self.inner.past(pipeline)
    }

    fn runs(&mut self, most: u32) -> Result<Option<Vec<Listed>>, SinkError> {
        self.inner.runs(most)
    }

    fn open(&mut self, job: &Job, schema: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        let stored = self.inner.open(job, &self.planned.after(schema))?;
        if !stored.is_empty() {
            return Err(self.internal("a run with a release gate does not go on with chunks"));
        }
        self.hold = Some(Hold::create().map_err(|problem| hold::cannot(&problem))?);
        self.revise = job.revise;
        self.schema = schema.clone();
        Ok(stored)
    }

    fn key(&self) -> Option<Secret> {
        self.inner.key()
    }

    fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError> {
        self.inner.begins(with, key)
    }

    fn chunks(&mut self, run: &str) -> Result<Vec<ChunkRecord>, SinkError> {
        self.inner.chunks(run)
    }

    fn known(&mut self, digests: &[Digest]) -> Result<Vec<Known>, SinkError> {
        self.inner.known(digests)
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        let planned = Arc::clone(&self.planned);
        Box::new(Intake::new(planned, Arc::clone(&self.counted), self.inner.describe()))
    }

    fn write(&mut self, mut chunk: FinishedChunk) -> Result<(), SinkError> {
        let place = self.inner.describe();
        let Some(hold) = &mut self.hold else {
            return Err(self.internal("a chunk came before the run was opened"));
        };
        let payload = std::mem::take(&mut chunk.encoded.payload);
        // It would keep the chunk's raw rows in memory until the end.
        chunk.late = glovebox_core::Late::default();
        match payload {
            Payload::Bytes(rows) => hold.put(chunk, &rows).map_err(|problem| hold::cannot(&problem)),
            Payload::Empty => hold.put(chunk, &[]).map_err(|problem| hold::cannot(&problem)),
            Payload::Batches(_) => Err(SinkError::Internal {
                place,
                problem: "a chunk was not encoded by the gate".to_owned(),
            }),
        }
    }

    fn appends(&self) -> bool {
        self.inner.appends()
    }

    fn release(&mut self, how: &mut Releasing<'_>) -> Result<Held, SinkError> {
        let started = std::time::Instant::now();
        let Some(hold) = self.hold.take() else {
            return Err(self.internal("a run was released that was not opened"));
        };
        let (quasi, sensitive, histogram) = self.counted.take();
        let most = self.planned.suppress_at_most(histogram.total());
        let search = Search {
            quasi: &quasi,
            sensitive: &sensitive,
            entity: self.planned.entity.is_some(),
            histogram: &histogram,
            criteria: &self.planned.criteria,
            suppress_at_most: most,
        };
        let mut report = self.planned.asked(most);
        let found = match histogram.is_empty() {
            true => None,
            false => match search.best() {
                Ok(best) => Some(best),
                Err(refusal) => {
                    told::refused(&mut report, &self.planned, &search, refusal);
                    report.seconds = started.elapsed().as_secs_f64();
                    return Ok(Held::Refused(Box::new(report)));
                }
            },
        };
        if let Some(best) = &found {
            told::reached(&mut report, &self.planned, &search, best);
        }
        report.seconds = started.elapsed().as_secs_f64();
        drop(histogram);
        let passing = Passing::new(Arc::clone(&self.planned), &self.schema, &quasi, found);
        let Some((lost, refused)) =
            passing.pass(hold, self.inner.as_mut(), self.revise, how)?
        else {
            return Ok(Held::Stopped);
        };
        if passing.too_few_without(&lost, self.planned.criteria.k) {
            told::shrunk(&mut report, refused.len());
            return Ok(Held::Refused(Box::new(report)));
        }
        self.passed = Some(passing);
        Ok(Held::Released(Box::new(report), refused))
    }

    fn commit(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        let published = self.inner.commit(totals)?;
        if !published.refused.is_empty() && self.passed.is_some() {
            // Which classes these rows are of is not known any more, so every class counts as theirs.
            return Err(SinkError::Refused {
                place: self.inner.describe(),
                problem: format!(
                    "{} rows of the release, and classes may be too small without them; reject such rows in a step before the gate",
                    published.refused.len()
                ),
            });
        }
        Ok(published)
    }

    fn withhold(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        self.inner.withhold(totals)
    }

    fn token_store(&mut self) -> Option<Box<dyn TokenStore + '_>> {
        self.inner.token_store()
    }

    fn rejects(&mut self, run: &str, each: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError> {
        self.inner.rejects(run, each)
    }

    fn sealed(&mut self, run: &str, each: &mut dyn FnMut(SealedBlock)) -> Result<(), SinkError> {
        self.inner.sealed(run, each)
    }

    fn abort(&mut self) -> u64 {
        self.inner.abort()
    }
}
