//! How a run begins: anew, or where an earlier one of the same plan died.
//!
//! Owns the look into the sink's books before the first row; refuses to add the same rows twice
//! unless that is asked for, and to go on with another input or plan.

use std::sync::atomic::{AtomicBool, Ordering};

use glovebox_core::{
    Chunk, ChunkReader, Digest, Earlier, History, Identity, Job, RowCounts, Source, SourceError,
};

use crate::error::RunError;
use crate::identity::{InputDigest, chunk_digest};
use crate::selection::rows_of;

/// What is done about an earlier run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// Begins anew, unless that would add rows a second time.
    #[default]
    Fresh,
    /// Goes on with a run that did not finish; begins anew if there is none.
    Resume,
    /// Begins anew, whatever was loaded before.
    Again,
}

/// What is to be done.
pub(crate) enum Beginning {
    /// This job, with the source's chunks.
    Job(Job, Box<dyn ChunkReader>),
    /// Nothing: a resumed run had finished.
    Finished(Earlier),
}

/// Decides by what the sink remembers. `job` is that of a new run.
pub(crate) fn begin(
    start: Start,
    history: Option<History>,
    job: Job,
    source: &dyn Source,
    mut chunks: Box<dyn ChunkReader>,
    stop: &AtomicBool,
) -> Result<Beginning, RunError> {
    let Some(history) = history else {
        return Ok(Beginning::Job(job, chunks));
    };
    let job = Job {
        seen: Some(history.seen),
        ..job
    };
    if let Some(earlier) = history.unfinished {
        match start {
            Start::Resume => {
                return same(&earlier, &job).map(|()| {
                    let run = earlier.run;
                    let resumed = Job {
                        run,
                        resume: true,
                        ..job
                    };
                    Beginning::Job(resumed, chunks)
                });
            }
            Start::Fresh if history.appends && earlier.rows != RowCounts::default() => {
                return Err(RunError::Unfinished {
                    run: earlier.run,
                    started: earlier.started,
                    stored: earlier.rows.stored,
                });
            }
            Start::Fresh | Start::Again => {}
        }
    }
    if start == Start::Again || !history.appends {
        return Ok(Beginning::Job(job, chunks));
    }
    if source.identity() == Identity::Place {
        return match history.finished.into_iter().next() {
            None => Ok(Beginning::Job(job, chunks)),
            Some(earlier) if start == Start::Resume && same_rows(&earlier, chunks, stop)? => {
                Ok(Beginning::Finished(earlier))
            }
            Some(earlier) => Err(RunError::Loaded {
                run: earlier.run,
                started: earlier.started,
                stored: earlier.rows.stored,
            }),
        };
    }
    let twin = match job.length {
        Some(length) => {
            let mut same_length = history.finished.into_iter();
            let mut digest = None;
            loop {
                let Some(earlier) = same_length.find(|e| e.length == Some(length)) else {
                    break None;
                };
                // Read whole only where an earlier input had the same length.
                let known = match digest {
                    Some(known) => known,
                    None => *digest.insert(input_digest(source.chunks()?, stop)?),
                };
                if earlier.digest == Some(known) {
                    break Some(earlier);
                }
            }
        }
        None if history.finished.is_empty() => None,
        None => {
            // A pipe is read once: its beginning has to do.
            let first = chunks.next_chunk()?;
            let digest = first.as_ref().map(chunk_digest);
            chunks = Box::new(Peeked {
                first,
                rest: chunks,
            });
            history
                .finished
                .into_iter()
                .find(|e| e.length.is_none() && e.first_chunk.is_some() && e.first_chunk == digest)
        }
    };
    match twin {
        None => Ok(Beginning::Job(job, chunks)),
        Some(earlier) if start == Start::Resume => Ok(Beginning::Finished(earlier)),
        Some(earlier) => Err(RunError::Already {
            run: earlier.run,
            started: earlier.started,
            stored: earlier.rows.stored,
        }),
    }
}

/// Whether the plan and, as far as can be told now, the input are what that run began with.
fn same(earlier: &Earlier, job: &Job) -> Result<(), RunError> {
    let run = earlier.run.clone();
    if rows_of(&earlier.plan) != rows_of(&job.plan) {
        return Err(RunError::OtherRows { run });
    }
    if earlier.plan != job.plan {
        return Err(RunError::PlanChanged { run });
    }
    if earlier.length != job.length {
        return Err(RunError::InputChanged { run });
    }
    Ok(())
}

/// Whether a source that others may change still has the rows of a run that finished.
fn same_rows(
    earlier: &Earlier,
    chunks: Box<dyn ChunkReader>,
    stop: &AtomicBool,
) -> Result<bool, RunError> {
    Ok(earlier.digest == Some(input_digest(chunks, stop)?))
}

fn input_digest(mut chunks: Box<dyn ChunkReader>, stop: &AtomicBool) -> Result<Digest, RunError> {
    let mut digest = InputDigest::default();
    while let Some(chunk) = chunks.next_chunk()? {
        if stop.load(Ordering::Relaxed) {
            return Err(RunError::Cancelled);
        }
        digest.add(&chunk_digest(&chunk));
    }
    Ok(digest.finish())
}

/// A reader whose first chunk was taken out and is put back.
struct Peeked {
    first: Option<Chunk>,
    rest: Box<dyn ChunkReader>,
}

impl ChunkReader for Peeked {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        match self.first.take() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.rest.next_chunk(),
        }
    }
}
