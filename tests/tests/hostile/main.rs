//! Hostile plugins in a pipeline of the real program: the poison row is rejected under the guest's
//! own fault, the others arrive as if it had not been there, and no cell is in anything said.
//!
//! Every row has a cell `canary` that the guest sees and the sink does not get.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod act;
mod files;
mod leaks;
mod spelling;
mod table;

use act::{
    Act, CANARY, ROWS, World, act, hasty, is_isolated, is_isolated_in, is_keyed_alone,
    neighbours_are_untouched, sentence, silent,
};

#[test]
fn a_guest_that_does_nothing_changes_nothing() {
    for (guest, world) in [
        ("is_honest", World::Validator),
        ("shouts", World::Validator),
        ("looks_around", World::Validator),
        ("tries_rarer_doors", World::Validator),
        ("loops_in_destructor", World::Validator),
        ("keeps_memory", World::Validator),
        ("leaks_with_every_batch", World::Validator),
        ("changes_its_rules", World::Validator),
        ("calls_host_a_million_times", World::Validator),
    ] {
        let act = act(guest, world, "");
        let pipeline = act.pipeline();
        let ran = pipeline.run().ends_with(0);
        silent(guest, &pipeline, &ran);
        let left = pipeline.read("out.csv");
        assert_eq!(left, act.arrived(0..ROWS), "{guest}");
        neighbours_are_untouched(&act, &left, None);
    }
}

#[test]
fn a_masker_can_copy_what_it_was_granted_and_nothing_else() {
    // What remains: whoever grants a masker both columns lets it write one into the other.
    let act = act("copies_another_column", World::Masker, "");
    let pipeline = act.pipeline();
    let ran = pipeline.run().ends_with(0);
    for said in [&ran.stdout, &ran.stderr, &ran.report.to_string()] {
        assert!(!said.contains(CANARY), "{said}");
    }
    let left = pipeline.read("out.csv");
    assert_eq!(left.matches(CANARY).count(), ROWS, "{left}");
    neighbours_are_untouched(&act, &left, None);

    let manifest = pipeline.read("manifest.yaml");
    let blind = manifest.replace("    reads: [secret]\n", "");
    assert_ne!(blind, manifest);
    pipeline.write("manifest.yaml", blind);
    let ran = pipeline.run().ends_with(0);
    silent("blind", &pipeline, &ran);
    neighbours_are_untouched(&act, &pipeline.read("out.csv"), None);
}

#[test]
fn cells_do_not_travel_in_what_is_said_of_a_batch() {
    for variant in ["rule", "rows"] {
        let act = act("carries_cells_in_findings", World::Validator, variant);
        is_isolated(&act, "plugin-breach");
    }
    for variant in ["panic", "exit", "address", "depth", "error-text"] {
        let act = act("carries_cells_in_faults", World::Validator, variant);
        is_isolated(&act, "plugin-trap");
    }
}

#[test]
fn guests_that_do_not_come_back_cost_the_poison_row_only() {
    for guest in [
        "loops_in_apply",
        "loops_in_clean_up",
        "fills_memory_over_and_over",
        "calls_host_without_end",
        "shouts_without_end",
        "sleeps",
        "waits_for_ever",
    ] {
        is_isolated(&hasty(guest), "plugin-time");
    }
}

#[test]
fn guests_that_break_off_cost_the_poison_row_only() {
    for (guest, variant) in [
        ("panics", ""),
        ("recurses", ""),
        ("recurses", "frames"),
        ("recurses_through_host", "destructor"),
        ("recurses_through_host", "allocator"),
        ("exits", ""),
        ("reads_wild", ""),
    ] {
        let act = act(guest, World::Validator, variant);
        is_isolated(&act, "plugin-trap");
    }
}

#[test]
fn guests_that_want_too_much_cost_the_poison_row_only() {
    let grows = act("grows_memory", World::Validator, "");
    is_isolated(&grows, "plugin-memory");
    for (guest, world, variant) in [
        ("hoards_own_handles", World::Validator, ""),
        ("asks_for_zeroes", World::Validator, "zeroes"),
        ("asks_for_zeroes", World::Validator, "random"),
        ("aliases_one_buffer", World::Validator, ""),
        ("returns_many_small", World::Validator, ""),
        ("points_outside_its_memory", World::Validator, "outside"),
    ] {
        let act = act(guest, world, variant);
        is_isolated(&act, "plugin-breach");
    }
    for variant in ["", "empty"] {
        let flood = Act {
            limits: "time: 10s, memory: 256MiB, returned: 256MiB, findings: 1000",
            ..act("floods_findings", World::Validator, variant)
        };
        is_isolated(&flood, "plugin-breach");
    }
    let huge = Act {
        limits: "time: 10s, memory: 256MiB, returned: 4MiB",
        ..act("returns_too_much", World::Masker, "")
    };
    is_isolated(&huge, "plugin-breach");
}

#[test]
fn guests_that_lie_cost_the_poison_row_only() {
    let (validator, masker, transformer) = (World::Validator, World::Masker, World::Transformer);
    for (guest, world, variant) in [
        ("finds_out_of_range", validator, "rule"),
        ("finds_out_of_range", validator, "row"),
        ("finds_out_of_range", validator, "twice"),
        ("returns_bad_offsets", masker, "negative"),
        ("returns_bad_utf8", masker, "whole"),
        ("masks_ungranted", masker, "more"),
        ("returns_wrong_count", transformer, "few"),
        ("returns_wrong_count", transformer, "many"),
        ("returns_bad_bitmap", transformer, "keep"),
        ("returns_another_type", transformer, ""),
        ("returns_unannounced_nulls", transformer, ""),
        ("returns_other_columns", transformer, "few"),
    ] {
        is_isolated(&act(guest, world, variant), "plugin-breach");
    }
}

#[test]
fn a_personal_column_does_not_get_past_a_masker_that_leaves_it() {
    let act = act("leaves_cells_as_they_are", World::Masker, "");
    let pipeline = act.pipeline();
    let manifest = pipeline.read("manifest.yaml");
    let personal = manifest.replace(
        "city:   { type: text }",
        "city:   { type: text, personal: true }",
    );
    assert_ne!(personal, manifest);
    pipeline.write("manifest.yaml", personal);
    let what = sentence("", "plugin-breach");
    is_isolated_in(&act, &pipeline, "plugin-breach", &what);
}

#[test]
fn a_masker_cannot_say_a_cell_as_the_name_of_a_key() {
    for variant in ["another", "cell", "long"] {
        let pipeline = act("names_another_key", World::Masker, variant).pipeline();
        is_keyed_alone(&pipeline, variant);
    }
}

#[test]
fn a_masker_cannot_order_work_without_end() {
    for variant in ["hours", "nothing", "alphabet", "long"] {
        let pipeline = act("orders_endless_work", World::Masker, variant).pipeline();
        is_keyed_alone(&pipeline, variant);
    }
}

#[test]
fn a_masker_cannot_have_made_up_what_it_had_not_ordered() {
    for variant in [
        "list",
        "text",
        "pieces",
        "digits",
        "entity",
        "other-list",
        "token",
    ] {
        let pipeline = act("makes_values_up", World::Masker, variant).pipeline();
        is_keyed_alone(&pipeline, variant);
    }
}

/// Nobody could have the cells back.
#[test]
fn a_masker_cannot_order_tokens_of_a_step_without_officers() {
    let pipeline = act("makes_values_up", World::Masker, "token-at-once").pipeline();
    let ran = pipeline.run().ends_with(2).says("tokens need two officers");
    silent("token-at-once", &pipeline, &ran);
    assert!(!pipeline.names().contains(&"out.csv".to_owned()));
}

#[test]
fn a_guest_that_cannot_be_opened_stops_the_run_before_the_first_row() {
    let (validator, masker, transformer) = (World::Validator, World::Masker, World::Transformer);
    let hasty = |guest, world| Act {
        world,
        ..hasty(guest)
    };
    for (act, what) in [
        (
            hasty("loops_in_describe", masker),
            "exceeded its 200 ms in `describe`",
        ),
        (
            hasty("loops_in_start_up", validator),
            "exceeded its 200 ms in `describe`",
        ),
        (
            hasty("loops_in_open", validator),
            "exceeded its 200 ms in `open`",
        ),
        (
            hasty("loops_in_rules", validator),
            "exceeded its 200 ms in `rules`",
        ),
        (
            hasty("loops_in_fields", transformer),
            "exceeded its 200 ms in `fields`",
        ),
        (
            hasty("loops_in_keeps", masker),
            "exceeded its 200 ms in `keeps`",
        ),
        (
            hasty("starts_too_large", validator),
            "exceeded its 64 MiB of memory",
        ),
        (act("panics_in_open", validator, ""), "panicked in `open`"),
        (
            act("announces_ungranted", transformer, "more"),
            "not in the step's `adds:`",
        ),
        (
            act("announces_other_fields", masker, "renamed"),
            "not the granted ones",
        ),
        (
            act("announces_bad_keeps", masker, "few"),
            "did not declare exactly once what it keeps",
        ),
        (
            act("announces_bad_rules", validator, "column"),
            "was not granted",
        ),
        (
            act("imports_secrets", validator, ""),
            "imports `acme:vault/secrets`",
        ),
        (
            act("speaks_another_version", validator, ""),
            "rebuild it with glovebox-sdk",
        ),
        (
            act("is_no_plugin", validator, ""),
            "exports none of the worlds",
        ),
        (
            act("is_two_worlds", validator, ""),
            "exports more than one world",
        ),
        (
            act("is_half_a_world", validator, ""),
            "does not match contract",
        ),
        (act("is_honest", masker, ""), "validator"),
    ] {
        let pipeline = act.pipeline();
        let ran = pipeline.run();
        silent(&act.title(), &pipeline, &ran);
        assert_eq!(ran.code, Some(2), "{}: {}", act.title(), ran.stderr);
        assert!(ran.stderr.contains(what), "{}: {}", act.title(), ran.stderr);
        assert!(ran.stderr.contains("guest.wasm"), "{}", ran.stderr);
        assert!(!pipeline.names().contains(&"out.csv".to_owned()));
    }
}

#[test]
fn extremes_that_the_contract_allows_break_nothing() {
    for data_type in [
        "boolean",
        "int64",
        "float64",
        "\"decimal(38,4)\"",
        "text",
        "bytes",
        "date",
        "timestamp",
    ] {
        for sink in [
            "csv: { path: out.csv }",
            "jsonl: { path: out.jsonl }",
            "sqlite: { path: out.db, table: t, mode: replace }",
        ] {
            let pipeline = act("returns_extremes", World::Transformer, "").pipeline();
            let manifest = pipeline
                .read("manifest.yaml")
                .replace("type: int64", &format!("type: {data_type}"))
                .replace(
                    "csv: { path: out.csv }, columns: [earlier, id, city]",
                    &format!("{sink}, columns: [id, new]"),
                );
            pipeline.write("manifest.yaml", manifest);
            let ran = pipeline.run();
            assert!(
                !ran.stderr.contains("internal error"),
                "{data_type} {sink}: {}",
                ran.stderr
            );
            let ran = ran.ends_with(0);
            assert!(ran.is_balanced(), "{data_type} {sink}");
        }
    }
}
