//! Pipelines whose secrets are in Vault: the password of a database and the key of a mask.

use glovebox_tests::outside::{Answer, Outside};
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use glovebox_tests::vault::{ROLE_ID, SAID, Vault, errors};

use super::canaries::search::Left;

const KEY: &str = "canary-mask-key-of-32-bytes-8a51";
const OLD_KEY: &str = "canary-mask-key-that-is-old-77aa";
const SECRET_ID: &str = "canary-secret-id-40be";

/// A pipeline into PostgreSQL whose secrets come from these stores.
fn pipeline(stores: &str, database: &str) -> Pipeline {
    let server = Postgres::shared();
    let manifest = format!(
        "name: things
source: {{ csv: {{ path: in.csv }} }}
columns:
  id:   {{ type: int64 }}
  name: {{ type: text, personal: true }}
credentials:
{stores}
steps:
  - mask: pseudonym
    masks: [name]
    with: {{ method: hmac-sha256 }}
    keys: {{ pseudonym: sales/key }}
sink:
  postgres:
    host: {}
    port: {}
    database: {database}
    user: {}
    password: {{ secret: db/loader }}
    tls: {{ ca: {} }}
    table: things
    mode: replace
rejects: {{ path: rejects.jsonl }}
",
        server.host(),
        server.port(),
        server.user(),
        server.ca_path().display()
    );
    Pipeline::new(&manifest).file("in.csv", "id,name\n1,ann\n2,bob\n")
}

/// Vault with all secrets below `glovebox`, and how a manifest names it.
fn vault() -> (Vault, String) {
    let vault = Vault::start();
    vault.write("glovebox/sales/key", KEY);
    vault.write("glovebox/db/loader", Postgres::shared().password());
    vault.prove("auth/approle/login", SECRET_ID);
    let entry = format!(
        "  - vault:
      address: {}
      prefix: glovebox
      tls: {{ ca: vault-ca.pem }}
      auth: {{ app-role: {{ role-id: {ROLE_ID}, secret-id: {{ secret: vault/secret-id }} }} }}
  - env",
        vault.url()
    );
    (vault, entry)
}

fn with_vault(vault: &Vault, entry: &str, database: &str) -> Pipeline {
    pipeline(entry, database)
        .file("vault-ca.pem", &vault.outside.ca)
        .env("GLOVEBOX_SECRET_VAULT_SECRET_ID", SECRET_ID)
        // Older ones, in a store that is asked later.
        .env("GLOVEBOX_SECRET_SALES_KEY", OLD_KEY)
        .env("GLOVEBOX_SECRET_DB_LOADER", "not the password any more")
}

fn masks(database: &str) -> Vec<String> {
    let rows = Postgres::shared().query(database, "SELECT name FROM things ORDER BY id");
    rows.into_iter()
        .map(|row| row[0].clone().unwrap())
        .collect()
}

#[test]
fn the_password_and_the_mask_key_come_from_vault() {
    let database = Postgres::shared().database("vaulted");
    let (vault, entry) = vault();
    let from_vault = with_vault(&vault, &entry, &database);
    let ran = from_vault.run().ends_with(0);
    assert_eq!(ran.rows("stored"), 2);
    let masked = masks(&database);
    assert_eq!(
        (
            vault.logins(),
            vault.times("secret/data/glovebox/sales/key")
        ),
        (1, 1)
    );

    let by_hand = pipeline("  - env", &database)
        .env("GLOVEBOX_SECRET_SALES_KEY", KEY)
        .env("GLOVEBOX_SECRET_DB_LOADER", Postgres::shared().password());
    let _ = by_hand.run().ends_with(0);
    assert_eq!(masks(&database), masked);

    vault.write("glovebox/sales/key", OLD_KEY);
    let _ = from_vault.run().ends_with(0);
    assert_ne!(masks(&database), masked);
}

#[test]
fn nothing_that_vault_says_or_holds_is_told_and_its_failures_end_the_run() {
    let database = Postgres::shared().database("unvaulted");
    let (vault, entry) = vault();
    let pipeline = with_vault(&vault, &entry, &database);
    let mut left = Left::default();
    let run = ["run", "manifest.yaml", "--report", "report.json"];
    let ran = left.call(&pipeline, &run, 0);
    assert!(
        ran.stderr.contains("secret fetched from another server"),
        "{}",
        ran.stderr
    );
    for (fault, sentence) in [
        (
            errors(503, &["Vault is sealed", SAID]),
            "it is sealed or in maintenance (503)",
        ),
        (
            errors(429, &[SAID]),
            "it is a standby, or limits the rate of requests (429)",
        ),
        (
            errors(403, &[SAID]),
            "it refuses the login at `auth/approle/login` (403), by AppRole",
        ),
        (Answer::ok(SAID), "it answered 200, but not with JSON"),
        (Answer::HangUp, "closed the connection"),
    ] {
        vault.state().broken = Some(fault);
        let _ = left.call(&pipeline, &run, 2).says(sentence);
    }
    vault.state().broken = None;
    vault.state().entries.clear();
    // Absence is no failure: the next store is asked, which has an older password here.
    let _ = left.call(&pipeline, &run, 1);
    left.files(pipeline.folder());
    for canary in [
        KEY,
        OLD_KEY,
        SECRET_ID,
        SAID,
        "canary-token",
        Postgres::shared().password(),
    ] {
        assert_eq!(left.find(canary), [""; 0], "{canary}");
    }
}

/// A Transit engine with this key, and a pipeline whose mask key is there and its password here.
fn with_transit(key: &str, database: &str) -> (Vault, Pipeline) {
    let vault = Vault::start();
    vault.make_key("glovebox-sales-key", key.as_bytes());
    vault.prove("auth/approle/login", SECRET_ID);
    let entry = format!(
        "  - transit:
      address: {}
      prefix: glovebox
      batch: 4096
      tls: {{ ca: vault-ca.pem }}
      auth: {{ app-role: {{ role-id: {ROLE_ID}, secret-id: {{ secret: vault/secret-id }} }} }}
  - env",
        vault.url()
    );
    let pipeline = pipeline(&entry, database)
        .file("vault-ca.pem", &vault.outside.ca)
        .env("GLOVEBOX_SECRET_VAULT_SECRET_ID", SECRET_ID)
        // One that is asked for later.
        .env("GLOVEBOX_SECRET_SALES_KEY", OLD_KEY)
        .env("GLOVEBOX_SECRET_DB_LOADER", Postgres::shared().password());
    (vault, pipeline)
}

/// Rows with names of which each is there twice.
fn twice(names: usize) -> String {
    let rows = (0..names * 2).map(|row| format!("{row},canary-name-{:024}\n", row / 2));
    format!("id,name\n{}", rows.collect::<String>())
}

#[test]
fn a_key_that_stays_in_vault_masks_as_the_same_key_does_here() {
    let database = Postgres::shared().database("transit");
    let by_hand = pipeline("  - env", &database)
        .file("in.csv", twice(6000))
        .env("GLOVEBOX_SECRET_SALES_KEY", KEY)
        .env("GLOVEBOX_SECRET_DB_LOADER", Postgres::shared().password());
    let _ = by_hand.run().ends_with(0);
    let masked = masks(&database);

    let (vault, pipeline) = with_transit(KEY, &database);
    let pipeline = pipeline.file("in.csv", twice(6000));
    let mut left = Left::default();
    let check = ["check", "manifest.yaml", "--explain"];
    let checked = left.call(&pipeline, &check, 0);
    assert!(
        checked
            .stdout
            .contains("whoever may use the key on its server"),
        "{}",
        checked.stdout
    );
    let run = [
        "run",
        "manifest.yaml",
        "--report",
        "report.json",
        "--workers",
        "1",
    ];
    let before = vault.times("transit/hmac/glovebox-sales-key/sha2-256");
    let connections = vault.outside.accepted();
    let _ = left.call(&pipeline, &run, 0);
    // One to log in, and one for all that the key is asked.
    assert_eq!(vault.outside.accepted() - connections, 2);
    assert_eq!(masks(&database), masked);
    // One to look for the key, one for its check value, and 6,000 different names in batches of 8,192 rows.
    let after = vault.times("transit/hmac/glovebox-sales-key/sha2-256");
    assert_eq!(after - before, 4);
    let report = std::fs::read_to_string(pipeline.folder().join("report.json")).unwrap();
    assert!(report.contains("\"sales/key@1\""), "{report}");

    vault.make_key("glovebox-sales-key", OLD_KEY.as_bytes());
    let _ = left.call(&pipeline, &run, 0);
    assert_ne!(masks(&database), masked);
    left.files(pipeline.folder());
    for canary in [KEY, SECRET_ID, SAID, "canary-token"] {
        assert_eq!(left.find(canary), [""; 0], "{canary}");
    }
}

#[test]
fn a_run_whose_vault_is_sealed_in_the_middle_ends_and_goes_on_later() {
    const NAMES: usize = 80_000;
    let database = Postgres::shared().database("transit_sealed");
    let (vault, pipeline) = with_transit(KEY, &database);
    let manifest = std::fs::read_to_string(pipeline.folder().join("manifest.yaml")).unwrap();
    let manifest = manifest.replace("mode: replace", "mode: append");
    let pipeline = pipeline
        .file("manifest.yaml", &manifest)
        .file("in.csv", twice(NAMES));
    let mut left = Left::default();
    vault.state().fails_after = Some((22, errors(503, &["Vault is sealed", SAID])));
    let run = ["run", "manifest.yaml", "--workers", "1"];
    let ended = left.call(&pipeline, &run, 1);
    assert!(
        ended
            .stderr
            .contains("it is sealed or in maintenance (503)"),
        "{}",
        ended.stderr
    );
    vault.state().fails_after = None;
    // What is not masked is not stored, and what is stored stays.
    let stored = masks(&database);
    assert!(stored.iter().all(|mask| mask.len() == 44));
    assert!((1..NAMES * 2).contains(&stored.len()), "{}", stored.len());
    let _ = left.call(&pipeline, &["run", "manifest.yaml", "--resume"], 0);
    let masks = masks(&database);
    let distinct: std::collections::HashSet<_> = masks.iter().collect();
    assert_eq!((masks.len(), distinct.len()), (NAMES * 2, NAMES));
    assert_eq!(masks.get(..stored.len()), Some(stored.as_slice()));
    assert_eq!(left.find("canary-name"), [""; 0]);
}

#[test]
fn a_run_goes_on_when_vault_closes_each_connection() {
    const NAMES: usize = 40_000;
    let database = Postgres::shared().database("transit_closed");
    let (vault, pipeline) = with_transit(KEY, &database);
    let pipeline = pipeline.file("in.csv", twice(NAMES));
    vault.outside.close_after_each();
    let _ = pipeline.run().ends_with(0);
    let asked = vault.times("transit/hmac/glovebox-sales-key/sha2-256");
    assert!(asked > 10, "{asked}");
    assert_eq!(vault.outside.accepted(), vault.outside.asked().len());
    let masks = masks(&database);
    let distinct: std::collections::HashSet<_> = masks.iter().collect();
    assert_eq!((masks.len(), distinct.len()), (NAMES * 2, NAMES));
}

#[test]
fn steps_that_share_a_key_have_the_same_version_of_it() {
    let database = Postgres::shared().database("transit_shared");
    let (vault, pipeline) = with_transit(KEY, &database);
    let manifest = std::fs::read_to_string(pipeline.folder().join("manifest.yaml")).unwrap();
    let second = "  - { name: second, mask: pseudonym, masks: [id], with: { method: hmac-sha256 }, \
                  keys: { pseudonym: sales/key } }\nsink:";
    let changed = manifest.replace("sink:", second);
    let pipeline = pipeline.file("manifest.yaml", &changed);
    let _ = pipeline.run().ends_with(0);
    // One looks for the key; then each step has a check value and a batch.
    assert_eq!(vault.times("transit/hmac/glovebox-sales-key/sha2-256"), 5);
}

#[test]
fn what_a_key_in_vault_cannot_do_is_said_before_the_first_row() {
    let database = Postgres::shared().database("transit_other");
    let (_vault, pipeline) = with_transit(KEY, &database);
    let manifest = std::fs::read_to_string(pipeline.folder().join("manifest.yaml")).unwrap();
    for (was, is, sentence) in [
        (
            "hmac-sha256 }",
            "pbkdf2-sha256, iterations: 1000 }",
            "key `pseudonym` stays on its server, which masks by hmac-sha256 only",
        ),
        (
            "keys: {",
            "domain: people\n    keys: {",
            "key `pseudonym` stays on its server, where none of a domain can be derived from it",
        ),
        (
            "sales/key }",
            "sales/key@7 }",
            "the key is there, but not this version of it for masks (400): its latest is 1",
        ),
    ] {
        let changed = manifest.replace(was, is);
        assert_ne!(changed, manifest);
        pipeline.write("manifest.yaml", &changed);
        let _ = pipeline
            .call(&["check", "manifest.yaml"])
            .ends_with(2)
            .says(sentence);
    }
}

#[test]
fn the_password_and_the_mask_key_come_from_aws() {
    let database = Postgres::shared().database("from_aws");
    let server = Outside::start(|asked| {
        let body = String::from_utf8_lossy(&asked.body);
        let secret = match body.contains("sales/key") {
            true => KEY,
            false => Postgres::shared().password(),
        };
        Answer::ok(serde_json::json!({ "Name": SAID, "SecretString": secret }).to_string())
    });
    let entry = format!(
        "  - aws: {{ region: eu-central-1, endpoint: \"https://{}\", tls: {{ ca: aws-ca.pem }} }}",
        server.address
    );
    let ran = pipeline(&entry, &database)
        .file("aws-ca.pem", &server.ca)
        .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "of a test")
        .run()
        .ends_with(0);
    assert_eq!((ran.rows("stored"), server.asked().len()), (2, 2));
}
