//! What is said of a configuration with mistakes in it: everything, at its place.
//!
//! Owns a mistake a line; refuses a server that starts in spite of one.

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::{BASE, Server};

/// What the check says of `BASE` with this behind it.
fn said(more: &str) -> String {
    let folder = Server::folder(more);
    let ran = folder.call(&["serve", "--check"]).ends_with(2);
    ran.stderr
}

const DATASET: &str = "\
datasets:
  sales:
    sqlite: { path: sales.db, table: sales }
    columns: { product: { type: text }, price: { type: float64 } }
";

#[test]
fn each_mistake_is_shown_at_its_line_with_what_to_write() {
    for (more, says) in [
        ("lisen: x\n", "unknown field `lisen`"),
        ("proxies: [10.0.0.0/99]\n", "write 10.0.0.5 or 10.0.0.0/8"),
        ("url: data.example.org\n", "this is no URL of a server"),
        ("limits: { body: 64 }\n", "body"),
        ("limits: { body: 1GiB }\n", "out of bounds"),
        ("limits: { request-time: 1h }\n", "out of bounds"),
        ("limits: { idle-time: 10s }\n", "write 20 s to 3600 s"),
        ("limits: { least-rate: 0 B }\n", "out of bounds"),
        ("limits: { connections-by-address: 0 }\n", "out of bounds"),
        (
            "limits: { requests-a-minute-by-user: 0 }\n",
            "out of bounds",
        ),
        ("roles: { Partner: [data] }\n", "this is no name of a role"),
        (
            "roles: { partner: [everything] }\n",
            "write some of: data, watch",
        ),
        (
            "datasets: { token: { sqlite: { path: a, table: b }, columns: { a: { type: text } } } }\n",
            "a dataset cannot have this name",
        ),
        (
            "datasets: { s: { columns: { a: { type: text } } } }\n",
            "`sqlite` or `postgres`",
        ),
        (
            "datasets: { s: { sqlite: { path: a }, columns: { a: { type: text } } } }\n",
            "the table is missing",
        ),
        (
            "datasets: { s: { sqlite: { path: a, table: b }, columns: { a: { type: txt } } } }\n",
            "did you mean `text`?",
        ),
        (
            "datasets: { s: { postgres: { host: h, database: d, user: u, password: { secret: p }, table: t }, columns: { a: { type: text } } } }\n",
            "needs a key to be paged by",
        ),
        (
            "telemetry: { otlp: { url: 'http://collector:4318' } }\n",
            "traces cannot be sent there: plain http",
        ),
        (
            "telemetry: { otlp: { url: 'https://c', headers: { host: { secret: s } } } }\n",
            "this is no header that can be added",
        ),
        (
            "telemetry: { otlp: { url: 'https://c', sample-percent: 0 } }\n",
            "write 1 to 100",
        ),
        (
            &format!("{DATASET}    key: [id]\n"),
            "there is no such column",
        ),
        (
            &format!("{DATASET}    roles: {{ nobody: {{}} }}\n"),
            "the roles are: admin, analyst, auditor, operator",
        ),
        (
            &format!("{DATASET}    roles: {{ auditor: {{}} }}\n"),
            "this role may not read data",
        ),
        (
            &format!("{DATASET}    roles: {{ analyst: {{ columns: [secret] }} }}\n"),
            "there is no such column",
        ),
        (
            &format!("{DATASET}    roles: {{ analyst: {{ rows-at-most: 99999 }} }}\n"),
            "write 1 to 10000",
        ),
    ] {
        let told = said(more);
        assert!(told.contains(says), "{more}\n{told}");
        assert!(told.contains("glovebox.yaml:"), "no place:\n{told}");
    }
}

#[test]
fn an_issuer_whose_keys_could_not_be_fetched_is_shown_at_its_line() {
    for (issuer, says) in [
        (
            "url: 'https://idp', jwks: 'http://idp/keys'",
            "no keys can be fetched there: plain http",
        ),
        (
            "url: 'http://idp'",
            "without `jwks`, keys are found by https",
        ),
        (
            "url: 'https://ada:canary@idp'",
            "it names a user before the host",
        ),
        (
            "url: 'https://idp', jwks: keys.json, tls: { ca: ca.pem }",
            "nothing is fetched",
        ),
    ] {
        let issuers = format!("issuers: [{{ {issuer}, audience: a }}]");
        let tokens = format!("tokens: {{ keys: [token-key], {issuers} }}");
        let text = BASE.replace("tokens: { keys: [token-key] }", &tokens);
        let folder = Pipeline::empty().file("glovebox.yaml", text);
        let ran = folder.call(&["serve", "--check"]).ends_with(2).says(says);
        assert!(ran.stderr.contains("glovebox.yaml:"), "{}", ran.stderr);
    }
}

#[test]
fn a_key_that_is_none_is_refused_without_being_shown() {
    let folder = Server::folder("").file("secrets/token-key", "canary-no-key");
    let ran = folder
        .call(&["serve"])
        .ends_with(1)
        .says("the token key `token-key`");
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    let missing = Pipeline::empty().file("glovebox.yaml", BASE);
    let _ = missing
        .call(&["serve"])
        .ends_with(1)
        .says("no secret `token-key`");
}

#[test]
fn a_good_configuration_is_fine() {
    let folder = Server::folder(DATASET);
    let ran = folder.call(&["serve", "--check"]).ends_with(0);
    assert_eq!(ran.stdout, "glovebox.yaml is fine\n");
}
