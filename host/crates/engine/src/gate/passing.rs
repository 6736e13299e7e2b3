//! Passes rows on once it is known what may be left of them: workers take them out of the hold, put names of
//! groups in the place of numbers, leave suppressed rows out and encode the rest for the sink; this
//! thread hands the chunks on in their order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::{BooleanArray, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use glovebox_core::{
    Batch, ChunkRecord, Encoded, Encoder, FinishedChunk, Reject, Releasing, Revise, Schema, Sink,
    SinkError,
};
use glovebox_release::{Best, Column};

use super::aside;
use super::caps::Caps;
use super::hold::{self, Block, Blocks, Hold};
use super::intake::kind;
use super::waiting::{Packed, unpacked};
use crate::evidence::stored;
use crate::gated::PlannedGate;
use crate::identity::Key as JournalKey;
use crate::summary::Summary;
use crate::tokens;
use crate::worker::HEARTBEAT;

/// Chunks on their way for each worker.
const CHUNKS_A_WORKER: usize = 3;

/// What may be left of rows, and how many were refused behind the gate.
pub(super) struct Passing {
    planned: Arc<PlannedGate>,
    schema: SchemaRef,
    /// Of each quasi-identifier the group of each value, and the groups' names.
    groups: Vec<(UInt32Array, StringArray)>,
    best: Option<Best>,
    caps: Caps,
    packed: Packed,
    /// The key of the digests that the journal is to keep of stored rows.
    journal: Option<JournalKey>,
    /// The record of the last chunk that was passed on.
    last: Option<ChunkRecord>,
}

/// A chunk's rows on their way to a worker.
struct Waiting {
    block: Block,
    /// The file of the source in which they stood, where it has several.
    of: Option<Arc<str>>,
}

/// A chunk's rows for the sink.
struct Passed {
    encoded: Encoded,
    /// What the sink will get, for its tokens.
    rows: Vec<Batch>,
    suppressed: u64,
    /// Rows that the sink cannot store, by class.
    lost: Vec<usize>,
    /// The journal's digest of the rows.
    stored: Option<String>,
}

impl Passing {
    pub(super) fn new(
        planned: &Arc<PlannedGate>,
        schema: &Schema,
        quasi: &[Column],
        (best, caps): (Option<Best>, Caps),
        journal: Option<JournalKey>,
    ) -> Self {
        let levels = best.iter().flat_map(|best| &best.node);
        let groups = quasi.iter().zip(levels).map(|(column, level)| {
            let of = UInt32Array::from(column.group_of(*level).to_vec());
            (of, column.names(*level).collect::<StringArray>())
        });
        Passing {
            schema: planned.after(schema).to_arrow(),
            groups: groups.collect(),
            packed: Packed::new(planned, schema.fields.len()),
            planned: Arc::clone(planned),
            best,
            caps,
            journal,
            last: None,
        }
    }

    /// Passes all on. Returns the rows that the sink cannot store; nothing where it was asked to stop.
    pub(super) fn pass(
        &mut self,
        hold: Hold,
        sink: &mut dyn Sink,
        revise: Revise,
        how: &mut Releasing<'_>,
    ) -> Result<Option<Lost>, SinkError> {
        let Hold {
            blocks,
            asides,
            chunks,
        } = hold;
        let begun = blocks.rewind().and_then(|()| asides.rewind());
        begun.map_err(|problem| hold::cannot(&problem))?;
        let encoders: Vec<_> = (0..how.workers.max(1)).map(|_| sink.encoder()).collect();
        let in_flight = encoders.len() * CHUNKS_A_WORKER;
        let (to_workers, waiting) = bounded::<Waiting>(in_flight);
        let (to_writer, passed) = unbounded();
        let place = sink.describe();
        self.last = chunks.last().map(|chunk| chunk.record.clone());
        let passing = &*self;
        std::thread::scope(|scope| {
            let work = |encoder| {
                let (waiting, to_writer) = (waiting.clone(), to_writer.clone());
                let (blocks, place) = (&blocks, &place);
                scope.spawn(move || passing.work(encoder, &waiting, &to_writer, blocks, place))
            };
            let workers: Vec<_> = encoders.into_iter().map(work).collect();
            drop((waiting, to_writer));
            let mut writer = Writer {
                blocks: &blocks,
                asides: &asides,
                chunks: chunks.into_iter().map(Some).collect(),
                sent: 0,
                written: 0,
                in_flight,
                rows: 0,
                lost: Lost::default(),
            };
            let done = writer.write_all(&to_workers, &passed, sink, revise, how);
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

    /// Whether a kept class would be smaller than it may be without these rows.
    pub(super) fn too_few_without(&self, lost: &Lost, k: u64) -> bool {
        let classes = self
            .best
            .iter()
            .flat_map(|best| best.verdict.classes.iter());
        classes.enumerate().any(|(at, (_, class))| {
            let lost = lost.by_class.get(&at);
            lost.is_some_and(|lost| class.members.saturating_sub(*lost) < k)
        })
    }

    fn work(
        &self,
        mut encoder: Box<dyn Encoder>,
        waiting: &Receiver<Waiting>,
        done: &Sender<(usize, Result<Passed, SinkError>)>,
        blocks: &Blocks,
        place: &str,
    ) {
        let _alarm = Alarm { done, place };
        for Waiting { block, of } in waiting {
            let number = block.number;
            let passed = blocks
                .open(block)
                .and_then(|bytes| unpacked(&bytes).collect::<io::Result<Vec<_>>>())
                .map_err(|problem| hold::cannot(&problem))
                .and_then(|batches| {
                    let general = |batch: &RecordBatch| self.general(batch, of.as_ref());
                    let batches = batches.iter().map(general).collect::<Result<Vec<_>, _>>();
                    let batches = batches.map_err(|error| SinkError::Internal {
                        place: place.to_owned(),
                        problem: format!("the gate cannot pass rows on: {}", kind(&error)),
                    })?;
                    self.encode(encoder.as_mut(), batches)
                });
            if done.send((number, passed)).is_err() {
                return;
            }
        }
    }

    fn encode(
        &self,
        encoder: &mut dyn Encoder,
        batches: Vec<Unpacked>,
    ) -> Result<Passed, SinkError> {
        let suppressed = batches.iter().map(|batch| batch.suppressed).sum();
        let (rows, classes): (Vec<Batch>, Vec<Vec<usize>>) =
            batches.into_iter().map(|b| (b.rows, b.classes)).unzip();
        let encoded = encoder.encode(&rows)?;
        let rejected: HashSet<u64> = encoded.rejects.iter().map(|reject| reject.row).collect();
        let mut lost = Vec::new();
        if !rejected.is_empty() {
            for (batch, classes) in rows.iter().zip(&classes) {
                let of_row = classes.iter().enumerate();
                let of_rejected =
                    of_row.filter(|(at, _)| rejected.contains(&batch.origin.row(*at)));
                lost.extend(of_rejected.map(|(_, class)| *class));
            }
        }
        let journal = self.journal.as_ref();
        Ok(Passed {
            stored: journal.and_then(|key| stored(key, &encoded.payload)),
            encoded,
            rows,
            suppressed,
            lost,
        })
    }

    /// Rows with what may be left of them.
    fn general(
        &self,
        waiting: &RecordBatch,
        file: Option<&Arc<str>>,
    ) -> Result<Unpacked, ArrowError> {
        let (keep, classes) = self.kept(waiting);
        let mut columns = self.packed.stored(waiting).to_vec();
        let quasi = self.planned.quasi.iter().zip(&self.groups).enumerate();
        for (at, (quasi, (of, names))) in quasi {
            let numbers = self.packed.numbers(waiting, at);
            if let (Some(column), Some(numbers)) = (columns.get_mut(quasi.place), numbers) {
                *column = take(names, &take(of, numbers, None)?, None)?;
            }
        }
        let origin = self.packed.origin(waiting).in_file(file.cloned());
        let suppressed = (keep.len() - keep.values().count_set_bits()) as u64;
        let columns = RecordBatch::try_new(Arc::clone(&self.schema), columns)?;
        let rows = match suppressed {
            0 => Batch::new(columns, origin),
            _ => Batch::new(filter_record_batch(&columns, &keep)?, origin.filter(&keep)),
        };
        Ok(Unpacked {
            rows,
            classes,
            suppressed,
        })
    }

    /// Which rows are of classes that may leave, and of which classes those are.
    fn kept(&self, waiting: &RecordBatch) -> (BooleanArray, Vec<usize>) {
        let rows = waiting.num_rows();
        let Some(best) = &self.best else {
            return (BooleanArray::from(vec![false; rows]), Vec::new());
        };
        let verdict = &best.verdict;
        let groups: Vec<&[u32]> = self.groups.iter().map(|(of, _)| &of.values()[..]).collect();
        let mut classes = Vec::with_capacity(rows);
        let mut key = Vec::with_capacity(groups.len());
        let keep = (0..rows).map(|row| {
            self.packed.class(waiting, row, &groups, &mut key);
            let class = verdict.classes.find(&key);
            let class = class.filter(|class| verdict.kept.get(*class) == Some(&true));
            let class = class.filter(|_| {
                self.caps.is_empty()
                    || self.caps.lets(
                        &key,
                        self.packed.row(waiting, row),
                        self.packed.entity(waiting, row),
                    )
            });
            classes.extend(class);
            class.is_some()
        });
        let keep = keep.collect::<Vec<bool>>();
        (BooleanArray::from(keep), classes)
    }
}

/// Rows that passed the gate and that the sink cannot store.
#[derive(Default)]
pub(super) struct Lost {
    by_class: HashMap<usize, u64>,
    pub(super) rows: Vec<Reject>,
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

/// Rows of which is left what may be.
struct Unpacked {
    rows: Batch,
    /// The class of each.
    classes: Vec<usize>,
    suppressed: u64,
}

/// Hands chunks on in their order.
struct Writer<'b> {
    blocks: &'b Blocks,
    asides: &'b Blocks,
    chunks: Vec<Option<FinishedChunk>>,
    sent: usize,
    written: usize,
    in_flight: usize,
    rows: u64,
    lost: Lost,
}

impl Writer<'_> {
    /// Whether it came to the end.
    fn write_all(
        &mut self,
        to_workers: &Sender<Waiting>,
        passed: &Receiver<(usize, Result<Passed, SinkError>)>,
        sink: &mut dyn Sink,
        revise: Revise,
        how: &mut Releasing<'_>,
    ) -> Result<bool, SinkError> {
        let mut done: BTreeMap<usize, Passed> = BTreeMap::new();
        while self.written < self.chunks.len() {
            if how.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            self.send(to_workers)?;
            while let Some(passed) = done.remove(&self.written) {
                let chunk = self.chunks.get_mut(self.written).and_then(Option::take);
                let mut chunk = chunk.unwrap_or_default();
                self.beside(&mut chunk)
                    .map_err(|problem| hold::cannot(&problem))?;
                self.written += 1;
                self.hand_on(chunk, passed, sink, revise)?;
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

    /// Gives the chunk that is next what it has beside its rows.
    fn beside(&self, chunk: &mut FinishedChunk) -> io::Result<()> {
        match self.asides.read(self.written)? {
            Some(block) => aside::unpack(&self.asides.open(block)?, chunk),
            None => Ok(()),
        }
    }

    /// Sends as many chunks as may be on their way.
    fn send(&mut self, to_workers: &Sender<Waiting>) -> Result<(), SinkError> {
        while self.sent < self.chunks.len() && self.sent < self.written + self.in_flight {
            let block = self.blocks.read(self.sent);
            let block = block.map_err(|problem| hold::cannot(&problem))?;
            let chunk = self.chunks.get(self.sent).and_then(Option::as_ref);
            let origin = chunk.and_then(|chunk| chunk.encoded.origins.first());
            let of = origin.and_then(|(origin, _)| origin.file().cloned());
            if let Some(block) = block {
                // A worker that is gone is noticed when its rows do not come.
                let _ = to_workers.send(Waiting { block, of });
            }
            self.sent += 1;
        }
        Ok(())
    }

    fn hand_on(
        &mut self,
        mut chunk: FinishedChunk,
        mut passed: Passed,
        sink: &mut dyn Sink,
        revise: Revise,
    ) -> Result<(), SinkError> {
        let rows = &mut chunk.record.rows;
        rows.stored = rows.stored.saturating_sub(passed.suppressed);
        rows.filtered += passed.suppressed;
        chunk.tokens = tokens::kept(chunk.tokens, &passed.rows, &passed.encoded.rejects);
        let refused = std::mem::take(&mut passed.encoded.rejects);
        if !refused.is_empty() {
            chunk.record.refuse(&refused, revise);
            chunk.rejects.extend(refused.iter().cloned());
            chunk.rejects.sort_by_key(|reject| reject.row);
            self.lost.rows.extend(refused);
        }
        for class in passed.lost {
            *self.lost.by_class.entry(class).or_default() += 1;
        }
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
