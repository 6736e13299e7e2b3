//! Proofs of runs: what they state, who verifies them, and that no changed byte passes.

mod explained;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;
use serde_json::{Value, json};

use crate::canaries::search::{forms, holds};

const FILE: &str = "csv: { path: out.csv }";
const TABLE: &str = "sqlite: { path: out.db, table: things }";
const SALT: &str = "canary-salt-of-more-than-16-bytes";
/// Cells that are masked, filtered or rejected.
const CELLS: [&str; 4] = ["canary-ann", "canary-bob", "canary-out", "canary-no-number"];
const ROWS: &str = "\
id,name,kind,mail
1,canary-ann,in,ann@example.org
2,canary-bob,in,
3,canary-out,out,
canary-no-number,eve,in,
5,,in,
";

fn manifest(sink: &str, format: &str) -> String {
    format!(
        "name: things
source: {{ csv: {{ path: in.csv }} }}
columns:
  id: {{ type: int64 }}
  who: {{ type: text, personal: true, from: name }}
  kind: {{ type: text }}
  mail:
    type: text
    personal: true
    release: {{ reason: contract 17, owner: dpo@example.org, until: 2099-12-31 }}
credentials: [{{ files: keys }}, env]
steps:
  - {{ name: complete, validate: required, reads: [who] }}
  - {{ name: wanted, transform: keep, reads: [kind], with: {{ column: kind, starts-with: in }} }}
  - name: alias
    mask: pseudonym
    masks: [who]
    with: {{ method: hmac-sha256 }}
    keys: {{ pseudonym: salt@2 }}
sink: {{ {sink} }}
rejects: {{ path: rejects.jsonl }}
proof: {{ key: proof, format: {format} }}
"
    )
}

fn postgres(database: &str) -> String {
    let server = Postgres::shared();
    let database = server.database(database);
    format!(
        "postgres: {{ {}, table: public.things }}",
        server.place(&database)
    )
}

/// A pipeline with a key, whose public half is in `public.pem`.
fn pipeline(sink: &str, format: &str) -> Pipeline {
    let pipeline = Pipeline::new(&manifest(sink, format))
        .file("in.csv", ROWS)
        .file("keys/salt@2", SALT)
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password());
    for (name, file) in [("proof", "public.pem"), ("other", "other.pem")] {
        let made = pipeline.call(&[
            "proof",
            "key",
            name,
            "--secrets",
            "keys",
            "--format",
            format,
        ]);
        pipeline.write(file, made.ends_with(0).stdout);
    }
    pipeline
}

fn run(pipeline: &Pipeline, more: &[&str]) -> Ran {
    pipeline.run_with(&[&["--proof", "proof.json"], more].concat())
}

fn verify(pipeline: &Pipeline, more: &[&str]) -> Ran {
    pipeline.call(&[&["proof", "verify", "proof.json"], more].concat())
}

const KEY: [&str; 2] = ["--public-key", "public.pem"];

fn statement(pipeline: &Pipeline) -> Value {
    let shown = pipeline.call(&["proof", "show", "proof.json", "--json", KEY[0], KEY[1]]);
    serde_json::from_str(&shown.ends_with(0).stdout).unwrap()
}

/// What a tool of `cargo xtask tools` is; none where it is not installed.
fn tool(name: &str) -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let tool = target.join("tools").join(name);
    if !tool.exists() {
        eprintln!("not run: no {name}; `cargo xtask tools` installs it");
        return None;
    }
    Some(tool)
}

#[test]
fn a_file_is_proven_with_all_that_made_it() {
    let pipeline = pipeline(FILE, "sigstore");
    let _ = run(&pipeline, &[]).ends_with(0);
    let _ = verify(&pipeline, &[&KEY[..], &["--file", "out.csv"]].concat())
        .ends_with(0)
        .prints("out.csv: is as it was stored")
        .prints("proof.json: verified");
    let _ = verify(&pipeline, &["--manifest", "manifest.yaml"])
        .ends_with(0)
        .prints("is the manifest of the run");

    let stated = statement(&pipeline);
    let predicate = &stated["predicate"];
    assert_eq!(stated["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(stated["subject"][0]["name"], "out.csv");
    assert_eq!(
        predicate["rows"],
        json!({ "stored": 2, "read": 5, "filtered": 1, "rejected": 2 })
    );
    assert_eq!(
        predicate["columns"][1],
        json!({
            "name": "who", "source": "name", "personal": true,
            "steps": [{
                "step": "alias", "method": "hmac-sha256",
                "key": { "name": "salt", "version": 2 },
                "may-keep": "no cell may stay whole",
                "undone-by": "whoever has the key, by trying likely values",
            }],
        })
    );
    assert_eq!(predicate["columns"][3]["steps"], json!([]));
    assert_eq!(
        predicate["exemptions"][0],
        json!({
            "column": "mail", "owner": "dpo@example.org", "reason": "contract 17",
            "until": "2099-12-31",
        })
    );
    let steps = predicate["steps"].as_array().unwrap();
    assert!(
        steps
            .iter()
            .all(|s| s["sha256"].as_str().unwrap().len() == 64)
    );
    assert_eq!(predicate["input"]["keyed-by"], "proof-key");
    assert_eq!(predicate["input"]["lines"], 5);

    let shown = pipeline.call(&["proof", "show", "proof.json"]).ends_with(0);
    let _ = shown
        .prints("NOT VERIFIED")
        .prints("salt version 2")
        .prints("let out unmasked: mail, by dpo@example.org");
}

#[test]
fn what_was_changed_since_is_told() {
    let pipeline = pipeline(FILE, "sigstore");
    let _ = run(&pipeline, &[]).ends_with(0);
    pipeline.write("out.csv", pipeline.read("out.csv") + " ");
    let _ = verify(&pipeline, &[&KEY[..], &["--file", "out.csv"]].concat())
        .ends_with(1)
        .says("out.csv is not a file that the proof is about");
    pipeline.write("manifest.yaml", manifest(FILE, "sigstore") + "\n");
    let _ = verify(&pipeline, &["--manifest", "manifest.yaml"])
        .ends_with(1)
        .says("is not the manifest that the run had");
    let _ = verify(&pipeline, &["--public-key", "other.pem"])
        .ends_with(1)
        .says("the pack is signed by key");
    let changed = pipeline.read("proof.json").replacen('A', "B", 1);
    pipeline.write("proof.json", changed);
    let _ = verify(&pipeline, &KEY).ends_with(1).says("NOT VERIFIED");
}

#[test]
fn a_tables_chunks_are_proven_by_the_journal() {
    for sink in [TABLE.to_owned(), postgres("proven")] {
        let pipeline = pipeline(&sink, "dsse");
        let _ = run(&pipeline, &["--again"]).ends_with(0);
        let with = [&KEY[..], &["--manifest", "manifest.yaml"]].concat();
        let _ = verify(&pipeline, &with)
            .ends_with(0)
            .prints("its journal has the chunks of the run");
        let stated = statement(&pipeline);
        assert_eq!(stated["predicate"]["input"]["keyed-by"], "journal");
        assert_eq!(stated["predicate"]["chunks"], json!({ "count": 1 }));

        // A run that has finished is proven again by what the journal knows.
        let first = stated["subject"].clone();
        fs::remove_file(pipeline.path("proof.json")).unwrap();
        let _ = run(&pipeline, &["--resume"]).ends_with(0);
        let again = statement(&pipeline);
        assert_eq!(again["subject"], first);
        assert_eq!(again["predicate"]["rows"], stated["predicate"]["rows"]);
        assert_eq!(again["predicate"]["input"], stated["predicate"]["input"]);
        let rejects = &again["predicate"]["rejects"];
        assert_eq!(rejects.as_array().map(Vec::len), Some(2), "{rejects}");
        assert_eq!(*rejects, stated["predicate"]["rejects"]);

        // It is not proven under a manifest that it did not have.
        let had = pipeline.read("manifest.yaml");
        pipeline.write("manifest.yaml", had.replace("contract 17", "contract 18"));
        let other = run(&pipeline, &["--resume"]).ends_with(2);
        let _ = other.says("cannot be proven under this manifest");
        pipeline.write("manifest.yaml", had);
        let piped = pipeline.call(&["run", "manifest.yaml", "--resume", "--proof", "-"]);
        let piped = piped.ends_with(0).stdout;
        assert!(serde_json::from_str::<Value>(&piped).is_ok(), "{piped}");
    }
    // Nor does a journal that has never seen the run have its chunks.
    let elsewhere = pipeline(TABLE, "dsse");
    let proven = pipeline(TABLE, "dsse");
    let _ = run(&elsewhere, &[]).ends_with(0);
    let _ = run(&proven, &[]).ends_with(0);
    fs::copy(proven.path("proof.json"), elsewhere.path("proof.json")).unwrap();
    fs::copy(proven.path("public.pem"), elsewhere.path("public.pem")).unwrap();
    let with = [&KEY[..], &["--manifest", "manifest.yaml"]].concat();
    let _ = verify(&elsewhere, &with)
        .ends_with(1)
        .says("no finished run of that name");
    let pipeline = pipeline(TABLE, "dsse");
    let _ = run(&pipeline, &[]).ends_with(0);
    sqlite::execute(
        &pipeline.path("out.db"),
        "UPDATE glovebox_chunk SET stored = stored + 1",
    );
    let _ = verify(&pipeline, &["--manifest", "manifest.yaml"])
        .ends_with(1)
        .says("its journal does not have the chunks that the proof is about");
}

#[test]
fn a_run_that_publishes_nothing_leaves_no_proof() {
    let pipeline = pipeline(FILE, "sigstore");
    let _ = run(&pipeline, &[]).ends_with(0);
    let strict =
        manifest(FILE, "sigstore").replace("rejects.jsonl }", "rejects.jsonl, at-most: 1 }");
    pipeline.write("manifest.yaml", strict);
    let _ = run(&pipeline, &[])
        .ends_with(3)
        .says("there is no proof, since nothing was published");
    assert!(!pipeline.path("proof.json").exists());

    let _ = fs::remove_file(pipeline.path("in.csv"));
    let _ = run(&pipeline, &[]).ends_with(1);
    assert!(!pipeline.path("proof.json").exists());

    let keyless = manifest(FILE, "sigstore");
    let keyless = keyless.split("proof:").next().unwrap();
    pipeline.write("manifest.yaml", keyless);
    let _ = run(&pipeline, &[])
        .ends_with(2)
        .says("`--proof` needs a key that signs");
}

#[test]
fn no_cell_and_no_secret_is_in_a_proof_or_an_explanation() {
    let pipeline = pipeline(TABLE, "sigstore");
    let _ = run(&pipeline, &[]).ends_with(0);
    let mut left = vec![statement(&pipeline).to_string().into_bytes()];
    left.push(fs::read(pipeline.path("proof.json")).unwrap());
    for arguments in [
        &["proof", "show", "proof.json"][..],
        &["explain", "manifest.yaml", "--row", "0", "--column", "who"],
    ] {
        let ran = pipeline.call(arguments).ends_with(0);
        left.extend([ran.stdout.into_bytes(), ran.stderr.into_bytes()]);
    }
    let secret = pipeline.read("keys/proof");
    let hidden = CELLS.iter().copied().chain([SALT, secret.trim()]);
    for form in hidden.flat_map(forms) {
        for text in &left {
            assert!(!holds(text, &form), "{}", String::from_utf8_lossy(text));
        }
    }
}

#[test]
fn the_script_of_the_manual_verifies_and_refuses_every_changed_bit() {
    let Some(python) = tool("masks/bin/python") else {
        return;
    };
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    for format in ["sigstore", "dsse"] {
        let pipeline = pipeline(FILE, format);
        let _ = run(&pipeline, &[]).ends_with(0);
        let script = |arguments: &[&str]| {
            let mut call = Command::new(&python);
            call.arg(docs.join("verify_proof.py")).args(arguments);
            let ended = call.current_dir(pipeline.folder()).output().unwrap();
            (ended.status.code(), ended.stdout)
        };
        let (code, stdout) = script(&["proof.json", "public.pem", "out.csv"]);
        assert_eq!(code, Some(0));
        let theirs: Value = serde_json::from_slice(&stdout).unwrap();
        assert_eq!(theirs, statement(&pipeline));
        assert_eq!(script(&["proof.json", "other.pem"]).0, Some(1));
        assert_eq!(script(&["proof.json", "public.pem", "in.csv"]).0, Some(1));

        let bits = "
import sys; sys.path.insert(0, sys.argv[1])
from verify_proof import InvalidSignature, verify
proof, pem = bytearray(open('proof.json', 'rb').read()), open('public.pem', 'rb').read()
verify(bytes(proof), pem)
for bit in range(8 * len(proof)):
    proof[bit // 8] ^= 1 << bit % 8
    try:
        verify(bytes(proof), pem)
        sys.exit(f'bit {bit} was changed, and the proof accepted')
    except (InvalidSignature, AttributeError, IndexError, KeyError, TypeError, ValueError):
        proof[bit // 8] ^= 1 << bit % 8
";
        let mut call = Command::new(&python);
        call.args(["-c", bits]).arg(&docs);
        let ended = call.current_dir(pipeline.folder()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{format}: {said}");
    }
}

#[test]
fn what_is_exempt_from_the_register_is_stated() {
    let pipeline = pipeline(FILE, "sigstore");
    let exempt = "exemptions:
  - { column: kind, owner: dpo@example.org, reason: kinds of goods, until: 2099-01-31 }
  - { column: extra, owner: it@example.org, reason: never declared, until: 2099-02-28 }
";
    pipeline.write("manifest.yaml", manifest(FILE, "sigstore") + exempt);
    let _ = run(&pipeline, &[]).ends_with(0);
    let stated = statement(&pipeline);
    assert_eq!(
        stated["predicate"]["register-exemptions"],
        json!([
            { "column": "kind", "owner": "dpo@example.org", "reason": "kinds of goods", "until": "2099-01-31" },
            { "column": "extra", "owner": "it@example.org", "reason": "never declared", "until": "2099-02-28" },
        ])
    );
    let _ = pipeline
        .call(&["proof", "show", "proof.json"])
        .ends_with(0)
        .prints(
            "exempt from the register: kind, by dpo@example.org, until 2099-01-31: kinds of goods",
        );
    let _ = verify(&pipeline, &KEY).ends_with(0);
    if let Some(python) = tool("masks/bin/python") {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
        let mut call = Command::new(python);
        call.arg(docs.join("verify_proof.py"))
            .args(["proof.json", "public.pem", "out.csv"]);
        let ended = call.current_dir(pipeline.folder()).output().unwrap();
        assert!(ended.status.success());
    }
}

/// Proofs of the first program that made any, of a file with two rows.
#[test]
fn a_proof_of_an_earlier_program_is_still_verified() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("proof");
    let pipeline = Pipeline::empty();
    for format in ["sigstore", "dsse"] {
        for (kind, file) in [("json", "proof.json"), ("pem", "public.pem")] {
            fs::copy(kept.join(format!("{format}.{kind}")), pipeline.path(file)).unwrap();
        }
        let _ = verify(&pipeline, &KEY).ends_with(0).prints("verified");
        assert_eq!(statement(&pipeline)["predicate"]["rows"]["stored"], 2);
    }
}

#[test]
fn sigstores_own_verifier_accepts_a_proof() {
    let Some(sigstore) = tool("sigstore/verify.mjs") else {
        return;
    };
    let pipeline = pipeline(FILE, "sigstore");
    let _ = run(&pipeline, &[]).ends_with(0);
    let mut pack: Value = serde_json::from_str(&pipeline.read("proof.json")).unwrap();
    let payload = pack["dsseEnvelope"]["payload"].as_str().unwrap();
    pack["dsseEnvelope"]["payload"] = payload.replacen('A', "B", 1).into();
    pipeline.write("changed.json", pack.to_string());
    let judged = |key: &str| {
        let mut call = Command::new("node");
        call.arg(&sigstore)
            .args([key, "proof.json", "changed.json"]);
        let ended = call.current_dir(pipeline.folder()).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let judged = said
            .lines()
            .map(|line| line.split(':').next().unwrap().to_owned());
        judged.collect::<Vec<_>>()
    };
    assert_eq!(judged("public.pem"), ["verified", "refused"]);
    assert_eq!(judged("other.pem"), ["refused", "refused"]);
}

fn explain(pipeline: &Pipeline, row: &str, more: &[&str]) -> Value {
    let call = [
        "explain",
        "manifest.yaml",
        "--row",
        row,
        "--column",
        "who",
        "--json",
    ];
    let ran = pipeline.call(&[&call, more].concat()).ends_with(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn a_proof_is_verified_however_many_runs_came_after() {
    let server = Postgres::shared();
    let database = server.database("outlived");
    let table = format!(
        "postgres: {{ {}, table: public.things }}",
        server.place(&database)
    );
    for (sink, journal) in [(TABLE, "glovebox_run"), (&table, "glovebox.run")] {
        let pipeline = pipeline(sink, "sigstore");
        let _ = run(&pipeline, &[]).ends_with(0);
        // More runs than are looked through for the latest.
        let columns = "pipeline, target, mode, plan, source, state, epoch, finished";
        let later = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 101) \
             INSERT INTO {journal} (run, started, {columns}) \
             SELECT 'later' || n.i, '2099-01-01T00:00:00Z', {columns} FROM {journal}, n"
        );
        match journal == "glovebox_run" {
            true => sqlite::execute(&pipeline.path("out.db"), &later),
            false => drop(server.query(&database, &later)),
        }
        assert_ne!(
            explain(&pipeline, "3", &[])["run"],
            statement(&pipeline)["predicate"]["run"]["name"]
        );
        let _ = verify(&pipeline, &["--manifest", "manifest.yaml"]).ends_with(0);
        let explained = explain(&pipeline, "3", &["--proof", "proof.json"]);
        assert_eq!(explained["fate"]["is"], "rejected");
    }
}

#[test]
fn a_release_is_proven_without_a_count_below_its_k() {
    for sink in ["sqlite: { path: out.db, table: t, mode: replace }", FILE] {
        let manifest = format!(
            "name: people
source: {{ csv: {{ path: in.csv }} }}
columns:
  id: {{ type: int64, personal: true }}
  age: {{ type: int64, personal: true }}
  illness: {{ type: text }}
credentials: [{{ files: keys }}]
release:
  k: 3
  suppress-at-most: 1
  quasi-identifiers: {{ age: {{ width: [1, 10] }} }}
sink: {{ {sink}, columns: [age, illness] }}
proof: {{ key: proof }}
"
        );
        let pipeline = pipeline(sink, "sigstore");
        pipeline.write("manifest.yaml", manifest);
        pipeline.write(
            "in.csv",
            "id,age,illness\n1,31,flu\n2,31,cold\n3,31,gout\n4,55,canary-alone\n",
        );
        let ran = run(&pipeline, &[]).ends_with(0);
        assert_eq!((ran.rows("stored"), ran.rows("filtered")), (3, 1), "{sink}");
        let _ = verify(&pipeline, &["--manifest", "manifest.yaml"]).ends_with(0);

        let stated = statement(&pipeline);
        let predicate = &stated["predicate"];
        assert_eq!(predicate["rows"], json!({ "stored": 3 }));
        let release = &predicate["release"];
        assert_eq!(
            (&release["k"], &release["smallest-class"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(
            release.get("suppressed-rows"),
            None,
            "one row is fewer than three"
        );
        assert_eq!(
            release.get("suppress-at-most"),
            None,
            "says how many rows there were"
        );
        assert_eq!(
            predicate["input"].get("lines"),
            None,
            "says how many there were"
        );
        let columns = predicate["columns"].as_array().unwrap();
        let names: Vec<_> = columns
            .iter()
            .map(|c| c["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["age", "illness"]);
        assert_eq!(
            columns[0]["level"],
            release["levels"][0]["level"]
                .as_u64()
                .map(|is| json!({ "is": is, "of": release["levels"][0]["last"] }))
                .unwrap()
        );
        assert_eq!(columns[1].get("level"), None);
        assert_eq!(predicate["chunks"].get("undigested"), None);
        assert!(!stated.to_string().contains("canary"), "{stated}");

        let column = ["--column", "age", "--json"];
        let explained =
            pipeline.call(&[&["explain", "manifest.yaml", "--row", "0"], &column[..]].concat());
        let explained: Value = serde_json::from_str(&explained.ends_with(0).stdout).unwrap();
        assert_eq!(
            (&explained["fate"]["is"], &explained["generalised"]),
            (&json!("at-gate"), &json!(true))
        );
    }
}
