//! How an object is published: whole, by one request, and not by two runs.

use std::time::Instant;

use glovebox_tests::objects::{ACCOUNT, ACCOUNT_KEY, Emulator, Fate};
use glovebox_tests::outside::Asked;
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::torture::Seeded;

use super::{PATIENCE, copying, run, wide};

fn completions(store: &Emulator) -> Vec<Asked> {
    let asked = store.front.asked().into_iter();
    asked
        .filter(|a| a.method == "POST" && a.target.contains("uploadId="))
        .collect()
}

#[test]
fn what_is_large_goes_up_in_parts_and_is_published_by_one_conditional_request() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    let bytes = wide(200_000);
    store.put("raw/in.csv", &bytes);
    for round in 0..2 {
        let copying = copying(&store, "s3://raw/in.csv", "s3://raw/out.csv");
        let ran = run(&copying).ends_with(0);
        assert_eq!(ran.report["rows"]["stored"], 200_000);
        assert!(store.get("raw/out.csv").unwrap() == bytes, "byte for byte");
        let completed = completions(&store);
        assert_eq!(completed.len(), round + 1);
        let condition = match round {
            0 => completed[0].header("if-none-match") == Some("*"),
            _ => completed[1].header("if-match").is_some(),
        };
        assert!(condition, "{:?}", completed[round].headers);
    }
    assert_eq!(store.unfinished("raw"), 0);
}

#[test]
fn of_two_runs_one_publishes_and_the_other_says_so() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    // Of one part and of several, where nothing was and where something was.
    for (size, before) in [(500, false), (500, true), (150_000, false), (150_000, true)] {
        let out = format!("raw/out-{size}-{before}.csv");
        store.put("raw/in.csv", wide(size));
        if before {
            store.put(&out, "old");
        }
        let (sender, stopped) = std::sync::mpsc::channel();
        let (go, goes) = std::sync::mpsc::channel::<()>();
        let mut waits = Some((sender, goes));
        let target = format!("/{out}");
        store.decide(move |asked| {
            let publishes = asked.method == "POST" && asked.target.contains("uploadId=")
                || asked.method == "PUT" && asked.target == target;
            if publishes && let Some((sender, goes)) = waits.take() {
                // The second run comes and goes before this is heard.
                sender.send(()).unwrap();
                let _ = goes.recv();
            }
            Fate::Passes
        });
        let first = copying(&store, "s3://raw/in.csv", &format!("s3://{out}"));
        let running = first.start(&["run", "manifest.yaml"]);
        stopped.recv_timeout(PATIENCE).unwrap();
        store.put(&out, "of another");
        go.send(()).unwrap();
        running
            .end()
            .ends_with(1)
            .says("another program has changed it since the run began");
        assert_eq!(store.get(&out).unwrap(), b"of another");
        store.decide(|_| Fate::Passes);
    }
    assert_eq!(store.unfinished("raw"), 0, "what was sent is taken back");
}

#[test]
fn a_lost_answer_is_neither_a_failure_nor_a_second_object() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    store.bucket("raw");
    for size in [500, 150_000] {
        let bytes = wide(size);
        store.put("raw/in.csv", &bytes);
        for before in [false, true] {
            let out = format!("raw/out-{size}-{before}.csv");
            if before {
                store.put(&out, "old");
            }
            let target = format!("/{out}");
            let mut lost = 0;
            store.decide(move |asked| {
                let publishes = asked.method == "POST" && asked.target.contains("uploadId=")
                    || asked.method == "PUT" && asked.target == target;
                // Of each part, too.
                let sends = asked.method == "PUT" && asked.target.contains("partNumber=2");
                if (publishes || sends) && lost < 2 {
                    lost += 1;
                    return Fate::AnswerLost;
                }
                Fate::Passes
            });
            let copying = copying(&store, "s3://raw/in.csv", &format!("s3://{out}"));
            run(&copying).ends_with(0);
            assert!(store.get(&out).unwrap() == bytes);
            store.decide(|_| Fate::Passes);
        }
    }
}

#[test]
fn azures_blobs_are_read_and_written_alike() {
    let Some(store) = Emulator::azurite() else {
        return;
    };
    let made = store.azure("PUT", "raw", &[("restype", "container")], b"");
    assert_eq!(made.status, 201, "{}", made.text());
    let bytes = wide(150_000);
    for (blob, bytes) in [("in/a.csv", &bytes), ("small.csv", &wide(5))] {
        let put = store.azure("PUT", &format!("raw/{blob}"), &[], bytes);
        assert_eq!(put.status, 201, "{}", put.text());
    }
    let of = |source: &str, sink: &str| {
        let reached = format!(
            "store: {{ endpoint: \"{}/{ACCOUNT}\", account: {ACCOUNT}, access-key: {{ secret: s3 }}, \
             tls: {{ ca: {} }} }}",
            store.url(),
            store.ca().display()
        );
        let copying = copying(&store, source, sink);
        let manifest = copying.read("manifest.yaml");
        let manifest = manifest.replace(&super::reached(&store), &reached);
        Pipeline::new(&manifest).env("GLOVEBOX_SECRET_S3", ACCOUNT_KEY)
    };
    // Of one part and of several, where nothing was and where something was.
    for (source, length) in [
        ("az://raw/small.csv", wide(5)),
        ("az://raw/in/*.csv", bytes),
    ] {
        for _ in 0..2 {
            of(source, "az://raw/out.csv").run().ends_with(0);
            let out = store.azure("GET", "raw/out.csv", &[], b"");
            assert!(out.status == 200 && out.body == length, "{}", out.status);
        }
        // Another program publishes in between.
        let (sender, stopped) = std::sync::mpsc::channel();
        let (go, goes) = std::sync::mpsc::channel::<()>();
        let mut waits = Some((sender, goes));
        store.decide(move |asked| {
            let publishes = asked.method == "PUT" && !asked.target.contains("blockid=");
            if publishes && let Some((sender, goes)) = waits.take() {
                sender.send(()).unwrap();
                let _ = goes.recv();
            }
            Fate::Passes
        });
        let second = of(source, "az://raw/out.csv");
        let running = second.start(&["run", "manifest.yaml"]);
        stopped.recv_timeout(PATIENCE).unwrap();
        let put = store.azure("PUT", "raw/out.csv", &[], b"of another");
        assert_eq!(put.status, 201, "{}", put.text());
        go.send(()).unwrap();
        running.end().ends_with(1);
        let out = store.azure("GET", "raw/out.csv", &[], b"");
        assert_eq!(out.body, b"of another");
        store.decide(|_| Fate::Passes);
    }
}

#[test]
fn a_killed_run_leaves_the_object_that_was_there_or_its_own() {
    let Some(store) = Emulator::moto() else {
        return;
    };
    let kills: usize = std::env::var("GLOVEBOX_KILLS").map_or(10, |kills| kills.parse().unwrap());
    store.bucket("raw");
    let bytes = wide(150_000);
    store.put("raw/in.csv", &bytes);
    store.put("raw/out.csv", "old");
    let started = Instant::now();
    run(&copying(&store, "s3://raw/in.csv", "s3://raw/out.csv")).ends_with(0);
    let whole = started.elapsed();
    let mut random = Seeded::new(20_261_127);
    let (mut old, mut new) = (0, 0);
    for _ in 0..kills {
        store.put("raw/out.csv", "old");
        let copying = copying(&store, "s3://raw/in.csv", "s3://raw/out.csv");
        let running = copying.start(&["run", "manifest.yaml"]);
        std::thread::sleep(whole.mul_f64(random.share() * 1.1));
        drop(running);
        let found = store.get("raw/out.csv").unwrap();
        match found == b"old" {
            true => old += 1,
            false => {
                assert!(found == bytes, "neither the old nor the new one");
                new += 1;
            }
        }
    }
    println!("killed {kills} times: {old} times the old object, {new} times the new one");
    assert!(old > 0);
    // Whoever comes next is not in the way of what is left.
    run(&copying(&store, "s3://raw/in.csv", "s3://raw/out.csv")).ends_with(0);
    assert!(store.get("raw/out.csv").unwrap() == bytes);
}
