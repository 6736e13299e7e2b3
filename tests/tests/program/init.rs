//! A folder a file that `glovebox init` meets, in `tests/init`: the manifest that it writes, to the
//! byte, which `check` accepts and `run` runs. `GLOVEBOX_BLESS=1` writes the manifests anew.

use std::fs;
use std::path::{Path, PathBuf};

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;

fn folders() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("init");
    let mut folders: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
}

/// The only file in a folder beside the expected manifest.
fn input(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap();
    let mut files = files
        .map(|file| file.unwrap().path())
        .filter(|file| !file.ends_with("expected.yaml"));
    let input = files.next().unwrap();
    assert!(files.next().is_none(), "{}", folder.display());
    input
}

#[test]
fn a_first_manifest_says_what_was_found_and_runs() {
    let bless = std::env::var_os("GLOVEBOX_BLESS").is_some();
    let folders = folders();
    assert!(folders.len() >= 8, "only {}", folders.len());
    let mut behind = Vec::new();
    for folder in folders {
        let input = input(&folder);
        let name = input.file_name().unwrap().to_str().unwrap();
        let here = Pipeline::empty().file(name, fs::read(&input).unwrap());
        let ran = here.call(&["init", name, "--manifest", "manifest.yaml"]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let _ = ran.ends_with(0);
        // What every input has in cells that must not be told.
        assert!(!said.contains("canary"), "{name}: {said}");
        let written = here.read("manifest.yaml");
        assert!(!written.contains("canary"), "{name}: {written}");
        let _ = here.call(&["check", "manifest.yaml"]).ends_with(0);
        let ran = here.run().ends_with(0);
        assert!(ran.report["rows"]["stored"].as_u64() > Some(0), "{name}");
        let expected = folder.join("expected.yaml");
        if bless {
            fs::write(&expected, &written).unwrap();
        } else if fs::read_to_string(&expected).ok().as_ref() != Some(&written) {
            behind.push(format!("{}:\n{written}", expected.display()));
        }
    }
    assert!(behind.is_empty(), "\n{}", behind.join("\n"));
}

#[test]
fn a_manifest_that_is_there_stays_unless_it_is_said() {
    let here = Pipeline::empty()
        .file("people.csv", "id,name\n1,Ann\n")
        .file("people.yaml", "mine\n");
    let ran = here.call(&["init", "people.csv"]).ends_with(2);
    assert!(ran.stderr.contains("--force"), "{}", ran.stderr);
    assert_eq!(here.read("people.yaml"), "mine\n");
    let _ = here.call(&["init", "people.csv", "--force"]).ends_with(0);
    assert!(here.read("people.yaml").contains("name: people"));
}

#[test]
fn rows_go_where_they_are_sent() {
    let here = Pipeline::empty().file("in/people.csv", "id,name\n1,Ann\n");
    for (to, kind) in [
        ("in/out.csv", "csv: { path: out.csv }"),
        ("in/out.jsonl", "jsonl: { path: out.jsonl }"),
        ("in/out.parquet", "parquet: { path: out.parquet }"),
        (
            "in/out.db",
            "sqlite: { path: out.db, table: people, mode: replace }",
        ),
    ] {
        let call = ["init", "in/people.csv", "--to", to, "--force"];
        let _ = here.call(&call).ends_with(0);
        let written = here.read("in/people.yaml");
        assert!(written.contains(kind), "{kind}: {written}");
        let _ = here.call(&["run", "in/people.yaml"]).ends_with(0);
        assert!(here.path(to).is_file(), "{to}");
    }
    let outside = ["init", "in/people.csv", "--manifest", "other/people.yaml"];
    let here = here.file("other/none", "");
    let _ = here.call(&outside).ends_with(0);
    let _ = here.call(&["run", "other/people.yaml"]).ends_with(0);
    assert!(here.path("in/people.clean.csv").is_file());
    let ran = here.call(&["init", "in/people.csv", "--to", "x.xlsx", "--force"]);
    let ran = ran.ends_with(2);
    assert!(ran.stderr.contains(".parquet"), "{}", ran.stderr);
    let call = ["init", "in/people.csv", "--to", "in/people.csv", "--force"];
    let _ = here.call(&call).ends_with(2);
    assert_eq!(here.read("in/people.csv"), "id,name\n1,Ann\n");
}

#[test]
fn what_a_parquet_file_knows_is_taken_from_it() {
    let here = Pipeline::new(
        "name: make\nsource: { csv: { path: people.csv } }\ncolumns:\n  id: { type: int64 }\n  \
         mail: { type: text }\n  paid: { type: \"decimal(12,2)\" }\n  born: { type: date }\n\
         sink: { parquet: { path: people.parquet } }\n",
    )
    .file(
        "people.csv",
        "id,mail,paid,born\n1,ann@example.org,2.50,1980-01-31\n",
    );
    let _ = here.run().ends_with(0);
    let _ = here.call(&["init", "people.parquet"]).ends_with(0);
    let written = here.read("people.yaml");
    for line in [
        "id: { type: int64 }",
        "mail: { type: text, personal: true }",
        "paid: { type: \"decimal(12,2)\" }",
        "born: { type: date, personal: true }",
    ] {
        assert!(written.contains(line), "{line}: {written}");
    }
    let _ = here.call(&["run", "people.yaml"]).ends_with(0);
}

#[test]
fn what_is_not_read_is_said() {
    let here = Pipeline::empty().file("empty.csv", "");
    for (call, code, said) in [
        (&["init", "nothing.csv"][..], 1, "cannot read nothing.csv"),
        (&["init", "empty.csv"], 1, "is it empty?"),
        (&["init", "-"], 1, "save it to a file first"),
        (&["init", "postgres://u@h/d"], 2, "--table public.customers"),
        (
            &["init", "empty.csv", "--table", "t"],
            2,
            "postgres://USER@HOST/DATABASE",
        ),
        (
            &["init", "postgres://u:canary@h/d", "--table", "t"],
            2,
            "treat it as compromised",
        ),
        (
            &["init", "POSTGRES://u:canary@h/d", "--table", "t"],
            2,
            "treat it as compromised",
        ),
        (
            &["init", "mysql://u:canary@h/d"],
            2,
            "only PostgreSQL databases",
        ),
        (&["init", "s3://raw/in.csv"], 2, "glovebox scan MANIFEST"),
        (
            &["init", "postgres://u@h/d?sslmode=disable", "--table", "t"],
            2,
            "TLS is always on",
        ),
        (
            &[
                "init",
                "postgres://u@h/d",
                "--table",
                "t",
                "--secret",
                "canary !",
            ],
            2,
            "the name of a secret",
        ),
        (&["init", "postgres://u@h/d", "--table", "t"], 1, "d/u"),
    ] {
        let ran = here.call(call).ends_with(code);
        assert!(ran.stderr.contains(said), "{call:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("canary"), "{call:?}: {}", ran.stderr);
    }
    assert_eq!(here.names(), ["empty.csv"]);
}

/// A table with a column of each kind that matters here, and cells that no message may repeat.
const CUSTOMERS: &str = "\
CREATE SCHEMA shop;
CREATE TABLE shop.customers (
    id bigint PRIMARY KEY, full_name text, reach text, spent numeric(12,2), weight numeric,
    born date, seen timestamptz, kind uuid, active boolean, score real, photo bytea,
    note text, hidden text, \"Full_Name\" text
);
INSERT INTO shop.customers SELECT n, 'canary name', 'canary' || n || '@example.org', 1.5, 2.25,
    '1980-01-31', now(), '7f1b1c9e-52e3-4c5e-9c57-0d6d2b2fa3b1', true, 0.5, '\\x00ff', 'canary', 'canary', ''
FROM generate_series(1, 25000) n;
CREATE ROLE init_reader LOGIN PASSWORD 'init-password';
GRANT USAGE ON SCHEMA shop TO init_reader;
GRANT SELECT (id, full_name, reach, spent, weight, born, seen, kind, active, score, photo, note,
    \"Full_Name\") ON shop.customers TO init_reader;";

#[test]
fn a_first_manifest_of_a_table_is_accepted_and_runs() {
    let server = Postgres::shared();
    let database = server.database("init");
    let _ = server.query(&database, CUSTOMERS);
    let here = Pipeline::empty()
        .file("ca.pem", fs::read(server.ca_path()).unwrap())
        .env("GLOVEBOX_SECRET_SHOP_READER", "init-password");
    let address = format!(
        "postgres://init_reader@{}:{}/{database}",
        server.host(),
        server.port()
    );
    let call = [
        "init",
        &address,
        "--table",
        "shop.customers",
        "--secret",
        "shop/reader",
        "--ca",
        "ca.pem",
        "--manifest",
        "manifest.yaml",
    ];
    let ran = here.call(&call);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let _ = ran.ends_with(0);
    assert!(!said.contains("canary"), "{said}");
    assert!(!said.contains("init-password"), "{said}");
    // What the role may not read, and what differs from another one in case only.
    assert!(said.contains("2 columns cannot be declared"), "{said}");
    let written = here.read("manifest.yaml");
    assert!(!written.contains("canary"), "{written}");
    for line in [
        "name: customers",
        "    password: { secret: shop/reader }",
        "    tls: { ca: ca.pem }",
        "    table: shop.customers",
        "  id: { type: int64 }",
        "  full_name: { type: text, personal: true }  # names of people, by its name",
        "  reach: { type: text, personal: true }  # e-mail addresses, by its cells",
        "  spent: { type: \"decimal(12,2)\" }",
        "  weight: { type: \"decimal(38,10)\" }",
        "  seen: { type: timestamp }",
        "  kind: { type: text }",
        "  active: { type: boolean }",
        "  score: { type: float64 }",
        "  photo: { type: bytes }",
        "table: customers, mode: replace }",
    ] {
        assert!(written.contains(line), "{line}: {written}");
    }
    assert!(!written.contains("hidden"), "{written}");
    let _ = here.call(&["check", "manifest.yaml"]).ends_with(0);
    let ran = here.run().ends_with(0);
    assert_eq!(ran.report["rows"]["stored"], 25_000);
    // The first rows were enough.
    let first = written.lines().next().unwrap();
    assert!(first.contains("from the first "), "{first}");
    for (change, code, said) in [
        (("--table", "shop.nothing"), 1, "no such table"),
        (("--secret", "shop/missing"), 1, "shop/missing"),
    ] {
        let mut call = call.to_vec();
        let at = call.iter().position(|word| *word == change.0).unwrap();
        call[at + 1] = change.1;
        call.push("--force");
        let ran = here.call(&call).ends_with(code);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}
