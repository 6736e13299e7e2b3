//! Parquet files under Parquet's own encryption: pyarrow opens what is written and what it writes is
//! read, by the key alone, and nothing is on the disk in the clear at any moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use glovebox_tests::markdown::blocks;
use glovebox_tests::pipeline::{Pipeline, Running};

/// Keys of 32 and 16 bytes.
const LONG: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SHORT: &str = "_-8CAwQFBgcICQoLDA0ODw==";
const CANARY: &str = "canary-3d70";

/// Reads or writes a file by a key, as pyarrow does: `read FILE KEY` or `write FILE KEY [OPTION…]`.
const PYTHON: &str = "
import base64, sys
import pyarrow as pa, pyarrow.parquet as pq, pyarrow.parquet.encryption as pe
what, path, key, *options = sys.argv[1:]
key = base64.urlsafe_b64decode(key.replace('+', '-').replace('/', '_'))
if what == 'read':
    opened = pe.create_decryption_properties(key)
    file = pq.ParquetFile(path, decryption_properties=opened)
    rows = file.read()
    print(rows.num_rows, sum(rows['id'].to_pylist()), len(set(rows['name'].to_pylist())), file.num_row_groups)
else:
    how = {}
    if 'ctr' in options: how['encryption_algorithm'] = 'AES_GCM_CTR_V1'
    if 'plain-footer' in options: how['plaintext_footer'] = True
    if 'prefix' in options: how['aad_prefix'] = b'sales'
    if 'hidden-prefix' in options: how.update(aad_prefix=b'sales', store_aad_prefix=False)
    v2 = {'data_page_version': '2.0'} if 'v2' in options else {}
    count = 30000
    rows = pa.table({'id': range(count), 'name': ['canary-3d70'] * count,
                     'tags': [[str(i % 3)] * (i % 4) for i in range(count)]})
    pq.write_table(rows, path, row_group_size=10000, data_page_size=8192, write_page_checksum=True,
                   compression='gzip' if 'gzip' in options else 'zstd',
                   use_dictionary='dictionary' in options,
                   encryption_properties=pe.create_encryption_properties(key, **how), **v2)
";

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
    Pipeline::new(&manifest(source, sink))
        .file("keys/long", format!("{LONG}\n"))
        .file("keys/short", SHORT)
        .file("keys/text", "0123456789abcdef0123456789abcdef")
        .file("keys/none", CANARY)
}

fn rows(count: usize) -> String {
    let rows = (0..count).map(|id| format!("{id},{CANARY}\n"));
    format!("id,name\n{}", rows.collect::<String>())
}

/// Python with pyarrow, as `cargo xtask tools` installs it, if it could.
fn pyarrow() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/parquet/bin/python");
    if python.is_file() {
        return Some(python);
    }
    eprintln!("not compared with pyarrow; `cargo xtask tools` installs it");
    None
}

/// What pyarrow prints.
fn asked(python: &Path, pipeline: &Pipeline, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(python)
        .args(["-c", PYTHON])
        .args(arguments)
        .current_dir(pipeline.folder())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    match output.status.success() {
        true => Ok(text(output.stdout)),
        false => Err(text(output.stderr)),
    }
}

/// That no file that a run has written holds the cells of its rows.
/// What the manual's lines for pyarrow read, in rows.
fn by_the_manual(python: &Path, pipeline: &Pipeline) -> String {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manifest.md");
    let mut blocks = blocks(&fs::read_to_string(manual).unwrap()).into_iter();
    let script = blocks.find(|block| block.text.contains("create_decryption_properties"));
    let script = script.unwrap().text + "\nprint(rows.num_rows)\n";
    let output = Command::new(python)
        .args(["-c", &script])
        .current_dir(pipeline.folder())
        .output()
        .unwrap();
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{failed}");
    String::from_utf8(output.stdout).unwrap()
}

fn nothing_in_the_clear(pipeline: &Pipeline) {
    for name in pipeline.names() {
        let path = pipeline.path(&name);
        if path.is_file() && !name.starts_with("in.") && !name.starts_with("keys") {
            let bytes = fs::read(path).unwrap();
            for shown in [CANARY, "glovebox"] {
                let shows = bytes
                    .windows(shown.len())
                    .any(|part| part == shown.as_bytes());
                assert!(!shows || name == "manifest.yaml", "{shown} in {name}");
            }
        }
    }
}

#[test]
fn pyarrow_opens_what_is_written_and_nobody_without_the_key_does() {
    for (name, key, other) in [("long", LONG, SHORT), ("short", SHORT, LONG)] {
        let sink = format!(
            "parquet: {{ path: out.parquet, compression: none, encrypt-with: {{ secret: {name} }} }}"
        );
        let count = 300_000;
        let pipeline = pipeline("csv: { path: in.csv }", &sink).file("in.csv", rows(count));
        for _ in 0..2 {
            let ran = pipeline.run().ends_with(0);
            assert_eq!(ran.rows("stored"), count as u64);
        }
        nothing_in_the_clear(&pipeline);
        let file = fs::read(pipeline.path("out.parquet")).unwrap();
        assert!(file.ends_with(b"PARE"));
        if let Some(python) = pyarrow() {
            let read = |key| asked(&python, &pipeline, &["read", "out.parquet", key]);
            let sum = count * (count - 1) / 2;
            assert_eq!(read(key).unwrap(), format!("{count} {sum} 1 3\n"));
            pipeline.write("keys/handover/parquet", format!("{key}\n"));
            pipeline.write("handover.parquet", &file);
            assert_eq!(by_the_manual(&python, &pipeline), format!("{count}\n"));
            let refused = read(other).unwrap_err();
            assert!(
                refused.contains("OSError") || refused.contains("Error"),
                "{refused}"
            );
        }
        let source =
            format!("parquet: {{ path: out.parquet, decrypt-with: {{ secret: {name} }} }}");
        pipeline.write(
            "manifest.yaml",
            manifest(&source, "csv: { path: again.csv }"),
        );
        let _ = pipeline.run().ends_with(0);
        assert!(pipeline.read("again.csv") == pipeline.read("in.csv"));
    }
}

#[test]
fn what_pyarrow_writes_is_read() {
    let Some(python) = pyarrow() else { return };
    let manifest = "name: things
source: { parquet: { path: in.parquet, decrypt-with: { secret: KEY } } }
columns: { id: { type: int64 }, name: { type: text }, tags: { type: text } }
credentials: [{ files: keys }]
sink: { csv: { path: out.csv } }
rejects: { path: rejects.jsonl }
";
    for (key, options) in [
        ("long", &["dictionary"][..]),
        ("short", &["v2"]),
        ("long", &["gzip", "prefix"]),
        ("short", &["gzip", "v2", "dictionary"]),
    ] {
        let pipeline = pipeline("", "");
        pipeline.write("manifest.yaml", manifest.replace("KEY", key));
        let secret = if key == "long" { LONG } else { SHORT };
        let arguments = [&["write", "in.parquet", secret], options].concat();
        let _ = asked(&python, &pipeline, &arguments).unwrap();
        let ran = pipeline.run().ends_with(0);
        assert_eq!(ran.rows("stored"), 30_000, "{options:?}");
        let out = pipeline.read("out.csv");
        let last = format!("29999,{CANARY},\"[\"\"2\"\",\"\"2\"\",\"\"2\"\"]\"");
        assert_eq!(out.lines().last(), Some(last.as_str()));
        let numbers = out
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap());
        assert!(numbers.eq((0..30_000).map(|n| n.to_string())));
    }
    for (options, told) in [
        ("ctr", "write it with AES_GCM_V1"),
        ("plain-footer", "write it with an encrypted footer"),
        ("hidden-prefix", "an AAD prefix that it does not hold"),
    ] {
        let pipeline = pipeline("", "");
        pipeline.write("manifest.yaml", manifest.replace("KEY", "long"));
        let _ = asked(&python, &pipeline, &["write", "in.parquet", LONG, options]).unwrap();
        let _ = pipeline.run().ends_with(1).says(told);
    }
}

#[test]
fn a_run_that_is_killed_leaves_nothing_in_the_clear_and_runs_again() {
    let sink = "parquet: { path: out.parquet, compression: none, encrypt-with: { secret: long } }";
    let pipeline = pipeline("csv: { path: \"-\" }", sink);
    let mut command = pipeline.command(&["run", "manifest.yaml"]);
    command.stdin(Stdio::piped());
    let mut running = Running::new(command);
    let mut piece = rows(600_000);
    running.feed(piece.as_bytes());
    piece.replace_range(..piece.find('\n').unwrap() + 1, "");
    let half = |name: &String| name.starts_with(".glovebox-out.parquet-");
    running.until("a row group is on the disk", |_| {
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
    assert!(!pipeline.path("out.parquet").exists());
    let input = rows(1_000);
    let again = pipeline.call_with_input(&["run", "manifest.yaml"], input.as_bytes());
    let _ = again.ends_with(0);
    let source = "parquet: { path: out.parquet, decrypt-with: { secret: long } }";
    pipeline.write("manifest.yaml", manifest(source, "csv: { path: out.csv }"));
    let _ = pipeline.run().ends_with(0);
    assert!(pipeline.read("out.csv") == input);
}

#[test]
fn a_key_or_a_file_that_does_not_fit_is_told_and_no_key_is_shown() {
    let sink = "parquet: { path: in.parquet, encrypt-with: { secret: long } }";
    let made = pipeline("csv: { path: plain.csv }", sink).file("plain.csv", rows(30_000));
    let _ = made.run().ends_with(0);
    let file = fs::read(made.path("in.parquet")).unwrap();
    let mut changed = file.clone();
    changed[1_000] ^= 1;
    let by =
        |key: &str| format!("parquet: {{ path: in.parquet, decrypt-with: {{ secret: {key} }} }}");
    let to_csv = "csv: { path: out.csv }";
    for (source, file, told) in [
        (
            by("short"),
            &file,
            "is not opened by the key of `decrypt-with`",
        ),
        (
            by("long"),
            &changed,
            "a page that the key of `decrypt-with` does not open",
        ),
        (
            "parquet: { path: in.parquet }".to_owned(),
            &file,
            "name its key in the source: decrypt-with",
        ),
    ] {
        let pipeline = pipeline(&source, to_csv).file("in.parquet", file);
        let ran = pipeline.run().ends_with(1).says(told);
        assert!(!ran.stderr.contains(CANARY), "{}", ran.stderr);
        assert!(!pipeline.path("out.csv").exists());
    }
    // Before the first row, and by `check` as well as by `run`.
    let to = |key: &str| format!("parquet: {{ path: out.parquet, encrypt-with: {key} }}");
    let from = "csv: { path: in.csv }".to_owned();
    for (source, sink, told) in [
        (
            from.clone(),
            to("{ secret: text }"),
            "the secret `text` is Base64 of 24 bytes",
        ),
        (
            from.clone(),
            to("{ secret: none }"),
            "the secret `none` is not Base64 of 16 or 32 bytes",
        ),
        (
            by("none"),
            to_csv.to_owned(),
            "the secret `none` is not Base64",
        ),
        (from.clone(), to("{ secret: absent }"), "absent"),
        (from.clone(), to(LONG), "a key does not belong in this file"),
        (
            by("x").replace("{ secret: x }", LONG),
            to_csv.to_owned(),
            "a key does not belong in this file",
        ),
        (
            from,
            to("{ secret: long }").replace("encrypt-with", "encrypt-to"),
            "write `encrypt-with:`",
        ),
    ] {
        let pipeline = pipeline(&source, &sink)
            .file("in.csv", "id,name\n1,x\n")
            .file("in.parquet", &file);
        for call in ["check", "run"] {
            let refused = pipeline
                .call(&[call, "manifest.yaml"])
                .ends_with(2)
                .says(told);
            assert!(!refused.stderr.contains(LONG), "{}", refused.stderr);
            assert!(!refused.stderr.contains(CANARY), "{}", refused.stderr);
        }
    }
}
