//! A step as planned: what it may see and change, and where its columns stand before and after it.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use glovebox_core::{AllRows, Announced, Grants, Plugin, Schema};
use glovebox_manifest::model;

use super::query::Takes;
use crate::guard::Guarded;
use crate::toolbox::SignedBy;

/// A column whose documents are masked inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsideColumn {
    /// Its place among the batch's columns.
    pub place: usize,
    /// Where its values are.
    pub path: model::JsonPath,
}

/// A step whose plugin has accepted its configuration and grants.
pub struct PlannedStep {
    /// The step's name.
    pub name: Arc<str>,
    /// The compiled plugin.
    pub plugin: Arc<dyn Plugin>,
    /// Who signed it, where the manifest asks for signatures.
    pub signed_by: Option<SignedBy>,
    /// Its `with:` block, as JSON.
    pub config: String,
    /// What it may see and change.
    pub grants: Grants,
    /// Where the granted columns stand in the step's input.
    pub inputs: Vec<usize>,
    /// Where it masks inside of the JSON text of its column.
    pub inside: Vec<InsideColumn>,
    /// What it announced.
    pub announced: Announced,
    /// The columns of a masker that the leak guard looks at.
    pub guarded: Vec<Guarded>,
    /// Personal columns of a masker that it was told not to look at.
    pub unguarded: Vec<Arc<str>>,
    /// Whether the plugin is built in.
    pub standard: bool,
    /// For each announced field of a transformer, where it goes: a place of the input that it
    /// replaces, or one after the last.
    pub places: Vec<usize>,
    /// How many columns it has before it.
    pub width: usize,
    /// What a query leaves; none for plugins, which leave every column.
    pub takes: Option<Takes>,
    /// The query, if it is one over all rows.
    pub gather: Option<Arc<dyn AllRows>>,
    /// The columns after the step.
    pub output: Schema,
    /// The same as Arrow has it.
    pub output_arrow: SchemaRef,
    /// Time lost to faults after which the run gives up on the plugin.
    pub lost_time: Duration,
}

impl PlannedStep {
    /// What reports call its plugin: a standard one says its name and version, and of a file counts
    /// what the manifest calls it.
    pub fn title(&self) -> String {
        let about = self.plugin.about();
        match self.standard {
            true => format!("{} {}", about.name, about.version),
            false => self.plugin.name().to_owned(),
        }
    }

    /// Where the column that stands there after the step stood before it; none if it was not there.
    #[must_use]
    pub fn before(&self, place: usize) -> Option<usize> {
        let before = match &self.takes {
            Some(takes) => takes.columns.get(place).copied()?,
            None => place,
        };
        (before < self.width).then_some(before)
    }

    /// Whether the step made the column that stands there after it.
    #[must_use]
    pub fn made(&self, place: usize) -> bool {
        match &self.takes {
            Some(_) => self.before(place).is_none(),
            None => self.places.contains(&place),
        }
    }

    /// The columns before the step of which a query made the one that stands there after it.
    #[must_use]
    pub fn made_of(&self, place: usize) -> &[usize] {
        let made = self.takes.as_ref().and_then(|takes| {
            let made = takes.columns.get(place)?.checked_sub(self.width)?;
            takes.made_of.get(made)
        });
        made.map_or(&[], Vec::as_slice)
    }
}
