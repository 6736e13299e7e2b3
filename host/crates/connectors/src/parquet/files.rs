//! The files of a Parquet source, opened when its chunk reader or its decoder needs them. A file that
//! changed since it was first opened is refused.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{Schema, SourceError, endings};

use super::file::{Opened, Stamp};
use super::key::Keys;
use crate::input::{Given, Inputs};

/// Files that are kept open; those in flight are among the last.
const KEPT_OPEN: usize = 64;

/// The files, opened when they are needed.
pub(super) struct Files {
    pub(super) inputs: Arc<Inputs>,
    schema: Schema,
    pub(super) keys: Keys,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The last that were opened.
    opened: VecDeque<(usize, Arc<Opened>)>,
    stamps: BTreeMap<usize, Stamp>,
    rows: BTreeMap<usize, u64>,
}

impl Files {
    pub(super) fn new(given: Given, schema: Schema, keys: Keys) -> Self {
        Files {
            inputs: Arc::new(Inputs::new(given, endings::PARQUET)),
            schema,
            keys,
            known: Mutex::default(),
        }
    }

    /// A file, opened and in order.
    pub(super) fn opened(&self, part: usize) -> Result<Arc<Opened>, SourceError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, opened)) = known.opened.iter().find(|(p, _)| *p == part) {
            return Ok(Arc::clone(opened));
        }
        let Some(file) = self.inputs.regular(part)? else {
            return Err(SourceError::shape(
                "standard input",
                "a Parquet file is read from its end; save it to a file first and name that file",
            ));
        };
        let opened = Arc::new(Opened::open(
            file,
            self.inputs.place(part),
            &self.schema,
            &self.keys,
        )?);
        let before = known.stamps.insert(part, opened.stamp);
        if before.is_some_and(|before| before != opened.stamp) {
            return Err(SourceError::shape(
                &opened.place,
                "changed while it was read; run again",
            ));
        }
        known.rows.insert(part, opened.rows());
        known.opened.push_back((part, Arc::clone(&opened)));
        if known.opened.len() > KEPT_OPEN {
            known.opened.pop_front();
        }
        Ok(opened)
    }

    /// A file's name, if there are several.
    pub(super) fn name(&self, part: usize) -> Option<Arc<str>> {
        self.inputs.name(part)
    }

    /// The rows of those that were opened.
    pub(super) fn rows(&self) -> Option<u64> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows = known.rows.values();
        rows.try_fold(0, |sum: u64, rows| sum.checked_add(*rows))
    }

    /// Opens each file, so that one that does not fit is found before the first row.
    pub(super) fn look_ahead(&self) -> Result<(), SourceError> {
        for part in 0..self.inputs.count()? {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            let seen = known.stamps.contains_key(&part);
            drop(known);
            if !seen {
                self.opened(part)?;
            }
        }
        Ok(())
    }
}
