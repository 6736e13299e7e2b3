//! A plugin that is measured: as a step, and as code outside of the sandbox.

use anyhow::Context;
use arrow_array::RecordBatch;

/// One call outside of the sandbox.
pub(super) type Native = Box<dyn FnMut()>;

/// A plugin at work.
pub(super) struct Case {
    /// The plugin's name.
    pub(super) name: &'static str,
    /// It, in a manifest.
    pub(super) step: &'static str,
    /// The same options, as it gets them.
    pub(super) with: &'static str,
    /// The columns that it gets.
    pub(super) reads: &'static [&'static str],
    /// Whether it masks them.
    pub(super) masks: bool,
    /// The int64 columns that it adds.
    pub(super) adds: &'static [&'static str],
    pub(super) native: fn(&Case, &RecordBatch) -> anyhow::Result<Native>,
}

impl Case {
    /// The columns that it gets.
    pub(super) fn reads(&self, rows: &RecordBatch) -> anyhow::Result<RecordBatch> {
        let places = self.reads.iter().map(|name| rows.schema().index_of(name));
        let places = places.collect::<Result<Vec<_>, _>>()?;
        rows.project(&places).context("no such columns")
    }
}
