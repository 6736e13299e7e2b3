//! A process that joins a run, and works on ranges of it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use glovebox_core::{Chunk, ChunkReader, Job, Keeps, Revise, Seal, Sink, Source, SourceError};

use super::work::{Joining, Range};
use crate::armed::ArmedStep;
use crate::error::{RunError, ShardsError};
use crate::identity::Key;
use crate::leg::legs;
use crate::parts::plan_digest;
use crate::peeked::Peeked;
use crate::plan::Plan;
use crate::report::{Ledger, Progress};
use crate::sealed::{RowSealer, secret_of};
use crate::selection::RowSelection;
use crate::summary::Summary;
use crate::transfer::{Transfer, Writer};
use crate::unique::sink_schema;
use crate::worker::Stored;

/// What a process works with; the fields are those of [`crate::Run`].
pub struct Member<'a> {
    /// [`crate::Run::name`].
    pub name: &'a str,
    /// [`crate::Run::plan`].
    pub plan: &'a Plan,
    /// [`crate::Run::steps`].
    pub steps: &'a [ArmedStep<'a>],
    /// [`crate::Run::source`].
    pub source: &'a dyn Source,
    /// [`crate::Run::sink`].
    pub sink: &'a mut dyn Sink,
    /// Who can open the cells of rejected rows, if they are kept.
    pub recipients: Option<Arc<dyn Seal>>,
    /// [`crate::Run::workers`].
    pub workers: usize,
}

/// A process that has joined a run.
pub struct Membership<'a> {
    member: Member<'a>,
    joining: Joining,
    key: Key,
    sealer: Option<RowSealer>,
}

impl<'a> Member<'a> {
    /// Joins a run, if what it does with rows is what this one does.
    ///
    /// # Errors
    /// When it does something else, or the sink refuses.
    pub fn join(self, joining: Joining) -> Result<Membership<'a>, RunError> {
        if plan_digest(self.plan, self.steps, self.source) != joining.plan {
            return Err(ShardsError::OtherPlan { run: joining.run }.into());
        }
        let job = Job {
            run: joining.run.clone(),
            resume: true,
            keeps: Keeps {
                sealed: self.recipients.is_some(),
                tokens: self.steps.iter().any(ArmedStep::makes_tokens),
            },
            revise: Revise(Summary::revised),
            ..Job::default()
        };
        // What is known only once its files are open.
        drop(self.source.chunks()?);
        let columns = sink_schema(self.plan, self.steps).with_natives(&self.source.natives());
        self.sink.join(&job, joining.turn, &columns)?;
        let secret = self.sink.key();
        let sealer = match &self.recipients {
            Some(to) => {
                let sealed = secret_of(&joining.run, secret.as_ref()).map_err(RunError::Random)?;
                let to = Arc::clone(to);
                Some(RowSealer::new(to, self.name, &joining.run, sealed.expose()))
            }
            None => None,
        };
        Ok(Membership {
            key: secret.as_ref().map_or_else(Key::none, Key::new),
            member: self,
            joining,
            sealer,
        })
    }
}

impl Membership<'_> {
    /// Works on a range, and returns once all of it is stored. `stop` asks it to end early; `show` is called about ten
    /// times a second.
    ///
    /// # Errors
    /// As [`crate::Run::run`]. Some of its chunks may be stored then.
    pub fn work(
        &mut self,
        range: &Range,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<(), RunError> {
        let Member {
            plan,
            steps,
            source,
            sink,
            workers,
            ..
        } = &mut self.member;
        let mut reader = source.chunks()?;
        if !reader.go_to(&range.begins)? {
            return Err(ShardsError::NoPlace.into());
        }
        let chunks = Peeked::new(Box::new(Few {
            reader,
            left: range.chunks,
        }));
        let decoders: Vec<_> = (0..(*workers).max(1))
            .map(|_| source.decoder())
            .collect::<Result<_, _>>()?;
        let legs = legs(plan, steps);
        let leg = legs.first().ok_or(RunError::Panicked)?;
        let stored = Stored::of(&self.joining.run, &range.stored);
        let transfer = Transfer {
            leg,
            key: &self.key,
            proven: self.joining.proven,
            asked: RowSelection::From(self.joining.first_row),
            stored: &stored,
            sealer: self.sealer.as_ref(),
        };
        let mut ledger = Ledger::default();
        let mut target: &mut dyn Sink = &mut **sink;
        let writer = Writer {
            begins: false,
            target: &mut target,
            rejects: None,
            sealed: None,
            ledger: &mut ledger,
            key: &self.key,
            stored: &stored,
            first: range.begins.index,
            before: range.before,
            whole: None,
        };
        let written = transfer.run(chunks, decoders, writer, stop, show)?;
        if written.input != range.after {
            return Err(ShardsError::InputChanging {
                run: self.joining.run.clone(),
            }
            .into());
        }
        Ok(self.member.sink.flush()?)
    }
}

/// So many chunks, and no more.
struct Few {
    reader: Box<dyn ChunkReader>,
    left: u64,
}

impl ChunkReader for Few {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                self.reader.next_chunk()
            }
            None => Ok(None),
        }
    }
}
