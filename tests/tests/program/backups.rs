//! Backups as docs/operations.md says to take them: of a database into which a run stores rows. What is
//! restored goes on, and has each row once.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::{Postgres, machine};
use glovebox_tests::sqlite;

use super::encrypted;

const ROWS: usize = 12_000;
const BEGUN: &str = "SELECT CAST(count(*) AS TEXT) FROM ";

/// A dozen chunks, each of which takes a while.
fn pipeline(sink: &str) -> Pipeline {
    let mut input = String::from("id,name\n");
    for id in 0..ROWS {
        let _ = writeln!(input, "{id},name{id:0>900}");
    }
    Pipeline::new(&manifest(sink))
        .file("in.csv", input)
        .env("GLOVEBOX_SECRET_SALT", "a salt that is long enough")
        .env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password())
}

/// A backup as it is kept, encrypted, and taken out of there again.
fn through_age(backup: Vec<u8>) -> Vec<u8> {
    let keys = encrypted::with_keys(Pipeline::empty());
    let tools = encrypted::others(false)
        .into_iter()
        .zip(encrypted::others(true));
    tools.fold(backup, |backup, (encrypt, decrypt)| {
        let kept = encrypted::through(encrypt, &keys, &backup);
        assert!(kept.starts_with(b"age-encryption.org/v1"));
        assert!(!kept.windows(6).any(|window| window == b"things"));
        encrypted::through(decrypt, &keys, &kept)
    })
}

fn manifest(sink: &str) -> String {
    format!(
        "name: things
source: {{ csv: {{ path: in.csv }} }}
columns: {{ id: {{ type: int64 }}, name: {{ type: text, personal: true }} }}
credentials: [env]
steps:
  - mask: pseudonym
    masks: [name]
    with: {{ method: pbkdf2-sha256, iterations: 10000 }}
    keys: {{ pseudonym: salt }}
sink: {{ {sink} }}
rejects: {{ path: rejects.jsonl }}
"
    )
}

/// Backs up while rows are stored, kills the run later, and goes on with what was restored.
fn restored(
    sink: &str,
    begun: impl Fn(&Pipeline) -> bool,
    restore: impl Fn(&Pipeline) -> String,
) -> Pipeline {
    let pipeline = pipeline(sink);
    let mut running = pipeline.start(&["run", "manifest.yaml", "--workers", "1"]);
    running.until("rows are stored", |_| begun(&pipeline));
    let sink = restore(&pipeline);
    running.signal("KILL");
    assert_eq!(running.end().code, None, "it had ended before the backup");
    pipeline.write("manifest.yaml", manifest(&sink));
    let ran = pipeline.run_with(&["--resume"]).ends_with(0);
    let resumed = ran.report["resumed-rows"].as_u64();
    assert!(
        resumed > Some(0) && resumed < Some(ROWS as u64),
        "{resumed:?}"
    );
    assert_eq!(ran.rows("stored"), ROWS as u64);
    pipeline
}

fn all_once() -> Vec<Vec<Option<String>>> {
    let all = Some(ROWS.to_string());
    vec![vec![all.clone(), all]]
}

const COUNTS: &str = "SELECT CAST(count(*) AS TEXT), CAST(count(DISTINCT id) AS TEXT) FROM things";

#[test]
fn a_backup_of_sqlite_beside_a_run_goes_on() {
    let there = "SELECT name FROM sqlite_schema WHERE name = 'glovebox_chunk'";
    let none: Vec<Vec<Option<String>>> = Vec::new();
    let pipeline = restored(
        "sqlite: { path: out.db, table: things }",
        |pipeline| {
            let file = pipeline.path("out.db");
            file.exists()
                && sqlite::query(&file, there) != none
                && sqlite::query(&file, &format!("{BEGUN} glovebox_chunk"))
                    != [[Some("0".to_owned())]]
        },
        |pipeline| {
            sqlite::execute(
                &pipeline.path("out.db"),
                &format!("VACUUM INTO '{}'", pipeline.path("backup.db").display()),
            );
            // The backup takes the place of what it was taken of, once the run is dead.
            std::fs::create_dir(pipeline.path("restored")).unwrap();
            std::fs::rename(pipeline.path("backup.db"), pipeline.path("restored/out.db")).unwrap();
            "sqlite: { path: restored/out.db, table: things }".into()
        },
    );
    assert_eq!(
        sqlite::query(&pipeline.path("restored/out.db"), COUNTS),
        all_once()
    );
}

#[test]
fn a_backup_of_postgres_beside_a_run_goes_on() {
    let server = Postgres::shared();
    let (database, empty) = (
        server.database("backup"),
        server.database("backup_restored"),
    );
    let sink = |database: &str| {
        format!(
            "postgres: {{ {}, table: public.things }}",
            server.place(database)
        )
    };
    let _ = restored(
        &sink(&database),
        |_| {
            let there = "SELECT to_regclass('glovebox.chunk') IS NOT NULL";
            server.query(&database, there) == [[Some("t".to_owned())]]
                && server.query(&database, &format!("{BEGUN} glovebox.chunk"))
                    != [[Some("0".to_owned())]]
        },
        |_| {
            let tool = |name: &str, database: &str| {
                let mut tool = Command::new(machine::binaries().unwrap().join(name));
                server.set_environment(&mut tool, database);
                tool
            };
            let dump = tool("pg_dump", &database)
                .args([
                    "--schema=public",
                    "--schema=glovebox",
                    "--clean",
                    "--if-exists",
                ])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert!(dump.status.success());
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), through_age(dump.stdout)).unwrap();
            let restored = tool("psql", &empty)
                .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file"])
                .arg(file.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&restored.stderr);
            assert!(restored.status.success(), "{said}");
            sink(&empty)
        },
    );
    assert_eq!(server.query(&empty, COUNTS), all_once());
}
