//! Guests that want more memory than they may have, theirs or the host's.

use glovebox_core::FaultKind::{Breach, Memory, Trap};

use crate::attacks::Due::{Harmless, Stopped};
use crate::attacks::Phase::{Apply, Load, Open};
use crate::attacks::{Attack, attack, raw};

pub(super) fn memory() -> Vec<Attack> {
    let (breach, memory) = (Stopped(Breach, Apply), Stopped(Memory, Apply));
    vec![
        attack("grows_memory", "", memory),
        attack("starts_too_large", "", Stopped(Memory, Load)).memory(64),
        raw("starts_with_much", "memory", Stopped(Memory, Load)),
        raw("starts_with_much", "table", Stopped(Memory, Load)),
        raw("starts_with_much", "tables", Stopped(Breach, Load)),
        raw("grows_tables", "", memory),
        attack("keeps_memory", "", Harmless)
            .batches(1_000)
            .at_once(),
        attack("leaks_with_every_batch", "memory", Harmless)
            .batches(12_000)
            .at_once(),
        // The ten-thousandth batch meets the limit, and the next a fresh instance.
        attack("leaks_with_every_batch", "own-handle", breach)
            .batches(12_000)
            .at_once()
            .flat(),
        attack("leaks_with_every_batch", "pollable", memory)
            .batches(12_000)
            .at_once()
            .flat(),
        attack("leaks_with_every_batch", "stream", breach)
            .batches(12_000)
            .at_once()
            .flat(),
        attack("hoards_own_handles", "", breach).seconds(10),
        attack("hoards_pollables", "", memory).seconds(10),
        attack("asks_for_zeroes", "zeroes", breach),
        attack("asks_for_zeroes", "random", breach),
        attack("asks_for_zeroes", "input", Harmless),
        attack("returns_too_much", "", breach).memory(256),
        attack("returns_many_small", "", breach).seconds(10),
        attack("aliases_one_buffer", "", breach),
        attack("aliases_one_string", "", Stopped(Breach, Open)),
        attack("floods_findings", "", breach)
            .memory(256)
            .returned(256)
            .seconds(10),
        attack("floods_findings", "empty", breach)
            .memory(256)
            .returned(256)
            .seconds(10),
        attack("refuses_with_too_much", "", crate::attacks::Due::Declined),
        attack("lends_wild_memory", "", breach).at_once(),
        attack("lends_crooked_memory", "", breach).at_once(),
        attack("points_outside_its_memory", "outside", breach),
        attack("points_outside_its_memory", "across-the-end", breach),
        attack("points_outside_its_memory", "crooked", breach),
        // With a gigabyte granted, one instruction that nothing interrupts is a longer one.
        raw(
            "fills_all_its_memory",
            "gigabyte",
            Stopped(glovebox_core::FaultKind::Time, Apply),
        )
        .memory(1_024),
        raw(
            "fills_all_its_memory",
            "gigabyte-copy",
            Stopped(glovebox_core::FaultKind::Time, Apply),
        )
        .memory(1_024),
        attack("recurses", "frames", Stopped(Trap, Apply)).memory(256),
    ]
}
