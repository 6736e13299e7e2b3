//! Secrets and cells that can be told from all else, and a search for them in everything that calls
//! leave behind: output, logs at trace level, reports, rejects, files, caches, tables.

mod database;
pub(crate) mod search;

use std::fs;
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glovebox_tests::pipeline::{Pipeline, Running};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;

use search::{Left, forms, holds};

const SALT: &str = "canary-salt-Qw7Zk1";
const PASSWORD: &str = "canary-password-Hx4Rt9";
const SEALED_TO: &str = ", sealed-to: [canary/public]";
const PUBLIC_KEY: &str = "x25519:7V1SIyROmCLBHLS-cZbSBwXQPgS26rxBmY_HS0qxSDU=";

/// Each stands in a cell that may not be stored, shown or logged.
const CELLS: [&str; 18] = [
    "canary-bad-boolean-1Lq",
    "canary-bad-integer-2Mw",
    "canary-bad-float-3Ne",
    "canary-bad-decimal-4Or",
    "canary-bad-bytes-5Pt",
    "canary-bad-date-6Qy",
    "canary-bad-time-7Ru",
    "canary-not-utf8-8Si",
    "canary-with-nul-9To",
    "canary-too-long-0Up",
    "canary-ragged-1Va",
    "canary-undeclared-2Ws",
    "canary-redacted-3Xd",
    "canary-pseudonym-4Yf",
    "canary-read-only-5Zg",
    "canary-pattern-6Ah",
    "canary-filtered-7Bj",
    "canary-poison-8Ck",
];
const NUMBER: &str = "7305918264405";
const STORED: &str = "kept-as-it-is-9Dl";

const COLUMNS: &str = "\
columns:
  b:     { type: boolean }
  i:     { type: int64 }
  f:     { type: float64 }
  d:     { type: \"decimal(9,2)\" }
  x:     { type: bytes }
  day:   { type: date }
  at:    { type: timestamp }
  name:  { type: text, personal: true }
  who:   { type: text, personal: true }
  phone: { type: int64, personal: true }
  about: { type: text, personal: true }
  note:  { type: text }
";

const STEPS: &str = "\
steps:
  - { name: known, validate: pattern, reads: [about, note], with: { regex: \"[a-z].*-[0-9][A-Z][a-z]\" } }
  - { name: not poison, validate: pattern, reads: [about], with: { regex: \"canary-read-.*\" } }
  - { name: wanted, transform: keep, reads: [note], with: { column: note, starts-with: kept } }
  - { name: no names, mask: redact, masks: [name, phone] }
  - name: pseudonyms
    mask: pseudonym
    masks: [who]
    with: { method: hmac-sha256 }
    keys: { pseudonym: canary/salt }
";

fn manifest(credentials: &str, sink: &str) -> String {
    format!(
        "name: canaries
source: {{ csv: {{ path: in.csv, max-field: 100B }} }}
{COLUMNS}credentials: {credentials}
{STEPS}sink:
  {sink}
  columns: [b, i, f, d, x, day, at, name, who, phone, note]
rejects: {{ path: rejects.jsonl{SEALED_TO} }}
"
    )
}

/// A row for each canary, and one that is stored.
fn input() -> Vec<u8> {
    const HEAD: [&str; 13] = [
        "b", "i", "f", "d", "x", "day", "at", "name", "who", "phone", "about", "note", "extra",
    ];
    let clean: Vec<String> = [
        "true",
        "1",
        "1.5",
        "1.25",
        "\\x00",
        "2026-11-21",
        "2026-11-21T22:30:00Z",
        CELLS[12],
        CELLS[13],
        NUMBER,
        CELLS[14],
        STORED,
        CELLS[11],
    ]
    .map(str::to_owned)
    .into();
    let with = |column: &str, cell: String| {
        let mut row = clean.clone();
        row[HEAD.iter().position(|h| *h == column).unwrap()] = cell;
        row.join(",").into_bytes()
    };
    let mut rows = vec![HEAD.join(",").into_bytes(), clean.join(",").into_bytes()];
    for (column, cell) in HEAD.iter().zip(&CELLS[..7]) {
        rows.push(with(column, (*cell).to_owned()));
    }
    let mut row = with("name", format!("{}#", CELLS[7]));
    for byte in row.iter_mut().filter(|b| **b == b'#') {
        *byte = 0xff;
    }
    rows.push(row);
    rows.push(with("note", format!("{}\0", CELLS[8])));
    rows.push(with("note", CELLS[9].repeat(10)));
    rows.push([&clean.join(","), ",", CELLS[10]].concat().into_bytes());
    rows.push(with("note", format!("{}!", CELLS[15])));
    rows.push(with("note", CELLS[16].to_owned()));
    rows.push(with("about", CELLS[17].to_owned()));
    rows.join(&b'\n')
}

fn all() -> Vec<&'static str> {
    CELLS.into_iter().chain([SALT, PASSWORD, NUMBER]).collect()
}

/// A pipeline that keeps everything in its own folder, and gives the salt in a file.
fn pipeline(manifest: &str) -> Pipeline {
    let pipeline = Pipeline::new(manifest)
        .file("in.csv", input())
        .file("secrets/canary/salt", SALT)
        .file("secrets/canary/public", PUBLIC_KEY)
        .env("GLOVEBOX_SECRET_CANARY_PUBLIC", PUBLIC_KEY)
        .file("tmp/.keep", "");
    let (cache, tmp) = (pipeline.path("cache"), pipeline.path("tmp"));
    pipeline.env("GLOVEBOX_CACHE", cache).env("TMPDIR", tmp)
}

/// Checks, previews and runs it; the run must store one row and reject all that is dirty.
fn through(left: &mut Left, pipeline: &Pipeline) {
    left.call(pipeline, &["check", "manifest.yaml", "--connect"], 0);
    let preview = left.call(pipeline, &["preview", "manifest.yaml"], 0);
    assert!(preview.stdout.contains(STORED), "{}", preview.stdout);
    let report = ["run", "manifest.yaml", "--report", "report.json"];
    left.call(pipeline, &report, 0);
    left.call(pipeline, &["run", "manifest.yaml", "--report", "-"], 0);
    let rows = pipeline.call(&["rows", "manifest.yaml"]);
    left.add("rows".into(), rows.stdout + &rows.stderr);
    let report: serde_json::Value = serde_json::from_str(&pipeline.read("report.json")).unwrap();
    let rows = &report["rows"];
    assert_eq!(
        (&rows["read"], &rows["stored"], &rows["filtered"]),
        (&15.into(), &1.into(), &1.into()),
        "{report:#}"
    );
    assert_eq!(report["sealed-rejects"]["rows"], 13, "{report:#}");
    left.files(pipeline.folder());
}

#[test]
fn the_search_finds_every_form() {
    for form in forms(SALT) {
        let mut left = Left::default();
        left.add("here".into(), [b"x", &form[..], b"y"].concat());
        assert_eq!(left.find(SALT), ["here"], "{}", form.escape_ascii());
        assert!(left.find(PASSWORD).is_empty());
    }
    for before in 0..7 {
        let text = STANDARD.encode(format!("{}{SALT}more", "-".repeat(before)));
        let mut left = Left::default();
        left.add("base64".into(), text);
        assert_eq!(left.find(SALT), ["base64"], "{before}");
    }
}

#[test]
fn files_and_sqlite_hold_what_is_to_be_stored_and_nothing_else() {
    for (sink, file) in [
        (
            "sqlite: { path: out.db, table: things, mode: replace }",
            "out.db",
        ),
        ("csv: { path: out.csv }", "out.csv"),
        ("jsonl: { path: out.jsonl }", "out.jsonl"),
    ] {
        let pipeline = pipeline(&manifest("[{ files: secrets }]", sink));
        let mut left = Left::default();
        through(&mut left, &pipeline);
        left.hold_none_of(&all());
        let found = left.find(STORED);
        assert!(found.iter().any(|place| place.ends_with(file)), "{found:?}");
        // Logs were written, or the search said nothing of them.
        let logged = left
            .0
            .iter()
            .any(|(_, bytes)| holds(bytes, b"secret found"));
        assert!(logged, "nothing was logged");
        assert!(left.0.iter().any(|(place, _)| place.contains("/cache/")));
    }
}

#[test]
fn a_salt_from_the_environment_or_the_keyring_stays_with_the_host() {
    let csv = "csv: { path: out.csv }";
    let pipeline = pipeline(&manifest("[env]", csv)).env("GLOVEBOX_SECRET_CANARY_SALT", SALT);
    let mut left = Left::default();
    through(&mut left, &pipeline);
    left.hold_none_of(&all());
    let masked = pipeline.read("out.csv");

    // A name that no other test or user has.
    let name = format!("glovebox-tests/canary-{}", std::process::id());
    let keyring = manifest("[keyring]", csv).replace("canary/salt", &name);
    let keyring = keyring.replace(SEALED_TO, "");
    pipeline.write("manifest.yaml", keyring);
    let set =
        pipeline.call_with_input(&["--log", "trace", "secret", "set", &name], SALT.as_bytes());
    left.add("stdout of set".into(), set.stdout.clone());
    left.add("stderr of set".into(), set.stderr.clone());
    if set.code == Some(0) {
        let listed = left.call(&pipeline, &["secret", "list"], 0).stdout;
        let again = pipeline.run();
        left.call(&pipeline, &["secret", "delete", &name], 0);
        assert!(listed.lines().any(|line| line == name), "{listed}");
        let _ = again.ends_with(0);
        assert_eq!(pipeline.read("out.csv"), masked);
        let _ = left
            .call(&pipeline, &["secret", "delete", &name], 1)
            .says("there is no");
    } else {
        let _ = set.ends_with(1).says("this machine has no OS keyring");
    }
    let _ = left
        .call(&pipeline, &["run", "manifest.yaml"], 2)
        .says(&name);
    left.files(pipeline.folder());
    left.hold_none_of(&all());
}

/// A role with the canary for a password, and the sink block that loads as it.
fn role(database: &str) -> String {
    let server = Postgres::shared();
    let role = format!("loader_{database}");
    server.query(
        database,
        &format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; \
             GRANT CREATE, USAGE ON SCHEMA public TO {role}; \
             CREATE SCHEMA glovebox AUTHORIZATION {role}"
        ),
    );
    format!(
        "postgres: {{ host: {}, port: {}, database: {database}, user: {role}, password: {{ secret: \
         canary/password }}, tls: {{ ca: \"{}\" }}, table: things, mode: replace }}",
        server.host(),
        server.port(),
        server.ca_path().display()
    )
}

#[test]
fn postgres_holds_what_is_to_be_stored_and_nothing_else() {
    let server = Postgres::shared();
    let database = server.database("canaries");
    let pipeline = pipeline(&manifest("[env, { files: secrets }]", &role(&database)))
        .env("GLOVEBOX_SECRET_CANARY_PASSWORD", PASSWORD);
    let mut left = Left::default();
    through(&mut left, &pipeline);
    let rows = server.query(&database, "SELECT things::text FROM things");
    assert_eq!(rows.len(), 1);
    left.add("table".into(), rows[0][0].clone().unwrap());
    left.hold_none_of(&all());
    assert!(left.find(STORED).contains(&"table"));

    // The right salt, and another password than the server's: refused, and not repeated.
    let wrong = "canary-wrong-Vb6Nm2";
    let pipeline = pipeline.env("GLOVEBOX_SECRET_CANARY_PASSWORD", wrong);
    for call in [
        &["run", "manifest.yaml"][..],
        &["check", "manifest.yaml", "--connect"],
    ] {
        let _ = left.call(&pipeline, call, 1).says("password");
    }
    left.hold_none_of(&[wrong]);
    left.hold_none_of(&all());
}

#[test]
fn a_run_that_is_killed_leaves_none_on_the_disk() {
    for sink in [
        "sqlite: { path: out.db, table: things, mode: append }",
        "sqlite: { path: out.db, table: things, mode: replace }",
        "csv: { path: out.csv }",
    ] {
        let manifest = manifest("[{ files: secrets }]", sink)
            .replace("in.csv", "\"-\"")
            .replace("max-field: 100B", "max-field: 110000B");
        let pipeline = pipeline(&manifest);
        let mut command = pipeline.command(&["--log", "trace", "run", "manifest.yaml"]);
        command.stdin(Stdio::piped());
        let mut running = Running::new(command);
        let text = input();
        running.feed(&text);
        // Standard input stays open, so the run cannot end; and these are more than the 16 MiB
        // that SQLite keeps before it writes.
        let clean = text.split(|&b| b == b'\n').nth(1).unwrap();
        let clean = String::from_utf8(clean.to_vec()).unwrap();
        let wide = clean.replace(STORED, &format!("kept {}{STORED}", " ".repeat(100_000)));
        for _ in 0..300 {
            running.feed(format!("\n{wide}").as_bytes());
        }
        let mut left = Left::default();
        running.until("rows are on the disk", |_| {
            left.0.clear();
            left.files(pipeline.folder());
            !left.find(STORED).is_empty()
        });
        running.signal("KILL");
        let ran = running.end();
        assert_eq!(ran.code, None);
        left.0.clear();
        left.add("output".into(), ran.stdout + &ran.stderr);
        left.files(pipeline.folder());
        assert!(!left.find(STORED).is_empty(), "nothing was written");
        left.hold_none_of(&all());
    }
}

#[test]
fn a_database_that_refuses_a_row_is_not_quoted() {
    const KEY: &str = "canary-key-Lp3Wd8";
    let server = Postgres::shared();
    let database = server.database("keys");
    let sink = role(&database);
    server.query(
        &database,
        "CREATE TABLE public.things (k text PRIMARY KEY); GRANT ALL ON public.things TO PUBLIC",
    );
    let lite = "sqlite: { path: out.db, table: things }";
    for sink in [&sink[..], lite] {
        let manifest = format!(
            "name: keys\nsource: {{ csv: {{ path: in.csv }} }}\ncolumns:\n  k: {{ type: text }}\n\
             credentials: [env]\nsink:\n  {sink}\nrejects: {{ path: rejects.jsonl }}\n"
        );
        let pipeline = pipeline(&manifest)
            .env("GLOVEBOX_SECRET_CANARY_PASSWORD", PASSWORD)
            .file("in.csv", "k\n1\n");
        let mut left = Left::default();
        left.call(&pipeline, &["run", "manifest.yaml"], 0);
        if sink == lite {
            let unique = "CREATE UNIQUE INDEX one ON things(k)";
            sqlite::execute(&pipeline.path("out.db"), unique);
        }
        pipeline.write("in.csv", format!("k\n{KEY}\nother\n{KEY}\n"));
        let _ = left
            .call(&pipeline, &["run", "manifest.yaml"], 0)
            .prints("rejected by sink: unique");
        // The first row of that key is stored, where it belongs; what is said of the other one is not
        // to show it.
        let stored = [["1"], [KEY], ["other"]].map(|row| row.map(|k| Some(k.to_owned())));
        let stored = if sink == lite {
            &stored[..]
        } else {
            &stored[1..]
        };
        let (rows, kept) = if sink == lite {
            let file = pipeline.path("out.db");
            let rows = sqlite::query(&file, "SELECT k FROM things ORDER BY rowid");
            let kept = sqlite::query(&file, "SELECT violations FROM glovebox_reject");
            for end in ["", "-wal", "-shm"] {
                let _ = fs::remove_file(pipeline.path(&format!("out.db{end}")));
            }
            (rows, kept)
        } else {
            let rows = "SELECT k FROM public.things ORDER BY k <> '1', k = 'other'";
            let kept = "SELECT violations::text FROM glovebox.reject";
            (server.query(&database, rows), server.query(&database, kept))
        };
        assert_eq!(rows, stored);
        assert_eq!(kept.len(), 1);
        left.add("the journal".into(), format!("{kept:?}"));
        left.files(pipeline.folder());
        left.hold_none_of(&[KEY, PASSWORD]);
    }
}

#[test]
fn a_password_in_a_manifest_is_refused_and_not_repeated() {
    for (leaky, code) in [
        (format!("password: {PASSWORD}"), 2),
        (format!("pasword: {PASSWORD}"), 2),
        (format!("password: {{ secret: \"{PASSWORD} \" }}"), 2),
        (format!("password: {{ value: {PASSWORD} }}"), 2),
        (format!("password: \"{PASSWORD}"), 2),
    ] {
        let pipeline = pipeline("").file(
            "leaky.yaml",
            format!(
                "name: leaky\nsource: {{ csv: {{ path: in.csv }} }}\ncolumns:\n  note: {{ type: \
                 text }}\nsink:\n  postgres:\n    host: localhost\n    database: d\n    user: u\n    \
                 {leaky}\n    table: t\n"
            ),
        );
        let mut left = Left::default();
        for call in ["run", "check", "preview"] {
            left.call(&pipeline, &[call, "leaky.yaml"], code);
        }
        left.files(pipeline.folder());
        left.hold_none_of(&all());
    }
}
