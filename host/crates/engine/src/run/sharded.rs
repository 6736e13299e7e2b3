//! A run whose ranges other processes work on: what this one does instead of moving rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use glovebox_core::{ChunkRecord, Mark};

use super::{Begun, Run};
use crate::error::{RunError, ShardsError};
use crate::peeked::Peeked;
use crate::report::{Ledger, Progress};
use crate::selection::RowSelection;
use crate::shards::{Cut, Cutting, Joining, Shards, Worked};
use crate::summary::Summary;

impl Run<'_> {
    /// Refuses what cannot be done by several processes, before anything has begun.
    pub(super) fn can_be_sharded(&self, chunks: &mut Peeked) -> Result<(), RunError> {
        let why = if self.plan.waits() {
            "a step or the release gate is over all rows, which have to be in one process"
        } else if self.only.is_some() {
            "the rows that an earlier run rejected are run by one process"
        } else if !self.sink.is_shared() {
            "its sink takes rows from one process only; write to a table of PostgreSQL, without \
             `order: source`, or to a Delta table"
        } else if chunks.first()?.is_some_and(|first| first.within.is_none()) {
            "its source cannot be entered at several places; read files"
        } else {
            return Ok(());
        };
        Err(ShardsError::OneProcess(why).into())
    }

    /// Has other processes work on all ranges. Returns what the input is.
    pub(super) fn share_out(
        &mut self,
        begun: &mut Begun,
        chunks: Peeked,
        ledger: &mut Ledger,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<Mark, RunError> {
        let (Some(shards), Some(turn)) = (self.shards.as_deref_mut(), self.sink.turn()) else {
            return Err(RunError::Panicked);
        };
        let joining = Joining {
            run: begun.job.run.clone(),
            turn,
            plan: begun.job.plan.digest.clone(),
            first_row: begun.job.plan.first_row(),
            proven: self.proof.is_some() && self.sink.key().is_some(),
        };
        let cutting = Cutting::new(
            (&begun.key, RowSelection::From(joining.first_row)),
            (&joining.run, &begun.stored),
            self.source.size_bytes(),
            shards.count(),
        );
        let (cut, absent) = at_work(
            shards,
            &joining,
            (cutting, chunks, self.workers),
            stop,
            &mut |worked| {
                show(ledger.progress_of_others(worked));
            },
        )?;
        let records = self.sink.chunks(&joining.run)?;
        all_there(&records, &cut)?;
        let known: BTreeMap<u64, &ChunkRecord> =
            begun.stored.iter().map(|c| (c.index, c)).collect();
        for record in records.iter().filter(|r| !known.contains_key(&r.index)) {
            ledger.add(record.rows, &Summary::from_json(&record.summary));
        }
        self.note_only_new(begun, ledger, cut.input.rows);
        ledger.absent(absent);
        Ok(begun.key.mark(&cut.input))
    }
}

/// Cuts the input on a thread of its own, while others work on its ranges.
fn at_work(
    shards: &mut dyn Shards,
    joining: &Joining,
    (cutting, chunks, threads): (Cutting<'_>, Peeked, usize),
    stop: &AtomicBool,
    show: &mut dyn FnMut(Worked),
) -> Result<(Cut, Vec<Arc<str>>), RunError> {
    let halt = AtomicBool::new(false);
    let (out, ranges) = Cutting::channel(shards.count());
    std::thread::scope(|scope| {
        let halt = &halt;
        let cutter = scope.spawn(move || cutting.cut(chunks, threads, &out, halt));
        let worked = shards.work(joining, &ranges, stop, show);
        halt.store(true, Ordering::Relaxed);
        drop(ranges);
        let cut = cutter.join().map_err(|_| RunError::Panicked)?;
        match (worked, cut) {
            _ if stop.load(Ordering::Relaxed) => Err(RunError::Cancelled),
            (Err(problem), _) => Err(ShardsError::Ended(problem).into()),
            (Ok(absent), Ok(cut)) => Ok((cut, absent)),
            (Ok(_), Err(error)) => Err(error),
        }
    })
}

/// Whether the journal has each chunk of the input, as it was cut here, and no other.
fn all_there(records: &[ChunkRecord], cut: &Cut) -> Result<(), RunError> {
    let mut due = (0..).zip(&cut.digests).filter_map(|(index, digest)| {
        let digest = (*digest)?;
        Some((index, digest))
    });
    let mut found = records.iter().map(|record| (record.index, record.digest));
    match due.by_ref().eq(found.by_ref()) {
        true => Ok(()),
        false => Err(ShardsError::Untiled.into()),
    }
}
