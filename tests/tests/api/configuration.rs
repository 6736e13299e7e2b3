//! What is said of a configuration with mistakes in it: everything, at its place.
//!
//! Owns a mistake a line; refuses a server that starts in spite of one.

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use glovebox_tests::server::{BASE, Server};
use glovebox_tests::sqlite;

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
        ("lisen: x\n", "did you mean `listen`?"),
        ("wibble: x\n", "the keys here are: listen, url"),
        ("limits: { conections: 3 }\n", "did you mean `connections`?"),
        ("proxies: [10.0.0.0/99]\n", "write 10.0.0.5 or 10.0.0.0/8"),
        ("url: data.example.org\n", "this is no URL of a server"),
        ("limits: { body: 64 }\n", "body"),
        ("limits: { body: 1GiB }\n", "out of bounds"),
        ("limits: { request-time: 1h }\n", "out of bounds"),
        (
            "limits: { idle-time: 10s }\n",
            "write a value from 20s to 1h",
        ),
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
            "needs the key `table`",
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
            "write a value from 1 to 100",
        ),
        (
            &format!("{DATASET}    key: [id]\n"),
            "there is no such column",
        ),
        (
            &format!("{DATASET}    roles: {{ nobody: {{}} }}\n"),
            "the roles are: admin, analyst, auditor, officer, operator",
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
            "write a value from 1 to 10000",
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
fn all_mistakes_are_shown_at_once() {
    let told = said("lisen: x\nlimits: { body: 64, conections: 0 }\nproxes: []\n");
    for says in [
        "did you mean `listen`?",
        "did you mean `connections`?",
        "did you mean `proxies`?",
        "`body` is not a quantity with a unit",
    ] {
        assert!(told.contains(says), "{says}:\n{told}");
    }
}

/// A folder in which everything is there.
fn whole() -> Pipeline {
    let more = format!(
        "{DATASET}pipelines: {{ sales: {{ manifest: sales.yaml }} }}\nruns: {{ folder: runs }}\n"
    );
    let folder = Server::folder(&more)
        .file("sales.db", "")
        .file("sales.yaml", super::runs::SALES)
        .file("in.csv", "id,name\n1,ann\n")
        .file("secrets/salt", "a salt of 32 bytes, or there about");
    sqlite::execute(
        &folder.path("sales.db"),
        "CREATE TABLE sales (product TEXT, price REAL)",
    );
    folder
}

#[test]
fn a_good_configuration_is_fine_and_looking_at_it_changes_nothing() {
    let folder = whole();
    let before = folder.names();
    let ran = folder.call(&["serve", "--check"]).ends_with(0);
    assert_eq!(ran.stdout, "glovebox.yaml is fine\n");
    assert_eq!(folder.names(), before);
    // Beside a server that runs, too.
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let _ = server.folder.call(&["serve", "--check"]).ends_with(0);
}

#[test]
fn what_a_start_and_a_first_request_need_is_looked_at() {
    type Break = fn(&Pipeline);
    fn table(folder: &Pipeline, sql: &str) {
        folder.write("sales.db", "");
        sqlite::execute(&folder.path("sales.db"), sql);
    }
    fn remove(folder: &Pipeline, name: &str) {
        std::fs::remove_file(folder.path(name)).unwrap();
    }
    let faces: &[(Break, &str, &str)] = &[
        (
            |f| remove(f, "secrets/token-key"),
            "no secret `token-key`",
            "keys: [token-key]",
        ),
        (
            |f| f.write("secrets/token-key", "canary"),
            "the token key `token-key`",
            "token-key",
        ),
        (
            |f| remove(f, "sales.db"),
            "the file is not there yet",
            "sqlite",
        ),
        (
            |f| table(f, "CREATE TABLE other (product TEXT)"),
            "there is no table `sales`",
            "table: sales",
        ),
        (
            |f| table(f, "CREATE TABLE sales (product TEXT)"),
            "the table has no column `price`",
            "price",
        ),
        (
            |f| table(f, "CREATE TABLE sales (product TEXT, price TEXT)"),
            "the table's `price` is `TEXT`, which is not read as float64",
            "price",
        ),
        (
            |f| {
                table(
                    f,
                    "CREATE TABLE sales (product, price); INSERT INTO sales VALUES (1, 'canary')",
                );
            },
            "holds what is no",
            "columns",
        ),
        (
            |f| remove(f, "sales.yaml"),
            "cannot read the manifest",
            "manifest: sales.yaml",
        ),
        (
            |f| f.write("sales.yaml", "name: [canary]\n"),
            "the manifest cannot be run",
            "manifest: sales.yaml",
        ),
        (
            |f| remove(f, "secrets/salt"),
            "salt",
            "manifest: sales.yaml",
        ),
        (
            |f| f.write("audit", "canary"),
            "nothing can be written there",
            "audit",
        ),
        (
            |f| f.write("catalog.db", "canary, and long enough"),
            "no database",
            "catalog",
        ),
    ];
    for (break_it, says, at) in faces {
        let folder = whole();
        break_it(&folder);
        let ran = folder.call(&["serve", "--check"]).ends_with(2).says(says);
        assert!(
            ran.stderr.contains("glovebox.yaml:"),
            "{says}: {}",
            ran.stderr
        );
        assert!(ran.stderr.contains(at), "{says}: {}", ran.stderr);
        assert!(!ran.stderr.contains("canary"), "{says}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    // All of them, not the first.
    let folder = whole();
    remove(&folder, "secrets/token-key");
    remove(&folder, "sales.yaml");
    table(&folder, "CREATE TABLE sales (price TEXT)");
    let told = folder.call(&["serve", "--check"]).ends_with(2).stderr;
    for says in [
        "no secret `token-key`",
        "no column `product`",
        "is `TEXT`",
        "the manifest",
    ] {
        assert!(told.contains(says), "{says}: {told}");
    }
}

#[test]
fn files_and_servers_that_are_named_are_looked_at() {
    for (more, says) in [
        ("tls: { certificate: no.pem, key: no.key }\n", "no.pem"),
        (
            "listen: 192.0.2.1:8000\n",
            "cannot listen on 192.0.2.1:8000",
        ),
        (
            "telemetry: { otlp: { url: 'https://c', headers: { a: { secret: s } }, tls: { ca: no.pem } } }\n",
            "no secret `s`",
        ),
    ] {
        let base = BASE.replace("listen: 127.0.0.1:0\n", "");
        let folder = Pipeline::empty()
            .file("glovebox.yaml", format!("{base}{more}"))
            .file("secrets/token-key", glovebox_tests::server::KEY);
        let _ = folder.call(&["serve", "--check"]).ends_with(2).says(says);
    }
}

#[test]
fn a_table_that_is_not_as_declared_is_not_ready() {
    let server = Server::start_in(whole());
    let ready = || server.call("GET", "/readyz", &[], b"");
    let _ = ready().is(200);
    sqlite::execute(
        &server.folder.path("sales.db"),
        "DROP TABLE sales; CREATE TABLE sales (product TEXT, price TEXT)",
    );
    let told = ready().is(503);
    // Whoever may know why reads the log.
    assert!(!told.text().contains("price"), "{}", told.text());
    assert!(
        server.log().contains("`price` is `TEXT`"),
        "{}",
        server.log()
    );
}

/// The same over PostgreSQL, by what it says of a table.
#[test]
fn a_table_of_postgresqls_is_looked_at_too() {
    let postgres = Postgres::shared();
    let database = postgres.database("serve_check");
    let _ = postgres.query(
        &database,
        "CREATE DOMAIN euro AS numeric; CREATE TABLE sales (id bigint PRIMARY KEY, \
         product varchar(20), price text, worth euro)",
    );
    let dataset = |columns: &str| {
        let folder = Server::folder(&format!(
            "datasets:\n  sales:\n    postgres:\n      host: {}\n      port: {}\n      \
             database: {database}\n      user: {}\n      password: {{ secret: db }}\n      \
             tls: {{ ca: {} }}\n      table: sales\n    key: [id]\n    columns:\n      \
             id: {{ type: int64 }}\n{columns}",
            postgres.host(),
            postgres.port(),
            postgres.user(),
            postgres.ca_path().display()
        ));
        folder.file("secrets/db", postgres.password())
    };
    let good = "      product: { type: text }\n      worth: { type: \"decimal(9,2)\" }\n";
    let _ = dataset(good).call(&["serve", "--check"]).ends_with(0);
    for (columns, says) in [
        (
            "      price: { type: float64 }\n",
            "is `text`, which is not read as float64",
        ),
        (
            "      prize: { type: text }\n",
            "the table has no column `prize`",
        ),
        (
            "      product: { type: bytes }\n",
            "is `varchar`, which is not read as bytes",
        ),
    ] {
        let _ = dataset(columns)
            .call(&["serve", "--check"])
            .ends_with(2)
            .says(says);
    }
    let away = dataset(good).file("secrets/db", "another password");
    let _ = away
        .call(&["serve", "--check"])
        .ends_with(2)
        .says("cannot be read");
}
