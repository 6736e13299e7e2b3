//! Masks that can be undone: keys and their versions, values given back, and what is written of that.

use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;
use serde_json::{Value, json};

const CANARY: &str = "canary-7c1d";

const MANIFEST: &str = "name: people
source: { csv: { path: in.csv } }
columns:
  email: { type: text, personal: true }
  note: { type: text, personal: true }
  phone: { type: text, personal: true }
  number: { type: int64, personal: true }
  partner: { type: text, personal: true }
  hashed: { type: text, personal: true }
credentials: [{ files: keys }]
steps:
  - { name: siv, mask: encrypt, masks: [email], with: { method: aes-siv }, keys: { encrypt: [app/key@1] } }
  - { name: fernet, mask: encrypt, masks: [note], with: { method: fernet }, keys: { encrypt: [app/key@1] } }
  - { name: form, mask: format-preserving, masks: [phone, number], keys: { encrypt: [app/key@1] } }
  - { name: seal, mask: encrypt, masks: [partner], with: { method: seal }, keys: { encrypt: public } }
  - { name: hash, mask: pseudonym, masks: [hashed], with: { method: hmac-sha256 }, keys: { pseudonym: app/key@1 } }
sink: { sqlite: { path: out.db, table: people, mode: append } }
rejects: { path: rejects.jsonl }
";

const COLUMNS: [(&str, &str); 5] = [
    ("email", "canary-7c1d@example.org"),
    ("note", "said canary-7c1d, too"),
    ("phone", "030-123 45 67"),
    ("number", "-123456"),
    ("partner", "canary-7c1d & co"),
];

/// A pipeline with its keys made, run once.
fn masked() -> Pipeline {
    let row: Vec<_> = COLUMNS
        .iter()
        .map(|(_, cell)| format!("\"{cell}\""))
        .collect();
    let input = format!(
        "email,note,phone,number,partner,hashed\n{},x\n",
        row.join(",")
    );
    let pipeline = Pipeline::new(MANIFEST).file("in.csv", input);
    let _ = key(&pipeline, &["new", "app/key"]).ends_with(0);
    let made = key(&pipeline, &["new", "app/partner", "--pair"]).ends_with(0);
    let public = made.stdout.lines().last().unwrap();
    let public = public.strip_prefix("public key: ").unwrap();
    pipeline.write("keys/public", public);
    let _ = pipeline.run().ends_with(0);
    pipeline
}

fn key(pipeline: &Pipeline, call: &[&str]) -> Ran {
    pipeline.call(&[&["key", "--files", "keys"], call].concat())
}

fn stored(pipeline: &Pipeline, column: &str) -> Vec<String> {
    let sql = format!("SELECT CAST({column} AS TEXT) FROM people ORDER BY rowid");
    let rows = sqlite::query(&pipeline.path("out.db"), &sql);
    rows.into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect()
}

fn reveal(pipeline: &Pipeline, column: &str, values: &str, more: &[&str]) -> Ran {
    let call = [
        "reveal",
        "manifest.yaml",
        column,
        "--reason",
        "ticket 17",
        "--audit",
        "audit",
    ];
    pipeline.call_with_input(&[&call, more].concat(), values.as_bytes())
}

fn records(pipeline: &Pipeline) -> Vec<Value> {
    let log = pipeline.read("audit/audit-0000000001.jsonl");
    let records = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let revealed = records.filter(|r: &Value| r["event.action"] == "revealed");
    revealed.collect()
}

#[test]
fn what_was_encrypted_is_given_back_and_recorded_without_a_cell() {
    let pipeline = masked();
    for (column, cell) in COLUMNS {
        let values = stored(&pipeline, column).join("\n");
        assert!(!values.contains(CANARY), "{column}");
        let private: &[&str] = match column {
            "partner" => &["--private-key", "app/partner@1"],
            _ => &[],
        };
        let ran = reveal(&pipeline, column, &values, private).ends_with(0);
        assert_eq!(ran.stdout, format!("{cell}\n"), "{column}");
    }
    let records = records(&pipeline);
    let columns: Vec<_> = records
        .iter()
        .map(|r| r["labels.columns"][0].as_str())
        .collect();
    assert_eq!(columns, COLUMNS.map(|(column, _)| Some(column)));
    for record in &records {
        assert_eq!(record["labels.because"], "ticket 17");
        assert_eq!(record["labels.rows"], 1);
        assert_eq!(record["labels.pipeline"], "people");
        assert!(record["user.id"].as_str().unwrap().starts_with("uid:"));
        assert!(!record.to_string().contains(CANARY));
    }
    assert_eq!(records[0]["labels.key"], "app/key@1");
    pipeline
        .call(&["audit", "verify", "audit"])
        .ends_with(0)
        .prints("audit: intact");
}

#[test]
fn what_does_not_open_is_refused_by_its_line_and_nothing_of_it_is_shown() {
    let pipeline = masked();
    let value = stored(&pipeline, "email").remove(0);
    let altered = value.replacen("v1.", "v2.", 1);
    let ran = reveal(
        &pipeline,
        "email",
        &format!("{altered}\n{value}\n{CANARY}"),
        &[],
    );
    let ran = ran
        .ends_with(3)
        .says("line 1: the value does not open")
        .says("line 3:");
    assert_eq!(ran.stdout, format!("\n{}\n\n", COLUMNS[0].1));
    assert!(!ran.stderr.contains(CANARY) && !ran.stderr.contains(&value));
    // Another column is another domain.
    let _ = reveal(&pipeline, "note", &value, &[]).ends_with(3);
    let _ = reveal(&pipeline, "partner", &stored(&pipeline, "partner")[0], &[])
        .ends_with(2)
        .says("--private-key");
    let _ = reveal(
        &pipeline,
        "email",
        &value,
        &["--private-key", "app/partner@1"],
    )
    .ends_with(2)
    .says("were not sealed");
    let _ = reveal(&pipeline, "email", &value, &["--key-version", "2"])
        .ends_with(1)
        .says("has no such version");
    let wrong = ["--private-key", "app/key@1"];
    let _ = reveal(
        &pipeline,
        "partner",
        &stored(&pipeline, "partner")[0],
        &wrong,
    )
    .ends_with(3);
    let _ = reveal(&pipeline, "hashed", "x", &[])
        .ends_with(2)
        .says("step `hash` masks `hashed` by hmac-sha256, which nothing undoes");
    let _ = reveal(&pipeline, "other", "x", &[])
        .ends_with(2)
        .says("no step masks");
}

#[test]
fn nothing_is_given_back_that_cannot_be_recorded() {
    let pipeline = masked();
    pipeline.write("audit", "this is no folder");
    let value = stored(&pipeline, "email").join("\n");
    let ran = reveal(&pipeline, "email", &value, &[]).ends_with(1);
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_rotated_key_masks_by_its_newest_version_and_opens_all_that_are_listed() {
    let pipeline = masked();
    let rotated = key(&pipeline, &["rotate", "app/key"]).ends_with(0);
    let _ = rotated.prints("[app/key@2, app/key@1]");
    pipeline.write(
        "manifest.yaml",
        MANIFEST.replace("[app/key@1]", "[app/key@1, app/key@2]"),
    );
    let again = pipeline.run_with(&["--again"]).ends_with(0);
    assert_eq!(again.report["steps"][2]["keys"][0], "app/key@2");
    let parts = sqlite::query(
        &pipeline.path("out.db"),
        "SELECT parts FROM glovebox_run ORDER BY rowid DESC LIMIT 1",
    );
    assert!(parts[0][0].as_ref().unwrap().contains("app/key@2"));
    let email = stored(&pipeline, "email");
    assert!(
        email[0].starts_with("v1.") && email[1].starts_with("v2."),
        "{email:?}"
    );
    for column in ["email", "note"] {
        let ran = reveal(
            &pipeline,
            column,
            &stored(&pipeline, column).join("\n"),
            &[],
        );
        let cell = COLUMNS.iter().find(|(name, _)| *name == column).unwrap().1;
        assert_eq!(ran.ends_with(0).stdout, format!("{cell}\n{cell}\n"));
    }
    // An ff1 value does not say which version has made it.
    let phone = stored(&pipeline, "phone");
    let _ = reveal(&pipeline, "phone", &phone[1], &[]).says("--key-version");
    let ran = reveal(&pipeline, "phone", &phone[1], &["--key-version", "2"]).ends_with(0);
    assert_eq!(ran.stdout.trim_end(), COLUMNS[2].1);

    let _ = key(&pipeline, &["retire", "app/key@2", "--yes"])
        .ends_with(1)
        .says("is the newest version");
    let _ = key(&pipeline, &["retire", "app/key@1"])
        .ends_with(1)
        .says("--yes");
    let _ = key(&pipeline, &["retire", "app/key@1", "--yes"]).ends_with(0);
    assert_eq!(
        key(&pipeline, &["list"]).ends_with(0).stdout,
        "app/key@2\napp/partner@1\n"
    );
    pipeline.write("manifest.yaml", MANIFEST.replace("app/key@1", "app/key@2"));
    let ran = reveal(&pipeline, "email", &email.join("\n"), &[]).ends_with(3);
    assert_eq!(ran.stdout, format!("\n{}\n", COLUMNS[0].1));
}

#[test]
fn keys_are_made_once_and_never_shown() {
    let pipeline = Pipeline::empty();
    let made = key(&pipeline, &["new", "k"]).ends_with(0);
    let secret = pipeline.read("keys/k@1");
    assert_eq!(secret.len(), 44);
    assert!(!made.stdout.contains(&secret));
    let _ = key(&pipeline, &["new", "k"])
        .ends_with(1)
        .says("`k` already exists");
    assert_eq!(pipeline.read("keys/k@1"), secret);
    let _ = key(&pipeline, &["rotate", "other"])
        .ends_with(1)
        .says("glovebox key new other");
    let _ = key(&pipeline, &["new", "k@7"])
        .ends_with(1)
        .says("without a version");
    let typed = key(&pipeline, &["new", "not a name: canary-7c1d"]).ends_with(1);
    assert!(!typed.stderr.contains(CANARY));
}

/// Two tables, two pipelines, one key: they still join where they share a domain.
#[test]
fn tables_of_one_domain_still_join() {
    let manifest = |name: &str, column: &str, domain: &str| {
        format!(
            "name: {name}\nsource: {{ csv: {{ path: {name}.csv }} }}\n\
             columns: {{ {column}: {{ type: int64, personal: true }} }}\n\
             credentials: [{{ files: keys }}]\n\
             steps: [{{ mask: format-preserving, masks: [{column}], domain: {domain}, keys: {{ encrypt: k@1 }} }}]\n\
             sink: {{ sqlite: {{ path: out.db, table: {name} }} }}\n\
             rejects: {{ path: {name}.rejects.jsonl }}\n"
        )
    };
    let ids: String = (1_000_000..1_000_100).map(|id| format!("{id}\n")).collect();
    let pipeline = Pipeline::empty()
        .file("customers.yaml", manifest("customers", "id", "customer"))
        .file("orders.yaml", manifest("orders", "customer", "customer"))
        .file("visits.yaml", manifest("visits", "visitor", "visitor"))
        .file("customers.csv", format!("id\n{ids}"))
        .file("orders.csv", format!("customer\n{ids}"))
        .file("visits.csv", format!("visitor\n{ids}"));
    let _ = key(&pipeline, &["new", "k"]).ends_with(0);
    for name in ["customers", "orders", "visits"] {
        let _ = pipeline
            .call(&["run", &format!("{name}.yaml")])
            .ends_with(0);
    }
    let count = |sql: &str| {
        sqlite::query(&pipeline.path("out.db"), sql)[0][0]
            .clone()
            .unwrap()
    };
    let joined = "SELECT CAST(count(*) AS TEXT) FROM customers JOIN orders ON id = customer";
    assert_eq!(count(joined), "100");
    let apart = "SELECT CAST(count(*) AS TEXT) FROM customers JOIN visits ON id = visitor";
    assert!(count(apart).parse::<u32>().unwrap() < 5);
    let raw = "SELECT CAST(count(*) AS TEXT) FROM customers WHERE id BETWEEN 1000000 AND 1000099";
    assert!(count(raw).parse::<u32>().unwrap() < 5);
}

fn costs(kind: &str, step: &str, secret: &str) -> Ran {
    let manifest = format!(
        "name: costs\nsource: {{ csv: {{ path: in.csv }} }}\n\
         columns: {{ cell: {{ type: text, personal: true, kind: {kind} }} }}\n\
         credentials: [{{ files: keys }}]\n\
         steps: [{{ masks: [cell], {step} }}]\n\
         sink: {{ csv: {{ path: out.csv }} }}\n"
    );
    Pipeline::new(&manifest)
        .file("in.csv", "cell\n")
        .file("keys/k", secret)
        .call(&["check", "manifest.yaml", "--explain"])
}

const GOOD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

#[test]
fn check_says_what_undoing_a_mask_costs() {
    let pbkdf2 = "mask: pseudonym, with: { method: pbkdf2-sha256, iterations: 600000 }, keys: { pseudonym: k }";
    let hmac = "mask: pseudonym, with: { method: hmac-sha256 }, keys: { pseudonym: k }";
    for (kind, step, secret, told) in [
        (
            "us-ssn",
            pbkdf2,
            GOOD,
            "whoever has the key, by trying: all 888,931,098 values in 16.7 h on one RTX 4090",
        ),
        (
            "us-ssn",
            hmac,
            GOOD,
            "whoever has the key, by trying: all 888,931,098 values in less than a second",
        ),
        (
            "phone",
            hmac,
            "short but none",
            "whoever has or finds the key, which is SHORT, by trying: all 6,400,000,000 values",
        ),
        (
            "card",
            "mask: format-preserving, keys: { encrypt: k }",
            GOOD,
            "ff1   whoever has the key; at once",
        ),
        (
            "ipv4",
            "mask: redact",
            GOOD,
            "nobody: nothing of the cell is left",
        ),
    ] {
        let ran = costs(kind, step, secret).ends_with(0);
        assert!(ran.stdout.contains(told), "{}", ran.stdout);
    }
}

#[test]
fn masks_that_fall_at_once_are_refused_where_they_stand() {
    let hmac = "mask: pseudonym, with: { method: hmac-sha256 }, keys: { pseudonym: k }";
    for secret in ["salt", "Secret123", "change-me!", "pepper"] {
        let ran = costs("us-ssn", hmac, secret).ends_with(2);
        assert!(!ran.stderr.contains(secret), "{}", ran.stderr);
        let _ = ran
            .says("the mask of `cell` can be reversed by brute force: attackers know its key")
            .says("trying all 888,931,098 possible values (us-ssn) takes less than a second on 8 graphics cards")
            .says("no number of iterations protects a known key");
    }
    for step in [
        "mask: format-preserving, keys: { encrypt: k }",
        "mask: fake, with: { kind: card }, keys: { fake: k }",
        "mask: encrypt, with: { method: aes-siv }, keys: { encrypt: k }",
    ] {
        // 32 bytes of one kind are a key, and none.
        let ran = costs("us-ssn", step, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        let _ = ran.ends_with(2).says("attackers know its key");
    }
    // Dear enough, or not known: said, and not refused.
    let dear = "mask: pseudonym, with: { method: pbkdf2-sha256, iterations: 10000000 }, keys: { pseudonym: k }";
    let _ = costs("phone", dear, "salt").ends_with(2);
    let _ = costs("phone", hmac, "s4lt of ours").ends_with(0);
    let small = "mask: format-preserving, keys: { encrypt: k }";
    let _ = costs("postcode", small, GOOD).ends_with(2).says(
        "`cell` has 100,000 possible values (postcode), too few for ff1, which needs 1,000,000",
    );
}

/// A mask that may be the same for different cells goes neither under a unique index nor into the keys of
/// an upsert; one that keeps cells distinct does.
#[test]
fn masks_that_may_be_the_same_are_refused_where_cells_have_to_be_unique() {
    let server = Postgres::shared();
    let database = server.database("unique");
    let postgres = format!("postgres: {{ {}, table: people", server.place(&database));
    for (place, sink) in [
        ("sqlite", "sqlite: { path: out.db, table: people".to_owned()),
        ("postgres", postgres),
    ] {
        let manifest = |step: &str, mode: &str| {
            format!(
                "name: unique\nsource: {{ csv: {{ path: in.csv }} }}\n\
                 columns: {{ id: {{ type: int64 }}, name: {{ type: text, personal: true }} }}\n\
                 credentials: [{{ files: keys }}]\n\
                 steps: [{{ masks: [name], {step} }}]\n\
                 sink: {{ {sink}, {mode} }} }}\n\
                 rejects: {{ path: rejects.jsonl }}\n"
            )
        };
        let pipeline = Pipeline::empty()
            .file("in.csv", "id,name\n1,ann-one\n2,bob-two\n")
            .file("keys/k", GOOD)
            .file("keys/password", server.password());
        let sql = "CREATE TABLE people (id bigint, name text); CREATE UNIQUE INDEX by_name ON people (name)";
        match place {
            "sqlite" => {
                pipeline.write("out.db", "");
                sqlite::execute(&pipeline.path("out.db"), sql);
            }
            _ => drop(server.query(&database, sql)),
        }
        let fake = "mask: fake, with: { kind: first-name }, keys: { fake: k }";
        let sivs = "mask: encrypt, with: { method: aes-siv }, keys: { encrypt: k }";
        pipeline.write("manifest.yaml", manifest(fake, "mode: append"));
        for call in [
            &["check", "manifest.yaml", "--connect"][..],
            &["run", "manifest.yaml"],
        ] {
            let _ = pipeline
                .call(call)
                .ends_with(1)
                .says("column `name` is masked so that different cells may become the same")
                .says("by_name would refuse the second");
        }
        pipeline.write(
            "manifest.yaml",
            manifest(fake, "mode: upsert, keys: [name]"),
        );
        let _ = pipeline
            .call(&["check", "manifest.yaml", "--connect"])
            .ends_with(1)
            .says("key `name` is masked so that different cells may become the same");
        let fernet = "mask: encrypt, with: { method: fernet }, keys: { encrypt: k }";
        let keyed = "mode: upsert, keys: [name]";
        pipeline.write("manifest.yaml", manifest(fernet, keyed));
        let _ = pipeline
            .call(&["run", "manifest.yaml"])
            .ends_with(1)
            .says("equal cells become different at each run");
        let tokens = "mask: tokenize, keys: { tokenize: k }, tokens: { officers: \
                      [\"x25519:q1oJpHIQo_HVJhNL6OVpTqV-s7RWardD1tMKfgGdWdk=\", \
                      \"x25519:mDlLLmwiv0XLflYB8fTtIJmZ7OE81z2GjvVT9tfzdrk=\"] }";
        for step in [tokens, sivs] {
            pipeline.write(
                "manifest.yaml",
                manifest(step, "mode: upsert, keys: [name]"),
            );
            let _ = pipeline
                .call(&["check", "manifest.yaml", "--connect"])
                .ends_with(0);
        }
        let ran = pipeline.run_with(&[]).ends_with(0);
        assert_eq!(ran.rows("stored"), 2, "{place}");
    }
}

/// New masks of all keys would be new rows, so each row would be there twice.
#[test]
fn an_upsert_by_masks_of_another_key_is_refused() {
    let server = Postgres::shared();
    let database = server.database("rotated");
    for sink in [
        "sqlite: { path: out.db, table: people, mode: upsert, keys: [email] }".to_owned(),
        format!(
            "postgres: {{ {}, table: public.people, mode: upsert, keys: [email] }}",
            server.place(&database)
        ),
    ] {
        let manifest = |keys: &str| {
            format!(
                "name: people\nsource: {{ csv: {{ path: in.csv }} }}\n\
                 columns: {{ email: {{ type: text, personal: true }}, n: {{ type: int64 }} }}\n\
                 credentials: [{{ files: keys }}, env]\n\
                 steps: [{{ mask: encrypt, masks: [email], with: {{ method: aes-siv }}, keys: {{ encrypt: {keys} }} }}]\n\
                 sink: {{ {sink} }}\nrejects: {{ path: rejects.jsonl }}\n"
            )
        };
        let pipeline = Pipeline::new(&manifest("[app/key@1]"))
            .file("in.csv", "email,n\na,1\nb,2\n")
            .env("GLOVEBOX_SECRET_PASSWORD", server.password());
        let _ = key(&pipeline, &["new", "app/key"]).ends_with(0);
        let _ = key(&pipeline, &["rotate", "app/key"]).ends_with(0);
        let _ = pipeline.run().ends_with(0);
        pipeline.write("manifest.yaml", manifest("[app/key@2, app/key@1]"));
        let _ = pipeline
            .run()
            .ends_with(2)
            .says("masked `email`, by which mode upsert finds rows, with another key or method");
        assert_eq!(
            pipeline.run_with(&["--again"]).ends_with(0).rows("stored"),
            2
        );
        // A version that only reads changes no mask.
        pipeline.write("manifest.yaml", manifest("[app/key@2]"));
        let _ = pipeline.run().ends_with(0);
    }
}

const PROFILES: &str = r#"name: profiles
source: { jsonl: { path: in.jsonl } }
columns: { id: { type: int64 }, profile: { type: text, personal: true } }
credentials: [{ files: keys }]
steps:
  - name: mails
    mask: encrypt
    masks: [profile]
    inside: [$.customer.email, "$.others[*].mail"]
    domain: mail
    with: { method: aes-siv }
    keys: { encrypt: k }
  - { name: names, mask: redact, masks: [profile], inside: $.customer.name, with: { text: "[name]" } }
sink: { sqlite: { path: out.db, table: profiles } }
rejects: { path: rejects.jsonl }
"#;

/// The rest of a document is byte for byte as it was, and what cannot be masked is not stored.
#[test]
fn values_inside_of_json_are_masked_and_nothing_else_of_it() {
    let documents = [
        r#"{ "customer" : {"email":"ann@example.org", "name" : "Ann \"A\" \u00c5",  "age":4.50}, "x":[1 , 2], "others":[{"mail":"b@example.org"},{"no":1},{"mail":"ann@example.org"}] }"#,
        r#"{"customer":{"email":null}}"#,
        r#"{}"#,
        r#"{"customer":{"email":"canary-7c1d","email":1}}"#,
        r#"{"customer":{"email":{"canary-7c1d":1}}}"#,
        r#"canary-7c1d"#,
        "",
    ];
    let lines: String = documents
        .iter()
        .zip(1..)
        .map(|(profile, id)| format!("{}\n", serde_json::json!({ "id": id, "profile": profile })))
        .collect();
    let pipeline = Pipeline::new(PROFILES)
        .file("in.jsonl", lines)
        .file("keys/k", GOOD);
    let ran = pipeline.run().ends_with(0);
    assert_eq!(
        (ran.rows("read"), ran.rows("stored"), ran.rows("rejected")),
        (7, 4, 3)
    );
    let led = |step: usize| ran.report["steps"][step]["inside"].clone();
    let paths = json!([{ "path": "$.customer.email", "rows": 2 }, { "path": "$.others[*].mail", "rows": 1 }]);
    assert_eq!(led(0), paths);
    assert_eq!(led(1), json!([{ "path": "$.customer.name", "rows": 1 }]));
    assert!(ran.report.get("notes").is_none(), "{}", ran.report);
    let rejects = pipeline.read("rejects.jsonl");
    for line in rejects.lines() {
        assert!(
            line.contains("\"rule\":\"inside-json\"") && !line.contains(CANARY),
            "{line}"
        );
    }
    let sql = "SELECT profile FROM profiles ORDER BY id";
    let rows = sqlite::query(&pipeline.path("out.db"), sql);
    let stored: Vec<_> = rows.into_iter().map(|row| row[0].clone()).collect();
    let first = stored[0].clone().unwrap();
    let mail = |at: &str| {
        let document: Value = serde_json::from_str(&first).unwrap();
        document.pointer(at).unwrap().as_str().unwrap().to_owned()
    };
    let (ann, bob) = (mail("/customer/email"), mail("/others/0/mail"));
    assert_eq!(ann, mail("/others/2/mail"), "equal cells have equal masks");
    let expected = documents[0]
        .replace("ann@example.org", &ann)
        .replace("b@example.org", &bob)
        .replace(r#"Ann \"A\" \u00c5"#, "[name]");
    assert_eq!(first, expected);
    assert_eq!(stored[1].as_deref(), Some(documents[1]));
    assert_eq!(stored[2].as_deref(), Some("{}"));
    let ran = reveal(
        &pipeline,
        "profile",
        &format!("{ann}\n{bob}"),
        &["--step", "mails"],
    );
    assert_eq!(ran.ends_with(0).stdout, "ann@example.org\nb@example.org\n");
}

#[test]
fn a_path_that_leads_nowhere_is_said() {
    let manifest = PROFILES.replace("$.customer.name", "$.customer.nmae");
    let pipeline = Pipeline::new(&manifest)
        .file(
            "in.jsonl",
            "{\"id\":1,\"profile\":{\"customer\":{\"name\":\"ann\"}}}\n".repeat(3),
        )
        .file("keys/k", GOOD);
    let ran = pipeline.run().ends_with(0);
    let said =
        "step names: the path $.customer.nmae led to no value in any row, so it masked nothing";
    let notes = ran.report["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(
        notes
            .iter()
            .any(|note| note.as_str().unwrap().starts_with(said))
    );
    assert!(ran.stdout.contains(said), "{}", ran.stdout);
}

/// A value that cannot be masked is seen before the first of its row or of any other is.
#[test]
fn a_row_that_is_refused_leaves_the_masks_of_others_as_they_are() {
    let manifest = |input: &str| {
        format!(
            "name: {input}\nsource: {{ jsonl: {{ path: {input}.jsonl }} }}\n\
             columns: {{ profile: {{ type: text, personal: true }} }}\n\
             credentials: [{{ files: keys }}]\n\
             steps: [{{ mask: encrypt, masks: [profile], inside: \"$[*]\", with: {{ method: aes-siv }}, keys: {{ encrypt: k }} }}]\n\
             sink: {{ csv: {{ path: {input}.csv }} }}\nrejects: {{ path: {input}.rejects.jsonl }}\n"
        )
    };
    let line = |profile: &str| format!("{}\n", serde_json::json!({ "profile": profile }));
    let good = [r#"["ann","bob","cyd"]"#, r#"["ann"]"#].map(line);
    let bad: String = (1..30)
        .map(|n| line(&format!("[{}{{}}]", "\"x\",".repeat(n))))
        .collect();
    let pipeline = Pipeline::empty()
        .file("alone.yaml", manifest("alone"))
        .file("among.yaml", manifest("among"))
        .file("alone.jsonl", good.concat())
        .file("among.jsonl", format!("{}{bad}{}", good[0], good[1]))
        .file("keys/k", GOOD);
    for name in ["alone", "among"] {
        let _ = pipeline
            .call(&["run", &format!("{name}.yaml")])
            .ends_with(0);
    }
    assert_eq!(pipeline.read("alone.csv"), pipeline.read("among.csv"));
    assert_eq!(pipeline.read("among.rejects.jsonl").lines().count(), 29);
}

/// What one mask has made the same, the next one does not make different.
#[test]
fn masks_one_after_the_other_do_not_hide_that_cells_became_the_same() {
    for steps in [
        "{ name: a, mask: fake, masks: [name], with: { kind: first-name }, keys: { fake: k } }, { name: b, mask: encrypt, masks: [name], with: { method: aes-siv }, keys: { encrypt: k } }",
        "{ mask: redact, masks: [name], with: { text: x } }",
        "{ mask: fake, masks: [name], inside: $, with: { kind: first-name }, keys: { fake: k } }",
    ] {
        for personal in ["true", "false"] {
            let manifest = format!(
                "name: chain\nsource: {{ csv: {{ path: in.csv }} }}\n\
                 columns: {{ name: {{ type: text, personal: {personal} }} }}\n\
                 credentials: [{{ files: keys }}]\nsteps: [{steps}]\n\
                 sink: {{ sqlite: {{ path: out.db, table: people, mode: upsert, keys: [name] }} }}\n"
            );
            let _ = Pipeline::new(&manifest)
                .file("in.csv", "name\nann\n")
                .file("keys/k", GOOD)
                .call(&["check", "manifest.yaml", "--connect"])
                .ends_with(1)
                .says("key `name` is masked so that different cells may become the same");
        }
    }
}
