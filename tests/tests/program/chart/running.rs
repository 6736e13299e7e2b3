//! Pods of the chart at work: rows from one database into another, and servers that show them.

use std::fs;
use std::path::PathBuf;

use glovebox_tests::http::{self, Reply};
use glovebox_tests::pipeline::{Pipeline, Running};
use serde_json::Value;

use super::pod::{Cluster, Pod};
use super::{certificate, rendered, secret};
use crate::deploy::{Database, init, listening, open_folder, succeeded};

/// A key of age for nothing else.
const UPLOADS_KEY: &str =
    "AGE-SECRET-KEY-146R9W8M5DPRSZYTPRG0N6RGLY3JQ3GVKFFT8T4VSLQEZ20QYZF5SL7ZE39";

/// What deploy/init.sh makes, and where the databases are.
pub(super) struct Site {
    pub(super) folder: Pipeline,
    pub(super) made: PathBuf,
    pub(super) work: PathBuf,
    certificate: String,
    key: String,
}

impl Site {
    pub(super) fn new() -> Site {
        let folder = Pipeline::empty();
        let made = open_folder(&folder, "made");
        let work = open_folder(&folder, "work");
        init(&made);
        let (certificate, key) = certificate();
        Site {
            folder,
            made,
            work,
            certificate,
            key,
        }
    }

    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.made.join(name)).unwrap()
    }

    /// With what both examples name.
    pub(super) fn cluster(&self, objects: Vec<Value>, password: &str) -> Cluster {
        Cluster::new(objects, self.folder.path("cluster"))
            .with("secret/glovebox-first-admin", &[("password", password)])
            .with(
                "secret/glovebox-api-tls",
                &[("tls.crt", &self.certificate), ("tls.key", &self.key)],
            )
            .with(
                "configMap/database-ca",
                &[("ca.pem", self.read("ca/ca.pem"))],
            )
            .edit("\"0.0.0.0:8000\"", "127.0.0.1:0")
    }
}

/// The API of a Pod.
struct Api {
    running: Running,
    address: String,
    certificate: String,
}

impl Api {
    fn start(pod: &Pod, certificate: &str) -> Api {
        let mut running = pod.start("api", None);
        let mut port = None;
        running.until("it listens", |running: &Running| {
            port = listening(running.id());
            port.is_some() && running.stdout().contains("listens on")
        });
        Api {
            running,
            address: format!("localhost:{}", port.unwrap()),
            certificate: certificate.to_owned(),
        }
    }

    fn send(&self, request: &[u8]) -> Reply {
        http::over_tls(&self.address, &self.certificate, request).unwrap()
    }

    fn call(&self, method: &str, target: &str, bearer: &str) -> Reply {
        let header = ("Authorization", bearer);
        self.send(&http::request(method, target, &[header], b""))
    }

    /// What `admin` sends with each request from now on.
    fn log_in(&self, password: &str) -> String {
        let form = format!("username=admin&password={}", http::escape(password));
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let request = http::request("POST", "/token", &[kind], form.as_bytes());
        let token = self.send(&request).is(200).json();
        format!("Bearer {}", token["access_token"].as_str().unwrap())
    }

    fn stop(self) {
        self.running.signal("TERM");
        let _ = self.running.end().ends_with(0);
    }
}

/// The reference in a cluster with these databases.
fn reference(site: &Site, objects: Vec<Value>, source: u16, destination: u16) -> Cluster {
    let mut cluster = site
        .cluster(objects, &site.read("admin/first-password"))
        .with(
            "secret/glovebox-sales",
            &[
                ("source.extractor", site.read("load/source/extractor")),
                ("destination.loader", site.read("load/destination/loader")),
                ("sales.customer-salt", site.read("load/sales/customer-salt")),
            ],
        )
        .with(
            "secret/glovebox-api",
            &[
                ("token-key", site.read("api/api/token-key")),
                ("signing-key", site.read("audit/audit/signing-key")),
                ("reader", site.read("api/destination/reader")),
            ],
        );
    for (database, port) in [("source", source), ("destination", destination)] {
        for indent in ["      ", "    "] {
            cluster = cluster.edit(
                &format!("\n{indent}host: {database}.databases.svc\n"),
                &format!("\n{indent}host: localhost\n{indent}port: {port}\n"),
            );
        }
    }
    cluster
}

#[test]
fn the_reference_loads_masks_and_serves() {
    let Some(objects) = rendered("reference") else {
        return;
    };
    let site = Site::new();
    let source = Database::start("source", "shop", &site.made, &site.work);
    let destination = Database::start("destination", "warehouse", &site.made, &site.work);
    let cluster = reference(&site, objects, source.port, destination.port);
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
    let server = Api::start(&api, &site.certificate);
    let container = api.container("api");
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let probe = &container[probe]["httpGet"];
        assert_eq!(probe["scheme"], "HTTPS");
        let path = probe["path"].as_str().unwrap();
        // The kubelet names the Pod's address.
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 10.0.0.7:8000\r\nConnection: close\r\n\r\n");
        let _ = server.send(request.as_bytes()).is(200);
    }
    let bearer = server.log_in(&site.read("admin/first-password"));
    let rows = server.call("GET", "/sales", &bearer).is(200).json();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    server.stop();
    assert!(api.path("/var/lib/glovebox-checkpoints/audit").is_dir());
}

/// Three servers in a cluster whose catalog is in this database.
fn replicas(site: &Site, objects: Vec<Value>, catalog: &Database) -> Vec<Pod> {
    let password = catalog.password("superuser");
    for sql in [
        format!("CREATE ROLE api LOGIN PASSWORD '{password}'"),
        "CREATE DATABASE glovebox OWNER api".to_owned(),
    ] {
        succeeded(&catalog.local("postgres", &sql));
    }
    let people = ("people.csv", "id,email\n1,ann@example.org\n");
    let mut cluster = site
        .cluster(objects, &password)
        .with(
            "secret/glovebox-api",
            &[
                ("api.token-key", secret(1)),
                ("api.uploads", UPLOADS_KEY.to_owned()),
                ("audit.signing-key", secret(2)),
                ("catalog.api", password.clone()),
            ],
        )
        .with("secret/glovebox-people", &[("people.key", secret(3))])
        // One address has one port for metrics, and three servers would want it here.
        .edit("metrics: { listen: \"0.0.0.0:9100\" }\n", "")
        .edit(
            "    host: catalog.databases.svc\n",
            &format!("    host: localhost\n    port: {}\n", catalog.port),
        );
    for ordinal in 0..3 {
        cluster = cluster.with(&format!("persistentVolumeClaim/state-{ordinal}"), &[people]);
    }
    cluster.replicas()
}

#[test]
fn servers_share_a_catalog_and_what_runs_leave_behind() {
    let Some(objects) = rendered("servers") else {
        return;
    };
    let site = Site::new();
    let catalog = Database::start("destination", "warehouse", &site.made, &site.work);
    let pods = replicas(&site, objects, &catalog);
    assert_eq!(pods.len(), 3);
    // As `OrderedReady` does: one after the other.
    let mut servers = Vec::new();
    for pod in &pods {
        let _ = pod.start("first-admin", None).end().ends_with(0);
        servers.push(Api::start(pod, &site.certificate));
    }
    let bearer = servers[0].log_in(&catalog.password("superuser"));
    let run = servers[1]
        .call("POST", "/pipelines/people/runs", &bearer)
        .is(202)
        .json();
    let run = format!("/runs/{}", run["id"].as_str().unwrap());
    let mut state = Value::Null;
    for _ in 0..600 {
        state = servers[2].call("GET", &run, &bearer).is(200).json()["state"].clone();
        if state != "queued" && state != "running" {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(state, "done");
    // Whoever ran it, everybody has what it left behind.
    for server in &servers {
        let report = server.call("GET", &format!("{run}/report"), &bearer);
        assert_eq!(report.is(200).json()["rows"]["stored"], 1);
    }
    for server in servers {
        server.stop();
    }
    for pod in &pods {
        let log = pod.path("/var/lib/glovebox/audit");
        assert!(fs::read_dir(log).unwrap().count() > 0);
    }
}
