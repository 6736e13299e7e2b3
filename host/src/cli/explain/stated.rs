//! What the run's proof states of a column.

use std::path::Path;

use anyhow::Context;
use glovebox_proof::{MAX_PACK, Predicate, Run, open, read};

use super::trail::{Trail, TrailBy, touching};
use crate::cli::proof::read::{pack, public_key};
use crate::cli::{say, supervised};

/// A proof that was read.
pub(super) struct Stated(Predicate);

impl Stated {
    /// A proof's file, if there is one; a signature is verified where a key is given.
    pub(super) fn read(file: Option<&Path>, key: Option<&Path>) -> anyhow::Result<Option<Self>> {
        let Some(file) = file else {
            return Ok(None);
        };
        let bytes = pack(file)?;
        let opened = match key {
            Some(key) => open(&bytes, &public_key(key)?),
            None => {
                say::note("the proof's signature is not verified; give --public-key");
                read(&bytes)
            }
        };
        let opened = opened.with_context(|| file.display().to_string())?;
        Ok(Some(Stated(opened.statement.predicate)))
    }

    /// The proof on the first line of standard input, if one is there, from whoever keeps it; this process ends
    /// with standard input.
    pub(super) fn told() -> anyhow::Result<Option<Self>> {
        let line = supervised::first_line(MAX_PACK as u64).context("cannot read a proof")?;
        supervised::end_with_standard_input().context("cannot watch standard input")?;
        match line.trim_ascii().is_empty() {
            true => Ok(None),
            false => Ok(Some(Stated(read(&line)?.statement.predicate))),
        }
    }

    pub(super) fn run(&self) -> &Run {
        &self.0.run
    }

    /// The stored columns.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.columns.iter().map(|column| column.name.as_str())
    }

    /// A stored column.
    pub(super) fn find(&self, column: &str) -> Option<Trail> {
        let mut columns = self.0.columns.iter();
        let column = columns.find(|stored| stored.name == column)?.clone();
        Some(Trail {
            steps: touching(&column, self.0.steps.clone()),
            generalised: column.level.is_some(),
            by: TrailBy::Proof,
            column,
        })
    }
}
