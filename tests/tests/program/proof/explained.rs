//! Explained cells: by the run's proof, its journal or the manifest.

use std::fs;

use glovebox_tests::sqlite;
use serde_json::{Value, json};

use super::{CELLS, FILE, KEY, ROWS, TABLE, explain, pipeline, run};

#[test]
fn a_cell_is_explained_by_the_journal_and_shown_only_when_asked_for() {
    let pipeline = pipeline(TABLE, "sigstore");
    let ran = run(&pipeline, &[]).ends_with(0);
    // One chunk, of which a row was filtered: the pipeline has to say which.
    let stored = explain(&pipeline, "0", &[]);
    assert_eq!(
        stored["fate"],
        json!({ "is": "stored", "known-by": "pipeline" })
    );
    assert_eq!(stored["run"], ran.report["run"]);
    assert_eq!(stored["column"]["source"], "name");
    assert_eq!(
        stored["column"]["steps"][0]["key"],
        json!({ "name": "salt", "version": 2 })
    );
    let steps = stored["steps"].as_array().unwrap();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["complete", "alias"]);
    assert_eq!(stored.get("cells"), None);

    let filtered = explain(&pipeline, "2", &[]);
    assert_eq!(
        filtered["fate"],
        json!({ "is": "filtered", "known-by": "pipeline", "step": "wanted" })
    );
    for (row, step, rule) in [("3", "source", "type"), ("4", "complete", "required")] {
        let rejected = explain(&pipeline, row, &[]);
        assert_eq!(rejected["fate"]["is"], "rejected");
        assert_eq!(rejected["fate"]["known-by"], "journal");
        let violation = &rejected["fate"]["violations"][0];
        assert_eq!(
            (&violation["step"], &violation["rule"]),
            (&json!(step), &json!(rule))
        );
    }
    assert_eq!(explain(&pipeline, "5", &[])["fate"]["is"], "absent");

    let mask = sqlite::query(
        &pipeline.path("out.db"),
        "SELECT who FROM things WHERE id = 1",
    );
    let shown = explain(&pipeline, "0", &["--show-cells"]);
    assert_eq!(
        shown["cells"],
        json!({ "source": CELLS[0], "result": mask[0][0] })
    );
    let _ = pipeline
        .call(&[
            "explain",
            "manifest.yaml",
            "--row",
            "0",
            "--column",
            "nowhere",
        ])
        .ends_with(2)
        .says("no step leaves a column of that name");
}

#[test]
fn what_the_journal_does_not_know_is_decided_anew_and_said() {
    let pipeline = pipeline(TABLE, "dsse");
    let _ = run(&pipeline, &[]).ends_with(0);
    // A run over the rejects has chunks of the rows that it was for, and of no others.
    let again = ["--rejects-of", "rejects.jsonl", "--input", "in.csv"];
    pipeline.write("in.csv", ROWS.replace("canary-no-number", "4"));
    let _ = pipeline.run_with(&again).ends_with(0);
    let explained = explain(&pipeline, "0", &[]);
    assert_eq!(explained["fate"]["known-by"], "pipeline", "{explained}");
    // The steps are the manifest's, whatever the run had.
    let manifest = pipeline
        .read("manifest.yaml")
        .replace("starts-with: in", "starts-with: i");
    pipeline.write("manifest.yaml", manifest);
    let ran = pipeline.call(&["explain", "manifest.yaml", "--row", "0", "--column", "who"]);
    let _ = ran.ends_with(0).says("as the manifest has it now");
}

#[test]
fn a_proof_says_what_its_run_had() {
    for sink in [TABLE, FILE] {
        let pipeline = pipeline(sink, "sigstore");
        let ran = run(&pipeline, &[]).ends_with(0);
        let later = pipeline.read("manifest.yaml").replace("salt@2", "salt@3");
        pipeline.write("manifest.yaml", later);
        pipeline.write("keys/salt@3", "another-salt-of-more-than-16-bytes");
        let _ = pipeline.run_with(&["--again"]).ends_with(0);
        let version = |explained: &Value| explained["column"]["steps"][0]["key"]["version"].clone();
        assert_eq!(version(&explain(&pipeline, "0", &[])), 3);

        let with = ["--proof", "proof.json", KEY[0], KEY[1]];
        let explained = explain(&pipeline, "0", &with);
        assert_eq!(
            (version(&explained), &explained["run"]),
            (json!(2), &ran.report["run"])
        );
        assert_eq!(explained["lineage"], "proof");
        let call = [
            "explain",
            "manifest.yaml",
            "--row",
            "0",
            "--column",
            "who",
            "--proof",
            "proof.json",
        ];
        let _ = pipeline
            .call(&call)
            .ends_with(0)
            .says("signature is not verified");
        let other = pipeline.call(&[&call[..], &[KEY[0], "other.pem"]].concat());
        let _ = other.ends_with(1).says("signed by key");
        let _ = pipeline
            .call(&[&call[..], &["--run", "another"]].concat())
            .ends_with(2)
            .says("of another run than `--run` names");
        let manifest = pipeline
            .read("manifest.yaml")
            .replace("name: things", "name: others");
        pipeline.write("manifest.yaml", manifest);
        let _ = pipeline
            .call(&call)
            .ends_with(2)
            .says("of another pipeline");
    }
}

#[test]
fn a_source_is_not_read_where_only_the_journal_is_asked() {
    let pipeline = pipeline(TABLE, "sigstore");
    let _ = run(&pipeline, &[]).ends_with(0);
    fs::remove_file(pipeline.path("in.csv")).unwrap();
    let fate = |row| explain(&pipeline, row, &["--journal-only"])["fate"].clone();
    assert_eq!(
        fate("0"),
        json!({ "is": "undecided", "known-by": "journal" })
    );
    assert_eq!(fate("3")["is"], "rejected");
    let _ = pipeline
        .call(&["explain", "manifest.yaml", "--row", "0", "--column", "whom"])
        .ends_with(2)
        .says("did you mean `who`?");
}

#[test]
fn the_cell_shown_is_that_of_the_column_before_a_query_moved_it() {
    let pipeline = pipeline(FILE, "sigstore");
    let manifest = pipeline.read("manifest.yaml").replace(
        "steps:\n",
        "steps:\n  - { name: turned, sql: 'SELECT mail, kind, who, id FROM rows' }\n",
    );
    pipeline.write("manifest.yaml", manifest);
    let shown = explain(&pipeline, "0", &["--show-cells"]);
    assert_eq!(shown["cells"]["source"], CELLS[0], "{shown}");
}

#[test]
fn where_nothing_was_filtered_the_journal_alone_decides() {
    let pipeline = pipeline(TABLE, "sigstore");
    pipeline.write("in.csv", ROWS.replace("canary-out,out", "canary-out,in"));
    let _ = run(&pipeline, &[]).ends_with(0);
    // Without the source there is nobody else to ask.
    fs::remove_file(pipeline.path("in.csv")).unwrap();
    let stored = explain(&pipeline, "2", &[]);
    assert_eq!(
        stored["fate"],
        json!({ "is": "stored", "known-by": "journal" })
    );
    assert_eq!(explain(&pipeline, "5", &[])["fate"]["is"], "absent");
}
