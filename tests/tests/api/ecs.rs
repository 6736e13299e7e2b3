//! What the server logs and records, held against the fields of the Elastic Common Schema 8.17 (its
//! generated/csv/fields.csv, by names, types and whether they are lists).

use std::collections::HashMap;
use std::net::IpAddr;

use glovebox_tests::http::{raw, request};
use glovebox_tests::server::{PASSWORD, Server};
use serde_json::Value;

const FIELDS: &str = include_str!("../../ecs/fields-8.17.0.csv");

/// Types and whether they are lists, by name.
fn fields() -> HashMap<&'static str, (&'static str, bool)> {
    let lines = FIELDS.lines().skip(1);
    let field = |line: &'static str| {
        let mut parts = line.split(',');
        let (name, kind, list) = (parts.next()?, parts.next()?, parts.next()?);
        Some((name, (kind, list == "array")))
    };
    lines.map(|line| field(line).unwrap()).collect()
}

/// What is wrong with a line.
fn wrong(fields: &HashMap<&str, (&str, bool)>, line: &str) -> Vec<String> {
    let line: Value = match serde_json::from_str(line) {
        Ok(line) => line,
        Err(error) => return vec![format!("{error}: {line}")],
    };
    let mut wrong = Vec::new();
    for needed in ["@timestamp", "ecs.version", "event.dataset"] {
        if line.get(needed).is_none() {
            wrong.push(format!("no {needed}"));
        }
    }
    for (name, value) in line.as_object().unwrap() {
        let fits = match fields.get(name.as_str()) {
            // Scalars and lists of them, whose mapping is dynamic.
            None if name.starts_with("labels.") => match value {
                Value::Array(items) => items
                    .iter()
                    .all(|item| !item.is_array() && !item.is_object()),
                value => !value.is_object(),
            },
            // A keyword of ECS itself, which the CSV does not list.
            None => name == "ecs.version" && value == "8.17.0",
            Some((kind, true)) => match value {
                Value::Array(items) => items.iter().all(|item| is(kind, item)),
                _ => false,
            },
            Some((kind, false)) => is(kind, value),
        };
        if !fits {
            wrong.push(format!("{name}: {value}"));
        }
    }
    wrong
}

fn is(kind: &str, value: &Value) -> bool {
    match kind {
        "date" => value.as_str().is_some_and(|text| {
            // As ECS writes them: 2016-05-23T08:05:34.853Z.
            let digits = text.trim_end_matches('Z').replace(['-', ':', 'T', '.'], "");
            text.ends_with('Z') && digits.len() >= 14 && digits.bytes().all(|b| b.is_ascii_digit())
        }),
        "long" | "integer" => value.is_i64() || value.is_u64(),
        "float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "ip" => value
            .as_str()
            .is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        "keyword" | "match_only_text" | "wildcard" | "constant_keyword" => value.is_string(),
        _ => false,
    }
}

#[test]
fn logs_and_audit_records_are_of_the_schema() {
    let folder = Server::folder("");
    let mut running = folder.start(&["serve", "--log", "debug", "--log-format", "json"]);
    let mut address = String::new();
    running.until("it listens", |running| {
        let said = running.stdout();
        let url = said.split("//").nth(1).and_then(|u| u.split(';').next());
        address = url.unwrap_or_default().to_owned();
        !address.is_empty()
    });
    let ran = folder.call_with_input(
        &["user", "add", "ada", "--role", "admin"],
        PASSWORD.as_bytes(),
    );
    let _ = ran.ends_with(0);
    let form = |body: String| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        raw(
            &address,
            &request("POST", "/token", &headers, body.as_bytes()),
        )
    };
    let _ = form("username=ada&password=wrong".into()).is(401);
    let password = PASSWORD.replace(' ', "%20");
    let token = form(format!("username=ada&password={password}"))
        .is(200)
        .json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let headers = [("Authorization", bearer.as_str())];
    for (target, status) in [
        ("/me", 200),
        ("/users", 200),
        ("/nothing", 404),
        ("/healthz", 200),
    ] {
        let _ = raw(&address, &request("GET", target, &headers, b"")).is(status);
    }
    running.signal("TERM");
    let ran = running.end().ends_with(0);

    let fields = fields();
    let served = ran
        .stderr
        .lines()
        .filter(|l| l.contains("\"http.request.id\""));
    assert!(served.count() >= 6, "{}", ran.stderr);
    let audit = folder.read("audit/audit-0000000001.jsonl");
    let commands = folder.read("audit-commands/audit-0000000001.jsonl");
    assert!(audit.lines().count() > 5 && commands.lines().count() > 1);
    for line in ran
        .stderr
        .lines()
        .chain(audit.lines())
        .chain(commands.lines())
    {
        let wrong = wrong(&fields, line);
        assert!(wrong.is_empty(), "{wrong:?}\n{line}");
    }
    // A test that finds nothing wrong in nonsense would prove nothing.
    let nonsense = r#"{"@timestamp":"now","event.category":"web","source.ip":"a","extra":1}"#;
    assert_eq!(wrong(&fields, nonsense).len(), 6);
}
