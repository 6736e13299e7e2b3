//! Queries over all rows as steps: their sums, what of them is personal, and a target that has the old rows or all
//! new ones whatever kills the run.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::Instant;

use glovebox_tests::pipeline::{Pipeline, Running};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;
use glovebox_tests::torture::Seeded;

const HEAD: &str = "name: totals
source: { csv: { path: in.csv } }
columns:
  shop: { type: text }
  email: { type: text, personal: true }
  price: { type: int64 }
";

fn sales(steps: &str, sink: &str, rows: &str) -> Pipeline {
    let manifest =
        format!("{HEAD}steps:\n{steps}sink: {{ {sink} }}\nrejects: {{ path: rejects.jsonl }}\n");
    Pipeline::new(&manifest)
        .file("in.csv", format!("shop,email,price\n{rows}"))
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password())
}

const CSV: &str = "csv: { path: out.csv }";
const BY_SHOP: &str = "  - name: by shop\n    gather: SELECT shop, sum(price) AS total, count(email) AS n FROM rows GROUP BY shop ORDER BY shop\n";

#[test]
fn rows_are_grouped_and_both_sums_agree() {
    let steps = format!(
        "  - sql: SELECT * FROM rows WHERE price <> 13\n{BY_SHOP}  \
         - {{ name: large, validate: range, reads: [total], with: {{ max: 100 }} }}\n  \
         - {{ name: top, gather: SELECT * FROM rows ORDER BY total DESC LIMIT 2 }}\n"
    );
    let rows = "b,u@x,1\na,v@x,7\na,w@x,13\nb,u@x,oops\nc,u@x,5\nd,,101\nb,,4\nc,u@x,-3\n";
    let sums = "  8 read = 6 taken by by shop + 1 filtered + 1 rejected\n  \
                4 made = 3 taken by top + 0 filtered + 1 rejected\n  \
                2 made = 2 stored + 0 filtered + 0 rejected";
    let database = Postgres::shared().database("gather_sums");
    for target in [
        Target::Csv,
        Target::Sqlite("mode: append"),
        Target::Postgres("mode: append", database),
    ] {
        let pipeline = sales(&steps, &target.sink(), rows);
        let ran = pipeline.run().ends_with(0).prints(sums);
        for gather in ran.report["gathers"].as_array().unwrap() {
            let of = |fate: &str| gather[fate].as_u64().unwrap();
            assert_eq!(of("read"), of("taken") + of("filtered") + of("rejected"));
        }
        let made = [("a", "7"), ("b", "5")].map(|(shop, total)| (shop.into(), total.into()));
        assert_eq!(target.rows(&pipeline), BTreeMap::from(made));
        // A row that a step has made is known by the step and by its number there, though a row of the source has
        // the same number.
        let rejects = pipeline.read("rejects.jsonl");
        let lines: Vec<&str> = rejects.lines().collect();
        assert!(
            lines[0].starts_with(r#"{"row":3,"line":5,"violations":[{"step":"source""#)
                && lines[1]
                    .starts_with(r#"{"row":3,"file":"by shop","violations":[{"step":"large""#)
                && lines.len() == 2,
            "{rejects}"
        );
        if !matches!(target, Target::Csv) {
            // The same again out of the journal.
            let again = pipeline.run_with(&["--resume"]).ends_with(0).prints(sums);
            assert_eq!(again.report["gathers"], ran.report["gathers"]);
            assert_eq!(pipeline.read("rejects.jsonl"), rejects);
        }
    }
}

#[test]
fn one_worker_or_two_make_the_same_bytes() {
    let steps = "  - gather: SELECT shop, email, price, row_number() OVER (PARTITION BY shop ORDER BY price, email) AS place FROM rows\n  \
                 - { mask: redact, masks: [email] }\n  - sql: SELECT shop, price FROM rows\n";
    let rows: String = (0..20_000)
        .map(|i| format!("s{},u{i}@x,{}\n", i % 7, i * 7_919 % 1_000))
        .collect();
    let pipeline = sales(steps, CSV, &rows);
    let made = ["1", "2"].map(|workers| {
        let _ = pipeline.run_with(&["--workers", workers]).ends_with(0);
        pipeline.read("out.csv")
    });
    assert!(made[0] == made[1] && made[0].lines().count() == 20_001);
}

#[test]
fn what_is_made_of_a_personal_column_is_personal_but_for_counts() {
    let told = sales(
        "  - gather: SELECT shop, max(email) AS last FROM rows GROUP BY shop\n",
        CSV,
        "",
    )
    .call(&["check", "manifest.yaml"])
    .ends_with(2)
    .stderr;
    assert!(
        told.contains("`last` is personal and reaches the sink unmasked"),
        "{told}"
    );
    assert!(told.contains("`last` ← `email`"), "{told}");
    let _ = sales(BY_SHOP, CSV, "")
        .call(&["check", "manifest.yaml"])
        .ends_with(0);
    let masked = "  - gather: SELECT email, sum(price) AS total FROM rows GROUP BY email\n  \
                  - { mask: redact, masks: [email] }\n";
    let _ = sales(masked, CSV, "")
        .call(&["check", "manifest.yaml"])
        .ends_with(0);
}

#[test]
fn mistakes_are_shown_where_they_were_written() {
    for (gather, told) in [
        (
            "SELECT shp FROM rows",
            "there is no column `shp` here\n --> manifest.yaml:8:20",
        ),
        (
            "SELECT now() AS t FROM rows",
            "`now` differs from run to run",
        ),
        (
            "SELECT a.shop FROM rows a CROSS JOIN rows b",
            "this join would pair each row with each other one",
        ),
        (
            "SELECT shop, sum(price) AS shop FROM rows GROUP BY shop",
            "two columns would be called `shop`",
        ),
        ("DROP TABLE rows", "a query only reads rows"),
        (
            "SELECT shop IN (SELECT shop FROM rows) AS a FROM rows",
            "a part of this query cannot be computed",
        ),
    ] {
        let said = sales(&format!("  - gather: {gather}\n"), CSV, "")
            .call(&["check", "manifest.yaml"])
            .ends_with(2)
            .stderr;
        assert!(said.contains(told), "{gather}: {said}");
    }
    let said = sales(
        "  - { gather: SELECT shop FROM rows, memory: 1KiB }\n",
        CSV,
        "",
    )
    .call(&["check", "manifest.yaml"])
    .ends_with(2)
    .stderr;
    assert!(said.contains("write a value from 16MiB"), "{said}");
    let said = sales("  - { sql: SELECT shop FROM rows, spill: 1GiB }\n", CSV, "")
        .call(&["check", "manifest.yaml"])
        .ends_with(2)
        .stderr;
    assert!(said.contains("a query has no use for `spill`"), "{said}");
}

#[test]
fn a_query_that_fails_ends_the_run_and_holds_no_cell() {
    let pipeline = sales(
        "  - { name: sums, gather: 'SELECT sum(CAST(shop AS BIGINT)) AS total FROM rows' }\n",
        CSV,
        "1,u@x,1\ncanary-51fe,u@x,2\n",
    );
    let ran = pipeline.run().ends_with(1);
    assert!(
        ran.stderr
            .contains("step sums: the query converts a cell that has no such form"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("canary") && !ran.stdout.contains("canary"));
    assert!(!pipeline.path("out.csv").exists());
}

#[test]
fn rows_that_wait_can_be_read_by_nobody() {
    let manifest = format!(
        "{}steps:\n{BY_SHOP}sink: {{ {CSV} }}\nrejects: {{ path: rejects.jsonl }}\n",
        HEAD.replace("path: in.csv", "path: \"-\"")
    );
    let pipeline = Pipeline::new(&manifest);
    let mut command = pipeline.command(&["run", "manifest.yaml"]);
    command.stdin(Stdio::piped());
    let mut running = Running::new(command);
    running.feed(b"shop,email,price\n");
    let row = "canary-9d03,canary-9d03@example.org,1\n";
    running.feed(row.repeat(100_000).as_bytes());
    let held = |id: u32| -> Vec<u8> {
        let files = fs::read_dir(format!("/proc/{id}/fd")).unwrap();
        let unnamed = files.flatten().filter(|file| {
            fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().ends_with("(deleted)"))
        });
        unnamed
            .filter_map(|file| fs::read(file.path()).ok())
            .flatten()
            .collect()
    };
    running.until("rows to wait", |running| {
        held(running.id()).len() > 1_000_000
    });
    let bytes = held(running.id());
    assert!(!bytes.windows(6).any(|window| window == b"canary"));
    running.close_input();
    let _ = running.end().ends_with(0);
    assert_eq!(
        pipeline.read("out.csv"),
        "shop,total,n\ncanary-9d03,100000,100000\n"
    );
}

#[test]
fn what_needs_all_rows_is_not_run_over_some() {
    let sink = "sqlite: { path: out.db, table: t, mode: append }";
    let pipeline = sales(BY_SHOP, sink, "a,u@x,1\na,u@x,oops\n");
    let _ = pipeline.run().ends_with(0);
    let told = pipeline.run_with(&["--only-new"]).ends_with(2).stderr;
    assert!(told.contains("a `gather:` step is over all rows"), "{told}");
    let told = pipeline
        .run_with(&["--rejects-of", "rejects.jsonl"])
        .ends_with(2)
        .stderr;
    assert!(told.contains("a `gather:` step is over all rows"), "{told}");
    let told = pipeline
        .call(&["preview", "manifest.yaml"])
        .ends_with(2)
        .stderr;
    assert!(told.contains("glovebox query"), "{told}");
    let shown = pipeline
        .call(&[
            "query",
            "manifest.yaml",
            "SELECT * FROM rows",
            "--format",
            "csv",
        ])
        .ends_with(0)
        .stdout;
    assert_eq!(shown, "shop,total,n\na,1,1\n");
}

/// Sales joined with a table of shops.
fn joined(query: &str, shops: &str) -> Pipeline {
    let steps = format!(
        "  - name: join\n    gather: {query}\n    tables:\n      shops:\n        \
         source: {{ csv: {{ path: shops.csv }} }}\n        \
         columns: {{ shop: {{ type: text }}, size: {{ type: int64 }}, boss: {{ type: text, personal: true }} }}\n"
    );
    let rows = "a,u@x,1\nb,u@x,5\na,u@x,2\nc,u@x,4\n";
    sales(&steps, CSV, rows).file("shops.csv", format!("shop,size,boss\n{shops}"))
}

#[test]
fn rows_are_joined_with_other_tables() {
    let query = "SELECT s.size, sum(price) AS total FROM rows LEFT JOIN shops s ON rows.shop = s.shop GROUP BY s.size ORDER BY s.size";
    let pipeline = joined(query, "a,10,ann\nb,20,bob\n");
    let _ = pipeline.run().ends_with(0);
    assert_eq!(pipeline.read("out.csv"), "size,total\n10,3\n20,5\n,4\n");
    let asked = pipeline.call(&[
        "query",
        "manifest.yaml",
        "SELECT count(*) AS n FROM rows",
        "--format",
        "csv",
    ]);
    assert_eq!(asked.ends_with(0).stdout, "n\n3\n");

    // A row of a table that cannot be read is in no join that could be meant.
    pipeline.write("shops.csv", "shop,size,boss\na,10,ann\nb,canary-77,bob\n");
    let ran = pipeline.run().ends_with(1);
    assert!(
        ran.stderr
            .contains("step join: table shops: row 1, line 3 does not fit: `size` is not an int64"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("canary"));
    assert_eq!(pipeline.read("out.csv"), "size,total\n10,3\n20,5\n,4\n");
}

#[test]
fn a_join_that_is_wrong_is_told_where() {
    for (query, told) in [
        (
            "SELECT s.boss, price FROM rows JOIN shops s ON rows.shop = s.shop",
            "`boss` is personal and reaches the sink unmasked",
        ),
        (
            "SELECT shop FROM rows JOIN shops s ON rows.shop = s.shop",
            "`shop` is the name of more than one column here",
        ),
        (
            "SELECT price FROM rows JOIN shop s ON rows.shop = s.shop",
            "the tables here are: rows, shops",
        ),
        (
            "SELECT price FROM rows CROSS JOIN shops",
            "this join would pair each row with each other one",
        ),
    ] {
        let said = joined(query, "")
            .call(&["check", "manifest.yaml"])
            .ends_with(2)
            .stderr;
        assert!(said.contains(told), "{query}: {said}");
    }
    let table = |table: &str| {
        let steps = format!("  - {{ gather: SELECT shop FROM rows, tables: {{ {table} }} }}\n");
        let checked = sales(&steps, CSV, "").call(&["check", "manifest.yaml"]);
        checked.ends_with(2).stderr
    };
    let columns = "columns: { a: { type: text } }";
    let said = table(&format!(
        "rows: {{ source: {{ csv: {{ path: x.csv }} }}, {columns} }}"
    ));
    assert!(
        said.contains("this cannot be the name of a table"),
        "{said}"
    );
    let said = table(&format!(
        "t: {{ source: {{ csv: {{ path: \"-\" }} }}, {columns} }}"
    ));
    assert!(said.contains("a table cannot be standard input"), "{said}");
    let said = table(&format!(
        "t: {{ source: {{ csv: {{ path: out.csv }} }}, {columns} }}"
    ));
    assert!(said.contains("the sink"), "{said}");
    let said = table("t: { columns: { a: { type: text } } }");
    assert!(said.contains("`source`"), "{said}");
}

#[test]
fn a_proof_counts_what_was_taken_and_made() {
    let steps = format!("{BY_SHOP}  - sql: SELECT * FROM rows WHERE total > 3\n");
    for sink in [
        CSV,
        "sqlite: { path: out.db, table: t, mode: append }",
        "parquet: { path: out.parquet }",
    ] {
        let pipeline = sales(&steps, sink, "a,u@x,1\nb,u@x,5\nb,u@x,oops\n");
        let manifest = pipeline.read("manifest.yaml");
        pipeline.write(
            "manifest.yaml",
            format!("{manifest}proof: {{ key: proof }}\ncredentials: [{{ files: keys }}]\n"),
        );
        let key = pipeline.call(&["proof", "key", "proof", "--secrets", "keys"]);
        pipeline.write("public.pem", key.ends_with(0).stdout);
        let _ = pipeline.run_with(&["--proof", "proof.json"]).ends_with(0);
        let mut verify = vec![
            "proof",
            "verify",
            "proof.json",
            "--public-key",
            "public.pem",
        ];
        if sink.contains("sqlite") {
            verify.extend(["--manifest", "manifest.yaml"]);
        }
        let _ = pipeline.call(&verify).ends_with(0);
        let _ = pipeline
            .call(&["proof", "show", "proof.json", "--public-key", "public.pem"])
            .ends_with(0)
            .prints(
                "3 read + 2 made by by shop = 1 stored + 1 filtered + 1 rejected + 2 taken by by shop",
            );
    }
}

#[test]
fn a_row_is_followed_to_the_step_that_gathers_it() {
    let pipeline = sales(
        BY_SHOP,
        "sqlite: { path: out.db, table: t, mode: append }",
        "a,u@x,1\nb,u@x,oops\n",
    );
    let explain = |row: &str| {
        let told = pipeline.call(&[
            "explain",
            "manifest.yaml",
            "--row",
            row,
            "--column",
            "total",
        ]);
        told.ends_with(0).stdout
    };
    assert!(explain("0").contains("gathered by by shop (as the pipeline"));
    let _ = pipeline.run().ends_with(0);
    assert!(explain("0").contains("gathered by by shop (by the journal)"));
    assert!(explain("1").contains("rejected"));
    assert!(explain("2").contains("absent"));
    assert!(explain("0").contains("sql, made of price"));
}

#[test]
fn rows_that_a_run_without_the_step_has_added_are_not_forgotten() {
    let sink = "sqlite: { path: out.db, table: t, mode: append }";
    let masked = "  - { mask: redact, masks: [email] }\n";
    let rows: String = (0..400_000).map(|i| format!("s{i},u@x,1\n")).collect();
    let pipeline = sales(masked, sink, &rows);
    let file = pipeline.path("out.db");
    let mut running = pipeline.start(&["run", "manifest.yaml"]);
    let there = "SELECT name FROM sqlite_master WHERE name = 'glovebox_chunk'";
    let chunks = "SELECT CAST(count(*) AS TEXT) FROM glovebox_chunk";
    running.until("chunks are stored", |_| {
        file.exists()
            && !sqlite::query(&file, there).is_empty()
            && sqlite::query(&file, chunks)[0][0].as_deref() != Some("0")
    });
    running.signal("KILL");
    drop(running);
    let stored = || sqlite::query(&file, "SELECT CAST(count(*) AS TEXT) FROM t");
    let before = stored();

    let manifest = pipeline.read("manifest.yaml");
    pipeline.write("manifest.yaml", manifest.replace(masked, BY_SHOP));
    pipeline.write("in.csv", "shop,email,price\na,u@x,1\n");
    let _ = pipeline.run().ends_with(2).says("did not finish");
    let _ = pipeline.run_with(&["--resume"]).ends_with(2);
    assert_eq!(stored(), before);
}

/// A target and its rows.
enum Target {
    Csv,
    Sqlite(&'static str),
    Postgres(&'static str, String),
}

impl Target {
    fn sink(&self) -> String {
        match self {
            Target::Csv => CSV.to_owned(),
            Target::Sqlite(mode) => format!("sqlite: {{ path: out.db, table: t, {mode} }}"),
            Target::Postgres(mode, database) => {
                let place = Postgres::shared().place(database);
                format!("postgres: {{ {place}, table: t, {mode} }}")
            }
        }
    }

    fn rows(&self, pipeline: &Pipeline) -> BTreeMap<String, String> {
        let sql = "SELECT shop, total FROM t";
        let rows = match self {
            Target::Csv => {
                let text = pipeline.read("out.csv");
                let lines = text.lines().skip(1).map(|line| {
                    let cells = line.split(',').map(|cell| Some(cell.to_owned()));
                    cells.take(2).collect()
                });
                lines.collect()
            }
            Target::Sqlite(_) => sqlite::query(&pipeline.path("out.db"), sql),
            Target::Postgres(_, database) => Postgres::shared().query(database, sql),
        };
        let mut by_shop = BTreeMap::new();
        for row in rows {
            let [shop, total] = row.as_slice() else {
                panic!("{row:?}")
            };
            let before = by_shop.insert(shop.clone().unwrap(), total.clone().unwrap());
            assert_eq!(before, None, "a row twice");
        }
        by_shop
    }
}

#[test]
fn a_run_that_is_killed_leaves_the_old_rows_or_all_new_ones() {
    // More by hand: what a kill comes to hangs on its moment.
    let kills = std::env::var("GLOVEBOX_KILLS").map_or(4, |kills| kills.parse().unwrap());
    let mut random = Seeded::new(20_261_127);
    let server = Postgres::shared();
    let modes = [
        "mode: append",
        "mode: replace",
        "mode: upsert, keys: [shop]",
    ];
    let mut targets = vec![Target::Csv];
    for (number, mode) in modes.into_iter().enumerate() {
        targets.push(Target::Sqlite(mode));
        targets.push(Target::Postgres(
            mode,
            server.database(&format!("gather_kills_{number}")),
        ));
    }
    for target in targets {
        let sink = target.sink();
        let input = |round: usize| -> BTreeMap<String, String> {
            // Appended rows have keys of their own, so that none is there twice.
            let from = round
                * if sink.contains("append") {
                    3_000
                } else {
                    1_500
                };
            let total = (10 * (round + 1)).to_string();
            let shops = (from..from + 3_000).map(|shop| format!("s{shop}"));
            shops.map(|shop| (shop, total.clone())).collect()
        };
        let written = |round: usize| -> String {
            let shops: Vec<String> = input(round).into_keys().collect();
            let row = |shop: &String| format!("{shop},u@x,{}\n", round + 1);
            let rows = (0..10).flat_map(|_| shops.iter().map(row));
            rows.collect()
        };
        let pipeline = sales(BY_SHOP, &sink, &written(0));
        let begun = Instant::now();
        let _ = pipeline.run().ends_with(0);
        let time = begun.elapsed();
        let mut before = target.rows(&pipeline);
        assert_eq!(before, input(0));
        let mut round = 1;
        let after = |before: &BTreeMap<String, String>, round| {
            let mut after = match sink.contains("append") || sink.contains("upsert") {
                true => before.clone(),
                false => BTreeMap::new(),
            };
            after.extend(input(round));
            after
        };
        for kill in 0..=kills {
            pipeline.write("in.csv", format!("shop,email,price\n{}", written(round)));
            let expected = after(&before, round);
            if kill == kills {
                let ran = pipeline.run_with(&["--resume"]).ends_with(0);
                assert_eq!(ran.rows("stored"), 3_000, "{sink}");
                assert!(target.rows(&pipeline) == expected, "{sink}");
                break;
            }
            let running = pipeline.start(&["run", "manifest.yaml", "--resume"]);
            std::thread::sleep(time.mul_f64(random.share()));
            running.signal("KILL");
            drop(running);
            let now = target.rows(&pipeline);
            assert!(now == before || now == expected, "{sink}, kill {kill}");
            if now == expected {
                (before, round) = (now, round + 1);
            }
        }
    }
}
