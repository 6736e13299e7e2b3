//! Guests that want more memory than they may have, theirs or the host's.

use glovebox_core::FaultKind;

use crate::room::{Room, clean};

const REPORT_OR_RAISE: &str =
    "report this to the plugin's author, or raise the step's `limits: { returned: … }`";
const NOT_ALLOWED: &str = "did something in `apply` that the host does not allow: it returned data outside its memory, invalid UTF-8 or more than its 4 MiB, held more than 10000 handles, or requested too much from WASI";

#[track_caller]
fn is_not_allowed(room: &Room) {
    room.is_stopped(FaultKind::Breach, NOT_ALLOWED, REPORT_OR_RAISE);
}

#[test]
fn growth_ends_at_the_limit() {
    Room::of("grows_memory").is_stopped(
        FaultKind::Memory,
        "exceeded its 16 MiB of memory in `apply`",
        "raise the step's `limits: { memory: … }` if the plugin is trusted to need it",
    );
}

#[test]
fn a_memory_that_starts_too_large_is_refused() {
    let refused = Room::of("starts_too_large").load().err().unwrap();
    assert_eq!(
        refused.in_full(),
        "plugin starts_too_large exceeded its 16 MiB of memory in `describe`; raise the step's `limits: { memory: … }` if the plugin is trusted to need it"
    );
}

#[test]
fn a_guest_that_keeps_what_it_should_free_is_replaced_in_time() {
    let mut instance = Room::of("keeps_memory").open().unwrap();
    for _ in 0..100 {
        instance.apply(&clean()).unwrap();
    }
}

#[test]
fn handles_of_its_own_end_at_the_limit() {
    is_not_allowed(&Room::of("hoards_own_handles"));
}

#[test]
fn handles_of_wasi_end_at_the_limit() {
    let fault = Room::of("hoards_pollables").fault();
    assert!(matches!(fault.kind, FaultKind::Memory | FaultKind::Breach));
}

#[test]
fn wasi_allocates_nothing_at_a_guests_word() {
    for act in ["zeroes", "random"] {
        is_not_allowed(&Room::of("asks_for_zeroes").act(act));
    }
    // Standard input is at its end: there is nothing to allocate.
    let mut instance = Room::of("asks_for_zeroes").act("input").open().unwrap();
    instance.apply(&crate::room::poisonous()).unwrap();
}

#[test]
fn a_huge_answer_is_not_read() {
    let mut room = Room::of("returns_too_much");
    room.limits.memory = 256 << 20;
    is_not_allowed(&room);
}

#[test]
fn one_buffer_given_many_times_counts_many_times() {
    let mut room = Room::of("aliases_one_buffer");
    room.limits.findings = usize::MAX;
    is_not_allowed(&room);
}

#[test]
fn an_answer_outside_of_its_memory_is_not_read() {
    for act in ["outside", "across-the-end", "crooked"] {
        is_not_allowed(&Room::of("points_outside_its_memory").act(act));
    }
}

#[test]
fn room_outside_of_its_memory_is_not_written() {
    for name in ["lends_wild_memory", "lends_crooked_memory"] {
        let fault = Room::of(name).open().unwrap().apply(&clean()).unwrap_err();
        assert_eq!((fault.kind, &*fault.what), (FaultKind::Breach, NOT_ALLOWED));
    }
}

#[test]
fn tables_have_a_limit() {
    // Any guest has a table of its functions, which is larger.
    let mut room = Room::of("is_honest");
    room.limits.table_elements = 2;
    assert_eq!(
        room.load().err().unwrap().in_full(),
        "plugin is_honest exceeded its 2 table elements in `describe`; raise the step's `limits: { table-elements: … }` if the plugin is trusted to need it"
    );
}

#[test]
fn instances_have_a_limit() {
    // Any guest that calls WASI is several core modules: itself and shims.
    let mut room = Room::of("shouts");
    room.limits.instances = 1;
    assert_eq!(
        room.load().err().unwrap().in_full(),
        "plugin shouts could not be started for `describe`: it has more core instances, memories or tables than its 1, or its start-up code calls the host wrongly; raise the step's `limits: { instances: … }` if the plugin is trusted to need it"
    );
}
