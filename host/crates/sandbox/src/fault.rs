//! Translates wasmtime's errors into faults in the host's own words.

use std::time::Duration;

use glovebox_core::{Fault, FaultKind, Limits};
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::state::{HANDLES, Refused, State};

/// What a plugin was doing when it failed, for messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct During<'a> {
    pub(crate) plugin: &'a str,
    /// `starting`, `open`, `apply` and so on.
    pub(crate) call: &'static str,
    pub(crate) limits: &'a Limits,
}

impl During<'_> {
    /// A breach of the contract: `what` it returned, in the host's words.
    pub(crate) fn breach(&self, what: impl std::fmt::Display) -> Fault {
        self.fault(
            FaultKind::Breach,
            format!("broke the contract in `{}`: {what}", self.call),
            "its answer was discarded; report this to the plugin's author".into(),
        )
    }

    /// What came of a call that did not return.
    pub(crate) fn stopped(&self, error: &wasmtime::Error, state: &State) -> Fault {
        let call = self.call;
        if let (Some(refused), false) = (state.meter.refused, is_interrupt(error)) {
            return self.refused(refused);
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => self.late(),
            Some(Trap::StackOverflow) => self.fault(
                FaultKind::Trap,
                format!("overflowed its stack in `{call}`: it recurses too deeply"),
                "report this to the plugin's author".into(),
            ),
            Some(Trap::UnreachableCodeReached) => self.fault(
                FaultKind::Trap,
                format!("panicked in `{call}`"),
                "try the rejected rows in the plugin's own tests".into(),
            ),
            // `Trap` has one fixed text a variant; none is the guest's.
            Some(trap) => self.fault(
                FaultKind::Trap,
                format!("trapped in `{call}` ({trap})"),
                "report this to the plugin's author".into(),
            ),
            None if error.downcast_ref::<I32Exit>().is_some() => self.fault(
                FaultKind::Trap,
                format!("called exit in `{call}`"),
                "a plugin must return instead; report this to the plugin's author".into(),
            ),
            None if error.downcast_ref::<ResourceTableError>().is_some() => self.fault(
                FaultKind::Memory,
                format!("held more than {HANDLES} WASI handles in `{call}`"),
                "report this to the plugin's author".into(),
            ),
            // wasmtime has no public type for this refusal, nor for the next ones.
            None if !state.started => self.fault(
                FaultKind::Breach,
                format!(
                    "could not be started for `{call}`: it has more core instances, memories or tables than its {}, or its start-up code calls the host wrongly",
                    self.limits.instances
                ),
                "raise the step's `limits: { instances: … }` if the plugin is trusted to need it"
                    .into(),
            ),
            None => self.fault(
                FaultKind::Breach,
                format!(
                    "did something in `{call}` that the host does not allow: it returned data \
                    outside its memory, invalid UTF-8 or more than its {}, held more than \
                    {HANDLES} handles, or requested too much from WASI",
                    bytes(self.limits.returned)
                ),
                "report this to the plugin's author, or raise the step's `limits: { returned: … }`"
                    .into(),
            ),
        }
    }

    fn refused(&self, refused: Refused) -> Fault {
        let (what, limit) = match refused {
            Refused::Memory => (format!("{} of memory", bytes(self.limits.memory)), "memory"),
            Refused::TableElements => (
                format!("{} table elements", self.limits.table_elements),
                "table-elements",
            ),
        };
        self.fault(
            FaultKind::Memory,
            format!("exceeded its {what} in `{}`", self.call),
            format!(
                "raise the step's `limits: {{ {limit}: … }}` if the plugin is trusted to need it"
            ),
        )
    }

    /// It ran past its time limit.
    pub(crate) fn late(&self) -> Fault {
        self.fault(
            FaultKind::Time,
            format!(
                "exceeded its {} in `{}`",
                seconds(self.limits.time),
                self.call
            ),
            "raise the step's `limits: { time: … }` if the plugin is trusted to need it".into(),
        )
    }

    fn fault(&self, kind: FaultKind, what: String, remedy: String) -> Fault {
        Fault {
            plugin: self.plugin.to_owned(),
            kind,
            what,
            remedy,
        }
    }
}

fn is_interrupt(error: &wasmtime::Error) -> bool {
    matches!(error.downcast_ref::<Trap>(), Some(Trap::Interrupt))
}

fn bytes(n: usize) -> String {
    if n >= 1 << 20 && n.is_multiple_of(1 << 20) {
        format!("{} MiB", n >> 20)
    } else if n >= 1 << 10 && n.is_multiple_of(1 << 10) {
        format!("{} KiB", n >> 10)
    } else {
        format!("{n} bytes")
    }
}

fn seconds(d: Duration) -> String {
    if d.subsec_nanos() == 0 {
        format!("{} s", d.as_secs())
    } else {
        format!("{} ms", d.as_millis())
    }
}
