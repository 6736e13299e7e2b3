//! Files encrypted with age: what is written is opened by other programs, what they write is read, and
//! nothing is on the disk in the clear at any moment.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use glovebox_tests::pipeline::{Pipeline, Running};

/// Two pairs of keys, as `age-keygen` writes them.
const ANN: [&str; 2] = [
    "age1rpwq3hqyseruuv8xdt4662sq0jr3c376nelclphsycjqk4ar550qaqr3lk",
    "AGE-SECRET-KEY-146R9W8M5DPRSZYTPRG0N6RGLY3JQ3GVKFFT8T4VSLQEZ20QYZF5SL7ZE39",
];
const BOB: [&str; 2] = [
    "age1z68npvpzeqs4e9ps33exh7fatdyzupmclsmp5hmrjy86uupa7ecqh0nv9n",
    "AGE-SECRET-KEY-15QMG3SLJDRTV7X2DX0NLHLM356JPM47PKTVUK2Q03L3TT74652JQ8Z03XE",
];
const CANARY: &str = "canary-7f1e";

fn manifest(source: &str, sink: &str) -> String {
    format!(
        "name: things
source: {{ {source} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text }} }}
credentials: [{{ files: keys }}]
sink: {{ {sink} }}
rejects: {{ path: rejects.jsonl }}
"
    )
}

fn pipeline(source: &str, sink: &str) -> Pipeline {
    with_keys(Pipeline::new(&manifest(source, sink)))
}

/// With the keys by which other programs open and encrypt.
pub(super) fn with_keys(pipeline: Pipeline) -> Pipeline {
    pipeline
        .file("keys/ann", format!("# created: today\n{}\n", ANN[1]))
        .file("keys/bob", format!("{}\n", BOB[1]))
}

fn rows(count: usize) -> String {
    let rows = (0..count).map(|id| format!("{id},{CANARY}\n"));
    format!("id,name\n{}", rows.collect::<String>())
}

fn to_both() -> String {
    format!("encrypt-to: [{}, {}]", ANN[0], BOB[0])
}

/// A program of that name, or what was installed by `cargo xtask tools`, if it could.
fn tool(path: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let program = target.join("tools").join(path);
    if program.is_file() {
        return Some(program);
    }
    // `cargo xtask tools` leaves out what the machine has.
    if let Some(name) = path.strip_prefix("age/usr/bin/")
        && Command::new(name).arg("--version").output().is_ok()
    {
        return Some(name.into());
    }
    eprintln!("not compared with tools/{path}; `cargo xtask tools` installs it");
    None
}

/// Calls of other programs that decrypt or encrypt, by whoever has or gets the first pair's key.
pub(super) fn others(decrypt: bool) -> Vec<Command> {
    let mut found = Vec::new();
    if let Some(age) = tool("age/usr/bin/age") {
        let mut command = Command::new(age);
        match decrypt {
            true => command.args(["--decrypt", "--identity", "keys/ann"]),
            false => command.args(["--recipient", ANN[0]]),
        };
        found.push(command);
    }
    let has_pyrage = |python: &PathBuf| {
        let asked = Command::new(python).args(["-c", "import pyrage"]).output();
        asked.is_ok_and(|asked| asked.status.success())
    };
    if let Some(python) = tool("masks/bin/python").filter(has_pyrage) {
        let mut command = Command::new(python);
        command.arg("-c").arg(match decrypt {
            true => {
                "import sys, pyrage; from pyrage import x25519
key = x25519.Identity.from_str(open('keys/ann').read().split('\\n')[1])
sys.stdout.buffer.write(pyrage.decrypt(sys.stdin.buffer.read(), [key]))"
            }
            false => {
                "import sys, pyrage; from pyrage import x25519
key = x25519.Recipient.from_str(sys.argv[1])
sys.stdout.buffer.write(pyrage.encrypt(sys.stdin.buffer.read(), [key]))"
            }
        });
        command.arg(ANN[0]);
        found.push(command);
    }
    found
}

/// What another program makes of a file.
pub(super) fn through(mut command: Command, pipeline: &Pipeline, input: &[u8]) -> Vec<u8> {
    let mut child = command
        .current_dir(pipeline.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || pipe.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

/// That no file that a run has written holds the cells of its rows.
fn nothing_in_the_clear(pipeline: &Pipeline) {
    for name in pipeline.names() {
        let path = pipeline.path(&name);
        if path.is_file() && !name.starts_with("in.") {
            let bytes = fs::read(path).unwrap();
            let shows = bytes
                .windows(CANARY.len())
                .any(|part| part == CANARY.as_bytes());
            assert!(!shows, "{name}");
        }
    }
}

#[test]
fn what_is_written_is_opened_by_other_programs() {
    for (sink, line) in [
        ("csv", "7,canary-7f1e\n"),
        ("jsonl", "{\"id\":7,\"name\":\"canary-7f1e\"}\n"),
    ] {
        let sink = format!("{sink}: {{ path: out.age, {} }}", to_both());
        let pipeline = pipeline("csv: { path: in.csv }", &sink).file("in.csv", rows(30_000));
        for _ in 0..2 {
            let ran = pipeline.run().ends_with(0);
            assert_eq!(ran.rows("stored"), 30_000);
        }
        nothing_in_the_clear(&pipeline);
        let file = fs::read(pipeline.path("out.age")).unwrap();
        assert!(file.starts_with(b"age-encryption.org/v1\n"));
        for other in others(true) {
            let plain = String::from_utf8(through(other, &pipeline, &file)).unwrap();
            assert!(plain.contains(line));
            assert_eq!(plain.matches(CANARY).count(), 30_000);
        }
    }
}

#[test]
fn what_other_programs_write_is_read_and_so_is_what_we_write() {
    let plain = rows(30_000);
    let to_table = "sqlite: { path: out.db, table: t }";
    let source = "csv: { path: in, decrypt-with: { secret: ann } }";
    for other in others(false) {
        let pipeline = pipeline(source, to_table);
        let file = through(other, &pipeline, plain.as_bytes());
        let pipeline = pipeline.file("in/1.csv.age", file);
        assert_eq!(pipeline.run().ends_with(0).rows("stored"), 30_000);
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(plain.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for other in others(false) {
        let pipeline = pipeline(source, to_table);
        let file = through(other, &pipeline, &packed);
        let pipeline = pipeline.file("in/1.csv.gz.age", file);
        assert_eq!(pipeline.run().ends_with(0).rows("stored"), 30_000);
    }
    let sink = format!("csv: {{ path: out.age, {} }}", to_both());
    let written = pipeline("csv: { path: in.csv }", &sink).file("in.csv", &plain);
    let _ = written.run().ends_with(0);
    for key in ["ann", "bob"] {
        let source = format!("csv: {{ path: out.age, decrypt-with: {{ secret: {key} }} }}");
        written.write(
            "manifest.yaml",
            manifest(&source, "csv: { path: again.csv }"),
        );
        let _ = written.run().ends_with(0);
        assert_eq!(written.read("again.csv"), plain);
    }
    // As a server gives a pipeline what was uploaded.
    let source = "csv: { path: none.csv, decrypt-with: { secret: ann } }";
    written.write(
        "manifest.yaml",
        manifest(source, "csv: { path: third.csv }"),
    );
    let _ = written.run_with(&["--input", "out.age"]).ends_with(0);
    assert_eq!(written.read("third.csv"), plain);
}

#[test]
fn a_run_that_is_killed_leaves_nothing_in_the_clear() {
    let sink = format!("csv: {{ path: out.age, {} }}", to_both());
    let pipeline = pipeline("csv: { path: \"-\" }", &sink);
    let mut command = pipeline.command(&["run", "manifest.yaml"]);
    command.stdin(Stdio::piped());
    let mut running = Running::new(command);
    let mut piece = rows(200_000);
    running.feed(piece.as_bytes());
    piece.replace_range(..piece.find('\n').unwrap() + 1, "");
    running.feed(piece.as_bytes());
    let half = |name: &String| name.starts_with(".glovebox-out.age-");
    running.until("some of it is on the disk", |_| {
        let names = pipeline.names();
        let staged = names.iter().find(|name| half(name));
        staged.is_some_and(|name| {
            fs::metadata(pipeline.path(name)).is_ok_and(|file| file.len() > 100_000)
        })
    });
    running.signal("KILL");
    let _ = running.end();
    assert!(pipeline.names().iter().any(half));
    nothing_in_the_clear(&pipeline);
    assert!(!pipeline.path("out.age").exists());
}

#[test]
fn a_file_that_cannot_be_opened_says_why_and_no_key_is_shown() {
    let opened_by =
        |key: &str| format!("csv: {{ path: in.csv, decrypt-with: {{ secret: {key} }} }}");
    let sink = format!("csv: {{ path: in.csv, encrypt-to: [{}] }}", ANN[0]);
    let made = pipeline("csv: { path: plain.csv }", &sink).file("plain.csv", rows(30_000));
    let _ = made.run().ends_with(0);
    let file = fs::read(made.path("in.csv")).unwrap();
    let to_csv = "csv: { path: out.csv }";
    for (source, file, problem) in [
        (
            opened_by("bob"),
            &file[..],
            "not to the key of `decrypt-with`",
        ),
        (
            opened_by("ann"),
            &file[..file.len() - 1],
            "damaged or cut off",
        ),
        (
            opened_by("ann"),
            &b"id,name\n1,x\n"[..],
            "it is not encrypted with age",
        ),
        (
            "csv: { path: in.csv }".to_owned(),
            &file[..],
            "name its key in the source: decrypt-with",
        ),
        (
            "csv: { path: in.csv }".to_owned(),
            &b"-----BEGIN AGE ENCRYPTED FILE-----\n"[..],
            "without `--armor`",
        ),
    ] {
        let pipeline = pipeline(&source, to_csv).file("in.csv", file);
        let _ = pipeline.run().ends_with(1).says(problem);
        assert!(!pipeline.path("out.csv").exists());
    }
    for (source, sink, problem) in [
        (
            format!("csv: {{ path: in.csv, decrypt-with: {} }}", ANN[1]),
            to_csv.to_owned(),
            "a key does not belong in this file",
        ),
        (
            "csv: { path: in.csv }".to_owned(),
            format!("csv: {{ path: out.csv, encrypt-to: [{}] }}", ANN[1]),
            "this is a private key, not a public one",
        ),
        (
            "csv: { path: in.csv }".to_owned(),
            format!(
                "csv: {{ path: out.csv, mode: append, encrypt-to: [{}] }}",
                ANN[0]
            ),
            "an encrypted file cannot be added to",
        ),
        (
            "csv: { path: in.csv }".to_owned(),
            format!("csv: {{ path: out.csv, encrypt-to: [{}q] }}", &ANN[0][..61]),
            "key 1 of `encrypt-to` is damaged",
        ),
    ] {
        let pipeline = pipeline(&source, &sink).file("in.csv", "id,name\n1,x\n");
        let refused = pipeline.run().ends_with(2).says(problem);
        assert!(!refused.stderr.contains("SECRET-KEY"), "{}", refused.stderr);
    }
}
