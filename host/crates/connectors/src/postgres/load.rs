//! What writers have to know of a run.

use std::sync::Arc;

use glovebox_core::{Revise, SinkError};

use super::counted::Counted;
use super::journal::Journal;
use super::runs::Lease;
use super::tokens;
use crate::database::sift::Budget;

/// What writers have to know of a run.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) place: String,
    pub(super) journal: Journal,
    pub(super) lease: Lease,
    /// The statement that takes the rows.
    pub(super) copy: String,
    /// The quoted name of the table that it fills.
    pub(super) into: String,
    /// The same as the server's messages have it.
    pub(super) table: String,
    /// What people call it: a table that takes the target's place bears its name in messages.
    pub(super) known_as: String,
    pub(super) revise: Revise,
    /// Whether other processes store chunks of the run, too.
    pub(super) joined: bool,
    /// What the search for refused rows may still cost the run.
    pub(super) budget: Arc<Budget>,
    /// Where tokens are kept.
    pub(super) tokens: tokens::Tables,
    pub(super) stored_tokens: tokens::Stored,
}

impl Load {
    pub(super) fn counted(&self) -> Counted<'_> {
        Counted {
            table: &self.into,
            place: &self.place,
        }
    }

    /// A message of a refused row, with the name that people know the table by.
    pub(super) fn named(&self, message: &str) -> String {
        let [staged, known] = [&self.table, &self.known_as].map(|name| format!("table `{name}`"));
        message.replace(&staged, &known)
    }

    pub(super) fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.place.clone(),
            problem: problem.into(),
        }
    }
}
