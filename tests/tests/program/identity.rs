//! The same rows under another name, packing, pipeline or plan; rows that came behind known ones;
//! runs beside living ones.

use std::io::Write;
use std::process::Stdio;

use glovebox_tests::pipeline::{Pipeline, Ran, Running};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;

/// A place that two pipelines write to.
struct Place {
    sink: String,
    database: Option<String>,
}

impl Place {
    fn both() -> [Place; 2] {
        let server = Postgres::shared();
        let database = server.database("identity");
        [
            Place {
                sink: "sqlite: { path: out.db, table: things, mode: append }".into(),
                database: None,
            },
            Place {
                sink: format!(
                    "postgres: {{ {}, table: things, mode: append }}",
                    server.place(&database)
                ),
                database: Some(database),
            },
        ]
    }

    fn ask(&self, pipeline: &Pipeline, sql: &str) -> Vec<Vec<Option<String>>> {
        match &self.database {
            Some(database) => Postgres::shared().query(database, sql),
            None => sqlite::query(&pipeline.path("out.db"), sql),
        }
    }

    /// The ids that are stored, in order.
    fn ids(&self, pipeline: &Pipeline) -> Vec<String> {
        let sql = "SELECT CAST(id AS TEXT) FROM things ORDER BY id, name";
        let rows = self.ask(pipeline, sql);
        rows.into_iter().flatten().flatten().collect()
    }
}

const COLUMNS: &str = "{ id: { type: int64 }, name: { type: text } }";

fn manifest(name: &str, source: &str, columns: &str, steps: &str, sink: &str) -> String {
    format!(
        "name: {name}\nsource: {{ {source} }}\ncolumns: {columns}\ncredentials: [env]\n{steps}\
         sink:\n  {sink}\nrejects: {{ path: {name}.rejects.jsonl }}\n"
    )
}

fn csv(path: &str) -> String {
    format!("csv: {{ path: {path} }}")
}

fn loaded(place: &Place, input: &str) -> Pipeline {
    let pipeline = Pipeline::new(&manifest("days", &csv("in.csv"), COLUMNS, "", &place.sink))
        .file("in.csv", input)
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password())
        .env("GLOVEBOX_SECRET_SALT", "salt");
    let _ = pipeline.run().ends_with(0);
    pipeline
}

fn call(pipeline: &Pipeline, manifest: &str, more: &[&str]) -> Ran {
    let mut call = vec!["run", manifest];
    call.extend(more);
    pipeline.call(&call)
}

const DAY: &str = "id,name\n1,ann\n2,bob\n3,cyd\n4,dan\n5,eve\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    packed
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    packed.wait_with_output().unwrap().stdout
}

#[test]
fn the_same_rows_are_refused_under_whatever_name_and_form() {
    for place in Place::both() {
        let pipeline = loaded(&place, DAY);
        pipeline.write("renamed.csv", DAY);
        pipeline.write("packed.csv.gz", gzip(DAY));
        pipeline.write("blank.csv", DAY.replace("2,bob\n", "2,bob\n\n"));
        pipeline.write("dos.csv", DAY.replace('\n', "\r\n"));
        pipeline.write("cut.csv", DAY.trim_end());
        pipeline.write("turned.csv", "id,name\n4,dan\n5,eve\n1,ann\n2,bob\n3,cyd\n");
        std::fs::create_dir(pipeline.path("parts")).unwrap();
        pipeline.write("parts/a.csv", "id,name\n3,cyd\n4,dan\n");
        pipeline.write("parts/b.csv", "id,name\n1,ann\n2,bob\n5,eve\n");
        for input in [
            "renamed.csv",
            "packed.csv.gz",
            "blank.csv",
            "dos.csv",
            "cut.csv",
            "turned.csv",
            "parts",
        ] {
            let ran = call(&pipeline, "manifest.yaml", &["--input", input]).ends_with(2);
            let _ = ran
                .says("of pipeline `days`")
                .says("has already added the rows of this input (5 of them)")
                .says("`--again` adds them a second time");
        }
        // Under the name of another pipeline, with one step more, with another order of columns.
        let step = "steps:\n  - { name: there, validate: required, reads: [name] }\n";
        let turned = "{ name: { type: text }, id: { type: int64 } }";
        for (name, columns, steps, differs) in [
            ("other", COLUMNS, "", ""),
            ("other", COLUMNS, step, "step `there` is new"),
            ("days", COLUMNS, step, "step `there` is new"),
            ("days", turned, "", "the stored columns"),
            (
                "days",
                "{ id: { type: text }, name: { type: text } }",
                "",
                "column `id` is declared differently",
            ),
        ] {
            let text = manifest(name, &csv("in.csv"), columns, steps, &place.sink);
            pipeline.write("other.yaml", text);
            let ran = call(&pipeline, "other.yaml", &[]);
            if columns.contains("id: { type: text }") && ran.code == Some(1) {
                // The table does not fit, which is said as well.
                continue;
            }
            let _ = ran
                .ends_with(2)
                .says("has already added the rows of this input (5 of them)")
                .says(differs);
        }
        assert_eq!(place.ids(&pipeline), ["1", "2", "3", "4", "5"]);
        let again = pipeline.run_with(&["--again"]).ends_with(0);
        assert_eq!(again.rows("stored"), 5);
    }
}

#[test]
fn another_input_is_not_taken_for_a_known_one() {
    for place in Place::both() {
        let pipeline = loaded(&place, DAY);
        for (name, text) in [
            ("names.csv", "id,name\n1,ann\n2,bob\n3,cyd\n4,dan\n5,eva\n"),
            ("header.csv", "name,id\n1,6\n2,7\n3,8\n4,9\n5,10\n"),
        ] {
            pipeline.write(name, text);
            let _ = call(&pipeline, "manifest.yaml", &["--input", name])
                .ends_with(0)
                .prints("5 read = 5 stored");
        }
        // The same lines under a header that gives them another meaning.
        pipeline.write("swapped.csv", "name,id\n6,1\n7,2\n");
        let _ = call(&pipeline, "manifest.yaml", &["--input", "swapped.csv"]).ends_with(0);
        pipeline.write("swapped.csv", "id,name\n6,1\n7,2\n");
        let _ = call(&pipeline, "manifest.yaml", &["--input", "swapped.csv"]).ends_with(0);
        assert_eq!(place.ids(&pipeline).len(), 19);
    }
}

#[test]
fn lines_that_came_at_the_end_are_added_once() {
    for place in Place::both() {
        let pipeline = loaded(&place, DAY);
        let step = "steps:\n  - { name: there, validate: required, reads: [name] }\n";
        let sink = &place.sink;
        pipeline.write(
            "manifest.yaml",
            manifest("days", &csv("in.csv"), COLUMNS, step, sink),
        );
        pipeline.write("in.csv", format!("{DAY}6,fay\n7,\n8,gus\n"));
        for more in [&[][..], &["--resume"]] {
            let _ = call(&pipeline, "manifest.yaml", more)
                .ends_with(2)
                .says("the first 5 rows of this input were already added")
                .says("step `there` is new")
                .says("`--only-new` adds only the rows after them");
        }
        let ran = pipeline.run_with(&["--only-new"]).ends_with(0);
        assert_eq!((ran.rows("read"), ran.rows("stored")), (3, 2));
        assert_eq!(ran.report["only-new"]["passed-over"], 5);
        assert!(ran.is_balanced());
        let rejects = pipeline.read("days.rejects.jsonl");
        assert!(rejects.starts_with("{\"row\":6,\"line\":8,"), "{rejects}");
        let _ = pipeline
            .run()
            .ends_with(2)
            .says("has already added the rows of this input");

        // Nothing new is no failure; then the next day.
        let none = pipeline.run_with(&["--only-new"]).ends_with(0);
        assert_eq!(none.rows("read"), 0);
        assert_eq!(
            pipeline.read("days.rejects.jsonl"),
            rejects,
            "the last run's list stays"
        );
        pipeline.write("in.csv", format!("{DAY}6,fay\n7,\n8,gus\n9,hal\n"));
        let ran = pipeline.run_with(&["--only-new", "--resume"]).ends_with(0);
        assert_eq!((ran.rows("read"), ran.rows("stored")), (1, 1));
        assert_eq!(
            place.ids(&pipeline),
            ["1", "2", "3", "4", "5", "6", "8", "9"]
        );
        // A row that was open at the end of the known input may hold what came since.
        pipeline.write("in.csv", "id,name\n10,ida\n");
        let first = pipeline.run_with(&["--only-new"]).ends_with(0);
        assert_eq!(first.rows("stored"), 1);
    }
}

/// Rows of about a hundred bytes: some ten thousand in a chunk.
fn many(from: u32, to: u32) -> String {
    let pad = "x".repeat(90);
    (from..to).map(|id| format!("{id},{pad}{id}\n")).collect()
}

#[test]
fn rows_in_many_chunks_are_known_wherever_they_come_again() {
    for place in Place::both() {
        let pipeline = loaded(&place, &format!("id,name\n{}", many(0, 60_000)));
        let grown = format!("id,name\n{}", many(0, 60_007));
        pipeline.write("in.csv", &grown);
        let _ = pipeline
            .run()
            .ends_with(2)
            .says("the first 60000 rows of this input");
        let ran = pipeline.run_with(&["--only-new"]).ends_with(0);
        assert_eq!(ran.rows("stored"), 7);
        assert_eq!(place.ids(&pipeline).len(), 60_007);

        // Its beginning with another end, and its end with another beginning.
        pipeline.write(
            "in.csv",
            format!("id,name\n{}{}", many(0, 40_000), many(90_000, 90_001)),
        );
        let _ = pipeline
            .run()
            .ends_with(2)
            .says("rows of this input were already added from another input");
        std::fs::create_dir(pipeline.path("parts")).unwrap();
        pipeline.write("parts/a.csv", format!("id,name\n{}", many(80_000, 80_100)));
        pipeline.write("parts/b.csv", &grown);
        let _ = call(&pipeline, "manifest.yaml", &["--input", "parts"])
            .ends_with(2)
            .says("rows of this input were already added from another input");
        assert_eq!(place.ids(&pipeline).len(), 60_007);
    }
}

#[test]
fn days_that_were_loaded_one_by_one_are_known_when_their_folder_comes() {
    for place in Place::both() {
        let pipeline = loaded(&place, DAY);
        std::fs::create_dir(pipeline.path("days")).unwrap();
        pipeline.write("tuesday.csv", "id,name\n6,fay\n7,gus\n");
        let _ = call(&pipeline, "manifest.yaml", &["--input", "tuesday.csv"]).ends_with(0);
        pipeline.write("days/1.csv", DAY);
        pipeline.write("days/2.csv", "id,name\n6,fay\n7,gus\n");
        let _ = call(&pipeline, "manifest.yaml", &["--input", "days"])
            .ends_with(2)
            .says("has already added the rows of this input");
        pipeline.write("days/3.csv", "id,name\n8,hal\n");
        let ran = call(
            &pipeline,
            "manifest.yaml",
            &["--input", "days", "--only-new"],
        )
        .ends_with(0);
        let _ = ran.prints("1 read = 1 stored");
        assert_eq!(
            place.ids(&pipeline),
            ["1", "2", "3", "4", "5", "6", "7", "8"]
        );
    }
}

#[test]
fn only_new_says_where_it_cannot_tell() {
    let pipeline = Pipeline::new(&manifest(
        "days",
        &csv("in.csv"),
        COLUMNS,
        "",
        "csv: { path: out.csv, mode: append }",
    ))
    .file("in.csv", DAY);
    let _ = pipeline
        .run_with(&["--only-new"])
        .ends_with(2)
        .says("the sink is a file and keeps no journal");
    let upsert = "sqlite: { path: out.db, table: things, mode: upsert, keys: [id] }";
    pipeline.write(
        "up.yaml",
        manifest("up", &csv("in.csv"), COLUMNS, "", upsert),
    );
    let _ = call(&pipeline, "up.yaml", &["--only-new"])
        .ends_with(2)
        .says("`--only-new` is for `mode: append`");
    let table = "sqlite: { path: out.db, table: things }";
    pipeline.write(
        "pipe.yaml",
        manifest("pipe", &csv("\"-\""), COLUMNS, "", table),
    );
    let _ = pipeline
        .call_with_input(&["run", "pipe.yaml", "--only-new"], DAY.as_bytes())
        .ends_with(2)
        .says("cannot be read before the run");
    let _ = call(&pipeline, "pipe.yaml", &["--take-over"])
        .ends_with(2)
        .says("`--resume --take-over`");
}

#[test]
fn a_pipe_is_known_by_its_beginning_whatever_its_rows_came_by_before() {
    for place in Place::both() {
        let pipeline = loaded(&place, DAY);
        let pipe = manifest("pipe", &csv("\"-\""), COLUMNS, "", &place.sink);
        pipeline.write("pipe.yaml", pipe);
        let _ = pipeline
            .call_with_input(&["run", "pipe.yaml"], DAY.as_bytes())
            .ends_with(2)
            .says("has already added the rows of this input");
        let _ = pipeline
            .call_with_input(&["run", "pipe.yaml"], b"id,name\n9,zoe\n")
            .ends_with(0);
        assert_eq!(place.ids(&pipeline).len(), 6);
    }
}

/// A run from a pipe of whose rows some are stored, and which waits for more.
fn half_way(place: &Place, pipeline: &Pipeline, manifest: &str) -> Running {
    let mut command = pipeline.command(&["run", manifest]);
    command.stdin(Stdio::piped());
    let mut running = Running::new(command);
    running.feed(format!("id,name\n{}", many(0, 300_000)).as_bytes());
    running.until("rows are stored", |_| {
        let is_there = match &place.database {
            Some(_) => {
                place.ask(pipeline, "SELECT to_regclass('glovebox.chunk')::text") != [[None]]
            }
            None => pipeline.path("out.db").exists(),
        };
        let chunks = match &place.database {
            Some(_) => "SELECT count(*) FROM glovebox.chunk",
            None => "SELECT CAST(count(*) AS TEXT) FROM glovebox_chunk",
        };
        let has_tables = || {
            let sql =
                "SELECT CAST(count(*) AS TEXT) FROM sqlite_schema WHERE name = 'glovebox_chunk'";
            place.database.is_some() || place.ask(pipeline, sql) == [[Some("1".to_owned())]]
        };
        is_there && has_tables() && place.ask(pipeline, chunks) != [[Some("0".to_owned())]]
    });
    running
}

fn piped(place: &Place) -> Pipeline {
    Pipeline::new(&manifest("pipe", &csv("\"-\""), COLUMNS, "", &place.sink))
        .file(
            "days.yaml",
            manifest("days", &csv("in.csv"), COLUMNS, "", &place.sink),
        )
        .file("in.csv", format!("id,name\n{}", many(0, 300_000)))
        .file("other.csv", DAY)
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password())
}

#[test]
fn beside_a_living_run_it_is_said_which_and_where_and_since_when() {
    for place in Place::both() {
        let pipeline = piped(&place);
        let running = half_way(&place, &pipeline, "manifest.yaml");
        let input = format!("id,name\n{}", many(0, 300_000));
        let here = format!("is running now: process {} on host `", running.id());
        // Asleep is living.
        for asleep in [false, true] {
            if asleep && place.database.is_none() {
                continue;
            }
            if asleep {
                running.signal("STOP");
            }
            for more in ["--resume", "--again"] {
                let _ = pipeline
                    .call_with_input(&["run", "manifest.yaml", more], input.as_bytes())
                    .ends_with(2)
                    .says("of pipeline `pipe`, started 20")
                    .says(&here)
                    .says("take the run over with `--resume --take-over`");
            }
            // Another pipeline's run of the same rows, and one that would take them away.
            let _ = call(&pipeline, "days.yaml", &[]).ends_with(2).says(&here);
            let replace = place.sink.replace("append", "replace");
            let replace = manifest("all", &csv("other.csv"), COLUMNS, "", &replace);
            pipeline.write("replace.yaml", replace);
            let _ = call(&pipeline, "replace.yaml", &[])
                .ends_with(2)
                .says(&here)
                .says("run again when it has finished");
        }
        // Another input of another pipeline has its place beside it.
        if place.database.is_some() {
            let other = call(&pipeline, "days.yaml", &["--input", "other.csv"]).ends_with(0);
            let _ = other.prints("5 read = 5 stored");
        }
        let taken = pipeline
            .call_with_input(
                &["run", "manifest.yaml", "--resume", "--take-over"],
                input.as_bytes(),
            )
            .ends_with(0);
        let _ = taken.prints("300000 read = 300000 stored");
        running.signal("CONT");
        running.signal("KILL");
        let _ = running.end();
        let others = if place.database.is_some() { 5 } else { 0 };
        assert_eq!(place.ids(&pipeline).len(), 300_000 + others);
    }
}

#[test]
fn rows_of_a_run_that_was_given_up_are_not_added_a_second_time() {
    for place in Place::both() {
        let pipeline = piped(&place);
        let running = half_way(&place, &pipeline, "manifest.yaml");
        running.signal("KILL");
        let _ = running.end();
        // Of its input, by another pipeline.
        let _ = call(&pipeline, "days.yaml", &[])
            .ends_with(2)
            .says("of pipeline `pipe`")
            .says("did not finish");
        let _ = pipeline
            .call_with_input(&["run", "manifest.yaml", "--again"], DAY.as_bytes())
            .ends_with(0);
        let stored = place.ids(&pipeline).len();
        assert!(stored > 5);
        for (file, call_of) in [("days.yaml", &[][..]), ("days.yaml", &["--resume"])] {
            let _ = call(&pipeline, file, call_of)
                .ends_with(2)
                .says("had this input and was abandoned");
        }
        assert_eq!(place.ids(&pipeline).len(), stored);
    }
}

#[test]
fn a_run_goes_on_only_with_its_own_input_and_says_what_of_its_plan_has_changed() {
    for place in Place::both() {
        let pipeline = piped(&place);
        let mask = "steps:\n  - name: alias\n    mask: pseudonym\n    masks: [name]\n    with: { \
                    method: hmac-sha256 }\n    keys: { pseudonym: salt }\n";
        let pipeline = pipeline
            .file("in.csv", format!("id,name\n{}", many(0, 3_000)))
            .env("GLOVEBOX_SECRET_SALT", "salt")
            .env("GLOVEBOX_SECRET_PEPPER", "pepper");
        let text = manifest("pipe", &csv("\"-\""), COLUMNS, mask, &place.sink);
        pipeline.write("manifest.yaml", &text);
        let running = half_way(&place, &pipeline, "manifest.yaml");
        running.signal("KILL");
        let _ = running.end();
        let resume = |text: &str, input: &str| {
            pipeline.write("manifest.yaml", text);
            pipeline.call_with_input(&["run", "manifest.yaml", "--resume"], input.as_bytes())
        };
        let whole = format!("id,name\n{}", many(0, 300_000));
        let _ = resume(&text.replace("salt", "pepper"), &whole)
            .ends_with(2)
            .says("plugins or keys have changed since it began: step `alias`: its key");
        let trim = text.replace(
            "sink:",
            "  - { name: there, validate: required, reads: [name] }\nsink:",
        );
        let _ = resume(&trim, &whole)
            .ends_with(2)
            .says("step `there` is new");
        let other = format!("id,name\n{}", many(1, 300_000));
        let _ = resume(&text, &other)
            .ends_with(1)
            .says("its input is not the one");
        let before = place.ids(&pipeline).len();
        // As a file, it is looked at before the first row.
        let file = text.replace("\"-\"", "in.csv");
        let _ = resume(&file, "")
            .ends_with(2)
            .says("its input is not the one");
        assert_eq!(place.ids(&pipeline).len(), before);
        let _ = resume(&text, &whole).ends_with(0);
        assert_eq!(place.ids(&pipeline).len(), 300_000);
    }
}

#[test]
fn the_journal_tells_nothing_to_whoever_lacks_its_key() {
    let sink = "sqlite: { path: out.db, table: things, identity-key: { secret: identity } }";
    let text = manifest("days", &csv("in.csv"), COLUMNS, "", sink);
    let pipeline = Pipeline::new(&text).file("in.csv", DAY).env(
        "GLOVEBOX_SECRET_IDENTITY",
        "0123456789abcdef0123456789abcdef",
    );
    let _ = pipeline.run().ends_with(0);
    let digest = |pipeline: &Pipeline| {
        let sql = "SELECT hex(digest), hex(upto) FROM glovebox_chunk";
        sqlite::query(&pipeline.path("out.db"), sql)
    };
    let first = digest(&pipeline);
    let (own, upto) = (first[0][0].clone().unwrap(), first[0][1].clone().unwrap());
    assert_eq!((own.len(), upto.len()), (64, 64));
    let _ = pipeline
        .run()
        .ends_with(2)
        .says("has already added the rows of this input");
    // The same input, a copy elsewhere: the same digest, by which it is known there too.
    let copy = Pipeline::new(&text).file("in.csv", DAY).env(
        "GLOVEBOX_SECRET_IDENTITY",
        "0123456789abcdef0123456789abcdef",
    );
    let _ = copy.run().ends_with(0);
    assert_eq!(digest(&copy), first);
    // Under a key that the file keeps, another one.
    let kept = Pipeline::new(&text.replace(", identity-key: { secret: identity }", ""))
        .file("in.csv", DAY);
    let _ = kept.run().ends_with(0);
    assert_ne!(digest(&kept), first);
    let short = Pipeline::new(&text)
        .file("in.csv", DAY)
        .env("GLOVEBOX_SECRET_IDENTITY", "short");
    let _ = short
        .run()
        .ends_with(2)
        .says("is shorter than 16 bytes")
        .says("glovebox secret set identity --generate");
    let plain = text.replace("{ secret: identity }", "0123456789abcdef");
    let _ = Pipeline::new(&plain)
        .file("in.csv", DAY)
        .run()
        .ends_with(2)
        .says("a key does not belong in this file");
}

/// A server that dies does not know how far the process of its run came.
#[test]
fn a_request_is_served_once_however_often_it_is_begun() {
    for place in Place::both() {
        let pipeline = loaded(&place, "id,name\n1,ann\n2,bob\n");
        let request = |name: &str, more: &[&str]| {
            let mut options = vec!["--request", name];
            options.extend(more);
            call(&pipeline, "manifest.yaml", &options)
        };
        // Another request's rows are none of this one's.
        let _ = request("first", &[]).ends_with(2);
        let _ = request("first", &["--again"]).ends_with(0);
        assert_eq!(place.ids(&pipeline), ["1", "1", "2", "2"]);
        for options in [&["--again"] as &[&str], &["--resume", "--take-over"], &[]] {
            let _ = request("first", options).ends_with(0);
        }
        assert_eq!(place.ids(&pipeline), ["1", "1", "2", "2"]);
        let _ = request("firs", &["--again"]).ends_with(0);
        assert_eq!(place.ids(&pipeline).len(), 6);
    }
}
