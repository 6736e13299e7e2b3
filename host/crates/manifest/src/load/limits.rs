//! `limits:`, the manifest's as a default and each step's on top of it.

use std::time::Duration;

use glovebox_core::Limits;

use crate::declare::section;
use crate::kinds::{Size, Time, Whole};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// All that a 32-bit memory can address.
const MAX_MEMORY: u64 = 4 << 30;
const MIN_TIME: Duration = Duration::from_millis(1);

section! {
    /// Limits of a plugin.
    pub(crate) struct LimitKeys("Limits"): "the limits", "limits: { memory: 64MiB, time: 1s }" {
        /// Linear memory of an instance of the plugin.
        memory: Option<usize> => open "64MiB", Size(MIB..=MAX_MEMORY);
        /// Wall time of one call.
        time: Option<Duration> => open "1s", Time(MIN_TIME..=Duration::from_secs(3_600));
        /// How much one call may return.
        returned: Option<usize> => open "32MiB", Size(KIB..=MAX_MEMORY);
        /// Rows that the findings of one call may name, in total.
        findings: Option<usize> => open "1048576", Whole(1..=67_108_864usize);
        /// Elements of an instance's tables.
        table_elements: Option<usize> => open "100000", Whole(1..=10_000_000usize);
        /// Core instances of a component; the same limit applies to its memories and to its tables.
        instances: Option<usize> => open "64", Whole(1..=10_000usize);
        /// Time that failed calls may cost a run, summed over all workers, before the run fails.
        lost_time: Option<Duration> => open "60s", Time(MIN_TIME..=Duration::from_secs(86_400));
    }
    hints {
        "timeout" => "write `time:`",
        "cpu" => "write `time:`, the wall time of one call",
        "fuel" => "this version bounds calls by `time:`",
        "stack" => "delete it: the stack is the same for all plugins",
    }
}

impl LimitKeys {
    /// These, and for what they leave open what holds without them.
    pub(crate) fn over(&self, base: &Limits) -> Limits {
        Limits {
            memory: self.memory.unwrap_or(base.memory),
            time: self.time.unwrap_or(base.time),
            returned: self.returned.unwrap_or(base.returned),
            findings: self.findings.unwrap_or(base.findings),
            table_elements: self.table_elements.unwrap_or(base.table_elements),
            instances: self.instances.unwrap_or(base.instances),
            lost_time: self.lost_time.unwrap_or(base.lost_time),
        }
    }
}
