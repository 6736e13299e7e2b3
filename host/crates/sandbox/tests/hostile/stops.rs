//! Guests that do not come back: they loop, sleep, recurse, panic, exit.

use std::time::{Duration, Instant};

use glovebox_core::{FaultKind, PluginError};

use crate::room::{Room, clean};

const RAISE_TIME: &str =
    "raise the step's `limits: { time: … }` if the plugin is trusted to need it";
const REPORT: &str = "report this to the plugin's author";

#[track_caller]
fn is_late(name: &'static str) {
    let room = Room::of(name).hasty();
    room.is_stopped(
        FaultKind::Time,
        "exceeded its 300 ms in `apply`",
        RAISE_TIME,
    );
}

#[test]
fn a_loop_in_apply_is_stopped() {
    is_late("loops_in_apply");
}

#[test]
fn bulk_memory_operations_are_stopped() {
    let mut room = Room::of("fills_memory_over_and_over").hasty();
    room.limits.memory = 64 << 20;
    room.is_stopped(
        FaultKind::Time,
        "exceeded its 300 ms in `apply`",
        RAISE_TIME,
    );
}

#[test]
fn host_calls_without_end_are_stopped() {
    is_late("calls_host_without_end");
}

#[test]
fn sleep_is_stopped() {
    is_late("sleeps");
}

#[test]
fn a_loop_in_clean_up_is_stopped() {
    is_late("loops_in_clean_up");
}

#[test]
fn a_loop_in_the_allocator_is_stopped() {
    let mut instance = Room::of("loops_in_allocator").hasty().open().unwrap();
    let fault = instance.apply(&clean()).unwrap_err();
    assert_eq!(
        fault.in_full(),
        format!("plugin loops_in_allocator exceeded its 300 ms in `apply`; {RAISE_TIME}")
    );
}

#[test]
fn a_loop_before_the_first_row_is_stopped() {
    for (name, call) in [
        ("loops_in_open", "open"),
        ("loops_in_rules", "rules"),
        ("loops_in_fields", "fields"),
        ("loops_in_keeps", "keeps"),
    ] {
        let refused = Room::of(name).hasty().refused();
        assert_eq!(
            refused.in_full(),
            format!("plugin {name} exceeded its 300 ms in `{call}`; {RAISE_TIME}")
        );
    }
}

#[test]
fn a_loop_while_loading_is_stopped() {
    for name in ["loops_in_describe", "loops_in_start_up"] {
        let refused = Room::of(name).hasty().load().err().unwrap();
        assert_eq!(
            refused.in_full(),
            format!("plugin {name} exceeded its 300 ms in `describe`; {RAISE_TIME}")
        );
    }
}

#[test]
fn a_destructor_is_not_waited_for() {
    let mut instance = Room::of("loops_in_destructor").open().unwrap();
    instance.apply(&clean()).unwrap();
    let started = Instant::now();
    drop(instance);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn recursion_ends_at_the_guests_own_stack() {
    Room::of("recurses").is_stopped(
        FaultKind::Trap,
        "overflowed its stack in `apply`: it recurses too deeply",
        REPORT,
    );
    // Rust keeps large frames in the guest's memory.
    Room::of("recurses").act("frames").is_stopped(
        FaultKind::Trap,
        "trapped in `apply` (wasm trap: out of bounds memory access)",
        REPORT,
    );
}

#[test]
fn a_panic_keeps_its_message() {
    Room::of("panics").is_stopped(
        FaultKind::Trap,
        "panicked in `apply`",
        "try the rejected rows in the plugin's own tests",
    );
}

#[test]
fn a_panic_in_open_keeps_its_message() {
    let PluginError::Fault(fault) = Room::of("panics_in_open").act("secret").refused() else {
        panic!("not a fault");
    };
    assert_eq!(fault.kind, FaultKind::Trap);
    assert_eq!(fault.what, "panicked in `open`");
}

#[test]
fn exit_ends_the_guest_only() {
    Room::of("exits").is_stopped(
        FaultKind::Trap,
        "called exit in `apply`",
        "a plugin must return instead; report this to the plugin's author",
    );
}

#[test]
fn a_wild_read_ends_the_guest() {
    Room::of("reads_wild").is_stopped(
        FaultKind::Trap,
        "trapped in `apply` (wasm trap: out of bounds memory access)",
        REPORT,
    );
}

#[test]
fn the_host_may_not_be_called_while_it_calls() {
    let room = Room::of("calls_out_while_called_in");
    let fault = room.open().unwrap().apply(&clean()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Trap);
    assert_eq!(
        fault.what,
        "trapped in `apply` (wasm trap: cannot leave component instance)"
    );
}

#[test]
fn a_thousand_traps_in_a_row_leave_the_host_well() {
    let plugin = Room::of("panics").load().unwrap();
    let grants = Room::of("panics").grants;
    for _ in 0..1_000 {
        let mut instance = plugin.open("{}", &grants).unwrap();
        instance.apply(&crate::room::poisonous()).unwrap_err();
    }
    let mut instance = plugin.open("{}", &grants).unwrap();
    instance.apply(&clean()).unwrap();
}
