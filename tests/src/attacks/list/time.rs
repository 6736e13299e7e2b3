//! Guests that do not come back, or not in one piece.

use glovebox_core::FaultKind::{Time, Trap};

use crate::attacks::Due::{Harmless, Stopped};
use crate::attacks::Phase::{Apply, Load, Open};
use crate::attacks::{Attack, attack, raw};

pub(super) fn time() -> Vec<Attack> {
    let late = Stopped(Time, Apply);
    vec![
        attack("loops_in_start_up", "", Stopped(Time, Load)),
        attack("loops_in_describe", "", Stopped(Time, Load)),
        attack("loops_in_open", "", Stopped(Time, Open)),
        attack("loops_in_rules", "", Stopped(Time, Open)),
        attack("loops_in_fields", "", Stopped(Time, Open)),
        attack("loops_in_keeps", "", Stopped(Time, Open)),
        attack("loops_in_apply", "", late),
        // Ten seconds show whether the clock that stops guests runs true.
        attack("loops_in_apply", "ten-seconds", late).seconds(10),
        attack("loops_in_allocator", "", late).at_once(),
        attack("loops_in_clean_up", "", late),
        attack("loops_in_destructor", "", Harmless),
        attack("sleeps", "", late),
        attack("waits_for_ever", "", late),
        attack("waits_for_ever", "many", late),
        attack("calls_host_without_end", "", late),
        attack("calls_host_a_million_times", "", Harmless).seconds(10),
        attack("shouts_without_end", "output", late),
        attack("shouts_without_end", "error", late),
        attack("shouts_without_end", "log", late),
        attack("fills_memory_over_and_over", "", late),
        raw("fills_all_its_memory", "fill", late),
        raw("fills_all_its_memory", "copy", late),
        raw("fills_tables_over_and_over", "", late),
        raw("grows_memory_and_goes_on", "page", late),
        raw("grows_memory_and_goes_on", "gigabytes", late),
    ]
}

pub(super) fn stack() -> Vec<Attack> {
    let trap = Stopped(Trap, Apply);
    let mut list = vec![
        attack("recurses", "", trap),
        attack("recurses", "frames", trap),
        attack("recurses_through_host", "destructor", trap),
        attack("recurses_through_host", "allocator", trap),
        raw("runs_out_of_stack_at_once", "", trap),
        attack("calls_out_while_called_in", "", trap).at_once(),
        attack("panics", "", trap),
        attack("panics", "ten-thousand-times", trap)
            .batches(10_000)
            .flat(),
        attack("panics_in_open", "", Stopped(Trap, Open)),
        attack("exits", "", trap),
        attack("reads_wild", "", trap),
    ];
    for act in [
        "zero",
        "overflow",
        "conversion",
        "null-call",
        "wild-call",
        "wild-table",
        "wild-write",
        "wild-fill",
        "unreachable",
    ] {
        list.push(raw("divides_by_nothing", act, trap));
    }
    list
}
