//! One line of the table: a guest, its act, what bounds it, and what must come of it.

use std::time::Duration;

use glovebox_core::{DataType, FaultKind, Limits};

/// Where in a plugin's life it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// While the host looked at the component and asked it what it is.
    Load,
    /// While it was opened and asked for its rules or fields: before the first row.
    Open,
    /// While it had rows.
    Apply,
    /// While it was thrown away.
    Drop,
}

impl Phase {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Load => "load",
            Phase::Open => "open",
            Phase::Apply => "apply",
            Phase::Drop => "drop",
        }
    }
}

/// What must come of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// A fault of this kind.
    Stopped(FaultKind, Phase),
    /// A component that is refused before any of it ran.
    Refused,
    /// A plugin that refuses its own configuration.
    Declined,
    /// Nothing: it is let be, and has not got what it wanted.
    Harmless,
    /// Any of these: which one is the act's to choose.
    Anything,
}

/// Where a component comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// `tests/guests/examples/NAME.rs`.
    Rust,
    /// `tests/guests/raw/NAME.wat`, which says things that no compiler lets a guest say.
    Raw,
    /// The honest guest's file, spoiled.
    Spoiled(fn(Vec<u8>, &str) -> Vec<u8>),
}

/// A guest, one act of it, and the bounds that it must stay in.
#[derive(Debug, Clone)]
pub struct Attack {
    /// The guest.
    pub guest: &'static str,
    /// Which of its acts; empty if it has only one.
    pub act: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// What a transformer is to add, as `new`.
    pub adds: Option<DataType>,
    /// Which columns a masker may mask.
    pub masks: &'static [usize],
    /// What bounds it.
    pub limits: Limits,
    /// How many batches it gets.
    pub batches: usize,
    /// Whether it sees poison; if not, its act is against any batch.
    pub poison: bool,
    /// Whether all its batches together may take no more than the host's share of memory.
    pub flat: bool,
    /// What must come of it.
    pub due: Due,
}

/// An attack under the limits that a step has by default.
pub fn attack(guest: &'static str, act: &'static str, due: Due) -> Attack {
    Attack {
        guest,
        act,
        source: Source::Rust,
        adds: None,
        masks: &[0],
        limits: Limits::default(),
        batches: 1,
        poison: true,
        flat: false,
        due,
    }
}

/// The same for a guest in WebAssembly's text form.
pub fn raw(guest: &'static str, act: &'static str, due: Due) -> Attack {
    Attack {
        source: Source::Raw,
        ..attack(guest, act, due)
    }
}

impl Attack {
    /// What one instruction may take beyond the deadline. None is interrupted, and one can move all
    /// of a memory: at the default of 64 MiB that is within the 50 ms that any guest has; beyond it,
    /// two milliseconds a MiB.
    pub fn one_instruction(&self) -> Duration {
        let large = self.limits.memory >> 20;
        let beyond = match self.guest {
            "fills_all_its_memory" if large > 64 => 2 * large,
            _ => 0,
        };
        Duration::from_millis(beyond as u64)
    }

    /// With a column `new` to add.
    #[must_use]
    pub fn adds(mut self, data_type: DataType) -> Attack {
        self.adds = Some(data_type);
        self
    }

    /// With a decimal column `new` to add.
    #[must_use]
    pub fn adds_decimal(self) -> Attack {
        self.adds(DataType::Decimal {
            precision: 10,
            scale: 2,
        })
    }

    /// Granted to mask these columns.
    #[must_use]
    pub fn masks(mut self, columns: &'static [usize]) -> Attack {
        self.masks = columns;
        self
    }

    /// With this much memory, in MiB.
    #[must_use]
    pub fn memory(mut self, mib: usize) -> Attack {
        self.limits.memory = mib << 20;
        self
    }

    /// With this many bytes to return, in MiB.
    #[must_use]
    pub fn returned(mut self, mib: usize) -> Attack {
        self.limits.returned = mib << 20;
        self
    }

    /// With this much time for a call.
    #[must_use]
    pub fn seconds(mut self, seconds: u64) -> Attack {
        self.limits.time = Duration::from_secs(seconds);
        self
    }

    /// With this many batches.
    #[must_use]
    pub fn batches(mut self, batches: usize) -> Attack {
        self.batches = batches;
        self
    }

    /// Without poison: its act is against the first batch.
    #[must_use]
    pub fn at_once(mut self) -> Attack {
        self.poison = false;
        self
    }

    /// With no growth: what one batch costs is given back before the next.
    #[must_use]
    pub fn flat(mut self) -> Attack {
        self.flat = true;
        self
    }
}
