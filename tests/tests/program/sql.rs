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

#[test]
fn a_column_that_was_renamed_is_masked_no_weaker() {
    let columns = COLUMNS.replace(
        "email: { type: text, personal: true }",
        "email: { type: text, personal: true, kind: us-ssn }",
    );
    let steps = "credentials: [{ files: keys }]
steps:
  - { sql: 'SELECT id, trim(email) AS number FROM rows' }
  - { sql: 'SELECT id, number AS n FROM rows' }
  - { mask: pseudonym, masks: [n], with: { method: hmac-sha256 }, keys: { pseudonym: salt } }
";
    let told = Pipeline::new(&format!("{columns}{steps}{SINK}"))
        .file("in.csv", "id,email,price\n1,078-05-1120,2\n")
        .file("keys/salt", "changeme")
        .run()
        .ends_with(2)
        .stderr;
    assert!(
        told.contains("the mask of `n` can be reversed by brute force"),
        "{told}"
    );
}

#[test]
fn a_proof_and_an_explanation_know_a_column_under_its_other_name() {
    let steps = "  - { name: names, sql: 'SELECT id, lower(email) AS mail, email AS e FROM rows' }
  - { mask: redact, masks: [mail, e] }
";
    let pipeline = orders(steps);
    let told = pipeline
        .call(&[
            "explain",
            "manifest.yaml",
            "--row",
            "1",
            "--column",
            "e",
            "--json",
        ])
        .ends_with(0)
        .stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["column"]["source"], "email");
    assert_eq!(told["column"]["personal"], true);
    let told = pipeline
        .call(&[
            "explain",
            "manifest.yaml",
            "--row",
            "1",
            "--column",
            "mail",
            "--json",
        ])
        .ends_with(0)
        .stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["column"]["personal"], true);
    assert_eq!(told["column"]["steps"][0]["method"], "sql");
    assert_eq!(told["column"]["steps"][0]["made-of"][0], "email");
}

#[test]
fn what_an_upsert_finds_its_rows_by_is_followed_through_a_query() {
    let manifest = |mask: &str| {
        format!(
            "{COLUMNS}credentials: [{{ files: keys }}]
steps:
  - {{ masks: [email], {mask} }}
  - {{ sql: SELECT email AS mail FROM rows }}
sink: {{ sqlite: {{ path: out.db, table: people, mode: upsert, keys: [mail] }} }}
rejects: {{ path: rejects.jsonl }}
"
        )
    };
    let fake = "mask: fake, with: { kind: first-name }, keys: { fake: first@1 }";
    let siv = |key: &str| {
        format!("mask: encrypt, with: {{ method: aes-siv }}, keys: {{ encrypt: {key}@1 }}")
    };
    let pipeline = Pipeline::new(&manifest(fake)).file("in.csv", "id,email,price\n1,a,1\n2,b,2\n");
    for name in ["first", "second"] {
        let made = pipeline.call(&["key", "--files", "keys", "new", name]);
        let _ = made.ends_with(0);
    }
    let refused = pipeline
        .call(&["check", "manifest.yaml", "--connect"])
        .ends_with(1);
    let _ = refused.says("key `mail` is masked so that different cells may become the same");
    pipeline.write("manifest.yaml", manifest(&siv("first")));
    let _ = pipeline.run().ends_with(0);
    pipeline.write("manifest.yaml", manifest(&siv("second")));
    let refused = pipeline.run().ends_with(2);
    let _ =
        refused.says("masked `mail`, by which mode upsert finds rows, with another key or method");
}
