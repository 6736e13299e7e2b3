//! The Helm chart: rendered by `helm`, judged by Kubernetes' schemas (tests/helm/chart.py), and its
//! Pods run as processes of this machine, so that the program itself judges what the chart writes.

mod alerts;
mod cluster;
mod pod;
mod running;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use glovebox_tests::pipeline::Pipeline;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

use super::deploy::{repository, succeeded};
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

/// Something that nobody knows, as deploy/init.sh makes it.
fn secret(number: u8) -> String {
    base64::engine::general_purpose::URL_SAFE.encode([number; 32])
}

/// The program checks what a Pod would start with.
fn check(name: &str, pod: &Pod) {
    let container = pod.main();
    let arguments = pod.arguments(&container);
    if container == "api" {
        let config = pod.path("/etc/glovebox/config/glovebox.yaml");
        let config = fs::read_to_string(config).unwrap();
        let check = [&arguments[..], &["--check".into()]].concat();
        return accepts(name, pod, check, config.contains(".invalid"));
    }
    // Options and their values are read before help is shown.
    let help = [&arguments[..], &["--help".into()]].concat();
    accepts(name, pod, help, false);
    for manifest in arguments.iter().filter(|a| a.contains("/manifests/")) {
        // Of a manifest, secrets are looked up, and databases are not.
        let asks = fs::read_to_string(manifest).unwrap().contains("vault:");
        accepts(name, pod, vec!["check".into(), manifest.clone()], asks);
    }
}

/// The program ends well, or `asks` a server that is not there and has nothing else to say.
fn accepts(name: &str, pod: &Pod, arguments: Vec<String>, asks: bool) {
    let ran = pod.start(&pod.main(), Some(arguments)).end();
    if !asks {
        let _ = ran.ends_with(0);
        return;
    }
    let ran = ran.ends_with(2);
    for problem in ran.stderr.lines().filter(|l| l.starts_with("error: ")) {
        assert!(problem.contains(".invalid"), "{name}: {}", ran.stderr);
    }
}

/// A certificate for localhost, with its key.
fn certificate() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

#[test]
fn the_program_accepts_what_the_chart_writes() {
    let (certificate, key) = certificate();
    let tls = [("tls.crt", &certificate), ("tls.key", &key)];
    let plugin = fs::read(target().join("plugins/redact.wasm")).unwrap();
    let people = ("people.csv", "id,email\n1,ann@example.org\n");
    let elsewhere = "name: elsewhere\nsource: { csv: { path: /var/lib/glovebox/in.csv } }\n\
                     columns: { id: { type: int64 } }\n\
                     sink: { csv: { path: /var/lib/glovebox/out.csv } }\n\
                     rejects: { path: /var/lib/glovebox/elsewhere.rejects.jsonl }\n";
    let shared = "name: shared\nsource: { csv: { path: /data/people.csv } }\n\
                  columns: { id: { type: int64 } }\n\
                  sink: { postgres: { host: warehouse.databases.svc, database: warehouse, \
                  user: loader, password: { secret: warehouse/loader }, \
                  tls: { ca: /etc/glovebox/ca/ca.pem }, table: ids } }\n\
                  credentials: [{ files: /run/glovebox }]\n\
                  rejects: { path: /var/lib/glovebox/shared.rejects.jsonl }\n";
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
        "warehouse.loader",
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
            .with("secret/glovebox-api-tls", &tls)
            .with("configMap/database-ca", &[("ca.pem", &certificate)])
            .with("secret/cluster-scheduler", &tls)
            .with("secret/cluster-executor", &tls)
            .with("secret/cluster-client", &tls)
            .with("secret/trial-glovebox-scheduler-certificate", &tls)
            .with("secret/trial-glovebox-executor-certificate", &tls)
            .with("secret/trial-glovebox-client-certificate", &tls)
            .with("configMap/plugins", &[("mine.wasm", &plugin)])
            .with("configMap/people", &[people])
            .with(
                "configMap/manifests-of-another-team",
                &[("elsewhere.yaml", elsewhere), ("shared.yaml", shared)],
            )
            .with("persistentVolumeClaim/plugins", &[("mine.wasm", &plugin)])
            .with("persistentVolumeClaim/people", &[people])
            .with("persistentVolumeClaim/elsewhere", &[("in.csv", "id\n1\n")])
            .with("persistentVolumeClaim/state-0", &[people])
            .edit(".databases.svc", ".invalid");
        for pod in cluster.pods() {
            check(name, &pod);
            checked += 1;
        }
    }
    assert!(checked >= 20, "{checked}");
}
