//! The audit log from outside: a writer that is killed, a disk that is full, and what
//! `glovebox audit` says.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use glovebox_audit::{SigningKey, Trust, verify};
use glovebox_core::Secret;
use glovebox_tests::pipeline::Pipeline;
use serde_json::Value;

const WRITER: &str = env!("CARGO_BIN_EXE_glovebox-audit-writer");
const KILLS: usize = 6;
/// The writer's key: 32 zero bytes.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn public() -> String {
    let key = SigningKey::from_secret(&Secret::new(KEY.into())).unwrap();
    key.public().to_string()
}

/// What a line `NUMBER RUN` acknowledges; none of a line that the kill has cut.
fn acknowledged(line: &str) -> Option<(u64, String)> {
    let (number, run) = line.strip_suffix('\n')?.split_once(' ')?;
    Some((number.parse().ok()?, run.into()))
}

/// The runs of the log's records, by number.
fn recorded(folder: &Path) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "jsonl") {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            if let Some(run) = record["labels.run"].as_str() {
                found.insert(record["event.sequence"].as_u64().unwrap(), run.into());
            }
        }
    }
    found
}

#[test]
fn a_writer_that_is_killed_loses_no_acknowledged_record() {
    let pipeline = Pipeline::empty();
    let (log, checkpoints) = (pipeline.path("log"), pipeline.path("checkpoints"));
    let mut promised = BTreeMap::new();
    for round in 0..KILLS {
        let mut writer = Command::new(WRITER)
            .args([&log, &checkpoints])
            .arg(round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap());
        // Another moment in each round, some of them just after a segment has begun.
        for _ in 0..150 + round * 97 {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            promised.extend([acknowledged(&line).expect("the writer stopped by itself")]);
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        // What it said before the kill reached it counts too.
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap() > 0 {
            promised.extend(acknowledged(&line));
            line.clear();
        }
    }
    // The next start sets aside what the last kill has torn.
    let mut last = Command::new(WRITER)
        .args([&log, &checkpoints])
        .arg("last")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(last.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    promised.extend(acknowledged(&line));
    // Its ears are shut, and it ends by itself at its next word.
    drop(lines);
    last.wait().unwrap();

    assert!(promised.len() > KILLS * 150);
    let recorded = recorded(&log);
    for (number, run) in &promised {
        assert_eq!(recorded.get(number), Some(run), "record {number}");
    }
    let key = public();
    pipeline
        .call(&[
            "audit",
            "verify",
            "log",
            "--checkpoints",
            "checkpoints",
            "--public-key",
            &key,
        ])
        .ends_with(0)
        .prints("log: intact");
}

#[test]
fn a_disk_that_takes_no_more_refuses_and_the_log_stays_whole() {
    let pipeline = Pipeline::empty();
    let (log, checkpoints) = (pipeline.path("log"), pipeline.path("checkpoints"));
    // A file may have 40 KiB (`ulimit` counts halves of one), less than a segment; without the
    // trap the system would end the writer instead of refusing it.
    let limited = "trap '' XFSZ; ulimit -f 80; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", limited, "sh", WRITER])
        .args([&log, &checkpoints])
        .arg("0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("has stopped: cannot write"), "{said}");
    let promised = String::from_utf8(output.stdout).unwrap();
    let promised: Vec<_> = promised
        .split_inclusive('\n')
        .filter_map(acknowledged)
        .collect();
    assert!(promised.len() > 20);

    // With room again, the torn end is set aside and nothing that was promised is gone.
    let mut writer = Command::new(WRITER)
        .args([&log, &checkpoints])
        .arg("1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(writer.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    writer.wait().unwrap();
    let recorded = recorded(&log);
    for (number, run) in &promised {
        assert_eq!(recorded.get(number), Some(run), "record {number}");
    }
    let found = verify(&log, &Trust::default()).unwrap();
    assert!(found.intact, "{:?}", found.findings);
}

/// A folder with a log of a few hundred records.
fn written() -> Pipeline {
    let pipeline = Pipeline::empty();
    let mut writer = Command::new(WRITER)
        .args([pipeline.path("log"), pipeline.path("checkpoints")])
        .arg("0")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap());
    for _ in 0..300 {
        lines.read_line(&mut String::new()).unwrap();
    }
    drop(lines);
    writer.wait().unwrap();
    pipeline
}

#[test]
fn verify_says_file_line_and_what_is_wrong() {
    let pipeline = written();
    let path = "log/audit-0000000001.jsonl";
    let text = pipeline.read(path);
    let key = public();
    pipeline.write("key.txt", format!("{key}\n"));
    let call = [
        "audit",
        "verify",
        "log",
        "--checkpoints",
        "checkpoints",
        "--public-key",
        "key.txt",
    ];
    pipeline
        .call(&call)
        .ends_with(0)
        .prints("signatures checked");

    let edited = text.replacen("\"success\"", "\"failure\"", 1);
    pipeline.write(path, edited);
    pipeline
        .call(&call)
        .ends_with(1)
        .prints("audit-0000000001.jsonl, line 1: does not match its hash")
        .prints("log: NOT INTACT, 1 finding");
    let ran = pipeline
        .call(&[&call[..], &["--json"]].concat())
        .ends_with(1);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["intact"], false);
    assert_eq!(found["findings"][0]["line"], 1);

    pipeline.write(path, text);
    pipeline
        .call(&["audit", "verify", "log"])
        .ends_with(0)
        .prints("without checkpoints, a truncated tail");
    for wrong in [
        &["audit", "verify", "nowhere"][..],
        &["audit", "verify", "log", "--head", "x"],
        &[
            "audit",
            "verify",
            "log",
            "--checkpoints",
            "checkpoints",
            "--public-key",
            "none",
        ],
    ] {
        let _ = pipeline.call(wrong).ends_with(1);
    }
}

#[test]
fn show_finds_records_by_who_what_and_when() {
    let pipeline = written();
    pipeline
        .call(&["audit", "show", "log", "--action", "log-opened"])
        .ends_with(0)
        .prints(" 2 log-opened success");
    let ran = pipeline
        .call(&["audit", "show", "log", "--action", "run-started", "--json"])
        .ends_with(0);
    assert!(ran.stdout.lines().count() >= 300);
    let ran = pipeline
        .call(&["audit", "show", "log", "--since", "2999"])
        .ends_with(0);
    assert_eq!(ran.stdout, "");
    let ran = pipeline
        .call(&["audit", "show", "log", "--user", "nobody"])
        .ends_with(0)
        .says("no record is about a user of that name");
    assert_eq!(ran.stdout, "");
    let mine = ["audit", "show", "log", "--action", "run-started"];
    let since = |since| pipeline.call(&[&mine[..], &["--since", since]].concat());
    let all = since("2h").ends_with(0).stdout;
    assert!(all.lines().count() >= 300);
    assert_eq!(since("2001-02-03").ends_with(0).stdout, all);
    assert_eq!(since("2001-02-03T04:05:06+07:00").ends_with(0).stdout, all);
}

#[test]
fn a_filter_that_no_record_can_be_like_is_refused() {
    let pipeline = written();
    let show = |filter: &[&str]| pipeline.call(&[&["audit", "show", "log"], filter].concat());
    for (filter, says) in [
        (&["--action", "data-reed"][..], "did you mean `data-read`?"),
        (
            &["--action", "everything"],
            "the actions are: login, logout",
        ),
        (&["--outcome", "sucess"], "did you mean `success`?"),
        (
            &["--outcome", "x"],
            "the outcomes are: success, failure, unknown",
        ),
        (&["--since", "yesterday"], "an age (30min, 2h, 7d)"),
        (&["--until", "2026-02-30"], "RFC 3339"),
        (&["--user", ""], "this is not a valid user name"),
    ] {
        let ran = show(filter).ends_with(2).says(says);
        assert_eq!(ran.stdout, "", "{filter:?}");
    }
    let _ = show(&["--since", "1h", "--until", "2h"])
        .ends_with(1)
        .says("--until is earlier");
}

#[test]
fn a_key_is_made_once_and_its_secret_half_is_not_shown() {
    let pipeline = Pipeline::empty();
    let call = ["audit", "key", "--secrets", "secrets"];
    let made = pipeline
        .call(&call)
        .ends_with(0)
        .says("made `audit/signing-key`");
    let again = pipeline.call(&call).ends_with(0);
    assert_eq!(made.stdout, again.stdout);
    let secret = pipeline.read("secrets/audit/signing-key");
    assert_eq!(made.stdout.trim().len(), 44);
    assert!(!made.stdout.contains(&secret) && !made.stderr.contains(&secret));
    let key = SigningKey::from_secret(&Secret::new(secret.into_bytes())).unwrap();
    assert_eq!(made.stdout.trim(), key.public().to_string());
}

/// One public key in 64 begins so.
#[test]
fn a_public_key_may_begin_with_a_hyphen() {
    let folder = Pipeline::empty();
    let key = "-fGacaSyZRGTX7zya57pL5RKI0kasKTqAVirMUYQv8Y=";
    let verify = [
        "audit",
        "verify",
        "nowhere",
        "--checkpoints",
        "nowhere",
        "--public-key",
        key,
    ];
    let ran = folder.call(&verify).ends_with(1);
    let _ = ran.says("nowhere");
}
