//! Rows, and what is told of them without their being sent: digests, cursors, errors.

use std::collections::BTreeSet;

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use glovebox_tests::server::Server;
use glovebox_tests::sqlite;
use serde_json::{Value, json};

use super::{get, recorded, said};

const DATASET: &str = "    columns:
      ssn: { type: text, not-null: true }
      product: { type: text }
      price: { type: float64 }
    key: [ssn]
    roles:
      admin: {}
      analyst: { columns: [product, price] }
";

/// Keys of every length up to 300, in the order in which pages follow them.
fn rows() -> String {
    let row = |n: usize| format!("('{n:0>3}{}', 'Halal Tea', {n})", "x".repeat(n));
    (0..300).map(row).collect::<Vec<_>>().join(",")
}

fn users(folder: Pipeline) -> Server {
    let server = Server::start_in(folder);
    for (name, role) in [
        ("ada", "admin"),
        ("eve", "admin"),
        ("bob", "analyst"),
        ("bea", "analyst"),
    ] {
        server.user(name, &[role]);
    }
    server
}

fn of_sqlite() -> Server {
    let configuration = format!(
        "limits: {{ requests-a-minute-by-address: 100000, requests-a-minute-by-user: 100000 }}\n\
         datasets:\n  sales:\n    sqlite: {{ path: sales.db, table: sales }}\n{DATASET}"
    );
    let folder = Server::folder(&configuration).file("sales.db", "");
    let table = "CREATE TABLE sales (ssn TEXT PRIMARY KEY, product TEXT, price REAL)";
    let sql = format!("{table}; INSERT INTO sales VALUES {}", rows());
    sqlite::execute(&folder.path("sales.db"), &sql);
    users(folder)
}

fn of_postgres(test: &str) -> Server {
    let postgres = Postgres::shared();
    let database = postgres.database(test);
    let table = "CREATE TABLE public.sales (ssn text PRIMARY KEY, product text, price float8)";
    let sql = format!("{table}; INSERT INTO public.sales VALUES {}", rows());
    let _ = postgres.query(&database, &sql);
    let configuration = format!(
        "limits: {{ requests-a-minute-by-address: 100000, requests-a-minute-by-user: 100000 }}\n\
         datasets:\n  sales:\n    postgres: {{ host: {}, port: {}, database: {database}, user: {}, \
         password: {{ secret: reader }}, tls: {{ ca: {} }}, table: public.sales }}\n{DATASET}",
        postgres.host(),
        postgres.port(),
        postgres.user(),
        postgres.ca_path().display(),
    );
    users(Server::folder(&configuration).file("secrets/reader", postgres.password()))
}

fn each(test: &str, attack: impl Fn(&Server)) {
    attack(&of_sqlite());
    attack(&of_postgres(&format!("attacks_{test}")));
}

#[test]
fn a_digest_of_rows_counts_as_reading_them_and_compares_with_nothing() {
    each("digests", |server| {
        let token = |name: &str| server.log_in(name).0;
        let (ada, eve, bob) = (token("ada"), token("eve"), token("bob"));
        let star = [("If-None-Match", "*")];
        let query = "/sales?columns=product&limit=7";
        let etag = |token: &str, target: &str, more: &[(&str, &str)]| {
            let reply = get(server, target, token, more);
            assert!([200, 304].contains(&reply.status), "{}", reply.text());
            reply.header("etag").unwrap().to_owned()
        };
        let told = get(server, query, &ada, &star).is(304);
        assert!(told.body.is_empty());
        let again = get(
            server,
            query,
            &ada,
            &[("If-None-Match", told.header("etag").unwrap())],
        );
        let _ = again.is(304);
        let bearer = format!("Bearer {ada}");
        let head = server
            .call("HEAD", query, &[("Authorization", &bearer)], b"")
            .is(200);
        assert_eq!(head.header("etag"), told.header("etag"));
        // Every one of them said something of seven rows, and has a record that says so.
        let reads = recorded(server, "data-read");
        assert_eq!(reads.len(), 3);
        for read in &reads {
            assert_eq!(
                (&read["labels.rows"], &read["user.name"]),
                (&json!(7), &json!("ada"))
            );
            assert_eq!(read["labels.columns"], json!(["product"]));
        }
        assert_eq!(reads[0]["event.reason"], "not-modified");
        // The same rows, and no two tags that could be compared: by user, role, query and format.
        let more = [("Accept", "text/csv")];
        let tags = [
            etag(&ada, query, &[]),
            etag(&eve, query, &[]),
            etag(&bob, query, &[]),
            etag(&ada, "/sales?columns=product&limit=7&price[gte]=0", &[]),
            etag(&ada, "/sales?columns=product&limit=7&sort=price", &[]),
            etag(&ada, query, &more),
        ];
        assert_eq!(
            tags.iter().collect::<BTreeSet<_>>().len(),
            tags.len(),
            "{tags:?}"
        );
        assert_eq!(tags[0], told.header("etag").unwrap());
    });
}

#[test]
fn a_cursor_that_answers_a_filter_is_recorded_with_its_rows() {
    let server = of_sqlite();
    let (bob, _) = server.log_in("bob");
    // Whether there is a second row behind the first is the answer to the filter.
    for (filter, more) in [("price[gte]=298", true), ("price[gte]=299", false)] {
        let target = format!("/sales?limit=1&{filter}");
        let told = get(&server, &target, &bob, &[("If-None-Match", "*")]).is(304);
        assert_eq!(told.header("x-next-cursor").is_some(), more, "{filter}");
    }
    let rows: Vec<_> = recorded(&server, "data-read");
    let rows: Vec<_> = rows.iter().map(|r| r["labels.rows"].clone()).collect();
    assert_eq!(rows, [1, 1]);
}

#[test]
fn a_cursor_says_nothing_of_the_key_it_holds_and_is_good_for_one_user() {
    each("cursors", |server| {
        let (bob, bea) = (server.log_in("bob").0, server.log_in("bea").0);
        let (mut lengths, mut cursors) = (BTreeSet::new(), BTreeSet::new());
        let mut target = "/sales?limit=10".to_owned();
        let mut seen = 0;
        loop {
            let page = server.get(&target, &bob).is(200);
            seen += page.json().as_array().unwrap().len();
            let Some(cursor) = page.header("x-next-cursor") else {
                break;
            };
            lengths.insert((cursor.len(), page.header("link").unwrap().len()));
            cursors.insert(cursor.to_owned());
            target = format!("/sales?limit=10&cursor={cursor}");
        }
        assert_eq!((seen, cursors.len()), (300, 29));
        // The keys behind them are 12 to 292 letters long.
        assert_eq!(lengths.len(), 1, "{lengths:?}");
        let cursor = cursors.first().unwrap();
        let target = format!("/sales?limit=10&cursor={cursor}");
        let _ = server.get(&target, &bob).is(200);
        // Another's place is none, whatever they see.
        for other in [&bea, &server.log_in("ada").0] {
            assert_eq!(server.get(&target, other).is(404).problem(), "bad-cursor");
        }
        let refused = super::because(server, "denied", "bad-cursor");
        assert_eq!(refused.len(), 2);
    });
}

#[test]
fn a_hidden_column_is_as_one_that_is_not_there() {
    each("columns", |server| {
        let (bob, _) = server.log_in("bob");
        let ask = |query: &str| said(&server.get(&format!("/sales?{query}"), &bob));
        let mut refused = 0;
        for query in [
            "columns=NAME",
            "columns=product,NAME",
            "sort=NAME",
            "sort=-NAME",
            "NAME=x",
            "NAME[ne]=x",
            "NAME[gte]=x",
            "NAME[in]=x",
            "NAME[null]=true",
            "NAME[starts-with]=0",
            "NAME[nonsense]=x",
        ] {
            let hidden = ask(&query.replace("NAME", "ssn"));
            let absent = ask(&query.replace("NAME", "nosuch"));
            assert_eq!((hidden.0, &hidden), (400, &absent), "{query}");
            assert!(!hidden.2.contains("ssn"), "{}", hidden.2);
            refused += 2;
        }
        assert_eq!(super::because(server, "denied", "bad-query").len(), refused);
        // No form of the rows names it either.
        for accept in [
            "application/json",
            "application/x-ndjson",
            "text/csv",
            "application/vnd.apache.arrow.stream",
        ] {
            let rows = get(server, "/sales?limit=3", &bob, &[("Accept", accept)]).is(200);
            assert!(!rows.text().contains("ssn"), "{accept}");
            assert!(rows.text().contains("product"), "{accept}");
        }
    });
}

#[test]
fn a_hidden_dataset_is_as_one_that_is_not_there() {
    let configuration = "\
roles: { partner: [data] }
limits: { requests-a-minute-by-address: 100000 }
pipelines:
  inner: { manifest: inner.yaml, upload: 1 KiB, roles: [admin] }
datasets:
  inner:
    sqlite: { path: sales.db, table: sales }
    columns: { product: { type: text } }
    roles: { admin: {} }
";
    let folder = Server::folder(configuration).file("sales.db", "");
    sqlite::execute(
        &folder.path("sales.db"),
        "CREATE TABLE sales (product TEXT)",
    );
    let server = Server::start_in(folder);
    for role in ["admin", "partner", "operator", "analyst"] {
        server.user(role, &[role]);
    }
    let ask = |method: &str, target: &str, token: &str| {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        let headers = if token.is_empty() { &[][..] } else { &headers };
        said(&server.call(method, target, headers, b""))
    };
    let _ = server.get("/inner", &server.log_in("admin").0).is(200);
    for (who, status) in [
        ("", 401),
        ("partner", 404),
        ("operator", 403),
        ("analyst", 404),
    ] {
        let token = if who.is_empty() {
            String::new()
        } else {
            server.log_in(who).0
        };
        let (hidden, absent) = (ask("GET", "/inner", &token), ask("GET", "/nosuch", &token));
        assert_eq!((hidden.0, &hidden), (status, &absent), "{who}");
        for method in ["POST", "DELETE", "HEAD", "OPTIONS"] {
            let (hidden, absent) = (
                ask(method, "/inner", &token),
                ask(method, "/nosuch", &token),
            );
            assert_eq!(hidden, absent, "{who}: {method}");
        }
        for (method, path) in [("POST", "runs"), ("POST", "uploads"), ("GET", "runs")] {
            let at = |name: &str| ask(method, &format!("/pipelines/{name}/{path}"), &token);
            assert_eq!(at("inner"), at("nosuch"), "{who}: {method} {path}");
        }
        if !token.is_empty() {
            let listed = server.get("/datasets", &token);
            assert!(!listed.text().contains("inner"), "{}", listed.text());
        }
    }
    // Both are recorded, each as what it is.
    let refused = |path: &str| {
        let denied = recorded(&server, "denied").into_iter();
        let of = |e: &Value| e["url.path"] == path && e["event.reason"] == "not-found";
        denied.filter(of).count()
    };
    assert!(refused("/inner") >= 2 && refused("/{dataset}") >= 2);
}
