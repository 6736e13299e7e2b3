//! What a cluster keeps to itself: no cell and no secret is in what a scheduler and executors write, at any level.

use super::{Cluster, report};
use crate::shards::place::{Place, csv};

#[test]
fn no_secret_and_no_cell_is_in_logs() {
    let place = Place::new("{ csv: { path: in.csv } }", "mode: append");
    place
        .pipeline
        .write("in.csv", csv(0, 2_000).replace("lorem", "canary-of-a-cell"));
    let cluster = Cluster::start();
    let executor = cluster.executor(&place.pipeline, &["--log", "trace"]);
    let ran = report(
        &place.pipeline,
        cluster.run(&place.pipeline, &["--log", "trace"]).end(),
    );
    let server = glovebox_tests::postgres::Postgres::shared();
    let texts = [
        executor.stderr(),
        ran.stderr.clone(),
        cluster.scheduler.stderr(),
    ];
    assert!(texts[0].contains("works on a range"), "{}", texts[0]);
    for text in texts {
        for secret in [
            "canary-of-a-cell",
            server.password(),
            "a-key-of-enough-bytes-for-digests",
            "a-salt-of-enough-bytes-for-masks",
            "PRIVATE KEY",
        ] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}
