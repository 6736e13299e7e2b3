//! What is worked on, and by whom: ranges of a run's input, and processes that join it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crossbeam_channel::{Receiver, TryRecvError};
use glovebox_core::{Digest, Place};
use serde::{Deserialize, Serialize};

use crate::identity::Input;

/// What a process has to know to join a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// The run.
    pub run: String,
    /// Its turn, as the sink has it.
    pub turn: i64,
    /// SHA-256 of all that decides what a row becomes, in hexadecimal: whoever joins has to have the same.
    pub plan: String,
    /// The first row that the run is for.
    pub first_row: u64,
    /// Whether the journal is to keep a digest of the rows of each chunk.
    pub proven: bool,
}

/// A part of a run's input: chunks that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Its place among the ranges, counted from 0.
    pub number: u64,
    /// Where its first chunk begins.
    pub begins: Place,
    /// How many chunks it has.
    pub chunks: u64,
    /// Bytes of the source before it, for progress.
    pub position: u64,
    /// Bytes of the source in it.
    pub bytes: u64,
    /// What the input is up to it, and with it: who reads it finds out whether it was changed meanwhile.
    pub(crate) before: Input,
    pub(crate) after: Input,
    /// Its chunks that an earlier process of the run has stored.
    pub(crate) stored: Vec<(u64, Digest)>,
}

/// How far those are who work on ranges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worked {
    /// Rows that have been through the steps.
    pub rows: u64,
    /// Bytes of the source that are behind them.
    pub bytes: u64,
}

/// Ranges as they are cut, for whoever takes one first.
#[derive(Clone)]
pub struct Ranges(pub(super) Receiver<Range>);

impl Ranges {
    /// The next one, if there is one by now.
    pub fn take(&self) -> Taken {
        match self.0.try_recv() {
            Ok(range) => Taken::Range(Box::new(range)),
            Err(TryRecvError::Empty) => Taken::NotYet,
            Err(TryRecvError::Disconnected) => Taken::End,
        }
    }

    /// The next one, once there is one; none at the end.
    pub fn next(&self) -> Option<Range> {
        self.0.recv().ok()
    }
}

/// What there is to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A range.
    Range(Box<Range>),
    /// Nothing that was cut already.
    NotYet,
    /// Nothing any more.
    End,
}

/// Processes that work on the ranges of a run.
pub trait Shards {
    /// How many ranges are worked on at a time.
    fn count(&self) -> usize;

    /// Has each range worked on, and again where that came to no end, and returns once nobody works on any. What it
    /// returns of declared columns is those that no record had, of all that were read.
    ///
    /// # Errors
    /// A sentence, without any cell: why the ranges cannot be worked on.
    fn work(
        &mut self,
        joining: &Joining,
        ranges: &Ranges,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Worked),
    ) -> Result<Vec<Arc<str>>, String>;
}
