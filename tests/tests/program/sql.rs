//! Queries as steps: what they leave, what of them is personal, where their errors are shown, and what no
//! message of theirs holds.

use glovebox_tests::pipeline::Pipeline;

const COLUMNS: &str = "name: orders
source: { csv: { path: in.csv } }
columns:
  id: { type: int64 }
  email: { type: text, personal: true }
  price: { type: text }
";
const SINK: &str = "sink: { csv: { path: out.csv } }
rejects: { path: rejects.jsonl }
";

fn orders(steps: &str) -> Pipeline {
    let rows = "id,email,price\n1,canary-7c1d@example.org,2\n2,b@example.org,canary-7c1d\n3,c@example.org,4\n";
    Pipeline::new(&format!("{COLUMNS}steps:\n{steps}{SINK}")).file("in.csv", rows)
}

#[test]
fn what_is_made_of_a_personal_column_does_not_leave_unmasked() {
    let told = orders(
        "  - { name: lower, sql: 'SELECT id, lower(email) AS mail FROM rows' }\n  \
         - { name: length, sql: 'SELECT id, length(mail) AS n FROM rows' }\n",
    )
    .call(&["check", "manifest.yaml"])
    .ends_with(2)
    .stderr;
    assert!(
        told.contains("`n` is personal and reaches the sink unmasked"),
        "{told}"
    );
    assert!(told.contains("`n` ← `mail` ← `email`"), "{told}");

    let pipeline = orders(
        "  - { name: lower, sql: 'SELECT id, lower(email) AS mail FROM rows' }\n  \
         - { mask: redact, masks: [mail] }\n",
    );
    let _ = pipeline.run().ends_with(0);
    let out = pipeline.read("out.csv");
    assert!(out.starts_with("id,mail\n1,[redacted]\n"), "{out}");
}

#[test]
fn a_plugin_that_reads_what_a_query_made_of_a_personal_column_says_what_it_adds() {
    let told = orders(
        "  - { sql: 'SELECT id, lower(email) AS mail FROM rows' }\n  \
         - { transform: row-id, reads: [mail], adds: { k: { type: text } }, with: { prefix: a } }\n  \
         - { mask: redact, masks: [mail] }\n",
    )
    .call(&["check", "manifest.yaml"])
    .ends_with(2)
    .stderr;
    assert!(
        told.contains("`k` may contain personal data: its step reads `mail`"),
        "{told}"
    );
}

#[test]
fn a_mistake_is_shown_where_it_was_written() {
    let told =
        orders("  - name: totals\n    sql: |\n      SELECT id,\n        prize\n      FROM rows\n")
            .call(&["check", "manifest.yaml"])
            .ends_with(2)
            .stderr;
    let shown = "11 |         prize\n   |         ^^^^^\n";
    assert!(told.contains("there is no column `prize` here"), "{told}");
    assert!(told.contains(shown), "{told}");
    assert!(told.contains("did you mean `price`?"), "{told}");
}

#[test]
fn a_query_has_no_use_for_what_grants_say() {
    let told = orders("  - { sql: SELECT id FROM rows, reads: [id], with: { a: b } }\n")
        .call(&["check", "manifest.yaml"])
        .ends_with(2)
        .stderr;
    assert!(told.contains("a query has no use for `reads`"), "{told}");
    assert!(told.contains("a query has no use for `with`"), "{told}");
}

#[test]
fn a_gate_or_a_sink_that_names_what_a_query_left_out_is_told_so() {
    let step = "  - { sql: SELECT id FROM rows }\n";
    let sink = "sink: { csv: { path: out.csv }, columns: [id, price] }\nrejects: { path: rejects.jsonl }\n";
    let told = Pipeline::new(&format!("{COLUMNS}steps:\n{step}{sink}"))
        .file("in.csv", "id,email,price\n")
        .call(&["check", "manifest.yaml"])
        .ends_with(2)
        .stderr;
    assert!(told.contains("no step leaves a column `price`"), "{told}");

    let gate = "release: { k: 2, quasi-identifiers: { price: { prefix: [1] } } }\n";
    let told = Pipeline::new(&format!("{COLUMNS}steps:\n{step}{gate}{SINK}"))
        .file("in.csv", "id,email,price\n")
        .call(&["check", "manifest.yaml"])
        .ends_with(2)
        .stderr;
    assert!(
        told.contains("no column `price` reaches the sink"),
        "{told}"
    );
}

#[test]
fn no_cell_is_in_what_is_said_of_a_row_that_fails() {
    let pipeline = orders(
        "  - { name: numbers, sql: 'SELECT id, CAST(price AS BIGINT) AS price FROM rows' }\n",
    );
    let ran = pipeline.run().ends_with(0);
    assert_eq!(pipeline.read("out.csv"), "id,price\n1,2\n3,4\n");
    let rejects = pipeline.read("rejects.jsonl");
    assert!(rejects.contains("\"rule\":\"sql-error\""), "{rejects}");
    for told in [&ran.stdout, &ran.stderr, &rejects] {
        assert!(!told.contains("canary-7c1d"), "{told}");
    }
}

#[test]
fn rows_that_fail_are_rejected_however_many_they_are() {
    let rows: String = (0..20_000).map(|i| format!("{i},e,{}\n", i % 2)).collect();
    let pipeline = orders(
        "  - { name: halves, sql: 'SELECT id, 10 / CAST(price AS BIGINT) AS h FROM rows' }\n",
    )
    .file("in.csv", format!("id,email,price\n{rows}"));
    let ran = pipeline.run().ends_with(0);
    let counts = "20000 read = 10000 stored + 0 filtered + 10000 rejected";
    assert!(ran.stdout.contains(counts), "{}", ran.stdout);
}
