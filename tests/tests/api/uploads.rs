//! Uploads that wait encrypted on the server's disk: of any format, through kills, and with a key that
//! is not there any more.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::Server;

use super::runs::{is_over, start, until};

/// Pairs of keys, as `age-keygen` writes them: of the server, and of a partner.
const SERVER: &str = "AGE-SECRET-KEY-146R9W8M5DPRSZYTPRG0N6RGLY3JQ3GVKFFT8T4VSLQEZ20QYZF5SL7ZE39";
const NEW: &str = "AGE-SECRET-KEY-15QMG3SLJDRTV7X2DX0NLHLM356JPM47PKTVUK2Q03L3TT74652JQ8Z03XE";
const PARTNER: &str = "age1z68npvpzeqs4e9ps33exh7fatdyzupmclsmp5hmrjy86uupa7ecqh0nv9n";
const PARQUET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const CANARY: &str = "canary-5c19";

const CONFIGURATION: &str = "\
limits: { logins-a-minute-by-address: 1000, shutdown: 1 s }
pipelines:
  lines: { manifest: lines.yaml, upload: 10 MiB }
  objects: { manifest: objects.yaml, upload: 10 MiB }
  sealed: { manifest: sealed.yaml, upload: 10 MiB }
  columns: { manifest: columns.yaml, upload: 10 MiB }
  keyed: { manifest: keyed.yaml, upload: 10 MiB }
  slow: { manifest: slow.yaml }
runs: { folder: runs, at-once: 1, uploads-key: uploads }
";

fn manifest(source: &str, sink: &str) -> String {
    format!(
        "name: things
source: {{ {source} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text }} }}
credentials: [{{ files: secrets }}]
sink: {{ {sink} }}
"
    )
}

fn rows(count: usize) -> String {
    let rows = (0..count).map(|id| format!("{id},{CANARY}\n"));
    format!("id,name\n{}", rows.collect::<String>())
}

fn folder() -> Pipeline {
    let to = |table: &str| format!("sqlite: {{ path: out.db, table: {table}, mode: replace }}");
    let slow = "\
name: slow
source: { csv: { path: slow.csv } }
columns: { id: { type: int64 }, name: { type: text, personal: true } }
credentials: [{ files: secrets }]
steps:
  - mask: pseudonym
    masks: [name]
    with: { method: pbkdf2-sha256, iterations: 6500 }
    keys: { pseudonym: salt }
sink: { sqlite: { path: slow.db, table: slow, mode: append } }
";
    let mut file = String::from("id,name\n");
    for n in 0..200_000 {
        file.push_str(&format!("{n},name {n}\n"));
    }
    Server::folder(CONFIGURATION)
        .file("secrets/uploads", format!("# created: today\n{SERVER}\n"))
        .file("secrets/partner", NEW)
        .file("secrets/parquet", PARQUET_KEY)
        .file("secrets/salt", "a salt of 32 bytes, or there about")
        .file("slow.yaml", slow)
        .file("slow.csv", file)
        .file("lines.yaml", manifest("csv: { path: none }", &to("lines")))
        .file(
            "objects.yaml",
            manifest("jsonl: { path: none }", &to("objects")),
        )
        .file(
            "sealed.yaml",
            manifest(
                "csv: { path: none, decrypt-with: { secret: partner } }",
                &to("sealed"),
            ),
        )
        .file(
            "columns.yaml",
            manifest("parquet: { path: none }", &to("columns")),
        )
        .file(
            "keyed.yaml",
            manifest(
                "parquet: { path: none, decrypt-with: { secret: parquet } }",
                &to("keyed"),
            ),
        )
}

fn server(folder: Pipeline) -> (Server, String) {
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let (token, _) = server.log_in("ada");
    (server, token)
}

fn upload(server: &Server, token: &str, pipeline: &str, body: &[u8]) -> String {
    let bearer = format!("Bearer {token}");
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "text/csv"),
    ];
    let target = format!("/pipelines/{pipeline}/uploads");
    let taken = server.call("POST", &target, &headers, body).is(202).json();
    taken["id"].as_str().unwrap().to_owned()
}

/// Every file below the folder of runs.
fn kept(folder: &Pipeline) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.path("runs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found
}

fn nothing_in_the_clear(folder: &Pipeline) {
    for path in kept(folder) {
        // A run may be over just now.
        let bytes = fs::read(&path).unwrap_or_default();
        let shows = bytes
            .windows(CANARY.len())
            .any(|part| part == CANARY.as_bytes());
        assert!(!shows, "{}", path.display());
    }
}

fn is_age(path: &PathBuf) -> bool {
    fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"age-encryption.org/v1\n"))
}

fn count(server: &Server, table: &str) -> u64 {
    super::runs::stored(&server.folder, "out.db", table)
}

#[test]
fn an_upload_of_any_format_waits_encrypted_is_run_and_gone() {
    let folder = folder();
    let plain = rows(30_000);
    folder.write("plain.csv", &plain);
    let made = |sink: &str| {
        folder.write("make.yaml", manifest("csv: { path: plain.csv }", sink));
        let _ = folder.call(&["run", "make.yaml"]).ends_with(0);
        fs::read(folder.path("made")).unwrap()
    };
    let uploads = [
        ("lines", plain.clone().into_bytes()),
        ("objects", made("jsonl: { path: made }")),
        (
            "sealed",
            made(&format!("csv: {{ path: made, encrypt-to: [{PARTNER}] }}")),
        ),
        (
            "columns",
            made("parquet: { path: made, compression: none }"),
        ),
        (
            "keyed",
            made("parquet: { path: made, encrypt-with: { secret: parquet } }"),
        ),
    ];
    let (server, token) = server(folder);
    // Until it is cancelled, the others wait.
    let slow = start(&server, &token, "slow");
    until(&server, &token, &slow, |run| run["state"] == "running");
    let ids: Vec<_> = uploads
        .iter()
        .map(|(pipeline, body)| (*pipeline, upload(&server, &token, pipeline, body)))
        .collect();
    for (_, id) in &ids {
        assert!(is_age(&server.folder.path(&format!("runs/{id}/input.age"))));
    }
    nothing_in_the_clear(&server.folder);
    let _ = super::runs::post(&server, &token, &format!("/runs/{slow}/cancel"), &[]).is(202);
    for (pipeline, id) in &ids {
        let run = until(&server, &token, id, is_over);
        assert_eq!(run["state"], "done", "{pipeline}: {run}");
        assert_eq!(count(&server, pipeline), 30_000, "{pipeline}");
        nothing_in_the_clear(&server.folder);
        let since = Instant::now();
        while server.folder.path(&format!("runs/{id}/input.age")).exists() {
            assert!(since.elapsed() < Duration::from_secs(60), "{pipeline}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let used = server.audit();
    let used = used.iter().filter(|e| e["event.action"] == "secret-used");
    let of_runs = used.filter(|e| e["labels.key"] == "uploads" && e["labels.run"].is_string());
    assert_eq!(of_runs.count(), 5, "{}", server.audit_text());
    for text in [server.audit_text(), server.log()] {
        assert!(
            !text.contains("SECRET-KEY") && !text.contains(CANARY),
            "{text}"
        );
    }
}

#[test]
fn a_server_that_is_killed_leaves_nothing_in_the_clear_and_the_next_one_runs_it() {
    let (server, token) = server(folder());
    let slow = start(&server, &token, "slow");
    until(&server, &token, &slow, |run| run["state"] == "running");
    let waits = upload(&server, &token, "lines", rows(30_000).as_bytes());
    // Another one is half there.
    let half = rows(100_000);
    let mut line = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /pipelines/lines/uploads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: text/csv\r\nContent-Length: {}\r\n\r\n",
        half.len() * 2
    );
    line.write_all(head.as_bytes()).unwrap();
    line.write_all(half.as_bytes()).unwrap();
    let incoming = || {
        let all = kept(&server.folder).into_iter();
        let mut names = all.filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(".incoming-")
        });
        names.next()
    };
    let since = Instant::now();
    while !incoming().is_some_and(|path| fs::metadata(path).is_ok_and(|f| f.len() > 500_000)) {
        assert!(since.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    let incoming = incoming().unwrap();
    let folder = server.leave("KILL");
    assert!(is_age(&incoming));
    assert!(is_age(&folder.path(&format!("runs/{waits}/input.age"))));
    nothing_in_the_clear(&folder);
    // The key has been replaced meanwhile: the old one is kept behind the new one.
    folder.write("secrets/uploads", format!("{NEW}\n{SERVER}\n"));
    let server = Server::start_in(folder);
    let (token, _) = server.log_in("ada");
    let run = until(&server, &token, &waits, is_over);
    assert_eq!(run["state"], "done", "{run}");
    assert_eq!(count(&server, "lines"), 30_000);
    nothing_in_the_clear(&server.folder);
}

#[test]
fn a_key_that_is_none_or_gone_is_told() {
    let folder = folder();
    folder.write("secrets/uploads", CANARY);
    let told = "the secret `uploads` is no private key of age";
    for arguments in [&["serve", "--check"][..], &["serve"]] {
        let refused = folder.call(arguments).says(told);
        assert_ne!(refused.code, Some(0));
        assert!(!refused.stderr.contains(CANARY), "{}", refused.stderr);
    }
    // Uploads to a key that the server has not any more, and to one that is not named any more.
    folder.write("secrets/uploads", SERVER);
    let (mut server, mut token) = server(folder);
    for (is_named, told) in [
        (true, "not to the key of `uploads-key`"),
        (false, "this server has no `uploads-key` for it"),
    ] {
        let slow = start(&server, &token, "slow");
        until(&server, &token, &slow, |run| run["state"] == "running");
        let waits = upload(&server, &token, "lines", rows(10).as_bytes());
        let folder = server.leave("KILL");
        folder.write("secrets/uploads", NEW);
        if !is_named {
            let text = folder
                .read("glovebox.yaml")
                .replace(", uploads-key: uploads", "");
            folder.write("glovebox.yaml", text);
        }
        server = Server::start_in(folder);
        token = server.log_in("ada").0;
        let run = until(&server, &token, &waits, is_over);
        assert_eq!(run["state"], "failed");
        assert!(run["problem"].as_str().unwrap().contains(told), "{run}");
        // What the server that died had begun would go on, and take the only place.
        let _ = super::runs::post(&server, &token, &format!("/runs/{slow}/cancel"), &[]).is(202);
        until(&server, &token, &slow, is_over);
    }
}
