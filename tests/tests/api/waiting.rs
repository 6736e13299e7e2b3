//! A server that starts before the database of its catalog.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use glovebox_tests::server::{BASE, KEY, Server};

/// A server's folder, whose catalog is said to be at that port.
fn folder(port: u16, password: &str) -> Pipeline {
    let database = Postgres::shared().database("late");
    let there = Postgres::shared().place(&database);
    let elsewhere = there.replace(
        &format!("port: {}", Postgres::shared().port()),
        &format!("port: {port}"),
    );
    let catalog = format!("{{ postgres: {{ {elsewhere} }} }}");
    Pipeline::empty()
        .file(
            "glovebox.yaml",
            BASE.replace("{ sqlite: { path: catalog.db } }", &catalog),
        )
        .file("secrets/token-key", KEY)
        .file("secrets/password", password)
}

fn free() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// From then on the port leads to the database.
fn lead(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            let far = TcpStream::connect(("127.0.0.1", Postgres::shared().port())).unwrap();
            for (mut from, mut to) in [
                (near.try_clone().unwrap(), far.try_clone().unwrap()),
                (far, near),
            ] {
                std::thread::spawn(move || io::copy(&mut from, &mut to));
            }
        }
    });
}

#[test]
fn a_server_waits_for_a_database_that_comes_late() {
    let port = free();
    let folder = folder(port, Postgres::shared().password());
    let begun = Instant::now();
    // Later than a request would wait.
    let late = Duration::from_secs(8);
    std::thread::spawn(move || {
        std::thread::sleep(late);
        lead(port);
    });
    let server = Server::start_in(folder);
    assert!(begun.elapsed() >= late);
    let log = server.log();
    assert!(log.contains("waiting for the catalog"), "{log}");
    let ready = server.call("GET", "/readyz", &[], b"");
    let _ = ready.is(200);
}

#[test]
fn a_server_waits_so_long_and_no_longer_and_not_for_what_refuses() {
    let away = folder(free(), "canary-4b1d");
    let begun = Instant::now();
    let ended = away.call(&["serve"]).ends_with(1).says("cannot be used");
    let took = begun.elapsed();
    assert!((20..60).contains(&took.as_secs()), "{took:?}");
    assert!(
        ended.stderr.matches("waiting for the catalog").count() > 2,
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("canary"), "{}", ended.stderr);
    let refuses = folder(Postgres::shared().port(), "canary-4b1d");
    let ended = refuses.call(&["serve"]).ends_with(1).says("cannot be used");
    assert!(!ended.stderr.contains("waiting for"), "{}", ended.stderr);
}

#[test]
fn a_server_that_waits_ends_when_it_is_told_to() {
    let folder = folder(free(), "canary-4b1d");
    let mut running = folder.start(&["serve"]);
    running.until("it waits", |running| {
        running.stderr().contains("waiting for the catalog")
    });
    let told = Instant::now();
    running.signal("TERM");
    assert_eq!(running.end().code, Some(0));
    assert!(told.elapsed() < Duration::from_secs(10));
}
