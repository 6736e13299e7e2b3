//! Attacks on a server that watches its audit log: each is told within ten seconds, by every way that
//! alerts go; ordinary requests raise none.

mod receivers;

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use glovebox_audit::{Action, Event, Log, Options, Outcome, WatchedFile};
use glovebox_tests::http::Reply;
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::{KEY, PASSWORD, Server};
use glovebox_tests::sqlite;
use glovebox_tests::syslog::{Datagrams, SyslogServer};
use ring::signature::Ed25519KeyPair;
use serde_json::{Value, json};

use crate::runs::{SALES, is_over, start, until};
use receivers::Hooks;

const HOOK_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The longest that an alert may take.
const SOON: Duration = Duration::from_secs(10);

/// A server that serves a table, runs a pipeline, believes what address its clients name, and alerts.
fn folder(alerts: &str) -> Pipeline {
    let configuration = format!(
        "proxies: [127.0.0.1]
limits: {{ requests-a-minute-by-address: 1000000, requests-a-minute-by-user: 1000000, logins-a-minute-by-address: 1000 }}
datasets:
  people:
    sqlite: {{ path: people.db, table: people }}
    columns: {{ id: {{ type: int64, not-null: true }}, name: {{ type: text }} }}
    key: [id]
    roles: {{ analyst: {{ columns: [id, name] }} }}
pipelines:
  sales: {{ manifest: sales.yaml }}
runs: {{ folder: runs }}
alerts:
{alerts}"
    );
    let folder = Server::folder(&configuration)
        .file("sales.yaml", SALES)
        .file("in.csv", delivery(0))
        .file("people.db", "")
        .file("secrets/salt", "a salt of 32 bytes, or there about")
        .file("secrets/webhook", HOOK_KEY);
    sqlite::execute(
        &folder.path("people.db"),
        "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); \
         WITH RECURSIVE n(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM n WHERE id < 499) \
         INSERT INTO people SELECT id, 'masked-' || id FROM n",
    );
    folder
}

/// A hundred rows, of which so many have no name.
fn delivery(empty: usize) -> String {
    let mut text = String::from("id,name\n");
    for id in 0..100 {
        let name = if id < empty { "" } else { "canary-ann" };
        let _ = writeln!(text, "{id},{name}");
    }
    text
}

fn from(server: &Server, address: &str, user: &str, password: &str) -> Reply {
    let body = format!("username={user}&password={}", password.replace(' ', "%20"));
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Forwarded-For", address),
    ];
    server.call("POST", "/token", &headers, body.as_bytes())
}

fn token(reply: &Reply) -> String {
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

/// The same token as it is five minutes after its end.
fn expired(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    let ends = claims["exp"].as_i64().unwrap();
    let lifetime = ends - claims["iat"].as_i64().unwrap();
    for claim in ["iat", "nbf", "exp"] {
        claims[claim] = (claims[claim].as_i64().unwrap() - lifetime - 300).into();
    }
    let signed = format!(
        "{}.{}",
        parts[0],
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let key = Ed25519KeyPair::from_seed_unchecked(&STANDARD.decode(KEY).unwrap()).unwrap();
    format!(
        "{signed}.{}",
        URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()))
    )
}

/// The alert of that rule, once there is one.
#[track_caller]
fn told(hooks: &Hooks, rule: &str) -> Value {
    let begun = Instant::now();
    loop {
        if let Some(alert) = hooks.alert(rule) {
            return alert;
        }
        assert!(
            begun.elapsed() < SOON,
            "no alert of {rule}: {:?}",
            hooks.rules()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn each_attack_is_told_within_ten_seconds() {
    let hooks = Hooks::listen();
    let server = Server::start_in(folder(&format!(
        "  webhooks: [{{ url: \"{}\", key: webhook }}]
  logs: [audit-watch]
  verify-every: 1s
  learn-for: 1s
  many-rows: 20000
  working-hours: \"* * 29 2 *\"
  silences: [{{ rule: odd-hours, until: 2999-12-31, labels: {{ user: ann }} }}]
",
        hooks.url
    )));
    for (user, roles) in [
        ("root", &["admin"][..]),
        ("ann", &["analyst"]),
        ("bob", &["analyst"]),
        ("otto", &["operator"]),
    ] {
        server.user(user, roles);
    }

    // Guessed passwords. What was typed as a name may be a password, and stands nowhere.
    for n in 0..10 {
        let _ = from(
            &server,
            "203.0.113.9",
            &format!("canary-user-{n}"),
            "canary-guess",
        );
    }
    let alert = told(&hooks, "failed-logins");
    assert_eq!(alert["labels"], json!({ "network": "203.0.113.0/24" }));
    assert_eq!(alert["severity"], "warning");

    // An administrator from a network they never came from.
    let _ = from(&server, "10.0.0.7", "root", PASSWORD).is(200);
    let _ = from(&server, "10.0.0.8", "root", PASSWORD).is(200);
    assert_eq!(hooks.alert("administrator-elsewhere"), None);
    let _ = from(&server, "198.51.100.3", "root", PASSWORD).is(200);
    let alert = told(&hooks, "administrator-elsewhere");
    assert_eq!(
        alert["labels"],
        json!({ "user": "root", "network": "198.51.100.0/24" })
    );

    // A stranger tries paths; after the first ten of a minute the log has but a number.
    for n in 0..100 {
        let target = format!("/canary-{n}");
        let _ = server.call("GET", &target, &[("X-Forwarded-For", "203.0.113.77")], b"");
    }
    let alert = told(&hooks, "denied-calls");
    assert_eq!(alert["labels"], json!({ "network": "203.0.113.0/24" }));
    hooks.forget();

    // Calls that a user may not make.
    let otto = token(&from(&server, "10.0.0.9", "otto", PASSWORD).is(200));
    for _ in 0..20 {
        let _ = server.get("/users", &otto).is(403);
    }
    assert_eq!(
        told(&hooks, "denied-calls")["labels"],
        json!({ "user": "otto" })
    );

    // A role reads far more than it ever did, outside working hours; ann's hours are silenced.
    let ann = token(&from(&server, "10.0.0.9", "ann", PASSWORD).is(200));
    let bob = token(&from(&server, "10.0.0.9", "bob", PASSWORD).is(200));
    let _ = server.get("/people?limit=1", &ann).is(200);
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(
        (hooks.alert("odd-hours"), hooks.alert("many-rows")),
        (None, None)
    );
    for _ in 0..42 {
        let _ = server.get("/people?limit=500", &bob).is(200);
    }
    assert_eq!(
        told(&hooks, "many-rows")["labels"],
        json!({ "role": "analyst" })
    );
    assert_eq!(
        told(&hooks, "odd-hours")["labels"],
        json!({ "user": "bob" })
    );

    // A broken delivery, and another plugin in a step.
    let root = token(&from(&server, "10.0.0.7", "root", PASSWORD).is(200));
    let run = || {
        let id = start(&server, &root, "sales");
        until(&server, &root, &id, is_over)
    };
    assert_eq!(run()["state"], "done");
    server.folder.write("in.csv", delivery(40));
    assert_eq!(run()["state"], "done");
    let alert = told(&hooks, "reject-rate");
    assert_eq!(alert["labels"], json!({ "pipeline": "sales" }));
    server.folder.write(
        "sales.yaml",
        SALES.replace(
            "validate: required",
            "name: required, validate: length, with: { max: 100 }",
        ),
    );
    let changed = run();
    assert_eq!(changed["state"], "done", "{changed}");
    let alert = told(&hooks, "plugin-changed");
    assert_eq!(alert["labels"]["pipeline"], "sales");

    // Values are asked back, in vain: the mask has no way back. Another log has a changed manifest.
    let watched = server.folder.path("audit-watch");
    let other = Log::open(Options::new(watched)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let record = |event: Event| runtime.block_on(other.record(event)).unwrap();
    let _ = record(
        Event::new(Action::Revealed, Outcome::Success)
            .user("eve")
            .pipeline("sales"),
    );
    assert_eq!(
        told(&hooks, "reveal")["labels"],
        json!({ "user": "eve", "pipeline": "sales" })
    );

    let file = |role: &str, name: &str| WatchedFile {
        role: role.into(),
        directory: "/etc/glovebox".into(),
        name: name.into(),
        ..WatchedFile::default()
    };
    let changed = Event::new(Action::FileChanged, Outcome::Success);
    let _ = record(changed.clone().file(file("data", "in.csv")));
    let _ = record(changed.file(file("manifest", "sales.yaml")));
    let alert = told(&hooks, "file-changed");
    // Data comes and goes.
    assert_eq!(
        alert["labels"],
        json!({ "file": "/etc/glovebox/sales.yaml" })
    );

    // A byte of the log itself.
    let log = server.folder.path("audit/audit-0000000001.jsonl");
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&log, bytes).unwrap();
    assert_eq!(told(&hooks, "audit-log")["severity"], "critical");

    for alert in hooks.alerts() {
        for part in ["summary", "why", "next"] {
            assert!(alert[part].as_str().unwrap().len() > 20, "{alert}");
        }
        assert!(!alert.to_string().contains("canary"), "{alert}");
    }
    hooks.verify(HOOK_KEY);
    let metrics = server.get("/metrics", &root).is(200).text();
    assert!(
        metrics.contains("glovebox_alerts_total{rule=\"many-rows\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("glovebox_alerts_lost_total{to=\"webhook\"} 0"),
        "{metrics}"
    );
    assert!(!server.log().contains("canary"), "{}", server.log());
    let recorded = server.audit_text();
    assert!(recorded.contains(r#""event.action":"alerted""#));
}

#[test]
fn ten_thousand_ordinary_requests_raise_nothing() {
    let hooks = Hooks::listen();
    let server = Server::start_in(folder(&format!(
        "  webhooks: [{{ url: \"{}\", key: webhook }}]\n  learn-for: 1s\n  many-rows: 100000\n",
        hooks.url
    )));
    let users = ["ann", "bob", "cem", "dora"];
    for user in users {
        server.user(user, &["analyst"]);
    }
    let tokens: Vec<_> = users
        .iter()
        .map(|user| {
            // Everybody mistypes their password once.
            let _ = from(&server, "10.0.0.9", user, "wrong").is(401);
            token(&from(&server, "10.0.0.9", user, PASSWORD).is(200))
        })
        .collect();
    let targets = [
        "/people?limit=5",
        "/people?id=7",
        "/me",
        "/pipelines",
        "/healthz",
    ];
    std::thread::scope(|scope| {
        for token in &tokens {
            let server = &server;
            let old = expired(token);
            scope.spawn(move || {
                for n in 0..2_500 {
                    // Now and then a page is gone, or a token has expired.
                    let (target, token) = match n % 500 {
                        0 => ("/people/12", token.as_str()),
                        1 => ("/me", old.as_str()),
                        n => (targets[n % targets.len()], token.as_str()),
                    };
                    let reply = server.get(target, token);
                    assert!(reply.status < 500, "{}", reply.text());
                }
            });
        }
    });
    let ann = &tokens[0];
    let _ = server.get("/people?limit=1", ann).is(200);
    let old = server.get("/me", &expired(ann)).is(401);
    assert!(old.text().contains("unauthorized"));
    assert!(server.audit_text().contains(r#""event.reason":"expired""#));
    let stopped = server.stop("TERM");
    assert_eq!(hooks.alerts(), Vec::<Value>::new(), "{}", stopped.stderr);
}

#[test]
fn a_target_that_fails_is_asked_again_and_a_start_needs_its_secrets() {
    let hooks = Hooks::failing(2);
    let server = Server::start_in(folder(&format!(
        "  webhooks: [{{ url: \"{}\", key: webhook }}]\n  denied-calls: 2\n",
        hooks.url
    )));
    for _ in 0..10 {
        let _ = server.get("/me", "nonsense").is(401);
    }
    let _ = told(&hooks, "denied-calls");
    // Refused twice, and the same message each time.
    let begun = Instant::now();
    while hooks.ids().len() < 3 {
        assert!(begun.elapsed() < 6 * SOON, "{:?}", hooks.ids());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(hooks.ids().iter().all(|id| *id == hooks.ids()[0]));
    let _ = server.stop("TERM").ends_with(0);

    let folder = folder(&format!(
        "  webhooks: [{{ url: \"{}\", key: salt }}]\n",
        hooks.url
    ));
    let away = folder.path("away.yaml");
    let unreached = folder
        .read("glovebox.yaml")
        .replace("key: salt", "key: webhook");
    let nobody = unreached.replace(&hooks.url, "http://127.0.0.1:9/hook");
    folder.write("away.yaml", nobody);
    let away = away.display().to_string();
    let tested = folder.call(&["serve", "--test-alerts", "--config", &away]);
    let _ = tested.ends_with(1).prints("webhook: it cannot be reached");
    let checked = folder.call(&["serve", "--check"]);
    let _ = checked.ends_with(2).says("a webhook's key is `whsec_`");
    let ran = folder.call(&["serve"]);
    let _ = ran
        .ends_with(1)
        .says("`alerts`: the secret `salt`: a webhook's key is `whsec_`");
}

#[test]
fn alertmanager_mail_and_syslog_take_alerts() {
    let alertmanager = receivers::Alertmanager::start();
    let mail = receivers::MailServer::start();
    let syslog = Datagrams::listen();
    let secure = SyslogServer::start();
    let mut alerts = format!(
        "  denied-calls: 2\n  runbooks: https://wiki.example.org/glovebox/\n  syslog:\n    - {{ socket: \"{}\" }}\n    \
         - {{ host: localhost, port: {}, tls: {{ ca: syslog.pem }} }}\n",
        syslog.path.display(),
        secure.port
    );
    if let Some(alertmanager) = &alertmanager {
        let _ = writeln!(
            alerts,
            "  alertmanagers: [{{ url: \"{}\" }}]",
            alertmanager.url
        );
    }
    if let Some(mail) = &mail {
        let _ = writeln!(
            alerts,
            "  mail: [{{ host: localhost, port: {}, tls: {{ ca: mail.pem }}, user: glovebox, password: mail, \
             from: glovebox@example.org, to: [ops@example.org, \"Night Shift <night@example.org>\"] }}]",
            mail.port
        );
    }
    let mut folder = folder(&alerts)
        .file("syslog.pem", &secure.certificate)
        .file("secrets/mail", receivers::MAIL_PASSWORD);
    if let Some(mail) = &mail {
        folder = folder.file("mail.pem", &mail.certificate);
    }
    let tested = folder.call(&["serve", "--test-alerts"]).ends_with(0);
    assert!(tested.stdout.lines().all(|line| line.ends_with(": taken")));
    assert!(syslog.next().contains("Glovebox was asked to send a test."));
    assert!(secure.next()[0].contains(" test "));
    let runbook = "https://wiki.example.org/glovebox/runbooks.md#denied-calls";
    if let Some(mail) = &mail {
        assert!(mail.next().contains("Rule: test"));
    }
    let server = Server::start_in(folder);
    for _ in 0..10 {
        let _ = server.get("/canary-path", "canary-token").is(401);
    }
    let summary = "10 calls of 127.0.0.0/24 were refused within 5 min, the last as `unauthorized`.";
    let message = syslog.next();
    assert!(message.starts_with("<84>1 "), "{message}");
    assert!(message.contains(summary), "{message}");
    assert!(message.contains(runbook), "{message}");
    let messages = secure.next();
    assert!(messages[0].contains(summary), "{messages:?}");
    if let Some(alertmanager) = alertmanager {
        let alert = alertmanager.alert("GloveboxDeniedCalls");
        assert_eq!(alert["annotations"]["summary"], summary);
        assert_eq!(alert["annotations"]["runbook_url"], runbook);
        assert_eq!(alert["status"]["state"], "active");
    }
    if let Some(mail) = mail {
        let text = mail.next();
        for part in [
            "Subject: Glovebox, warning: denied-calls",
            "To: ops@example.org, \"Night Shift\" <night@example.org>",
            "What to look at next:",
            "network: 127.0.0.0/24",
            "Runbook: https://wiki.example.org/",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
    let metrics = server.log();
    assert!(!metrics.contains("canary"), "{metrics}");
}
