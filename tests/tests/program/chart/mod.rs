//! The Helm chart: rendered by `helm`, judged by Kubernetes' schemas (tests/helm/chart.py), and its
//! Pods run as processes of this machine, so that the program itself judges what the chart writes.

mod pod;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use glovebox_tests::http;
use glovebox_tests::pipeline::{Pipeline, Running};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};

use super::deploy::{Database, init, listening, open_folder, repository, succeeded};
use pod::{Cluster, Pod};

fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// tests/helm/chart.py, if `cargo xtask tools` could install what it needs.
fn chart(arguments: &[&str]) -> Option<Command> {
    let tools = target().join("tools/helm");
    if !tools.join("installed").is_file() {
        eprintln!("not run: the Helm chart is not rendered; `cargo xtask tools` installs helm");
        return None;
    }
    let mut command = Command::new(tools.join("bin/python"));
    command
        .arg(repository().join("tests/helm/chart.py"))
        .args(arguments)
        // Python would leave its compiled files beside the script.
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Some(command)
}

/// The objects of one values file.
fn rendered(name: &str) -> Option<Vec<Value>> {
    let output = chart(&["render", name])?.output().unwrap();
    Some(serde_json::from_str(&succeeded(&output)).unwrap())
}

#[test]
fn kubernetes_accepts_what_the_chart_renders() {
    let Some(mut command) = chart(&["test"]) else {
        return;
    };
    let said = succeeded(&command.output().unwrap());
    assert!(said.contains("values files"), "{said}");
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let installed = target().join("tools/prometheus/usr/bin/promtool");
    let program = match installed.is_file() {
        true => installed,
        false => PathBuf::from("promtool"),
    };
    let promtool = |arguments: &[&str]| {
        Command::new(&program)
            .args(arguments)
            .current_dir(repository())
            .output()
    };
    if promtool(&["--version"]).is_err() {
        eprintln!("not run: alerts are not tested; `cargo xtask tools` installs promtool");
        return;
    }
    let rules = "deploy/helm/glovebox/files/alerts.yaml";
    succeeded(&promtool(&["check", "rules", rules]).unwrap());
    let tests = [
        "tests/helm/alerts.test.yaml",
        "tests/helm/alerts-days.test.yaml",
    ];
    succeeded(&promtool(&["test", "rules", tests[0], tests[1]]).unwrap());
    // An alert that no test makes fire would be one that nobody has seen.
    let tests: String = tests
        .iter()
        .map(|test| fs::read_to_string(repository().join(test)).unwrap())
        .collect();
    let rules = fs::read_to_string(repository().join(rules)).unwrap();
    let alerts = rules
        .lines()
        .filter_map(|l| l.trim().strip_prefix("- alert: "));
    let mut known = 0;
    for alert in alerts {
        assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert}");
        known += 1;
    }
    assert!(known > 10);
    // The dashboard's queries, as rules.
    let dashboard = repository().join("deploy/helm/glovebox/files/dashboard.json");
    let dashboard: Value = serde_json::from_slice(&fs::read(dashboard).unwrap()).unwrap();
    let queries: Vec<Value> = dashboard["panels"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap())
        .map(|target| target["expr"].clone())
        .enumerate()
        .map(|(number, query)| json!({ "record": format!("query:{number}"), "expr": query }))
        .collect();
    assert!(queries.len() > 10);
    let folder = Pipeline::empty();
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": queries }] });
    folder.write("dashboard.yaml", groups.to_string());
    let rules = folder.path("dashboard.yaml").display().to_string();
    succeeded(&promtool(&["check", "rules", &rules]).unwrap());
}

#[test]
fn alerts_and_dashboard_are_over_metrics_that_the_program_has() {
    let rules: String = ["alerts.yaml", "dashboard.json"]
        .map(|file| repository().join("deploy/helm/glovebox/files").join(file))
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let sources: String = ["metrics.rs", "runs/counts.rs", "tokens/issuers/remote.rs"]
        .iter()
        .map(|file| repository().join("host/crates/api/src").join(file))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let names = regex::Regex::new(r"\bglovebox_[a-z_]+").unwrap();
    let mut seen = 0;
    for name in names.find_iter(&rules) {
        let name = name.as_str().trim_end_matches("_bucket");
        assert!(sources.contains(name), "{name}");
        seen += 1;
    }
    assert!(seen > 20);
}

/// Something that nobody knows, as deploy/init.sh makes it.
fn secret(number: u8) -> String {
    base64::engine::general_purpose::URL_SAFE.encode([number; 32])
}

#[test]
fn the_program_accepts_what_the_chart_writes() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
    let plugin = fs::read(target().join("plugins/redact.wasm")).unwrap();
    let people = ("people.csv", "id,email\n1,ann@example.org\n");
    let elsewhere = "name: elsewhere\nsource: { csv: { path: /var/lib/glovebox/in.csv } }\n\
                     columns: { id: { type: int64 } }\n\
                     sink: { csv: { path: /var/lib/glovebox/out.csv } }\n\
                     rejects: { path: /var/lib/glovebox/elsewhere.rejects.jsonl }\n";
    let secrets: Vec<(&str, String)> = [
        "api.token-key",
        "audit.signing-key",
        "catalog.api",
        "people.key",
        "key",
        "token-key",
        "signing-key",
        "reader",
        "source.extractor",
        "destination.loader",
        "sales.customer-salt",
        "password",
    ]
    .into_iter()
    .zip((1..).map(secret))
    .collect();
    let mut checked = 0;
    for entry in fs::read_dir(repository().join("deploy/helm/glovebox/ci")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix("-values.yaml").unwrap();
        let Some(objects) = rendered(name) else {
            return;
        };
        let folder = Pipeline::empty();
        let cluster = Cluster::new(objects, folder.path("cluster"))
            .with("secret/glovebox-api", &secrets)
            .with("secret/glovebox-people", &secrets)
            .with("secret/glovebox-sales", &secrets)
            .with("secret/glovebox-first-admin", &secrets)
            .with("secretProviderClass/glovebox-api", &secrets)
            .with("vault/secret", &secrets)
            .with(
                "secret/glovebox-api-tls",
                &[("tls.crt", &certificate), ("tls.key", &key)],
            )
            .with("configMap/database-ca", &[("ca.pem", &certificate)])
            .with("configMap/plugins", &[("mine.wasm", &plugin)])
            .with("configMap/people", &[people])
            .with(
                "configMap/manifests-of-another-team",
                &[("elsewhere.yaml", elsewhere)],
            )
            .with("persistentVolumeClaim/plugins", &[("mine.wasm", &plugin)])
            .with("persistentVolumeClaim/people", &[people])
            .with("persistentVolumeClaim/elsewhere", &[("in.csv", "id\n1\n")])
            .with("persistentVolumeClaim/state-0", &[people])
            .edit(".databases.svc", ".invalid");
        for pod in cluster.pods() {
            let container = pod.main();
            let arguments = pod.arguments(&container);
            let manifest = arguments.iter().find(|a| a.contains("/manifests/"));
            if let Some(manifest) = manifest {
                let check = vec!["check".into(), manifest.clone()];
                let _ = pod.start(&container, Some(check)).end().ends_with(0);
            } else {
                let config = fs::read_to_string(pod.path("/etc/glovebox/config/glovebox.yaml"));
                let check = [&arguments[..], &["--check".into()]].concat();
                let ran = pod.start(&container, Some(check)).end();
                if config.unwrap().contains("postgres:") {
                    // There is no server of that name here, and nothing else may be wrong.
                    let ran = ran.ends_with(2);
                    let problems = ran.stderr.lines().filter(|l| l.starts_with("error: "));
                    for problem in problems {
                        assert!(problem.contains(".invalid"), "{name}: {}", ran.stderr);
                    }
                } else {
                    let _ = ran.ends_with(0);
                }
            }
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked}");
}

#[test]
fn the_reference_loads_masks_and_serves() {
    let Some(objects) = rendered("reference") else {
        return;
    };
    let folder = Pipeline::empty();
    let made = open_folder(&folder, "made");
    let work = open_folder(&folder, "work");
    init(&made);
    let source = Database::start("source", "shop", &made, &work);
    let destination = Database::start("destination", "warehouse", &made, &work);
    let read = |name: &str| fs::read_to_string(made.join(name)).unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (cert.pem(), signing_key.serialize_pem());
    let password = read("admin/first-password");
    let host = |name: &str, port: u16, indent: &str| {
        (
            format!("{indent}host: {name}.databases.svc\n"),
            format!("{indent}host: localhost\n{indent}port: {port}\n"),
        )
    };
    let mut cluster = Cluster::new(objects, folder.path("cluster"))
        .with(
            "secret/glovebox-sales",
            &[
                ("source.extractor", read("load/source/extractor")),
                ("destination.loader", read("load/destination/loader")),
                ("sales.customer-salt", read("load/sales/customer-salt")),
            ],
        )
        .with(
            "secret/glovebox-api",
            &[
                ("token-key", read("api/api/token-key")),
                ("signing-key", read("audit/audit/signing-key")),
                ("reader", read("api/destination/reader")),
            ],
        )
        .with("secret/glovebox-first-admin", &[("password", &password)])
        .with(
            "secret/glovebox-api-tls",
            &[("tls.crt", &certificate), ("tls.key", &key)],
        )
        .with("configMap/database-ca", &[("ca.pem", read("ca/ca.pem"))])
        .edit("\"0.0.0.0:8000\"", "127.0.0.1:0");
    for (database, port) in [("source", source.port), ("destination", destination.port)] {
        for indent in ["      ", "    "] {
            let (from, to) = host(database, port, indent);
            cluster = cluster.edit(&format!("\n{from}"), &format!("\n{to}"));
        }
    }
    let [api, run] = <[Pod; 2]>::try_from(cluster.pods()).ok().unwrap();

    // The CronJob, two nights.
    for _ in 0..2 {
        let ran = run.start("run", None).end().ends_with(0);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["rows"]["stored"], 3);
    }
    let reader = destination.password("reader");
    let count = "SELECT count(*) FROM public.sales WHERE customer_id NOT LIKE 'cust%'";
    let counted = destination.remote("reader", &reader, "verify-full", count);
    assert_eq!(succeeded(&counted), "3\n");
    assert!(run.path("/var/lib/glovebox/sales.rejects.jsonl").is_file());

    // The API: its first user, at each start of a Pod; then the server.
    for _ in 0..2 {
        let _ = api.start("first-admin", None).end().ends_with(0);
    }
    let mut serving = api.start("api", None);
    let mut port = None;
    serving.until("it listens", |running: &Running| {
        port = listening(running.id());
        port.is_some() && running.stdout().contains("listens on")
    });
    let address = format!("localhost:{}", port.unwrap());
    let container = api.container("api");
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probe = &container[probe]["httpGet"];
        assert_eq!(probe["scheme"], "HTTPS");
        let path = probe["path"].as_str().unwrap();
        // The kubelet names the Pod's address.
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 10.0.0.7:8000\r\nConnection: close\r\n\r\n");
        let _ = http::over_tls(&address, &certificate, request.as_bytes())
            .unwrap()
            .is(200);
    }
    let call = |method: &str, target: &str, header: (&str, &str), body: &str| {
        let request = http::request(method, target, &[header], body.as_bytes());
        http::over_tls(&address, &certificate, &request)
            .unwrap()
            .is(200)
            .json()
    };
    let form = format!("username=admin&password={}", http::escape(&password));
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let token = call("POST", "/token", kind, &form);
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let rows = call("GET", "/sales", ("Authorization", &bearer), "");
    assert_eq!(rows.as_array().unwrap().len(), 3);
    serving.signal("TERM");
    let _ = serving.end().ends_with(0);
    assert!(api.path("/var/lib/glovebox-checkpoints/audit").is_dir());
}
