//! Plugins as the engine knows them: compiled once, opened many times, called with batches.

use std::fmt;
use std::time::Duration;

use arrow_array::{ArrayRef, BooleanArray};

use crate::batch::Batch;
use crate::fault::Fault;
use crate::finding::{Finding, Rule};
use crate::keys::{Method, Target};
use crate::schema::Field;

/// What a plugin is allowed to do, by its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum World {
    /// Says which rows break which rules.
    Validator,
    /// Says how cells are to be masked.
    Masker,
    /// Adds columns and filters rows.
    Transformer,
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            World::Validator => "validator",
            World::Masker => "masker",
            World::Transformer => "transformer",
        })
    }
}

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// One line.
    pub summary: String,
    /// Markdown: What, Why, Example, Options.
    pub documentation: String,
    /// JSON Schema of the step's `with:` block.
    pub config_schema: String,
}

/// What a step grants its plugin: it sees these columns and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// The columns it receives, in this order.
    pub fields: Vec<Field>,
    /// Which of `fields` a masker may mask, ascending.
    pub masks: Vec<usize>,
    /// The columns a transformer is to add or replace.
    pub adds: Vec<Field>,
}

/// What bounds a plugin; each is a field of the manifest's `limits:` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of an instance, in bytes.
    pub memory: usize,
    /// Wall time of one call.
    pub time: Duration,
    /// Bytes that one call may return.
    pub returned: usize,
    /// Rows that the findings of one call may name, all together.
    pub findings: usize,
    /// Elements of an instance's tables.
    pub table_elements: usize,
    /// Core instances, memories and tables that one component may have, each.
    pub instances: usize,
    /// Time that calls which end in a fault may cost a run, over all workers, before the run
    /// gives up on the step's plugin.
    pub lost_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 64 << 20,
            time: Duration::from_secs(1),
            returned: 32 << 20,
            findings: 1 << 20,
            table_elements: 100_000,
            instances: 64,
            lost_time: Duration::from_secs(60),
        }
    }
}

/// A compiled plugin, shared by all workers.
pub trait Plugin: Send + Sync {
    /// What messages call it: the host's name for it, not its own.
    fn name(&self) -> &str;

    /// Its kind.
    fn world(&self) -> World;

    /// What it says of itself.
    fn about(&self) -> &About;

    /// SHA-256 of the component, in lower-case hexadecimal.
    fn sha256(&self) -> &str;

    /// A fresh instance, opened with a configuration (JSON) and grants.
    ///
    /// # Errors
    /// When the configuration is refused, or the plugin fails or lies while it opens.
    fn open(&self, config: &str, grants: &Grants) -> Result<Box<dyn Instance>, PluginError>;
}

/// One instance of a plugin: one store, one owner, disposable.
pub trait Instance: Send {
    /// What it announced when it was opened. It never changes after.
    fn announced(&self) -> &Announced;

    /// Judges a batch that has the granted columns, and those only.
    ///
    /// # Errors
    /// A fault: the instance is spent, and nothing of the batch may be used.
    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault>;
}

/// What a plugin fixes before it sees a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// A validator's rules.
    Rules(Vec<Rule>),
    /// What a masker makes of its columns.
    Masked {
        /// The fields after masking: as granted, but for the types of masked ones.
        fields: Vec<Field>,
        /// Which cells may be found whole in their masks, for each column of the masks grant.
        keeps: Vec<Kept>,
    },
    /// A transformer's columns, each in its grant.
    Added(Vec<Field>),
}

/// Which cells of a masked column may be found whole in their masks. It is a plugin's word until
/// the manifest grants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// None.
    Nothing,
    /// None; cells become this text, which was chosen before a row was there.
    Constant(String),
    /// Those with at most that many letters and digits.
    Characters(u32),
    /// Any.
    Cells,
}

impl Kept {
    /// Whether a cell may come back whole by this, so that someone has to grant it.
    pub fn lets_cells_through(&self) -> bool {
        matches!(self, Kept::Characters(_) | Kept::Cells)
    }

    /// The stricter of a plugin's declaration and what it was granted.
    #[must_use]
    pub fn within(self, grant: &Kept) -> Kept {
        match (&self, grant) {
            (Kept::Nothing | Kept::Constant(_), _) | (_, Kept::Cells) => self,
            (Kept::Characters(declared), Kept::Characters(granted)) => {
                Kept::Characters(*declared.min(granted))
            }
            (Kept::Cells, Kept::Characters(granted)) => Kept::Characters(*granted),
            (_, Kept::Nothing | Kept::Constant(_)) => Kept::Nothing,
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kept::Nothing => f.pad("no cell may stay whole"),
            Kept::Constant(_) => f.pad("no cell may stay whole; all become the same text"),
            Kept::Characters(0) => f.pad("cells without letters and digits may stay whole"),
            Kept::Characters(1) => f.pad("cells of one letter or digit may stay whole"),
            Kept::Characters(n) => {
                write!(f, "cells of up to {n} letters and digits may stay whole")
            }
            Kept::Cells => f.pad("any cell may stay whole"),
        }
    }
}

/// What a plugin returned, checked.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A validator's findings.
    Findings(Vec<Finding>),
    /// A masker's actions, one a column at most.
    Masked(Vec<Masked>),
    /// A transformer's columns, in the order it announced, and the rows to keep.
    Transformed {
        /// The columns.
        columns: Vec<ArrayRef>,
        /// The rows to keep; none is all.
        keep: Option<BooleanArray>,
    },
    /// A query's columns, of the rows that stay only.
    Selected {
        /// The columns, in the order that was announced.
        columns: Vec<ArrayRef>,
        /// The rows to keep; none is all.
        keep: Option<BooleanArray>,
    },
}

/// What to do with a masked column.
#[derive(Debug, Clone)]
pub struct Masked {
    /// Index into the granted fields; in the masks grant.
    pub column: usize,
    /// What to do.
    pub action: Action,
}

/// How cells are masked.
#[derive(Debug, Clone)]
pub enum Action {
    /// By these, which the plugin computed.
    Replace(ArrayRef),
    /// By the host, with a key that the plugin knows by name only.
    Keyed {
        /// The method.
        method: Method,
        /// The plugin's name for the key.
        key: String,
        /// Which cells.
        target: Target,
    },
    /// By null.
    Nullify(Target),
}

/// Why a plugin cannot be used at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// It is no component of a world that this host speaks.
    #[error("{plugin}: {problem}")]
    Refused {
        /// The plugin.
        plugin: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// It refused its `with:` block.
    #[error("{plugin}: refuses its configuration")]
    Config {
        /// The plugin.
        plugin: String,
        /// JSON Pointer into the block.
        path: String,
        /// What it said; written before it saw a row, but its own words. They are for its author,
        /// and for users of the plugins that are built in.
        message: String,
    },
    /// It failed or lied while it opened.
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl PluginError {
    /// With what a fault was, for what happens before a row is there and for authors.
    pub fn in_full(&self) -> String {
        match self {
            PluginError::Fault(fault) => fault.in_full(),
            other => other.to_string(),
        }
    }
}
