//! The chart's cluster at work: its scheduler, two of its executors and a run, started as their Pods would be.

use std::fmt::Write as _;
use std::fs;

use glovebox_tests::http;
use glovebox_tests::pipeline::{Pipeline, Running};
use serde_json::Value;

use super::pod::{Cluster, Pod};
use super::running::Site;
use super::{rendered, secret};
use crate::deploy::{Database, repository, succeeded};

/// What the scheduler serves beside its port.
struct Scheduler {
    running: Running,
    url: String,
    metrics: String,
}

impl Scheduler {
    /// Starts it as its Pod says, at ports that are free here.
    fn start(pod: &Pod) -> Scheduler {
        let arguments = pod.arguments("scheduler").into_iter();
        let arguments = arguments.map(|a| match a.as_str() {
            "0.0.0.0:50050" | "0.0.0.0:9100" => "127.0.0.1:0".to_owned(),
            _ => a,
        });
        let mut running = pod.start("scheduler", Some(arguments.collect()));
        running.until("it listens", |s| {
            s.stderr().contains("the scheduler listens at")
        });
        let said = running.stderr();
        let port = |mark: &str| {
            let (_, rest) = said.split_once(mark).unwrap();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
            rest[..end].to_owned()
        };
        Scheduler {
            running,
            url: format!("https://localhost:{}", port("listens at 127.0.0.1:")),
            metrics: format!("127.0.0.1:{}", port("counts are at http://127.0.0.1:")),
        }
    }

    fn get(&self, path: &str) -> String {
        let request = http::request("GET", path, &[], b"");
        http::raw(&self.metrics, &request).is(200).text()
    }

    /// A count of `/metrics`, as KEDA and Prometheus name it.
    fn count(&self, name: &str) -> u64 {
        let text = self.get("/metrics");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .parse()
            .unwrap()
    }

    /// Starts an executor or a run, with this scheduler in the place of the Service.
    fn join(&self, pod: &Pod) -> Running {
        let container = pod.main();
        let service = "https://trial-glovebox-scheduler.data.svc:50050";
        let arguments: Vec<String> = pod
            .arguments(&container)
            .into_iter()
            .map(|a| a.replace(service, &self.url))
            .collect();
        assert!(arguments.contains(&self.url), "{arguments:?}");
        pod.start(&container, Some(arguments))
    }
}

/// Certificates as a Secret has them.
fn certificates(made: &Pipeline, role: &str) -> [(&'static str, String); 3] {
    ["ca.crt", "tls.crt", "tls.key"].map(|file| (file, made.read(&format!("made/{role}/{file}"))))
}

/// The example in a cluster with this database.
fn example(site: &Site, objects: Vec<Value>, warehouse: &Database, rows: usize) -> Cluster {
    let made = Pipeline::empty();
    let _ = made
        .call(&["cluster", "certificates", "made", "--name", "localhost"])
        .ends_with(0);
    let mut people = String::from("id,email\n");
    for id in 0..rows {
        let _ = writeln!(people, "{id},person-{id:0>500}@example.org");
    }
    let mut cluster = site
        .cluster(objects, "")
        .with(
            "secret/glovebox-people",
            &[
                ("people.key", secret(3)),
                ("warehouse.loader", site.read("load/destination/loader")),
            ],
        )
        .with("persistentVolumeClaim/people", &[("people.csv", people)])
        .edit(
            "    host: warehouse.databases.svc\n",
            &format!("    host: localhost\n    port: {}\n", warehouse.port),
        )
        // Another volume in each Pod, and here another path: the run's and the executors' manifests would differ. It is
        // where the program is started.
        .edit("/var/lib/glovebox/", "");
    for role in ["scheduler", "executor", "client"] {
        let files = certificates(&made, role);
        cluster = cluster.with(&format!("secret/cluster-{role}"), &files);
    }
    cluster
}

#[test]
fn executors_work_on_a_run_and_the_queue_tells_how_many_are_needed() {
    let Some(objects) = rendered("cluster") else {
        return;
    };
    let site = Site::new();
    let warehouse = Database::start("destination", "warehouse", &site.made, &site.work);
    let rows = 12_000;
    let cluster = example(&site, objects, &warehouse, rows);
    let [scheduler, executor, run] = <[Pod; 3]>::try_from(cluster.pods()).ok().unwrap();

    let server = Scheduler::start(&scheduler);
    for probe in ["readinessProbe", "livenessProbe"] {
        let probe = &scheduler.container("scheduler")[probe]["httpGet"];
        assert_eq!(probe["port"], "metrics");
        assert_eq!(server.get(probe["path"].as_str().unwrap()), "ok");
    }
    // Without an executor, ranges wait: what scales executors from none, and what the alert is about.
    let mut ran = server.join(&run);
    ran.until("ranges wait", |_| {
        server.count("glovebox_cluster_ranges_unfinished") > 0
    });
    assert_eq!(server.count("glovebox_cluster_executors"), 0);

    let executors = [server.join(&executor), server.join(&executor)];
    let ran = ran.end().ends_with(0);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["rows"]["stored"], rows);
    let loader = warehouse.password("loader");
    let count = "SELECT count(*), count(*) FILTER (WHERE email LIKE '%@%') FROM people";
    let counted = warehouse.remote("loader", &loader, "verify-full", count);
    assert_eq!(succeeded(&counted), format!("{rows}|0\n"));
    assert_eq!(server.count("glovebox_cluster_ranges_unfinished"), 0);
    assert_eq!(server.count("glovebox_cluster_executors"), 2);
    // What alerts, the dashboard and KEDA name is there.
    let files = ["alerts.yaml", "dashboard.json"].map(|file| {
        let path = repository().join("deploy/helm/glovebox/files").join(file);
        fs::read_to_string(path).unwrap()
    });
    let names = regex::Regex::new(r"\bglovebox_cluster_[a-z_]+").unwrap();
    let files = files.concat();
    let mut names: Vec<_> = names.find_iter(&files).map(|name| name.as_str()).collect();
    assert!(names.len() > 5);
    let scaled = rendered("cluster-keda").unwrap();
    let scaled = scaled.iter().find(|o| o["kind"] == "ScaledObject").unwrap();
    let asked = &scaled["spec"]["triggers"][0]["metadata"];
    names.push(asked["valueLocation"].as_str().unwrap());
    for name in names {
        let _ = server.count(name);
    }
    let service = "http://trial-glovebox-scheduler-metrics.data.svc:9100";
    assert_eq!(asked["url"], format!("{service}/metrics"));
    // As a Pod is ended.
    for running in executors.into_iter().chain([server.running]) {
        running.signal("TERM");
        let _ = running.end().ends_with(0);
    }
}
