//! Who is not let in, and what an executor does not work on.

use glovebox_tests::pipeline::{Pipeline, Running};

use super::Cluster;
use crate::shards::place::{Place, csv};

fn place() -> Place {
    let place = Place::new("{ csv: { path: in.csv } }", "mode: append");
    place.pipeline.write("in.csv", csv(0, 3_000));
    place
}

/// What is wrong, as the run tells it; nothing is stored.
fn refused(run: Running, place: &Place, problem: &str) {
    let ended = run.end();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains(problem), "{}", ended.stderr);
    let tables = place.query("SELECT count(*)::text FROM pg_tables WHERE tablename = 'people'");
    if tables[0] == "1" {
        assert_eq!(place.query("SELECT count(*)::text FROM people"), ["0"]);
    }
}

#[test]
fn another_manifest_another_key_and_no_manifest_are_refused_with_a_sentence() {
    let (here, there) = (place(), place());
    let cluster = Cluster::start();
    // The same pipeline with another database is another manifest.
    let executor = cluster.executor(&there.pipeline, &[]);
    let problem = "an executor has another manifest of this pipeline";
    refused(cluster.run(&here.pipeline, &[]), &here, problem);
    drop(executor);

    let same = Place {
        pipeline: Pipeline::new(&here.pipeline.read("manifest.yaml"))
            .file("in.csv", csv(0, 3_000))
            .env(
                "GLOVEBOX_SECRET_DB",
                glovebox_tests::postgres::Postgres::shared().password(),
            )
            .env(
                "GLOVEBOX_SECRET_DIGESTS",
                "a-key-of-enough-bytes-for-digests",
            )
            .env(
                "GLOVEBOX_SECRET_READER",
                "x25519:ycNustCCiDoAPGujuIyz2IFehtvHpuzAIq0lcuQzxgE=",
            )
            .env(
                "GLOVEBOX_SECRET_SALT",
                "another-salt-of-enough-bytes-for-masks",
            ),
        database: here.database.clone(),
    };
    let executor = cluster.executor(&same.pipeline, &[]);
    let problem = "a key is another one here than where it began";
    refused(cluster.run(&here.pipeline, &["--again"]), &here, problem);
    drop(executor);

    let named = here
        .pipeline
        .read("manifest.yaml")
        .replace("name: shared", "name: other");
    here.pipeline.write("other.yaml", named);
    let folder = cluster.folder("executor");
    let executor = here.pipeline.start(&[
        "cluster",
        "executor",
        "other.yaml",
        "--scheduler",
        &cluster.url,
        "--certificates",
        &folder,
    ]);
    let problem = "an executor does not have this pipeline's manifest";
    refused(cluster.run(&here.pipeline, &["--again"]), &here, problem);
    drop(executor);
}

#[test]
fn a_certificate_of_another_role_or_authority_opens_nothing() {
    let place = place();
    let cluster = Cluster::start();
    let run = |folder: &str| {
        let call = [
            "run",
            "manifest.yaml",
            "--cluster",
            &cluster.url,
            "--certificates",
            folder,
        ];
        place.pipeline.start(&call)
    };
    for role in ["executor", "scheduler"] {
        let problem = "refuses this certificate: use that of a client";
        let problem = match role {
            "executor" => problem,
            // It is for servers, and no client may show it.
            _ => "cannot be reached, or its certificate and yours are not of one authority",
        };
        refused(run(&cluster.folder(role)), &place, problem);
    }
    let other = Cluster::start();
    let problem = "cannot be reached, or its certificate and yours are not of one authority";
    refused(run(&other.folder("client")), &place, problem);

    let folder = cluster.folder("client");
    let mut executor = place.pipeline.start(&[
        "cluster",
        "executor",
        "manifest.yaml",
        "--scheduler",
        &cluster.url,
        "--certificates",
        &folder,
    ]);
    let begun = std::time::Instant::now();
    while executor.is_running() && begun.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let ended = executor.end();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("use the certificate of an executor"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_is_wrong_with_certificates_and_urls_is_said_at_once() {
    let place = place();
    let call = [
        "run",
        "manifest.yaml",
        "--certificates",
        "nowhere",
        "--cluster",
    ];
    let with = |url| place.pipeline.call(&[&call[..], &[url]].concat());
    let _ = with("https://localhost:1")
        .ends_with(1)
        .says("cannot read nowhere/ca.crt");
    for url in ["http://localhost:1", "https://localhost", "localhost:1"] {
        let _ = with(url)
            .ends_with(2)
            .says("use a scheduler's URL, such as https://");
    }
    let certificates = Pipeline::empty();
    let call = ["cluster", "certificates", "made", "--name", "127.0.0.1"];
    let _ = certificates
        .call(&call)
        .ends_with(0)
        .says("whoever has it can join");
    let _ = certificates.call(&call).ends_with(1).says("made/ca.key");
}
