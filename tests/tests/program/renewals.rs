//! Another certificate authority, as docs/operations.md has it: for a time clients trust both, and no moment refuses
//! those who were told in time.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use glovebox_tests::markdown::Page;
use glovebox_tests::pipeline::Pipeline;

use super::deploy::{Database, init, init_with, open_folder, repository, succeeded};

/// Rows into a database, trusting the authorities of a file.
fn manifest(server: &Database, made: &str, authorities: &str) -> String {
    format!(
        "name: things
source: {{ csv: {{ path: in.csv }} }}
columns: {{ id: {{ type: int64 }} }}
credentials: [{{ files: {made}/load }}]
sink:
  postgres: {{ host: localhost, port: {}, database: warehouse, user: loader, password: {{ secret: destination/loader }}, tls: {{ ca: {authorities} }}, table: public.things, mode: replace }}
",
        server.port
    )
}

#[test]
fn an_authority_is_replaced_with_an_overlap() {
    let page = Page::read("docs/operations.md");
    let block = page.other("console", "$ docker compose run --rm renew --new-authority");
    let said = block.commands();
    let flags = said.iter().map(|command| {
        let renew = "docker compose run --rm renew";
        let flag = command.strip_prefix(renew)?.trim();
        Some(if flag.is_empty() { "--renew" } else { flag })
    });
    // What the manual has between them: the API's start, which reads the file anew as each run below does, and SIGHUP.
    let flags: Vec<_> = flags.flatten().collect();
    assert_eq!(
        flags,
        ["--new-authority", "--renew", "--forget-authority"],
        "{said:?}"
    );

    let pipeline = Pipeline::empty().file("in.csv", "id\n1\n");
    let made = open_folder(&pipeline, "made");
    let work = open_folder(&pipeline, "work");
    init(&made);
    let server = Database::start("destination", "warehouse", &made, &work);
    let ca = made.join("ca/ca.pem");
    let _ = fs::copy(&ca, pipeline.path("old.pem")).unwrap();
    let folder = made.display().to_string();
    pipeline.write(
        "now.yaml",
        manifest(&server, &folder, &ca.display().to_string()),
    );
    pipeline.write("old.yaml", manifest(&server, &folder, "old.pem"));
    let certificates = || {
        fs::read_to_string(&ca)
            .unwrap()
            .matches("BEGIN CERTIFICATE")
            .count()
    };
    let run = |name: &str| pipeline.call(&["run", name, "--again"]);
    let _ = run("now.yaml").ends_with(0);

    let told = init_with(&made, &["--new-authority"]);
    assert!(told.contains("another authority"), "{told}");
    assert_eq!(certificates(), 2);
    let _ = run("now.yaml").ends_with(0);
    let _ = run("old.yaml").ends_with(0);
    // Too early: the servers would be refused by everybody.
    let early = Command::new("sh")
        .arg(repository().join("deploy/init.sh"))
        .arg("--forget-authority")
        .arg(&made)
        .output()
        .unwrap();
    assert!(!early.status.success());
    let why = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(why.contains("run init.sh --renew first"), "{why}");
    assert_eq!(certificates(), 2);

    let before = server.certificate();
    let _ = init_with(&made, &["--renew"]);
    server.reload();
    let started = Instant::now();
    while server.certificate() == before {
        assert!(started.elapsed() < Duration::from_secs(60));
        let _ = run("now.yaml").ends_with(0);
    }
    let _ = run("now.yaml").ends_with(0);
    // Who was not told in time is refused, as is right.
    let _ = run("old.yaml").ends_with(1);

    let _ = init_with(&made, &["--forget-authority"]);
    assert_eq!(certificates(), 1);
    let _ = run("now.yaml").ends_with(0);
    let signed_by_old = Command::new("openssl")
        .args(["verify", "-CAfile"])
        .arg(&ca)
        .arg(pipeline.path("old.pem"))
        .output()
        .unwrap();
    assert!(
        !signed_by_old.status.success(),
        "the old one is trusted still"
    );
    let count = "SELECT count(*) FROM public.things";
    assert_eq!(succeeded(&server.local("warehouse", count)), "1\n");
}
