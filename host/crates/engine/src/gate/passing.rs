//! Passes rows on once it is known what may be left of them: workers take them out of the hold, put names of
//! groups in the place of numbers, leave suppressed rows out and encode the rest for the sink; this
//! thread hands the chunks on in their order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use glovebox_core::{
    Batch, ChunkRecord, Encoded, Encoder, FinishedChunk, Reject, Releasing, Schema, Sink, SinkError,
};
use glovebox_release::Column;

use super::general::{Found, General, Left};
use super::hold::{self, Hold, Store, Stored, Waiting};
use super::intake::kind;
use super::waiting::Packed;
use crate::blocks::Blocks;
use crate::evidence::stored;
use crate::gated::PlannedGate;
use crate::identity::Key as JournalKey;
use crate::summary::Summary;
use crate::tokens;
use crate::worker::HEARTBEAT;

/// Chunks on their way for each worker.
const CHUNKS_A_WORKER: usize = 3;

/// What may be left of rows, on their way to the sink.
pub(super) struct Passing<'b> {
    general: General<'b>,
    packed: Packed,
    /// The key of the digests that the journal is to keep of stored rows.
    journal: Option<JournalKey>,
    /// The record of the last chunk that was passed on.
    last: Option<ChunkRecord>,
}

/// A chunk's rows on their way to a worker.
struct Due {
    number: usize,
    stored: Option<Stored>,
    /// The file of the source in which they stood, where it has several.
    of: Option<Arc<str>>,
}

/// A chunk's rows for the sink.
struct Passed {
    encoded: Encoded,
    /// What the sink will get, for its tokens.
    rows: Vec<Batch>,
    suppressed: u64,
    /// The journal's digest of the rows.
    stored: Option<String>,
}

impl<'b> Passing<'b> {
    /// What is left of rows with these columns where that was found.
    pub(super) fn new(
        planned: &Arc<PlannedGate>,
        schema: &Schema,
        quasi: &[Column],
        found: Found<'b>,
        journal: Option<JournalKey>,
    ) -> Self {
        Passing {
            general: General::new(planned, schema, quasi, found),
            packed: Packed::new(planned, schema.fields.len()),
            journal,
            last: None,
        }
    }

    /// Passes all on. Returns the rows that the sink cannot store; nothing where it was asked to stop.
    pub(super) fn pass(
        &mut self,
        hold: Hold,
        sink: &mut dyn Sink,
        how: &mut Releasing<'_>,
    ) -> Result<Option<Vec<Reject>>, SinkError> {
        let Hold {
            store,
            asides,
            chunks,
        } = hold;
        let encoders: Vec<_> = (0..how.workers.max(1)).map(|_| sink.encoder()).collect();
        let in_flight = encoders.len() * CHUNKS_A_WORKER;
        let (to_workers, waiting) = bounded::<Due>(in_flight);
        let (to_writer, passed) = unbounded();
        let place = sink.describe();
        self.last = chunks.last().map(|waiting| waiting.chunk.record.clone());
        let passing = &*self;
        std::thread::scope(|scope| {
            let work = |encoder| {
                let (waiting, to_writer) = (waiting.clone(), to_writer.clone());
                let (store, place) = (&store, &place);
                scope.spawn(move || passing.work(encoder, &waiting, &to_writer, store, place))
            };
            let workers: Vec<_> = encoders.into_iter().map(work).collect();
            drop((waiting, to_writer));
            let mut writer = Writer {
                asides: &asides,
                chunks: chunks.into_iter().map(Some).collect(),
                sent: 0,
                written: 0,
                in_flight,
                rows: 0,
                lost: Vec::new(),
            };
            let done = writer.write_all(&to_workers, &passed, sink, how);
            // Workers end once nobody sends any more.
            drop(to_workers);
            let mut panicked = false;
            for worker in workers {
                panicked |= worker.join().is_err();
            }
            match done? {
                _ if panicked => Err(ended(&place)),
                done => Ok(done.then_some(writer.lost)),
            }
        })
    }

    /// The record of the last chunk.
    pub(super) fn last(&self) -> Option<ChunkRecord> {
        self.last.clone()
    }

    fn work(
        &self,
        mut encoder: Box<dyn Encoder>,
        waiting: &Receiver<Due>,
        done: &Sender<(usize, Result<Passed, SinkError>)>,
        store: &Store,
        place: &str,
    ) {
        let _alarm = Alarm { done, place };
        for due in waiting {
            let unpacked = due.stored.map(|stored| self.packed.unpack(store, stored));
            let passed = unpacked
                .transpose()
                .map_err(|problem| hold::cannot(&problem))
                .and_then(|rows| {
                    let rows = rows.unwrap_or_default();
                    let left = rows
                        .iter()
                        .map(|rows| self.general.of(rows, due.of.as_ref()));
                    let left = left.collect::<Result<Vec<_>, _>>();
                    let left = left.map_err(|error| SinkError::Internal {
                        place: place.to_owned(),
                        problem: format!("the gate cannot pass rows on: {}", kind(&error)),
                    })?;
                    self.encode(encoder.as_mut(), &left)
                });
            if done.send((due.number, passed)).is_err() {
                return;
            }
        }
    }

    fn encode(&self, encoder: &mut dyn Encoder, left: &[Left]) -> Result<Passed, SinkError> {
        let rows: Vec<Batch> = left.iter().map(|left| left.rows.clone()).collect();
        let encoded = encoder.encode(&rows)?;
        let journal = self.journal.as_ref();
        Ok(Passed {
            stored: journal.and_then(|key| stored(key, &encoded.payload)),
            suppressed: left.iter().map(|left| left.suppressed).sum(),
            encoded,
            rows,
        })
    }
}

/// Tells the writer of a panic, which would otherwise wait for a chunk that never comes.
struct Alarm<'a> {
    done: &'a Sender<(usize, Result<Passed, SinkError>)>,
    place: &'a str,
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.done.send((usize::MAX, Err(ended(self.place))));
        }
    }
}

fn ended(place: &str) -> SinkError {
    SinkError::Internal {
        place: place.to_owned(),
        problem: "a thread ended before its rows were passed on".to_owned(),
    }
}

/// Hands chunks on in their order.
struct Writer<'b> {
    asides: &'b Blocks,
    chunks: Vec<Option<Waiting>>,
    sent: usize,
    written: usize,
    in_flight: usize,
    rows: u64,
    /// Rows that the sink cannot store.
    lost: Vec<Reject>,
}

impl Writer<'_> {
    /// Whether it came to the end.
    fn write_all(
        &mut self,
        to_workers: &Sender<Due>,
        passed: &Receiver<(usize, Result<Passed, SinkError>)>,
        sink: &mut dyn Sink,
        how: &mut Releasing<'_>,
    ) -> Result<bool, SinkError> {
        let mut done: BTreeMap<usize, Passed> = BTreeMap::new();
        while self.written < self.chunks.len() {
            if how.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            self.send(to_workers);
            while let Some(passed) = done.remove(&self.written) {
                let waiting = self.chunks.get_mut(self.written).and_then(Option::take);
                let chunk = waiting
                    .map(|waiting| waiting.whole(self.asides))
                    .transpose();
                let chunk = chunk
                    .map_err(|problem| hold::cannot(&problem))?
                    .unwrap_or_default();
                self.written += 1;
                self.hand_on(chunk, passed, sink)?;
                (how.show)(self.rows);
            }
            if self.written == self.chunks.len() {
                break;
            }
            match passed.recv_timeout(HEARTBEAT) {
                Ok((number, rows)) => {
                    done.insert(number, rows?);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(ended(&sink.describe())),
            }
        }
        Ok(true)
    }

    /// Sends as many chunks as may be on their way.
    fn send(&mut self, to_workers: &Sender<Due>) {
        while self.sent < self.chunks.len() && self.sent < self.written + self.in_flight {
            let waiting = self.chunks.get(self.sent).and_then(Option::as_ref);
            let origin = waiting.and_then(|waiting| waiting.chunk.encoded.origins.first());
            // A worker that is gone is noticed when its rows do not come.
            let _ = to_workers.send(Due {
                number: self.sent,
                stored: waiting.and_then(|waiting| waiting.stored),
                of: origin.and_then(|(origin, _)| origin.file().cloned()),
            });
            self.sent += 1;
        }
    }

    fn hand_on(
        &mut self,
        mut chunk: FinishedChunk,
        mut passed: Passed,
        sink: &mut dyn Sink,
    ) -> Result<(), SinkError> {
        let rows = &mut chunk.record.rows;
        rows.stored = rows.stored.saturating_sub(passed.suppressed);
        rows.filtered += passed.suppressed;
        chunk.tokens = tokens::kept(chunk.tokens, &passed.rows, &passed.encoded.rejects);
        self.lost.append(&mut passed.encoded.rejects);
        if let Some(stored) = passed.stored {
            // The digest that is there is of the rows as they came to the gate.
            let mut summary = Summary::from_json(&chunk.record.summary);
            summary.stored = Some(stored);
            chunk.record.summary = summary.to_json();
        }
        self.rows += passed.encoded.rows;
        chunk.encoded = passed.encoded;
        sink.write(chunk)
    }
}
