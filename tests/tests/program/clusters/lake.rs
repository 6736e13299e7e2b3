//! Executors that write a Delta table in a store: one version has what one process would have written, whoever of them
//! dies when.

use std::time::Duration;

use glovebox_tests::torture::Seeded;

use super::{Cluster, report, times};
use crate::delta::shared::{ROWS, pipeline};
use crate::delta::stored::{KEY, TABLE, both, reached, read};
use crate::delta::{lines, sorted};
use crate::shards::place::{counts, csv};

#[test]
fn executors_that_are_killed_leave_one_version_with_each_row_once() {
    let Some((python, store)) = both() else {
        return;
    };
    let sink = format!("path: {TABLE}, mode: append, {}", reached(&store));
    let place = pipeline(&sink).env("GLOVEBOX_SECRET_S3", KEY);
    let local = pipeline("path: lake/t, mode: append");
    let mut cluster = Cluster::start();
    let mut random = Seeded::new(20_261_131);
    let (mut killed, mut expected) = (0, 0);
    for round in 0.. {
        let rows = csv(round * ROWS, ROWS);
        for pipeline in [&local, &place] {
            pipeline.write("in.csv", &rows);
        }
        let alone = local.run().ends_with(0);
        cluster.executors = (0..2).map(|_| cluster.executor(&place, &[])).collect();
        let mut run = cluster.run(&place, &[]);
        while run.is_running() {
            std::thread::sleep(Duration::from_millis(100 + (400.0 * random.share()) as u64));
            let which = (random.share() * 2.0) as usize % 2;
            if killed < times(4) && run.is_running() {
                cluster.executors[which].signal("KILL");
                cluster.executors[which] = cluster.executor(&place, &[]);
                killed += 1;
            }
        }
        let shared = report(&place, run.end());
        assert_eq!(counts(&alone), counts(&shared));
        for executor in &cluster.executors {
            assert!(!executor.stderr().contains(KEY));
        }
        let table = read(&python, &store, &["rows"]);
        assert_eq!(table["version"].as_u64(), Some(round as u64));
        expected += shared.report["rows"]["stored"].as_u64().unwrap() as usize;
        let mut found = sorted(lines(&table));
        let all = found.len();
        found.dedup();
        assert_eq!((all, found.len()), (expected, expected));
        assert_eq!(local.read("rejects.jsonl"), place.read("rejects.jsonl"));
        if killed >= times(4) {
            break;
        }
    }
    println!("{killed} executors were killed");
}
