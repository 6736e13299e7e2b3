//! A step with its keys, as it works: what its plugin may order of the host, fixed before the first row.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::ArrayRef;
use glovebox_core::{KeyRing, Method, Source};

use crate::plan::PlannedStep;
use crate::weak::WeakKey;

/// Tables that a query reads beside the rows, by name.
pub(crate) type Tables = Vec<(String, Arc<dyn Source>)>;

/// A step and its keys.
pub struct ArmedStep<'p> {
    /// The step.
    pub planned: &'p PlannedStep,
    /// Its keys.
    pub keys: Arc<dyn KeyRing>,
    /// The keyed masks that its plugin orders, fixed before it has seen a row.
    pub keyed: Vec<Order>,
    /// Those that cost enough a value to be worth a warning.
    pub costly: Vec<(Method, Duration)>,
    /// The secrets that hold its keys, of each key the newest version, by name.
    pub secrets: Vec<String>,
    /// The plugin's names of those of its keys that stay on a server.
    pub remote: Vec<String>,
    /// Its keys that can be found by trying.
    pub weak: Vec<WeakKey>,
    /// What it reads beside the rows, if it is a query over all of them.
    pub tables: Tables,
}

impl ArmedStep<'_> {
    /// Whether it brings tokens that the sink has to keep.
    pub fn makes_tokens(&self) -> bool {
        self.keyed.iter().any(|order| order.method == Method::Token)
    }
}

/// A keyed mask that a plugin may order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Index into the granted fields.
    pub column: usize,
    /// The method.
    pub method: Method,
    /// The plugin's name for the key.
    pub key: String,
}

/// The name of a granted column.
pub(crate) fn name_of(step: &PlannedStep, column: usize) -> &str {
    let field = step.grants.fields.get(column);
    field.map_or("", |field| &*field.name)
}

/// The entities by which a method moves cells, among the columns that were granted.
pub(crate) fn entity_of<'a>(
    step: &'a PlannedStep,
    method: &Method,
    granted: &'a [ArrayRef],
) -> Option<(&'a ArrayRef, &'a str)> {
    match method {
        Method::Shift { entity, .. } => Some((granted.get(*entity)?, name_of(step, *entity))),
        _ => None,
    }
}
