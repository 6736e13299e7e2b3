//! What has left, measured by `glovebox risk` and by others.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;

use super::{ADULT, Sink, adult, fixture, people};

/// Measured by us and, where `cargo xtask tools` has installed it, by pycanon.
#[test]
fn what_has_left_is_measured_alike_by_others() {
    let database = Postgres::shared().database("measured");
    let sink = Sink::Postgres(database.clone());
    let towns = ["Ulm", "Bonn", "Kiel"];
    let mut rows = String::new();
    for at in 0..600_u32 {
        let illness = ["flu", "cold", "gout", "mumps"][(at * at % 11 % 4) as usize];
        writeln!(
            rows,
            "{at},{},{},{illness}",
            20 + at % 37,
            towns[(at % 7 % 3) as usize]
        )
        .unwrap();
    }
    let pipeline = people(
        &sink,
        "5%",
        "\n  sensitive: { illness: { l: 2, t: 0.4 } }",
        &rows,
    );
    let report = pipeline.run().ends_with(0).report;
    let told = &report["release"];
    let risk = pipeline
        .call(&["risk", "manifest.yaml", "--json"])
        .ends_with(0);
    let risk: serde_json::Value = serde_json::from_str(&risk.stdout).unwrap();
    assert_eq!(risk["smallest-class"], told["smallest-class"]);
    assert_eq!(risk["classes"], told["classes"]);
    let (told, measured) = (&told["sensitive"][0], &risk["sensitive"][0]);
    for key in ["distinct-l", "entropy-l", "equal-t", "ordered-t"] {
        let (told, measured) = (told[key].as_f64().unwrap(), measured[key].as_f64().unwrap());
        assert!(
            (told - measured).abs() < 1e-9,
            "{key}: {told} is not {measured}"
        );
    }
    let shown = pipeline
        .call(&["risk", "manifest.yaml"])
        .ends_with(0)
        .prints("prosecutor risk");
    let _ = shown.prints("█");

    // The same of the table without a manifest.
    let server = Postgres::shared();
    let address = format!(
        "postgres://{}@{}:{}/{database}",
        server.user(),
        server.host(),
        server.port()
    );
    let ca = server.ca_path().display().to_string();
    let table = [
        "risk",
        &address,
        "--table",
        "t",
        "--secret",
        "password",
        "--ca",
        &ca,
        "--quasi",
        "age,town",
        "--sensitive",
        "illness",
        "--json",
    ];
    let found: serde_json::Value =
        serde_json::from_str(&pipeline.call(&table).ends_with(0).stdout).unwrap();
    assert_eq!(found, risk);

    measured_by_pycanon(&sink, &pipeline, &["age", "town"], "illness");
}

/// Compares what `glovebox risk` says of what was stored with what pycanon says, if `cargo xtask tools` has installed it.
fn measured_by_pycanon(sink: &Sink, pipeline: &Pipeline, quasi: &[&str], sensitive: &str) {
    let Some(python) = pycanon() else {
        eprintln!("pycanon is not installed: `cargo xtask tools`");
        return;
    };
    let risk = pipeline
        .call(&["risk", "manifest.yaml", "--json"])
        .ends_with(0);
    let risk: serde_json::Value = serde_json::from_str(&risk.stdout).unwrap();
    let measured = &risk["sensitive"][0];
    let columns = [quasi, &[sensitive]].concat();
    let mut table = columns.join(",") + "\n";
    for (row, count) in sink.classes(pipeline, &columns) {
        let row: Vec<String> = row
            .into_iter()
            .map(|cell| format!("\"{}\"", cell.unwrap_or_default()))
            .collect();
        table += &(row.join(",") + "\n").repeat(count);
    }
    pipeline.write("table.csv", table);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("release/measure.py");
    let ran = Command::new(python)
        .arg(script)
        .args(["table.csv", &quasi.join(","), sensitive])
        .current_dir(pipeline.folder())
        .output()
        .unwrap();
    let text = String::from_utf8(ran.stdout).unwrap();
    let told: Vec<f64> = text.lines().map(|line| line.parse().unwrap()).collect();
    let [k, l, entropy, t] = told[..] else {
        panic!("{}", String::from_utf8_lossy(&ran.stderr))
    };
    assert_eq!(Some(k), risk["smallest-class"].as_f64());
    assert_eq!(Some(l), measured["distinct-l"].as_f64());
    assert_eq!(
        Some(entropy),
        measured["entropy-l"].as_f64().map(f64::floor)
    );
    assert!(
        (t - measured["equal-t"].as_f64().unwrap()).abs() < 1e-9,
        "{t}"
    );
}

#[test]
fn the_adult_data_set_as_it_has_left_is_measured_alike_by_others() {
    let sink = Sink::Postgres(Postgres::shared().database("adult_measured"));
    let pipeline = adult(&sink);
    let occupation = format!(
        "    occupation: {{ hierarchy: {} }}\n",
        fixture("occupation.csv").display()
    );
    let manifest = pipeline
        .read("manifest.yaml")
        .replace(&occupation, "")
        .replace(
            "occupation: { type: text, personal: true }",
            "occupation: { type: text }",
        )
        .replace(
            "  quasi-identifiers:",
            "  sensitive: { occupation: { t: 0.2 } }\n  quasi-identifiers:",
        );
    pipeline.write("manifest.yaml", manifest);
    let ran = pipeline.run().ends_with(0);
    let quasi: Vec<&str> = ADULT.into_iter().filter(|c| *c != "occupation").collect();
    let classes = sink.classes(&pipeline, &quasi);
    let told = &ran.report["release"];
    assert_eq!(
        told["smallest-class"].as_u64(),
        classes.values().min().map(|least| *least as u64)
    );
    assert!(told["sensitive"][0]["equal-t"].as_f64().unwrap() <= 0.2);
    measured_by_pycanon(&sink, &pipeline, &quasi, "occupation");
}

/// Python with pycanon, if it is installed.
fn pycanon() -> Option<PathBuf> {
    let target = glovebox_tests::pipeline::program();
    let tool = target.parent()?.parent()?.join("tools/anonymity");
    tool.join("installed")
        .is_file()
        .then(|| tool.join("bin/python"))
}
