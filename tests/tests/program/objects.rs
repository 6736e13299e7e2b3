//! Files that are objects of a store: read, written, and told of.

mod published;

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use glovebox_tests::objects::{Emulator, Fate};
use glovebox_tests::outside::{Answer, Outside};
use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;

/// What must be in nothing that the program says.
const KEY: &str = "canary-secret-access-key-77f1";
/// Longer than a run takes to get anywhere.
const PATIENCE: Duration = Duration::from_secs(60);

fn reached(store: &Emulator) -> String {
    format!(
        "store: {{ endpoint: \"{}\", region: eu-central-1, access-key-id: AKIDEXAMPLE, access-key: {{ secret: s3 }}, \
         tls: {{ ca: {} }} }}",
        store.url(),
        store.ca().display()
    )
}

fn manifest(store: &Emulator, source: (&str, &str), sink: (&str, &str)) -> String {
    let reached = reached(store);
    let of = |path: &str| match path.contains("://") {
        true => format!(", {reached}"),
        false => String::new(),
    };
    format!(
        "name: objects
source: {{ {}: {{ path: \"{}\"{} }} }}
columns:
  id: {{ type: int64 }}
  name: {{ type: text, personal: true }}
credentials: [env]
steps:
  - {{ name: alias, masks: [name], mask: pseudonym, with: {{ method: hmac-sha256 }}, keys: {{ pseudonym: salt }} }}
sink: {{ {}: {{ path: \"{}\"{} }} }}
rejects: {{ path: rejects.jsonl }}
",
        source.0,
        source.1,
        of(source.1),
        sink.0,
        sink.1,
        of(sink.1)
    )
}

fn pipeline(manifest: &str) -> Pipeline {
    Pipeline::new(manifest)
        .env("GLOVEBOX_SECRET_S3", KEY)
        .env("GLOVEBOX_SECRET_SALT", "a-salt-of-enough-bytes-for-masks")
}

fn rows(from: usize, count: usize) -> String {
    let mut csv = String::from("id,name\n");
    for id in from..from + count {
        let _ = writeln!(csv, "{id},person {}", id % 97);
    }
    csv
}

fn run(pipeline: &Pipeline) -> Ran {
    let ran = pipeline.run();
    assert!(
        !ran.stderr.contains(KEY) && !ran.stdout.contains(KEY),
        "{}",
        ran.stderr
    );
    ran
}

/// What a run over the same bytes in files writes.
fn locally(format: &str, files: &[(&str, Vec<u8>)], sink: &str) -> Vec<u8> {
    let manifest = format!(
        "name: objects
source: {{ {format}: {{ path: in }} }}
columns:
  id: {{ type: int64 }}
  name: {{ type: text, personal: true }}
credentials: [env]
steps:
  - {{ name: alias, masks: [name], mask: pseudonym, with: {{ method: hmac-sha256 }}, keys: {{ pseudonym: salt }} }}
sink: {{ {sink}: {{ path: out }} }}
rejects: {{ path: rejects.jsonl }}
"
    );
    let mut pipeline = pipeline(&manifest);
    for (name, bytes) in files {
        pipeline = pipeline.file(&format!("in/{name}"), bytes);
    }
    run(&pipeline).ends_with(0);
    std::fs::read(pipeline.path("out")).unwrap()
}

#[test]
fn what_is_in_a_store_is_read_and_written_as_files_are() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    let files = [
        ("a.csv", rows(0, 3000).into_bytes()),
        ("b.csv", rows(3000, 20).into_bytes()),
    ];
    for (name, bytes) in &files {
        store.put(&format!("raw/in/{name}"), bytes);
    }
    store.put("raw/in/below/c.csv", "no,file\n");
    store.put("raw/in/.hidden.csv", "no,file\n");
    store.put("raw/in/notes.txt", "no file");
    for format in ["csv", "jsonl", "parquet"] {
        let expected = locally("csv", &files, format);
        for source in ["s3://raw/in/", "s3://raw/in/*.csv", "s3://raw/*/[ab].csv"] {
            let sink = format!("s3://raw/out/clean.{format}");
            let pipeline = pipeline(&manifest(&store, ("csv", source), (format, &sink)));
            let ran = run(&pipeline).ends_with(0);
            assert_eq!(ran.report["rows"]["stored"], 3020, "{source}");
            let found = store.get(&format!("raw/out/clean.{format}")).unwrap();
            assert!(found == expected, "{source} {format}");
        }
        // And back from there.
        let back = format!("s3://raw/out/clean.{format}");
        let pipeline = pipeline(&manifest(&store, (format, &back), ("csv", "back.csv")));
        run(&pipeline).ends_with(0);
        assert_eq!(pipeline.read("back.csv").lines().count(), 3021, "{format}");
    }
    let checked = pipeline(&manifest(
        &store,
        ("csv", "s3://raw/in/"),
        ("csv", "s3://raw/out/checked.csv"),
    ));
    checked
        .call(&["check", "--connect", "manifest.yaml"])
        .ends_with(0);
    assert!(store.get("raw/out/checked.csv").is_none());
}

/// Rows of about 200 bytes, so that a few hundred thousand are more than one part.
fn wide(rows: usize) -> Vec<u8> {
    let mut csv = String::from("id,name\n");
    let padding = "lorem ipsum ".repeat(15);
    for id in 0..rows {
        let _ = writeln!(csv, "{id},{padding}{id}");
    }
    csv.into_bytes()
}

/// A pipeline that leaves long cells as they are, so that much is written.
fn copying(store: &Emulator, source: &str, sink: &str) -> Pipeline {
    let manifest = manifest(store, ("csv", source), ("csv", sink));
    let manifest = manifest.replace(
        "name: { type: text, personal: true }",
        "name: { type: text }",
    );
    let steps = manifest.find("steps:").unwrap()..manifest.find("sink:").unwrap();
    let manifest = manifest.replace(&manifest[steps], "steps: []\n");
    pipeline(&manifest)
}

#[test]
fn a_store_that_is_busy_is_asked_again() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    let bytes = wide(60_000);
    store.put("raw/in.csv", &bytes);
    let mut asked = 0;
    store.decide(move |request| {
        asked += 1;
        match asked % 3 {
            0 => Fate::Answered(Answer::Reply(503, Vec::new(), b"<Error/>".to_vec())),
            // Whether one that writes was heard nobody knows, so that not each of them is sent again.
            1 if asked % 2 == 0 && request.method == "GET" => Fate::Answered(Answer::HangUp),
            _ => Fate::Passes,
        }
    });
    let copying = copying(&store, "s3://raw/in.csv", "s3://raw/out.csv");
    run(&copying).ends_with(0);
    assert!(store.get("raw/out.csv").unwrap() == bytes);
}

#[test]
fn an_object_that_changes_while_it_is_read_ends_the_run() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    store.put("raw/in.csv", wide(60_000));
    store.put("raw/out.csv", "old");
    let mut reads = 0;
    let (sender, third) = std::sync::mpsc::channel();
    let (go, goes) = std::sync::mpsc::channel::<()>();
    let waits = std::sync::Mutex::new(goes);
    store.decide(move |asked| {
        if asked.method == "GET" && asked.header("range").is_some() {
            reads += 1;
            if reads == 3 {
                sender.send(()).unwrap();
                let _ = waits.lock().unwrap().recv();
            }
        }
        Fate::Passes
    });
    let copying = copying(&store, "s3://raw/in.csv", "s3://raw/out.csv");
    let running = copying.start(&["run", "manifest.yaml"]);
    third.recv_timeout(PATIENCE).unwrap();
    store.put("raw/in.csv", wide(60_001));
    go.send(()).unwrap();
    running
        .end()
        .ends_with(1)
        .says("s3://raw/in.csv: changed while it was read; run again");
    assert_eq!(store.get("raw/out.csv").unwrap(), b"old");
}

#[test]
fn a_store_that_refuses_is_told_of_in_our_words_before_the_first_row() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    store.put("raw/in.csv", rows(0, 10));
    let said = "canary-the-store-said";
    let with =
        |source: &str, sink: &str| pipeline(&manifest(&store, ("csv", source), ("csv", sink)));
    for (source, sink, problem) in [
        (
            "s3://none/in.csv",
            "out.csv",
            "the store has no such object, or no such bucket",
        ),
        (
            "s3://raw/none.csv",
            "out.csv",
            "the store has no such object, or no such bucket",
        ),
        ("s3://raw/in/*.csv", "out.csv", "no object matches"),
        (
            "s3://raw/in/",
            "out.csv",
            "the folder has no object with the extension .csv",
        ),
    ] {
        run(&with(source, sink)).ends_with(1).says(problem);
    }
    for (status, problem) in [
        (403, "does not let these credentials do that"),
        (401, "the store does not accept these credentials"),
        (301, "the store answered with status 301: it is elsewhere"),
        (400, "the store answered with status 400"),
    ] {
        let body = format!("<Error><Code>{said}</Code><Message>{said}</Message></Error>");
        store.decide(move |_| {
            Fate::Answered(Answer::Reply(status, Vec::new(), body.clone().into_bytes()))
        });
        for pipeline in [
            with("s3://raw/in.csv", "out.csv"),
            with("s3://raw/in.csv", "s3://raw/out.csv"),
        ] {
            let ran = run(&pipeline).ends_with(1).says(problem);
            assert!(!ran.stderr.contains(said), "{}", ran.stderr);
        }
    }
}

#[test]
fn several_processes_share_out_what_is_in_a_store() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    store.put("raw/in/a.csv", wide(30_000));
    store.put("raw/in/b.csv", wide(10_000));
    let server = Postgres::shared();
    let database = server.database("objects");
    let copying = copying(&store, "s3://raw/in/", "out.csv");
    let manifest = copying.read("manifest.yaml");
    let sink = format!(
        "postgres: {{ host: {}, port: {}, database: {database}, user: {}, password: {{ secret: db }}, \
         tls: {{ ca: {} }}, table: people, identity-key: {{ secret: salt }} }}",
        server.host(),
        server.port(),
        server.user(),
        server.ca_path().display()
    );
    let manifest = manifest.replace("csv: { path: \"out.csv\" }", &sink);
    let pipeline = pipeline(&manifest).env("GLOVEBOX_SECRET_DB", server.password());
    let ran = pipeline.run_with(&["--shards", "2"]).ends_with(0);
    assert_eq!(ran.report["rows"]["stored"], 40_000);
    let counted = "SELECT count(*) || ' ' || sum(id) || ' ' || count(DISTINCT id) FROM people";
    let counted = server.query(&database, counted);
    let expected = (0..30_000u64).sum::<u64>() + (0..10_000u64).sum::<u64>();
    assert_eq!(counted[0][0], Some(format!("40000 {expected} 30000")));
}

#[test]
fn without_a_key_the_environment_and_the_machines_role_are_asked() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    store.put("raw/in.csv", rows(0, 10));
    let token = Pipeline::empty().file("token", "a token of the cluster's");
    let login = ", access-key-id: AKIDEXAMPLE, access-key: { secret: s3 }";
    let manifest = manifest(&store, ("csv", "s3://raw/in.csv"), ("csv", "out.csv"));
    assert!(manifest.contains(login));
    // The manifest's key is not mixed with what the environment has of another.
    let said = pipeline(&manifest).env("AWS_SESSION_TOKEN", "a token of another's");
    run(&said).ends_with(0);
    let asked = store.front.asked();
    assert!(
        asked
            .iter()
            .all(|a| a.header("x-amz-security-token").is_none())
    );
    let bare = || Pipeline::new(&manifest.replace(login, "")).env("GLOVEBOX_SECRET_SALT", KEY);
    let token = token.path("token").display().to_string();
    for (variables, who) in [
        (
            vec![
                ("AWS_ACCESS_KEY_ID", "AKIDOFENVIRONMENT"),
                ("AWS_SECRET_ACCESS_KEY", KEY),
                ("AWS_SESSION_TOKEN", "a token of the session's"),
            ],
            "AKIDOFENVIRONMENT",
        ),
        (
            vec![("AWS_METADATA_ENDPOINT", store.plain_url().as_str())],
            "test-key",
        ),
        (
            vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
                ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/glovebox"),
                ("AWS_ENDPOINT_URL_STS", store.url().as_str()),
            ],
            "ASIA",
        ),
    ] {
        let variables = variables.into_iter();
        let pipeline = variables.fold(bare(), |p, (name, value)| p.env(name, value));
        run(&pipeline).ends_with(0);
        let asked = store.front.asked();
        let read = asked.iter().rfind(|a| a.target == "/raw/in.csv").unwrap();
        let login = read.header("authorization").unwrap();
        assert!(login.contains(&format!("Credential={who}")), "{login}");
    }
}

#[test]
fn a_web_servers_file_is_read_by_ranges() {
    let bytes = wide(20_000);
    let served = bytes.clone();
    let ranged = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&ranged);
    let server = Outside::start(move |asked| {
        let mut headers = vec![("ETag".to_owned(), "W/\"7\"".to_owned())];
        let length = served.len();
        if asked.target != "/in/days.csv" {
            return Answer::Reply(404, headers, b"canary".to_vec());
        }
        if asked.method == "HEAD" {
            headers.push(("Content-Length".to_owned(), length.to_string()));
            return Answer::Reply(200, headers, Vec::new());
        }
        let range = asked.header("range").and_then(|r| r.strip_prefix("bytes="));
        let range = range.filter(|_| answers.load(Ordering::Relaxed));
        let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
            return Answer::Reply(200, headers, served.clone());
        };
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        let range = format!("bytes {from}-{to}/{length}");
        headers.push(("Content-Range".to_owned(), range));
        Answer::Reply(206, headers, served[from..=to].to_vec())
    });
    let folder = Pipeline::empty().file("ca.pem", &server.ca);
    let reading = |path: &str| {
        let ca = folder.path("ca.pem").display().to_string();
        pipeline(&format!(
            "name: web
source: {{ csv: {{ path: \"https://{}/{path}\", store: {{ tls: {{ ca: {ca} }} }} }} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text }} }}
steps: []
sink: {{ csv: {{ path: out.csv }} }}
rejects: {{ path: rejects.jsonl }}
",
            server.address
        ))
    };
    let there = reading("in/days.csv");
    run(&there).ends_with(0);
    assert!(there.read("out.csv").into_bytes() == bytes);
    for (path, problem) in [
        ("in/none.csv", "the store has no such object"),
        ("in/", "a web server cannot say which files it has"),
        ("in/*.csv", "a web server cannot say which files it has"),
    ] {
        run(&reading(path)).ends_with(1).says(problem);
    }
    ranged.store(false, Ordering::Relaxed);
    run(&reading("in/days.csv"))
        .ends_with(1)
        .says("the server does not answer to ranges of bytes");
}
