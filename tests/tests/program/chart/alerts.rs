//! The alerts and the dashboard: as promtool understands them, over metrics that there are, and each with
//! its section of the runbooks.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use glovebox_tests::pipeline::Pipeline;
use serde_json::{Value, json};

use super::target;
use crate::deploy::{repository, succeeded};

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
    let rules: String = [
        "deploy/helm/glovebox/files/alerts.yaml",
        "deploy/helm/glovebox/files/dashboard.json",
        "docs/runbooks.md",
    ]
    .map(read)
    .concat();
    let sources: String = [
        "api/src/alerts.rs",
        "api/src/metrics.rs",
        "api/src/runs/counts.rs",
        "api/src/tokens/issuers/remote.rs",
        "outbound/src/alerts/mod.rs",
        "cluster/src/metrics.rs",
    ]
    .iter()
    .map(|file| repository().join("host/crates").join(file))
    .map(|path| fs::read_to_string(path).unwrap())
    .collect();
    let names = regex::Regex::new(r"\bglovebox_[a-z_]+").unwrap();
    let mut seen = 0;
    for name in names.find_iter(&rules) {
        let name = name.as_str().trim_end_matches("_bucket");
        let written = match name.strip_prefix("glovebox_cluster_") {
            Some(rest) => format!("\"{rest}\""),
            None => name.to_owned(),
        };
        assert!(sources.contains(&written), "{name}");
        seen += 1;
    }
    assert!(seen > 20);
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

#[test]
fn each_alert_has_a_section_of_the_runbooks_and_each_section_an_alert() {
    let alerts = read("deploy/helm/glovebox/files/alerts.yaml");
    let found = |text: &str, pattern: &str| -> BTreeSet<String> {
        let pattern = regex::Regex::new(pattern).unwrap();
        pattern
            .captures_iter(text)
            .map(|found| found[1].to_owned())
            .collect()
    };
    let over_metrics = found(&alerts, r"- alert: (\w+)");
    // Each links to its own section.
    let linked = found(
        &alerts,
        r"(?s)- alert: \w+.*?runbook_url: docs/runbooks\.md#(\w+)\n",
    );
    let lower: BTreeSet<_> = over_metrics
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    assert_eq!(linked, lower);
    let of_rules = found(
        &read("host/crates/monitor/src/alert.rs"),
        "= \"([a-z-]+)\", (?:Info|Warning|Critical),",
    );
    assert!(over_metrics.len() > 15 && of_rules.len() > 10);
    let page = read("docs/runbooks.md");
    let mut sections = page.split("\n### ").skip(1).peekable();
    assert!(sections.peek().is_some());
    let mut known = BTreeSet::new();
    for section in sections {
        let name = section.lines().next().unwrap();
        for part in ["**Means:** ", "**Look:** ", "**Do:** ", "**Over when:** "] {
            assert_eq!(section.matches(part).count(), 1, "{name}: {part}");
        }
        assert!(known.insert(name.to_owned()), "{name} twice");
    }
    assert_eq!(known, &over_metrics | &of_rules);
    // What is to be looked for in the audit log can be there.
    let actions = read("host/crates/audit/src/action.rs");
    let asked = found(&page, r"--action\s+([a-z-]+)");
    assert!(asked.len() > 5);
    for action in asked {
        assert!(actions.contains(&format!("\"{action}\"")), "{action}");
    }
}
