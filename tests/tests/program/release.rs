//! The release gate: rows leave in classes of k or not at all, into every sink, again and again, whatever
//! kills the run; and nothing tells of a class that is smaller.

mod measured;
mod refused;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;
use glovebox_tests::torture::Seeded;

/// A sink, and a look into it.
#[derive(Clone)]
pub(crate) enum Sink {
    Csv,
    Jsonl,
    Parquet,
    Sqlite,
    Postgres(String),
}

impl Sink {
    pub(crate) fn all(database: &str) -> Vec<Sink> {
        let postgres = Sink::Postgres(Postgres::shared().database(database));
        vec![
            Sink::Csv,
            Sink::Jsonl,
            Sink::Parquet,
            Sink::Sqlite,
            postgres,
        ]
    }

    pub(crate) fn yaml(&self) -> String {
        match self {
            Sink::Csv => "csv: { path: out, mode: replace }".into(),
            Sink::Jsonl => "jsonl: { path: out, mode: replace }".into(),
            Sink::Parquet => "parquet: { path: out }".into(),
            Sink::Sqlite => "sqlite: { path: out.db, table: t, mode: replace }".into(),
            Sink::Postgres(database) => {
                format!(
                    "postgres: {{ {}, table: t, mode: replace }}",
                    Postgres::shared().place(database)
                )
            }
        }
    }

    /// The rows of these columns, each with how often it is there.
    pub(crate) fn classes(
        &self,
        pipeline: &Pipeline,
        columns: &[&str],
    ) -> BTreeMap<Vec<Option<String>>, usize> {
        let quoted: Vec<String> = columns.iter().map(|c| format!("\"{c}\"")).collect();
        let sql = format!("SELECT {} FROM t", quoted.join(", "));
        let rows = match self {
            Sink::Sqlite => sqlite::query(&pipeline.path("out.db"), &sql),
            Sink::Postgres(database) => Postgres::shared().query(database, &sql),
            Sink::Csv => {
                let text = pipeline.read("out");
                let mut lines = text
                    .lines()
                    .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
                let head = lines.next().unwrap();
                let at = |column: &&str| head.iter().position(|h| h == column).unwrap();
                let at: Vec<usize> = columns.iter().map(at).collect();
                lines
                    .map(|line| at.iter().map(|&at| Some(line[at].clone())).collect())
                    .collect()
            }
            Sink::Jsonl => {
                let text = pipeline.read("out");
                let lines = text
                    .lines()
                    .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
                let cell = |line: &serde_json::Value, column: &str| {
                    line[column].as_str().map(str::to_owned)
                };
                lines
                    .map(|line| columns.iter().map(|c| cell(&line, c)).collect())
                    .collect()
            }
            // Other tests read Parquet back; here its rows are counted by the report.
            Sink::Parquet => Vec::new(),
        };
        let mut classes = BTreeMap::new();
        for row in rows {
            *classes.entry(row).or_insert(0) += 1;
        }
        classes
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../host/crates/release/tests/adult")
        .join(name)
}

const ADULT: [&str; 9] = [
    "sex",
    "age",
    "race",
    "marital-status",
    "education",
    "native-country",
    "workclass",
    "occupation",
    "salary-class",
];

fn adult(sink: &Sink) -> Pipeline {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(fixture("adult.csv.gz")).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut columns = String::new();
    let mut quasi = String::new();
    for column in ADULT {
        let kind = if column == "age" { "int64" } else { "text" };
        writeln!(columns, "  {column}: {{ type: {kind}, personal: true }}").unwrap();
        writeln!(
            quasi,
            "    {column}: {{ hierarchy: {} }}",
            fixture(&format!("{column}.csv")).display()
        )
        .unwrap();
    }
    let manifest = format!(
        "name: adult
source: {{ csv: {{ path: adult.csv, delimiter: \";\" }} }}
columns:
{columns}credentials: [env]
release:
  k: 5
  suppress-at-most: 4%
  quasi-identifiers:
{quasi}sink: {{ {} }}
",
        sink.yaml()
    );
    Pipeline::new(&manifest)
        .file("adult.csv", text)
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password())
}

#[test]
fn the_adult_data_set_leaves_at_the_known_node_into_every_sink() {
    for sink in Sink::all("adult") {
        let pipeline = adult(&sink);
        let _ = pipeline
            .call(&["check", "manifest.yaml", "--connect"])
            .ends_with(0);
        for frozen in [false, true] {
            let ran = pipeline.run().ends_with(0);
            assert!(ran.is_balanced());
            assert_eq!((ran.rows("stored"), ran.rows("filtered")), (29_256, 906));
            let release = &ran.report["release"];
            assert_eq!(
                (&release["smallest-class"], &release["suppressed-rows"]),
                (&5.into(), &906.into())
            );
            assert_eq!(release["frozen"], frozen);
            let levels = release["levels"].as_array().unwrap();
            let levels: Vec<_> = levels
                .iter()
                .map(|level| level["level"].as_u64().unwrap())
                .collect();
            assert_eq!(levels, [1, 0, 1, 1, 3, 2, 2, 0, 1]);
            let classes = sink.classes(&pipeline, &ADULT);
            if !classes.is_empty() {
                assert_eq!(classes.values().sum::<usize>(), 29_256);
                assert_eq!(classes.values().min(), Some(&5));
            }
        }
    }
}

const PEOPLE: &str = "name: people
source: { csv: { path: people.csv } }
columns:
  id: { type: int64, personal: true }
  age: { type: int64, personal: true }
  town: { type: text }
  illness: { type: text }
credentials: [env]
release:
  k: 3
  suppress-at-most: MOST
  quasi-identifiers: { age: { width: [1, 10] }, town: { hierarchy: towns.csv } }MORE
sink: { SINK, columns: [age, town, illness] }
rejects: { path: rejects.jsonl }
";

const TOWNS: &str = "Ulm;South;*\nBonn;West;*\nKiel;North;*\n";

pub(crate) fn people(sink: &Sink, most: &str, more: &str, rows: &str) -> Pipeline {
    let manifest = PEOPLE
        .replace("SINK", &sink.yaml())
        .replace("MOST", most)
        .replace("MORE", more);
    Pipeline::new(&manifest)
        .file("people.csv", format!("id,age,town,illness\n{rows}"))
        .file("towns.csv", TOWNS)
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password())
}

/// So many of that age in a town, each with an illness of its own.
pub(crate) fn of(count: usize, age: u32, town: &str) -> String {
    let illnesses = ["flu", "cold", "gout"]
        .iter()
        .cycle()
        .take(count)
        .enumerate();
    illnesses.fold(String::new(), |mut rows, (at, illness)| {
        writeln!(rows, "{}{at},{age},{town},{illness}", age * 100).unwrap();
        rows
    })
}

fn told(ran: &Ran) -> String {
    format!("{}{}{}", ran.stdout, ran.stderr, ran.report)
}

#[test]
fn a_release_that_cannot_be_leaves_the_one_before() {
    for sink in Sink::all("refused") {
        let pipeline = people(&sink, "0%", "", &of(4, 31, "Ulm"));
        let ran = pipeline.run().ends_with(0);
        assert_eq!(ran.report["release"]["smallest-class"], 4);
        let before = sink.classes(&pipeline, &["age", "town", "illness"]);
        // At the levels of the first release the two in Bonn are too few.
        let rows = of(4, 31, "Ulm") + &of(2, 44, "Bonn");
        pipeline.write("people.csv", format!("id,age,town,illness\n{rows}"));
        let ran = pipeline
            .run()
            .ends_with(4)
            .says("fewer than 3 rows would have to be suppressed");
        let ran = ran.says("would satisfy: suppress-at-most: 3");
        assert_eq!(
            (ran.rows("stored"), &ran.report["outcome"]),
            (0, &"not-released".into())
        );
        assert_eq!(ran.report["withheld-rows"], 6);
        assert!(!told(&ran).contains("Bonn"), "{}", told(&ran));
        assert_eq!(sink.classes(&pipeline, &["age", "town", "illness"]), before);
        // A new series finds levels of its own.
        let manifest = pipeline
            .read("manifest.yaml")
            .replace("k: 3", "k: 3\n  series: 2");
        pipeline.write("manifest.yaml", manifest);
        let ran = pipeline.run().ends_with(0);
        assert_eq!(ran.report["release"]["smallest-class"], 6);
        assert_eq!(ran.report["release"]["frozen"], false);
        // What was released of the first one is not forgotten.
        let second = pipeline.read("manifest.yaml");
        pipeline.write("manifest.yaml", second.replace("series: 2", "series: 1"));
        let _ = pipeline
            .run()
            .ends_with(4)
            .says("fewer than 3 rows would have to be suppressed");
        pipeline.write("manifest.yaml", second);
        // And holds to them, whatever their names.
        let manifest = pipeline.read("manifest.yaml").replace("[1, 10]", "[1, 20]");
        pipeline.write("manifest.yaml", manifest);
        let _ = pipeline.run().ends_with(1).says("series: 3");
    }
}

#[test]
fn later_releases_change_a_class_by_nobody_or_by_k() {
    for (more, twice) in [("", 1), ("\n  entity: id", 2)] {
        let database = format!("later_{twice}");
        for sink in Sink::all(&database) {
            let bonn = of(6, 44, "Bonn");
            let rows = |ulm: usize| (of(ulm, 31, "Ulm") + &bonn).repeat(twice);
            let pipeline = people(&sink, "50%", more, &rows(6));
            let ran = pipeline.run().ends_with(0);
            assert_eq!(ran.rows("stored"), 12 * twice as u64);
            // Of seven the last is held back, of nine nobody is, of eight two more have to go than went.
            for (ulm, stored) in [
                (7, 6),
                (9, 9),
                (8, 6),
                (8, 6),
                (9, 9),
                (2, 0),
                (10, 9),
                (12, 12),
            ] {
                pipeline.write("people.csv", format!("id,age,town,illness\n{}", rows(ulm)));
                let ran = pipeline.run().ends_with(0);
                assert!(ran.is_balanced());
                assert_eq!(
                    ran.rows("stored"),
                    (stored + 6) * twice as u64,
                    "{ulm} {more}"
                );
                let classes = sink.classes(&pipeline, &["age", "town"]);
                if !classes.is_empty() {
                    let ulm = classes
                        .iter()
                        .filter(|(key, _)| key[1].as_deref() != Some("Bonn"));
                    let found: usize = ulm.map(|(_, count)| count).sum();
                    assert_eq!(found as u64, stored * twice as u64);
                }
            }
        }
    }
}

#[test]
fn a_release_does_not_hold_to_nothing_because_classes_are_called_otherwise() {
    let database = Postgres::shared().database("gate_keys");
    for sink in [Sink::Sqlite, Sink::Postgres(database)] {
        let pipeline = people(&sink, "0%", "", &of(4, 31, "Ulm"))
            .env("GLOVEBOX_SECRET_FIRST", "the first key of enough bytes")
            .env("GLOVEBOX_SECRET_SECOND", "another key of enough bytes");
        let manifest = pipeline.read("manifest.yaml");
        let keyed = |key: &str| {
            let with = format!("mode: replace, identity-key: {{ secret: {key} }} }}");
            pipeline.write("manifest.yaml", manifest.replace("mode: replace }", &with));
        };
        keyed("first");
        let _ = pipeline.run().ends_with(0);
        keyed("second");
        let _ = pipeline.run().ends_with(1).says("another `identity-key`");
        keyed("first");
        let _ = pipeline.run().ends_with(0);
    }
}

#[test]
fn a_release_whose_record_cannot_be_read_is_not_taken_for_none() {
    let database = Postgres::shared().database("gate_unreadable");
    for sink in [Sink::Sqlite, Sink::Postgres(database)] {
        let pipeline = people(&sink, "0%", "", &of(4, 31, "Ulm"));
        let _ = pipeline.run().ends_with(0);
        match &sink {
            Sink::Postgres(database) => {
                let spoil = "UPDATE glovebox.chunk SET summary = '[7]'";
                drop(Postgres::shared().query(database, spoil));
            }
            _ => {
                let spoil = "UPDATE glovebox_chunk SET summary = '[7]'";
                sqlite::execute(&pipeline.path("out.db"), spoil);
            }
        }
        let rows = of(5, 31, "Ulm");
        pipeline.write("people.csv", format!("id,age,town,illness\n{rows}"));
        let _ = pipeline.run().ends_with(1).says("record of the release");
    }
}

#[test]
fn what_is_held_back_leaves_a_class_as_diverse_as_it_has_to_be() {
    let ill = |illnesses: &[&str]| -> String {
        illnesses
            .iter()
            .enumerate()
            .map(|(at, ill)| format!("{at},31,Ulm,{ill}\n"))
            .collect()
    };
    let more = "\n  sensitive: { illness: { l: 2 } }";
    let bonn = of(6, 44, "Bonn");
    let pipeline = people(
        &Sink::Csv,
        "100%",
        more,
        &(ill(&["flu", "flu", "gout"]) + &bonn),
    );
    let ran = pipeline.run().ends_with(0);
    assert_eq!(ran.rows("stored"), 9);
    // Without the one who came last, and has the only other illness, the class is not diverse: it stays out.
    let rows = ill(&["flu", "flu", "flu", "gout"]) + &bonn;
    pipeline.write("people.csv", format!("id,age,town,illness\n{rows}"));
    let ran = pipeline.run().ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("filtered")), (6, 4));
}

#[test]
fn a_value_that_no_hierarchy_has_rejects_its_row() {
    for sink in Sink::all("unlisted") {
        let rows = of(4, 31, "Ulm") + "7,33,canary-town,flu\n" + &of(3, 35, "Bonn");
        let pipeline = people(&sink, "0%", "", &rows);
        let ran = pipeline.run().ends_with(0);
        assert_eq!((ran.rows("stored"), ran.rows("rejected")), (7, 1));
        let reject: serde_json::Value =
            serde_json::from_str(&pipeline.read("rejects.jsonl")).unwrap();
        assert_eq!((&reject["row"], &reject["line"]), (&4.into(), &6.into()));
        let violation = &reject["violations"][0];
        assert_eq!(
            (&violation["step"], &violation["column"], &violation["rule"]),
            (&"release".into(), &"town".into(), &"hierarchy".into())
        );
        assert!(!(told(&ran) + &pipeline.read("rejects.jsonl")).contains("canary"));
    }
}

#[test]
fn dates_and_texts_leave_by_their_parts() {
    for sink in [Sink::Csv, Sink::Sqlite] {
        let pipeline = people(&sink, "0%", "", "");
        let manifest = pipeline
            .read("manifest.yaml")
            .replace("age: { type: int64", "age: { type: date")
            .replace(
                "age: { width: [1, 10] }, town: { hierarchy: towns.csv }",
                "age: { date: [day, month, year, decade] }, town: { prefix: [5, 3, 1] }",
            );
        pipeline.write("manifest.yaml", manifest);
        let rows = [
            "1,1984-02-29,10115,a",
            "2,1984-11-03,10117,b",
            "3,1984-12-24,10119,c",
        ];
        pipeline.write(
            "people.csv",
            format!("id,age,town,illness\n{}\n", rows.join("\n")),
        );
        let _ = pipeline.run().ends_with(0);
        let left = sink.classes(&pipeline, &["age", "town"]);
        let left: Vec<_> = left.into_iter().collect();
        let cells = ["1984", "101*"].map(|cell| Some(cell.to_owned())).to_vec();
        assert_eq!(left, [(cells, 3)]);
    }
}

#[test]
fn members_are_entities_where_one_is_named() {
    for sink in Sink::all("entities") {
        // Five rows, but of two people; the entity is not stored.
        let rows =
            "1,31,Ulm,flu\n1,31,Ulm,cold\n1,31,Ulm,gout\n2,31,Ulm,flu\n2,31,Ulm,cold\n".to_owned();
        let pipeline = people(
            &sink,
            "100%",
            "\n  entity: id",
            &(rows + &of(3, 44, "Bonn")),
        );
        let ran = pipeline.run().ends_with(0);
        let release = &ran.report["release"];
        let told = (&release["smallest-class"], &release["suppressed-rows"]);
        let shown = pipeline
            .call(&["preview", "manifest.yaml"])
            .ends_with(0)
            .prints("(generalised)");
        assert!(
            !shown.stdout.contains("Ulm") && !shown.stdout.contains("id"),
            "{}",
            shown.stdout
        );
        // Five rows may be suppressed, but less is lost with nobody left out.
        assert!(told.0.as_u64() >= Some(3), "{release}");
        let classes = sink.classes(&pipeline, &["age", "town"]);
        assert!(
            !classes.keys().flatten().flatten().any(|cell| cell == "31"),
            "{classes:?}"
        );
    }
}

#[test]
fn sensitive_values_stay_diverse_and_near_to_all() {
    let sink = Sink::Csv;
    let ill = |age: u32, illness: &str| format!("1,{age},Ulm,{illness}\n").repeat(4);
    let rows = ill(31, "flu") + &ill(32, "gout") + &ill(41, "flu") + &ill(41, "gout");
    let more = "\n  sensitive: { illness: { l: 2, t: 0.1 } }";
    let ran = people(&sink, "0%", more, &rows).run().ends_with(0);
    let told = &ran.report["release"]["sensitive"][0];
    assert_eq!(
        (&told["distinct-l"], &told["l"], &told["t"]),
        (&2.into(), &2.0.into(), &0.1.into())
    );
    assert_eq!(ran.report["release"]["levels"][0]["level"], 1);
    // No level makes three illnesses of two.
    let ran = people(&sink, "0%", "\n  sensitive: { illness: { l: 3 } }", &rows)
        .run()
        .ends_with(4);
    let _ = ran.says("at most l: 2 for illness");
}

/// How many kills a sink gets: `GLOVEBOX_KILLS` asks for more.
pub(crate) fn kills(usual: usize) -> usize {
    std::env::var("GLOVEBOX_KILLS").map_or(usual, |kills| kills.parse().unwrap())
}

#[test]
fn a_run_that_is_killed_leaves_the_old_release_or_the_new_one() {
    let mut random = Seeded::new(20_261_127);
    for sink in Sink::all("gate_kills") {
        let old: String = (20..60).map(|age| of(30, age, "Ulm")).collect();
        let new: String =
            old.clone() + &(20..60).map(|age| of(300, age, "Bonn")).collect::<String>();
        let pipeline = people(&sink, "0%", "", &old);
        let begun = Instant::now();
        let _ = pipeline.run().ends_with(0);
        let time = 2 * begun.elapsed();
        let columns = ["age", "town"];
        let before = sink.classes(&pipeline, &columns);
        pipeline.write("people.csv", format!("id,age,town,illness\n{new}"));
        let mut after = None;
        for _ in 0..kills(10) {
            let running = pipeline.start(&["run", "manifest.yaml", "--resume"]);
            std::thread::sleep(time.mul_f64(random.share()).max(Duration::from_millis(20)));
            running.signal("KILL");
            drop(running);
            let now = sink.classes(&pipeline, &columns);
            assert!(now.values().all(|count| *count >= 3), "{now:?}");
            if now != before {
                assert_eq!(now, after.get_or_insert(now.clone()).clone());
                assert_eq!(now.values().sum::<usize>(), 40 * 330);
            }
        }
        let ran = pipeline.run_with(&["--resume"]).ends_with(0);
        assert_eq!(ran.rows("stored"), 40 * 330);
        let now = sink.classes(&pipeline, &columns);
        assert!(after.is_none_or(|after| after == now));
    }
}
