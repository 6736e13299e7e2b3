//! Maskers that hand a personal cell back, as it came or in a disguise: its row is rejected as a
//! leak, the others arrive. What they declare to keep counts only as far as the manifest grants it.

use glovebox_tests::pipeline::Pipeline;

use crate::act::{Act, ROWS, World, act, is_isolated_in, silent};

/// A pipeline whose masked column is personal, with these lines in its step.
fn personal(act: &Act, lines: &str) -> Pipeline {
    let pipeline = act.pipeline();
    let manifest = pipeline
        .read("manifest.yaml")
        .replace(
            "city:   { type: text }",
            "city:   { type: text, personal: true }",
        )
        .replace("    with: { act:", &format!("{lines}    with: {{ act:"));
    pipeline.write("manifest.yaml", manifest);
    pipeline
}

fn hands_back(variant: &'static str) -> Act {
    act("hands_cells_back", World::Masker, variant)
}

#[test]
fn a_cell_handed_back_is_a_leak_in_any_disguise() {
    for variant in ["as-it-came", "upper", "separators", "within"] {
        let act = hands_back(variant);
        let what = "left the cell of `city` whole in its mask";
        is_isolated_in(&act, &personal(&act, ""), "leak", what);
    }
}

#[test]
fn a_cell_that_is_pointed_past_is_a_leak() {
    for variant in ["nullified-rows", "keyed-rows", "keyed-spans"] {
        let pipeline = personal(&hands_back(variant), "");
        let ran = pipeline.run();
        silent(variant, &pipeline, &ran);
        let ran = ran.ends_with(0);
        assert_eq!((ran.rows("stored"), ran.rows("rejected")), (19, 1));
        let rejects = pipeline.read("rejects.jsonl");
        assert!(rejects.contains("\"rule\":\"leak\""), "{rejects}");
        assert!(rejects.contains("\"row\":7,"), "{rejects}");
        let stored = pipeline.read("out.csv");
        assert!(!stored.contains("town") && !stored.contains("poison"));
    }
}

#[test]
fn what_a_plugin_declares_to_keep_has_to_be_granted() {
    for (variant, grant) in [("cells", "cells"), ("characters", "6")] {
        let act = hands_back(variant);
        let pipeline = personal(&act, "");
        let ran = pipeline.run().ends_with(2);
        let line = format!("add to the step: keeps: {{ city: {grant} }}");
        assert!(ran.stderr.contains(&line), "{}", ran.stderr);
        assert!(!pipeline.names().contains(&"out.csv".to_owned()));

        // The line does what it promises.
        let pipeline = personal(&act, &format!("    keeps: {{ city: {grant} }}\n"));
        let ran = pipeline.run().ends_with(0);
        assert_eq!(ran.rows("stored"), ROWS as u64, "{variant}");
        assert!(pipeline.read("out.csv").contains("r7,poison\n"));

        // Less than it declares is what counts.
        for less in ["nothing", "5"] {
            let pipeline = personal(&act, &format!("    keeps: {{ city: {less} }}\n"));
            is_isolated_in(&act, &pipeline, "leak", "left the cell of `city`");
        }
    }
}

#[test]
fn a_grant_alone_keeps_nothing() {
    let act = hands_back("as-it-came");
    let pipeline = personal(&act, "    keeps: { city: cells }\n");
    is_isolated_in(&act, &pipeline, "leak", "left the cell of `city`");
}

#[test]
fn the_guard_looks_at_personal_columns_at_all_or_at_none_as_the_manifest_says() {
    let act = hands_back("as-it-came");
    let stored = |pipeline: &Pipeline| pipeline.run().ends_with(0).rows("stored");
    let all = ROWS as u64;
    // A column that is not personal is not looked at, unless all are.
    let plain = act.pipeline();
    assert_eq!(stored(&plain), all);
    let manifest = plain.read("manifest.yaml");
    plain.write("manifest.yaml", format!("{manifest}leak-guard: all\n"));
    assert_eq!(stored(&plain), all - 1);

    let off = personal(&act, "    leak-guard: off\n");
    let ran = off.run().ends_with(0);
    assert_eq!(ran.rows("stored"), all);
    assert_eq!(ran.report["steps"][1]["unguarded"][0], "city");
    assert!(ran.stdout.contains("the leak guard was off for: city"));
    let checked = off.call(&["check", "manifest.yaml"]).ends_with(0);
    assert!(checked.stdout.contains("NOT GUARDED"), "{}", checked.stdout);

    // A step's word counts for more than the manifest's.
    let on = personal(&act, "    leak-guard: personal\n");
    let manifest = on.read("manifest.yaml");
    on.write("manifest.yaml", format!("{manifest}leak-guard: off\n"));
    assert_eq!(stored(&on), all - 1);
}

#[test]
fn a_masker_that_does_nothing_ends_with_every_row_rejected() {
    let act = hands_back("as-it-came");
    let pipeline = personal(&act, "");
    let poison: String = (0..ROWS).map(|_| "poison,secret\n").collect();
    pipeline.write("in.csv", format!("city,secret\n{poison}"));
    let ran = pipeline.run().ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (0, ROWS as u64));
    assert!(ran.is_balanced());
    assert_eq!(pipeline.read("out.csv"), "earlier,id,city\n");

    let manifest = pipeline.read("manifest.yaml").replace(
        "rejects: { path: rejects.jsonl }",
        "rejects: { path: rejects.jsonl, at-most: 50% }",
    );
    pipeline.write("manifest.yaml", manifest);
    let _ = pipeline.run().ends_with(3);
}
