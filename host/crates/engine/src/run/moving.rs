//! Everything between the first chunk and the commit: rows from the source to the sink, by way of each
//! `gather:` step.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use glovebox_core::{Decoder, Mark, OnlyNew};

use super::{Begun, Run};
use crate::error::RunError;
use crate::gather::{Before, Made, Target, Waiting};
use crate::identity::Input;
use crate::leg::{Leg, legs};
use crate::peeked::Peeked;
use crate::report::{Ledger, Progress};
use crate::selection::RowSelection;
use crate::transfer::{Transfer, Writer, Written};
use crate::worker::Stored;

/// From where a leg of a run has its rows.
pub(super) struct Reading {
    chunks: Peeked,
    decoders: Vec<Box<dyn Decoder>>,
    /// The number of the first chunk.
    first: u64,
    /// What makes the chunks, which ends with this, and what the input is that it was made of.
    made: Option<(Made, Mark)>,
}

impl Reading {
    pub(super) fn of_source(chunks: Peeked, decoders: Vec<Box<dyn Decoder>>) -> Self {
        Reading {
            chunks,
            decoders,
            first: 0,
            made: None,
        }
    }

    fn of_made(made: Made, first: u64, workers: usize, input: Mark) -> Self {
        Reading {
            chunks: Peeked::new(made.chunks()),
            decoders: (0..workers).map(|_| made.decoder()).collect(),
            first,
            made: Some((made, input)),
        }
    }
}

/// What hears of a run's progress, and may end it.
struct Watched<'w> {
    stop: &'w AtomicBool,
    show: &'w mut dyn FnMut(Progress),
}

impl Run<'_> {
    /// Returns what the input is.
    pub(super) fn transfer(
        &mut self,
        begun: &mut Begun,
        mut reading: Reading,
        ledger: &mut Ledger,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Progress),
    ) -> Result<Mark, RunError> {
        let mut watched = Watched { stop, show };
        let workers = reading.decoders.len();
        let (plan, steps) = (self.plan, self.steps);
        let mut input = None;
        for (before, leg) in (0..).zip(&legs(plan, steps)) {
            let waiting = match leg.gather {
                Some(_) => Some(Waiting::create()?),
                None => None,
            };
            let between = (leg, waiting.clone());
            let written = self.leg(between, reading, (begun, ledger), &mut watched)?;
            let input = *input.get_or_insert_with(|| begun.key.mark(&written.input));
            if !leg.is_made() {
                self.note_only_new(begun, ledger, written.input.rows);
            }
            let made = leg.gather.zip(waiting);
            let made =
                made.and_then(|(step, waiting)| Made::new(step, waiting, written.next, before));
            match made {
                Some(made) => reading = Reading::of_made(made, written.next, workers, input),
                None => {
                    ledger.absent(self.source.absent());
                    return Ok(input);
                }
            }
        }
        Err(RunError::Panicked)
    }

    /// Rows that are read go through the steps of a leg to where rows wait, or to the sink.
    fn leg(
        &mut self,
        (leg, waiting): (&Leg<'_>, Option<Arc<Waiting>>),
        reading: Reading,
        (begun, ledger): (&mut Begun, &mut Ledger),
        watched: &mut Watched<'_>,
    ) -> Result<Written, RunError> {
        let Reading {
            chunks,
            decoders,
            first,
            made,
        } = reading;
        if made.is_some() {
            ledger.of_made();
        }
        // The rows of the source alone are chosen by their numbers, stored already, or kept sealed.
        let of_source = made.is_none();
        let run = &begun.job.run;
        let stored = match of_source {
            true => Stored::new(run, &begun.stored, self.source.is_live()),
            false => Stored::new(run, &[], false),
        };
        let sealer = begun.sealed.as_ref().filter(|_| of_source);
        let sealer = sealer.map(|file| file.sealer().clone());
        let transfer = Transfer {
            leg,
            key: &begun.key,
            proven: self.proof.is_some() && self.sink.key().is_some(),
            asked: match self.only {
                // Held rows are all that their source has.
                Some(only) if of_source && !only.holds_rows() => RowSelection::Rejects(only),
                None if of_source => RowSelection::From(begun.job.plan.first_row()),
                _ => RowSelection::From(0),
            },
            stored: &stored,
            sealer: sealer.as_ref(),
        };
        let begins = of_source && !self.can_look_ahead();
        let mut sink = &mut *self.sink;
        let mut before;
        let target: &mut dyn Target = match waiting {
            Some(waiting) => {
                before = Before { sink, waiting };
                &mut before
            }
            None => &mut sink,
        };
        let writer = Writer {
            begins,
            target,
            rejects: Some(&mut begun.rejects),
            sealed: begun.sealed.as_mut(),
            ledger: &mut *ledger,
            key: &begun.key,
            stored: &stored,
            first,
            before: Input::default(),
            whole: made.as_ref().map(|(_, input)| *input),
        };
        let written = transfer.run(chunks, decoders, writer, watched.stop, watched.show)?;
        if let Some((made, _)) = made {
            ledger.took(leg.from.saturating_sub(1), made.busy());
        }
        Ok(written)
    }

    pub(super) fn note_only_new(&self, begun: &mut Begun, ledger: &mut Ledger, rows: u64) {
        let from = begun.job.plan.first_row();
        if self.only_new || from > 0 {
            ledger.only_new(OnlyNew {
                after_run: begun.after.take(),
                passed_over: from.min(rows),
            });
        }
    }
}
