//! `glovebox run --cluster`: a run over a scheduler and executors leaves what one process leaves, whatever dies when.

mod kept;
mod lake;
mod refused;

use std::time::{Duration, Instant};

use glovebox_tests::http;
use glovebox_tests::pipeline::{Pipeline, Ran, Running};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::torture::{Moment, Proxy, Seeded, Then};

use crate::shards::place::{Place, counts, csv, members, pair, same, signal};

/// A scheduler, its executors and everybody's certificates.
pub(crate) struct Cluster {
    certificates: Pipeline,
    scheduler: Running,
    url: String,
    metrics: String,
    executors: Vec<Running>,
}

impl Cluster {
    pub(crate) fn start() -> Cluster {
        let certificates = Pipeline::empty();
        let made = ["cluster", "certificates", "made", "--name", "127.0.0.1"];
        let _ = certificates.call(&made).ends_with(0);
        let (scheduler, url) = scheduler(&certificates, "127.0.0.1:0", "127.0.0.1:0");
        let metrics = String::new();
        let mut cluster = Cluster {
            certificates,
            scheduler,
            url,
            metrics,
            executors: Vec::new(),
        };
        cluster.metrics =
            after(&cluster.scheduler.stderr(), "counts are at http://").replace("/metrics", "");
        cluster
    }

    pub(crate) fn folder(&self, role: &str) -> String {
        let folder = self.certificates.path("made").join(role);
        folder.to_string_lossy().into_owned()
    }

    /// An executor of a pipeline.
    pub(crate) fn executor(&self, pipeline: &Pipeline, more: &[&str]) -> Running {
        let folder = self.folder("executor");
        let call = [
            "cluster",
            "executor",
            "manifest.yaml",
            "--scheduler",
            &self.url,
            "--certificates",
            &folder,
            "--workers",
            "1",
        ];
        let level = match more.contains(&"--log") {
            true => &[][..],
            false => &["--log", "info"],
        };
        pipeline.start(&[&call[..], more, level].concat())
    }

    pub(crate) fn run(&self, pipeline: &Pipeline, more: &[&str]) -> Running {
        let folder = self.folder("client");
        let report = pipeline.path("report.json");
        let report = report.to_string_lossy();
        let call = [
            "run",
            "manifest.yaml",
            "--cluster",
            &self.url,
            "--certificates",
            &folder,
            "--report",
            &report,
        ];
        pipeline.start(&[&call[..], more].concat())
    }

    /// A scheduler in the place of the one before, which has forgotten all.
    fn again(&mut self) {
        let address = self.url.trim_start_matches("https://").to_owned();
        self.scheduler.signal("KILL");
        while self.scheduler.is_running() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let (scheduler, _) = scheduler(&self.certificates, &address, "127.0.0.1:0");
        self.scheduler = scheduler;
    }
}

fn after(text: &str, mark: &str) -> String {
    let (_, rest) = text
        .split_once(mark)
        .unwrap_or_else(|| panic!("no {mark} in {text}"));
    rest.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn scheduler(certificates: &Pipeline, listen: &str, metrics: &str) -> (Running, String) {
    let mut scheduler = certificates.start(&[
        "cluster",
        "scheduler",
        "--certificates",
        "made/scheduler",
        "--listen",
        listen,
        "--metrics",
        metrics,
        "--dead-after",
        "3",
        "--log",
        "info",
    ]);
    scheduler.until("it listens", |s| {
        s.stderr().contains("the scheduler listens at")
    });
    let address = after(&scheduler.stderr(), "the scheduler listens at ");
    (scheduler, format!("https://{address}"))
}

pub(crate) fn report(pipeline: &Pipeline, ran: Ran) -> Ran {
    let mut ran = ran.ends_with(0);
    ran.report = serde_json::from_str(&pipeline.read("report.json")).unwrap();
    ran
}

#[test]
fn more_than_sixty_ranges_on_two_executors_are_each_run_once() {
    let places = [(); 2].map(|()| {
        let place = Place::new("{ csv: { path: in } }", "mode: append");
        for file in 0..72 {
            let name = format!("in/{file:02}.csv");
            place.pipeline.write(&name, csv(file * 1_200, 1_150));
        }
        place
    });
    let alone = places[0].pipeline.run().ends_with(0);
    let mut cluster = Cluster::start();
    // Without executors nobody knows how many ranges are enough, and there are many.
    let mut run = cluster.run(&places[1].pipeline, &[]);
    run.until("it waits for executors", |run| {
        run.stderr().contains("the cluster has no executor")
    });
    cluster.executors = vec![
        cluster.executor(&places[1].pipeline, &[]),
        cluster.executor(&places[1].pipeline, &["--slots", "2"]),
    ];
    let shared = report(&places[1].pipeline, run.end());
    assert_eq!(counts(&alone), counts(&shared));
    same(&places);
    let mut rows: Vec<String> = Vec::new();
    for executor in &cluster.executors {
        let text = executor.stderr();
        let ranges = text
            .lines()
            .filter(|line| line.contains("works on a range"));
        let before = rows.len();
        rows.extend(ranges.map(|line| after(line, "row=")));
        assert!(rows.len() > before, "an executor had nothing to do: {text}");
    }
    let ranges = rows.len();
    rows.sort();
    rows.dedup();
    assert!(ranges >= 64, "{ranges}");
    assert_eq!(rows.len(), ranges);
    let request = http::request("GET", "/metrics", &[], b"");
    let counts = http::raw(&cluster.metrics, &request).is(200).text();
    for line in [
        "executors 2",
        "slots 3",
        "slots_busy 0",
        "ranges_unfinished 0",
    ] {
        assert!(
            counts.contains(&format!("\nglovebox_cluster_{line}\n")),
            "{counts}"
        );
    }
}

/// How often it is done, `$GLOVEBOX_CLUSTER_KILLS` times as often on demand.
fn times(usual: usize) -> usize {
    let more = std::env::var("GLOVEBOX_CLUSTER_KILLS").ok();
    usual * more.and_then(|n| n.parse::<usize>().ok()).unwrap_or(1)
}

/// Has something done to a cluster until it was done so often, in as many runs as that takes; each run leaves what one
/// process leaves.
fn disturbed(
    seed: u64,
    usual: usize,
    mut disturb: impl FnMut(&mut Cluster, &Place, &mut Running, &mut Seeded) -> bool,
) {
    println!("seed {seed}");
    let mut random = Seeded::new(seed);
    let mut done = 0;
    let mut cluster = Cluster::start();
    while done < times(usual) {
        let places = pair("mode: append", 16_000);
        let place = &places[1];
        cluster.executors = (0..2)
            .map(|_| cluster.executor(&place.pipeline, &[]))
            .collect();
        let mut run = cluster.run(&place.pipeline, &[]);
        let begun = Instant::now();
        while run.is_running() && begun.elapsed() < Duration::from_secs(120) {
            let pause = 100.0 + 500.0 * random.share();
            std::thread::sleep(Duration::from_millis(pause as u64));
            if done < times(usual) && disturb(&mut cluster, place, &mut run, &mut random) {
                done += 1;
            }
        }
        let ran = run.end();
        assert_eq!(
            ran.code,
            Some(0),
            "{}\n{}",
            ran.stderr,
            cluster.scheduler.stderr()
        );
        same(&places);
    }
}

#[test]
fn executors_that_are_killed_or_asked_to_end_lose_and_double_nothing() {
    disturbed(20_261_127, 8, |cluster, place, run, random| {
        let which = (random.share() * 2.0) as usize % 2;
        if !run.is_running() {
            return false;
        }
        // Every second one is asked to end, and gives its ranges up itself.
        let how = match random.share() < 0.5 {
            true => "KILL",
            false => "TERM",
        };
        cluster.executors[which].signal(how);
        cluster.executors[which] = cluster.executor(&place.pipeline, &[]);
        true
    });
}

#[test]
fn executors_that_wake_up_after_they_were_given_up_lose_and_double_nothing() {
    disturbed(20_261_128, 2, |cluster, _, run, random| {
        let which = (random.share() * 2.0) as usize % 2;
        if !run.is_running() {
            return false;
        }
        let members = members(&cluster.executors[which]);
        cluster.executors[which].signal("STOP");
        // Those that do its work sleep, too, while others do it.
        for member in &members {
            signal(member, "STOP");
        }
        std::thread::sleep(Duration::from_secs(5));
        for member in &members {
            signal(member, "CONT");
        }
        cluster.executors[which].signal("CONT");
        true
    });
}

#[test]
fn executors_that_are_cut_off_while_their_work_goes_on_lose_and_double_nothing() {
    disturbed(20_261_130, 2, |cluster, _, run, random| {
        let which = (random.share() * 2.0) as usize % 2;
        if !run.is_running() {
            return false;
        }
        // The processes that store its chunks are not: to the scheduler, it is as dead as behind a cut network.
        cluster.executors[which].signal("STOP");
        std::thread::sleep(Duration::from_secs(5));
        cluster.executors[which].signal("CONT");
        true
    });
}

#[test]
fn a_commit_whose_reply_is_lost_is_neither_lost_nor_doubled() {
    let proxy = Proxy::start(Postgres::shared()).unwrap();
    let places = pair("mode: append", 16_000);
    let place = &places[1];
    let manifest = place.pipeline.read("manifest.yaml");
    let port = |port: u16| format!("port: {port},");
    let behind = manifest.replace(&port(Postgres::shared().port()), &port(proxy.port()));
    assert_ne!(behind, manifest);
    place.pipeline.write("manifest.yaml", &behind);
    let mut cluster = Cluster::start();
    cluster.executors = (0..2)
        .map(|_| cluster.executor(&place.pipeline, &[]))
        .collect();
    let mut run = cluster.run(&place.pipeline, &[]);
    let mut struck = 0;
    while run.is_running() {
        proxy.strike_at(1, Moment::After, Then::Cut);
        if proxy.has_struck(|| run.is_running()) {
            struck += 1;
        }
    }
    let _ = report(&place.pipeline, run.end());
    assert!(struck > 3, "{struck}");
    same(&places);
}

#[test]
fn a_scheduler_that_begins_again_is_told_again() {
    disturbed(20_261_129, 3, |cluster, _, run, _| {
        if !run.is_running() {
            return false;
        }
        cluster.again();
        true
    });
}

#[test]
fn a_run_whose_first_process_is_killed_goes_on_and_one_that_is_stopped_leaves_no_work() {
    let places = pair("mode: replace", 16_000);
    let mut cluster = Cluster::start();
    cluster.executors = (0..2)
        .map(|_| cluster.executor(&places[1].pipeline, &[]))
        .collect();
    let mut run = cluster.run(&places[1].pipeline, &[]);
    run.until("a range is worked on", |_| {
        cluster
            .executors
            .iter()
            .any(|e| e.stderr().contains("works on a range"))
    });
    run.signal("KILL");
    assert_eq!(run.end().code, None);
    let worked = |cluster: &Cluster| {
        let ranges = cluster.executors.iter().map(|executor| {
            let text = executor.stderr();
            text.matches("works on a range").count()
        });
        ranges.sum::<usize>()
    };
    let before = worked(&cluster);
    let mut run = cluster.run(&places[1].pipeline, &["--resume"]);
    // What the one that was killed had submitted is not worked on: its turn is over.
    run.until("ranges are worked on", |_| worked(&cluster) > before + 1);
    run.signal("INT");
    let stopped = run.end();
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    assert!(
        stopped.stderr.contains("stopped on request"),
        "{}",
        stopped.stderr
    );
    let _ = report(
        &places[1].pipeline,
        cluster.run(&places[1].pipeline, &["--resume"]).end(),
    );
    same(&places);
}
