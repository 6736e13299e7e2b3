//! The gate before the sink: rows are held back, generalised until they satisfy what the manifest asks of
//! a release, and passed on, or not at all.
//!
//! A [`Gate`] is a sink before the sink. While rows come it numbers the values of their quasi-identifiers and
//! keeps them in files that nobody else can open or read. Once all are there it counts how often each combination
//! of numbers occurs and searches on that, and only then the sink behind it sees a row.

mod again;
mod aside;
mod bits;
mod book;
mod caps;
pub(crate) mod cells;
mod general;
mod hold;
mod intake;
mod keys;
mod namer;
mod names;
mod numbers;
mod passing;
mod told;
mod waiting;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use glovebox_core::{
    ChunkRecord, Digest, Earlier, Encoder, FinishedChunk, Held, History, Job, Keeps, KeptReject,
    Known, Listed, Mark, Payload, Published, ReleaseReport, Releasing, Schema, SealedBlock, Secret,
    Sink, SinkError, TokenStore, Totals,
};
use glovebox_release::{Base, Best, Over, Refusal, Search};

use again::{Again, Naming};
use book::Book;
use caps::Caps;
use hold::{Hold, Stored};
use intake::{Intake, Numbered, Target};
use keys::Keys;
use passing::Passing;
use waiting::Packed;

use crate::blocks::Blocks;
use crate::evidence::stored;
use crate::gated::{Calls, Members, PlannedGate, Record};
use crate::identity::Key as JournalKey;
use crate::summary::Summary;

/// A sink that holds back rows until they may be released.
pub struct Gate {
    inner: Box<dyn Sink>,
    planned: Arc<PlannedGate>,
    numbered: Arc<Numbered>,
    hold: Option<Hold>,
    /// Whether the journal is to keep a digest of the rows of each chunk.
    proven: bool,
    schema: Schema,
    /// Whether rows have left, whose classes have to have as many members still.
    passed: bool,
    /// The releases before, to which this one holds.
    book: Option<(Book, Vec<Record>)>,
    /// What this release is.
    record: Option<Record>,
}

/// The node at which rows may leave.
struct Found {
    best: Best,
    caps: Caps,
    naming: Naming,
}

impl Gate {
    /// A gate before a sink.
    pub fn new(planned: Arc<PlannedGate>, inner: Box<dyn Sink>) -> Self {
        Gate {
            numbered: Arc::new(Numbered::new(&planned)),
            planned,
            inner,
            hold: None,
            proven: false,
            schema: Schema::default(),
            passed: false,
            book: None,
            record: None,
        }
    }

    /// The node at which the rows may leave; none if there is none, which the report says then.
    fn find(
        &mut self,
        search: &Search<'_>,
        hold: &Hold,
        report: &mut ReleaseReport,
    ) -> Result<Option<Found>, SinkError> {
        let Some((book, before)) = &self.book else {
            return Err(self.internal("a run was released that was not opened"));
        };
        let calls = before
            .first()
            .map_or(Calls::Permuted, |record| record.calls);
        let namer = book.namer(self.inner.key().as_ref(), calls);
        let namer =
            namer.ok_or_else(|| self.internal("there is no key for the names of classes"))?;
        let members = before.iter().map(|record| record.classes.clone());
        let members: Option<Vec<Members>> = members.collect();
        let members = members.ok_or_else(|| SinkError::Shape {
            place: self.inner.describe(),
            problem: "what earlier releases were cannot be read from the journal".to_owned(),
        })?;
        let alike = self.planned.calls_alike(before, self.key_check());
        alike.map_err(|problem| SinkError::Shape {
            place: self.inner.describe(),
            problem,
        })?;
        let (best, caps) = match before.first() {
            None => match search.best() {
                Ok(best) => (best, Caps::new(0)),
                Err(Refusal::Counts(problem)) => return Err(hold::cannot(&problem)),
                Err(Refusal::Stopped) => return Ok(None),
                Err(refusal) => {
                    told::refused(report, &self.planned, search, &refusal)
                        .map_err(|problem| hold::cannot(&problem))?;
                    return Ok(None);
                }
            },
            Some(first) => {
                report.frozen = true;
                let again = Again {
                    search,
                    node: &first.node,
                    namer: &namer,
                    before: &members,
                };
                let layout = Packed::new(&self.planned, self.schema.fields.len());
                match again.hold_to(hold, &layout) {
                    Err(_) if (search.over().stop)() => return Ok(None),
                    found => found?,
                }
            }
        };
        let left = search.over().counts.total() - best.verdict.released();
        if left > search.over().suppress_at_most {
            told::frozen(report, &self.planned, left);
            return Ok(None);
        }
        told::reached(report, search, &best);
        Ok(Some(Found {
            best,
            caps,
            naming: Naming {
                namer,
                before: members,
            },
        }))
    }

    /// Tells the key of the sink's journal from others.
    fn key_check(&self) -> u16 {
        let key = self.inner.key();
        key.map_or(0, |key| JournalKey::new(&key).check())
    }

    /// Writes the release into the journal, in a chunk without rows, with which it becomes public.
    fn write_down(
        &mut self,
        report: &ReleaseReport,
        last: Option<ChunkRecord>,
    ) -> Result<(), SinkError> {
        let Some((Book::Journal, _)) = &self.book else {
            return Ok(());
        };
        // It may have millions of classes, of which one copy is enough.
        let Some(record) = self.record.take() else {
            return Ok(());
        };
        let stored = self.journal().and_then(|key| stored(&key, &Payload::Empty));
        let summary = Summary {
            release: Some(Box::new(record)),
            released: Some(Box::new(report.clone())),
            stored,
            ..Summary::default()
        };
        let mut digest = [0; 32];
        getrandom::fill(&mut digest)
            .map_err(|error| hold::cannot(&std::io::Error::other(error)))?;
        let record = ChunkRecord {
            index: last.as_ref().map_or(0, |last| last.index + 1),
            first_row: last
                .as_ref()
                .map_or(0, |last| last.first_row + last.rows.read),
            upto: last.and_then(|last| last.upto),
            // Of no lines, and so equal to no chunk's.
            digest,
            summary: summary.to_json(),
            ..ChunkRecord::default()
        };
        self.inner.write(FinishedChunk {
            record,
            ..FinishedChunk::default()
        })
    }

    /// The key of the digests that the journal is to keep of stored rows, if it is.
    fn journal(&self) -> Option<JournalKey> {
        let key = self.inner.key().filter(|_| self.proven);
        key.as_ref().map(JournalKey::new)
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

    fn probe(&mut self, schema: &Schema, keeps: Keeps) -> Result<Vec<String>, SinkError> {
        self.inner.probe(&self.planned.after(schema), keeps)
    }

    fn history(&mut self) -> Result<Option<History>, SinkError> {
        self.inner.history()
    }

    fn past(&mut self, pipeline: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        self.inner.past(pipeline)
    }

    fn finished(&mut self, pipeline: &str, run: &str) -> Result<Option<Earlier>, SinkError> {
        self.inner.finished(pipeline, run)
    }

    fn runs(&mut self, most: u32) -> Result<Option<Vec<Listed>>, SinkError> {
        self.inner.runs(most)
    }

    fn open(&mut self, job: &Job, schema: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        let (book, before) = Book::open(
            self.inner.as_mut(),
            &job.pipeline,
            self.planned.series(),
            self.planned.beside.as_deref(),
        )?;
        self.planned
            .holds_to(&before)
            .map_err(|problem| SinkError::Shape {
                place: self.inner.describe(),
                problem,
            })?;
        self.book = Some((book, before));
        let stored = self.inner.open(job, &self.planned.after(schema))?;
        if !stored.is_empty() {
            return Err(self.internal("a run with a release gate does not go on with chunks"));
        }
        self.hold = Some(Hold::create().map_err(|problem| hold::cannot(&problem))?);
        self.proven = job.proven;
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
        let target = Target {
            encoder: self.inner.encoder(),
            schema: planned.after(&self.schema).to_arrow(),
        };
        Box::new(Intake::new(
            planned,
            Arc::clone(&self.numbered),
            self.hold.as_ref().map(|hold| Arc::clone(&hold.store)),
            target,
            self.inner.describe(),
        ))
    }

    fn write(&mut self, mut chunk: FinishedChunk) -> Result<(), SinkError> {
        let place = self.inner.describe();
        let Some(hold) = &mut self.hold else {
            return Err(self.internal("a chunk came before the run was opened"));
        };
        let payload = std::mem::take(&mut chunk.encoded.payload);
        // It would keep the chunk's raw rows in memory until the end.
        chunk.late = glovebox_core::Late::default();
        let stored = match &payload {
            Payload::Bytes(stored) => Stored::from_bytes(stored),
            Payload::Empty | Payload::Batches(_) => None,
        };
        if stored.is_none() && !matches!(payload, Payload::Empty) {
            return Err(SinkError::Internal {
                place,
                problem: "a chunk was not encoded by the gate".to_owned(),
            });
        }
        hold.put(chunk, stored)
            .map_err(|problem| hold::cannot(&problem))
    }

    fn appends(&self) -> bool {
        self.inner.appends()
    }

    fn release(&mut self, how: &mut Releasing<'_>) -> Result<Held, SinkError> {
        let started = std::time::Instant::now();
        let planned = Arc::clone(&self.planned);
        let Some(hold) = self.hold.take() else {
            return Err(self.internal("a run was released that was not opened"));
        };
        let (quasi, sensitive) = self.numbered.take();
        let layout = Packed::new(&planned, self.schema.fields.len());
        let counts = Keys::new(&hold.store, &hold.chunks, layout.width());
        let most = planned.suppress_at_most(counts.total());
        let asked = how.stop;
        let stop = || asked.load(Ordering::Relaxed);
        let spill = Blocks::create().map_err(|problem| hold::cannot(&problem))?;
        let search = Search::new(Over {
            quasi: &quasi,
            sensitive: &sensitive,
            entity: planned.entity.is_some(),
            counts: &counts,
            criteria: &planned.criteria,
            suppress_at_most: most,
            spill: Some(&spill),
            threads: how.workers,
            stop: &stop,
        });
        let search = match search {
            Ok(search) => search,
            Err(_) if stop() => return Ok(Held::Stopped),
            Err(problem) => return Err(hold::cannot(&problem)),
        };
        let mut report = planned.asked(most);
        let found = match counts.is_empty() {
            true => None,
            false => match self.find(&search, &hold, &mut report)? {
                None if stop() => return Ok(Held::Stopped),
                None => {
                    report.seconds = started.elapsed().as_secs_f64();
                    return Ok(Held::Refused(Box::new(report)));
                }
                found => found,
            },
        };
        report.seconds = started.elapsed().as_secs_f64();
        drop(search);
        drop(spill);
        let mut at = None;
        if let Some(Found { best, caps, naming }) = found {
            let called = (self.key_check(), naming.namer.calls());
            let members = naming.members(&best, &quasi, (how.workers, &stop));
            let Some(members) = members else {
                return Ok(Held::Stopped);
            };
            self.record = Some(planned.record(&best.node, called, members));
            at = Some((best, caps));
        }
        let leaves = at.as_ref().map(|(best, caps)| (best, caps));
        let journal = self.journal();
        let mut passing = Passing::new(&planned, &self.schema, &quasi, leaves, journal);
        let passed = passing.pass(hold, self.inner.as_mut(), how);
        let Some(lost) = passed? else {
            return Ok(Held::Stopped);
        };
        if !lost.is_empty() {
            told::not_storable(&mut report, &lost);
            return Ok(Held::Refused(Box::new(report)));
        }
        self.passed = true;
        let last = passing.last();
        drop(passing);
        drop(at);
        self.write_down(&report, last)?;
        Ok(Held::Released(Box::new(report)))
    }

    fn commit(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        if let (Some((book, _)), Some(record)) = (&mut self.book, &self.record) {
            book.will_be(record)?;
        }
        let published = self.inner.commit(totals)?;
        if !published.refused.is_empty() && self.passed {
            // Which classes these rows are of is not known any more, so every class counts as theirs.
            return Err(SinkError::Refused {
                place: self.inner.describe(),
                problem: format!(
                    "rows of the release break {}, which is known only once all are published, and without them classes may be \
                     too small; nothing was released, and existing rows stay: reject such rows in a step before the gate",
                    told::rules(&published.refused)
                ),
            });
        }
        if let (Some((book, _)), Some(record)) = (&mut self.book, &self.record) {
            book.is(record)?;
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
        self.inner.abort();
        // The next run begins anew, whatever was passed on.
        0
    }
}
