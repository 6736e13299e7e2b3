//! The files of runs that are over, when they are more than `runs.keep-size`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use glovebox_tests::server::Server;
use serde_json::Value;

use crate::runs::{is_over, post, until};

const CONFIGURATION: &str = "\
limits: { logins-a-minute-by-address: 1000 }
pipelines: { things: { manifest: things.yaml } }
runs: { folder: runs, keep-size: 1 MiB }
";
const MANIFEST: &str = "\
name: things
source: { csv: { path: in.csv } }
columns: { id: { type: int64 }, name: { type: text } }
steps: [{ validate: required, reads: [name] }]
sink: { sqlite: { path: out.db, table: things } }
";
/// So many that their list has more than half a MiB, and less than one.
const REJECTS: usize = 8_000;

fn run(server: &Server, token: &str, target: &str) -> Value {
    let asked = post(server, token, target, &[]).is(202).json();
    until(server, token, asked["id"].as_str().unwrap(), is_over)
}

/// Waits for what the server does once a run's end is known.
fn wait_for(server: &Server, what: impl Fn() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{}",
            server.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn files_of_the_oldest_runs_go_first_but_none_that_a_run_needs() {
    let mut input = String::from("id,name\n");
    for id in 0..REJECTS {
        let _ = writeln!(input, "{id},");
    }
    let folder = Server::folder(CONFIGURATION)
        .file("things.yaml", MANIFEST)
        .file("in.csv", &input);
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let (token, _) = server.log_in("ada");
    let id = |run: &Value| run["id"].as_str().unwrap().to_owned();
    let list = |run: &Value| {
        server
            .folder
            .path(&format!("runs/{}/rejects.jsonl", id(run)))
    };
    let size = |run: &Value| list(run).metadata().map_or(0, |file| file.len());
    let again = "/pipelines/things/runs?mode=again";

    let first = run(&server, &token, again);
    assert!(
        (1 << 19..1 << 20).contains(&size(&first)),
        "{}",
        size(&first)
    );
    let second = run(&server, &token, again);
    wait_for(&server, || size(&first) == 0);
    assert!(size(&second) > 0);
    // Its report stays, and that its list has gone is told.
    let first = id(&first);
    let of_first = |what: &str| server.get(&format!("/runs/{first}/{what}"), &token);
    assert_eq!(
        of_first("report").is(200).json()["rows"]["rejected"],
        REJECTS
    );
    let told = of_first("rejects").is(409).json();
    assert!(
        told["detail"]
            .as_str()
            .unwrap()
            .contains("`runs.keep-size`"),
        "{told}"
    );
    let rerun = |of: &str| format!("/runs/{of}/rejects/runs");
    let _ = post(&server, &token, &rerun(&first), &[]).is(409);

    // A run over the second's rejects fails, and could be resumed: so their list stays, and the third's goes.
    let good = server.folder.read("things.yaml");
    server
        .folder
        .write("things.yaml", good.replace("in.csv", "gone.csv"));
    let failed = run(&server, &token, &rerun(&id(&second)));
    assert_eq!(failed["state"], "failed", "{failed}");
    server.folder.write("things.yaml", &good);
    let third = run(&server, &token, again);
    assert_eq!(third["state"], "done", "{third}");
    wait_for(&server, || size(&third) == 0);
    let resume = format!("{}?mode=resume", rerun(&id(&second)));
    assert!(size(&second) > 0);
    let done = run(&server, &token, &resume);
    assert_eq!(
        (&done["state"], &done["rows"]),
        (&"done".into(), &REJECTS.into())
    );
    wait_for(&server, || size(&second) == 0);
}
