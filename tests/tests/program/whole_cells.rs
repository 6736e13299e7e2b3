//! What a standard masker may leave whole of a personal column needs a word, before a row is read.

use glovebox_tests::pipeline::Pipeline;

const ROWS: &str = "age,born,zip,code\n37,1990-05-17,10115,ab\n30,1990-01-01,101,x\n";

fn pipeline(declared: &str, step: &str) -> Pipeline {
    let manifest = format!(
        "name: people\nsource: {{ csv: {{ path: in.csv }} }}\ncolumns:\n  {declared}\nsteps:\n  - {step}\n\
         sink: {{ jsonl: {{ path: out.jsonl }} }}\n"
    );
    Pipeline::new(&manifest).file("in.csv", ROWS)
}

const AGE: &str = "age: { type: int64, personal: true }";
const BORN: &str = "born: { type: date, personal: true }";
const ZIP: &str = "zip: { type: text, personal: true }";

#[test]
fn a_masker_that_may_keep_whole_cells_of_a_personal_column_needs_a_word() {
    for (declared, step, line) in [
        (
            AGE,
            "{ mask: generalize, masks: [age], with: { bucket: 2 }",
            "keeps: { age: cells }",
        ),
        (
            AGE,
            "{ mask: generalize, masks: [age], with: { bucket: 10 }",
            "keeps: { age: cells }",
        ),
        (
            BORN,
            "{ mask: generalize, masks: [born], with: { to: month }",
            "keeps: { born: cells }",
        ),
        (
            ZIP,
            "{ mask: generalize, masks: [zip], with: { prefix: 64 }",
            "keeps: { zip: 64 }",
        ),
        (
            ZIP,
            "{ mask: generalize, masks: [zip], with: { prefix: 4 }",
            "keeps: { zip: 4 }",
        ),
    ] {
        let refused = pipeline(declared, &format!("{step} }}"));
        for command in ["check", "run"] {
            let ran = refused.call(&[command, "manifest.yaml"]).ends_with(2);
            let _ = ran.says(&format!("add to the step: {line}"));
        }
        assert!(!refused.names().contains(&"out.jsonl".to_owned()));
        let _ = pipeline(declared, &format!("{step}, {line} }}"))
            .run()
            .ends_with(0);
    }
}

#[test]
fn no_word_is_needed_for_short_cells_or_for_what_may_leave_anyway() {
    for (declared, step) in [
        (
            ZIP,
            "{ mask: generalize, masks: [zip], with: { prefix: 3 } }",
        ),
        (
            "age: { type: int64 }",
            "{ mask: generalize, masks: [age], with: { bucket: 10 } }",
        ),
        (
            "age: { type: int64, personal: true, release: { reason: r, owner: o, until: 2099-01-01 } }",
            "{ mask: generalize, masks: [age], with: { bucket: 10 } }",
        ),
        (
            ZIP,
            "{ mask: partial, masks: [zip], with: { keep-first: 2, keep-last: 9 } }",
        ),
    ] {
        let _ = pipeline(declared, step).run().ends_with(0);
    }
    let kept = pipeline(
        ZIP,
        "{ mask: partial, masks: [zip], with: { keep-first: 2, keep-last: 9 } }",
    );
    let _ = kept.run().ends_with(0);
    assert_eq!(
        kept.read("out.jsonl"),
        "{\"zip\":\"XXXXX\"}\n{\"zip\":\"XXX\"}\n"
    );
}

#[test]
fn a_bucket_that_masks_nothing_is_refused() {
    for step in [
        "{ mask: generalize, masks: [age], with: { bucket: 1 }, keeps: { age: cells } }",
        "{ mask: generalize, masks: [age], with: { bucket: 0.5 }, keeps: { age: cells } }",
    ] {
        let _ = pipeline(AGE, step)
            .call(&["check", "manifest.yaml"])
            .ends_with(2)
            .says("bucket");
    }
}
