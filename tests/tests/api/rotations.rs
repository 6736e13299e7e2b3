//! What docs/operations.md says of renewing a database role's password and the API's own certificate, word for word,
//! beside a server that is used meanwhile.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use glovebox_tests::http::{Reply, over_tls, request};
use glovebox_tests::markdown::Page;
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::{Postgres, machine};
use glovebox_tests::server::Server;
use serde_json::json;

/// Commands in a folder, which all succeed.
#[track_caller]
fn sh(folder: &Pipeline, mut shell: Command, commands: &str) {
    shell
        .args(["-euc", commands])
        .current_dir(folder.folder())
        .stdin(Stdio::null());
    let done = shell.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{commands}\n{said}");
}

#[test]
fn a_database_roles_password_is_rotated_as_the_manual_says() {
    let postgres = Postgres::shared();
    let database = postgres.database("rotated_password");
    let query = |sql: &str| postgres.query(&database, sql);
    let role = "reader_that_rotates";
    for sql in [
        "CREATE TABLE public.sales (id bigint PRIMARY KEY)",
        "INSERT INTO public.sales VALUES (1)",
        &format!("CREATE ROLE {role} LOGIN PASSWORD 'the first of them'"),
        &format!("GRANT SELECT ON public.sales TO {role}"),
    ] {
        let _ = query(sql);
    }
    let place = format!(
        "host: {}, port: {}, database: {database}, user: {role}, password: {{ secret: destination/reader }}, tls: {{ ca: {} \
         }}, table: public.sales",
        postgres.host(),
        postgres.port(),
        postgres.ca_path().display(),
    );
    let configuration = format!(
        "datasets:\n  sales:\n    postgres: {{ {place} }}\n    columns: {{ id: {{ type: int64, not-null: true }} }}\n    \
         key: [id]\n"
    );
    let manifest = format!(
        "name: copy\nsource: {{ postgres: {{ {place} }} }}\ncolumns: {{ id: {{ type: int64 }} }}\ncredentials: [{{ files: \
         secrets }}]\nsink: {{ csv: {{ path: out.csv }} }}\n"
    );
    let folder = Server::folder(&configuration)
        .file("secrets/destination/reader", "the first of them")
        .file("copy.yaml", &manifest);
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let (token, _) = server.log_in("ada");
    let run = |manifest: &str| server.folder.call(&["run", manifest]);
    assert_eq!(
        server.get("/sales", &token).is(200).json(),
        json!([{ "id": 1 }])
    );
    let _ = run("copy.yaml").ends_with(0);

    server
        .folder
        .write("old/destination/reader", "the first of them");
    server
        .folder
        .write("old.yaml", manifest.replace("files: secrets", "files: old"));
    let page = Page::read("docs/operations.md");
    let steps = page.other("sh", "umask 077\nopenssl rand").text;
    let mut shell = Command::new("sh");
    postgres.set_environment(&mut shell, &database);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", machine::binaries().unwrap().display());
    let _ = shell.env("PATH", path);
    sh(
        &server.folder,
        shell,
        &steps.replace("ROLE reader", &format!("ROLE {role}")),
    );
    let new = server.folder.read("secrets/destination/reader");
    assert_eq!((new.len(), new.contains('\n')), (44, false));

    // What is open goes on, the next run takes the new one, and the old one is good for nothing.
    assert_eq!(
        server.get("/sales", &token).is(200).json(),
        json!([{ "id": 1 }])
    );
    let _ = run("copy.yaml").ends_with(0);
    let _ = run("old.yaml").ends_with(1);
    let ended = query(&format!(
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE usename = '{role}'"
    ));
    assert!(!ended.is_empty());
    let _ = server.get("/sales", &token).is(503);
    let server = Server::start_in(server.leave("TERM"));
    let (token, _) = server.log_in("ada");
    assert_eq!(
        server.get("/sales", &token).is(200).json(),
        json!([{ "id": 1 }])
    );
    assert!(!server.log().contains(&new));
}

/// The certificate that a server shows.
fn shown(address: &str) -> String {
    let shown = Command::new("openssl")
        .args(["s_client", "-connect", address])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let (_, from) = shown.split_once("-----BEGIN CERTIFICATE-----").unwrap();
    from.split_once("-----END").unwrap().0.to_owned()
}

#[test]
fn the_apis_own_certificate_is_rotated_as_the_manual_says() {
    let page = Page::read("docs/operations.md");
    let steps = page.other("sh", "umask 077\nopenssl req").text;
    let steps = steps.replace("data.example.org", "localhost");
    let folder = Server::folder("tls: { certificate: tls/cert.pem, key: tls/key.pem }\n");
    for name in ["tls", "authority"] {
        fs::create_dir(folder.path(name)).unwrap();
    }
    let authority = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout authority/ca.key \
                     -out authority/ca.pem -subj /CN=ours -addext keyUsage=critical,keyCertSign";
    sh(&folder, Command::new("sh"), authority);
    sh(&folder, Command::new("sh"), &steps);
    let server = Server::start_in(folder);
    let trusted = server.folder.read("authority/ca.pem");
    let get = || -> Option<Reply> {
        over_tls(
            &server.address,
            &trusted,
            &request("GET", "/healthz", &[], b""),
        )
    };
    let _ = get().unwrap().is(200);
    let before = shown(&server.address);

    sh(&server.folder, Command::new("sh"), &steps);
    let started = Instant::now();
    // Nobody is refused meanwhile: a client of the authority trusts both.
    while shown(&server.address) == before {
        let _ = get().unwrap().is(200);
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{}",
            server.log()
        );
    }
    let _ = get().unwrap().is(200);
}
