//! Into PostgreSQL, and from PostgreSQL to PostgreSQL, over TLS.

use std::process::Command;

use anyhow::ensure;
use glovebox_tests::postgres::Postgres;
use tempfile::TempDir;

use super::{ROWS, TURNS, contenders, script, table};
use crate::csv::MANIFEST;
use crate::timed::seconds;
use crate::{generate, glovebox, median};

/// Rows of the script that takes them one by one.
const SLOW_ROWS: u64 = 20_000;
const PBKDF2_VALUES: u32 = 40;
/// As a careful operator has them; a checkpoint before each turn is ours.
pub(super) const SETTINGS: &str = "fsync = on\nmax_wal_size = 4GB\nshared_buffers = 512MB\n";
const SALT: &str = "a salt for the benchmark";
const CSV_SOURCE: &str = "source: { csv: { path: people.csv } }";
const HMAC: &str = "  - { name: alias, mask: pseudonym, masks: [email], \
                    with: { method: hmac-sha256 }, keys: { pseudonym: salt } }\n";
pub(crate) const TABLE: &str = "id bigint, first text, last text, email text, ssn text, \
                     amount double precision, joined date";
/// What moves a table without masks; `$1` is `psql`.
const PIPE: &str = r#"
    "$1" --no-psqlrc -c '\copy public.raw TO STDOUT' |
    "$1" --no-psqlrc -v ON_ERROR_STOP=1 -c '\copy public.piped FROM STDIN'
"#;

/// Both jobs, and the slow ways to do the first.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let arena = Arena::new()?;
    let mut lines = arena.load()?;
    lines.extend(arena.across()?);
    lines.extend(arena.slowly()?);
    Ok(lines)
}

struct Arena {
    server: Postgres,
    database: String,
    folder: TempDir,
}

impl Arena {
    fn new() -> anyhow::Result<Self> {
        let server = Postgres::start_with(SETTINGS);
        let arena = Arena {
            database: server.database("bench"),
            server,
            folder: tempfile::tempdir()?,
        };
        generate::people(arena.folder.path().join("people.csv").as_path(), ROWS)?;
        Ok(arena)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn fresh(&self, table: &str) {
        let sql =
            format!("DROP TABLE IF EXISTS public.{table}; CREATE TABLE public.{table} ({TABLE})");
        self.server.query(&self.database, &sql);
        self.server.query(&self.database, "CHECKPOINT");
    }

    fn stored(&self, table: &str, rows: u64) -> anyhow::Result<()> {
        let sql = format!("SELECT count(*)::text FROM public.{table}");
        let found = self.server.query(&self.database, &sql);
        let expected = [[Some(rows.to_string())]];
        ensure!(found == expected, "{table} has {found:?} rows");
        Ok(())
    }

    /// One of our runs.
    fn ours(&self, manifest: &str, table: &str) -> anyhow::Result<glovebox::Ran> {
        self.fresh(table);
        let secrets = [
            ("GLOVEBOX_SECRET_SALT", SALT),
            ("GLOVEBOX_SECRET_PASSWORD", self.server.password()),
        ];
        let manifest = self.folder.path().join(manifest);
        let ran = glovebox::run_with(&manifest, &["--again"], &secrets)?;
        self.stored(table, ROWS)?;
        Ok(ran)
    }

    /// A script's seconds.
    fn theirs(&self, name: &str, table: &str, more: &[&str], rows: u64) -> anyhow::Result<f64> {
        self.fresh(table);
        let mut command = script(name)?;
        self.server.set_environment(&mut command, &self.database);
        command.args([self.path("people.csv"), format!("public.{table}")]);
        let seconds = seconds(command.args(more))?;
        self.stored(table, rows)?;
        Ok(seconds)
    }

    /// A file into a table.
    fn load(&self) -> anyhow::Result<Vec<String>> {
        std::fs::write(
            self.path("people.yaml"),
            self.manifest(CSV_SOURCE, "people"),
        )?;
        let [mut ours, mut copy, mut pandas] = contenders([
            "glovebox",
            "`psql \\copy` of the raw file",
            "pandas and psycopg2, COPY",
        ]);
        let copied = format!(
            "\\copy public.raw FROM '{}' (FORMAT csv, HEADER)",
            self.path("people.csv")
        );
        for turn in 0..TURNS {
            self.fresh("raw");
            let mut psql = self.server.psql_command(&self.database);
            copy.seconds.push(seconds(psql.args(["-c", &copied]))?);
            self.stored("raw", ROWS)?;
            let ran = self.ours("people.yaml", "people")?;
            ours.seconds.push(ran.wall.as_secs_f64());
            if turn == 0 {
                let seconds = self.theirs("postgres_pandas.py", "pandas", &[], ROWS)?;
                pandas.seconds.push(seconds);
            }
        }
        let job = "2 M rows, CSV → validate, partial mask, HMAC → PostgreSQL over TLS";
        Ok(table(job, &ours, &[copy, pandas], "≤ 1.0 × psql"))
    }

    /// The table that psql has loaded, into another.
    fn across(&self) -> anyhow::Result<Vec<String>> {
        let source = format!(
            "source: {{ postgres: {{ {}, table: public.raw }} }}",
            self.server.place(&self.database)
        );
        std::fs::write(self.path("across.yaml"), self.manifest(&source, "masked"))?;
        let [mut ours, mut piped] = contenders(["glovebox", "`psql` to `psql`, raw"]);
        let mut memory = Vec::new();
        for _ in 0..TURNS {
            self.fresh("piped");
            let mut pipe = Command::new("sh");
            pipe.args(["-c", PIPE, "sh"])
                .arg(self.server.psql_command(&self.database).get_program());
            self.server.set_environment(&mut pipe, &self.database);
            piped.seconds.push(seconds(&mut pipe)?);
            self.stored("piped", ROWS)?;
            let ran = self.ours("across.yaml", "masked")?;
            ours.seconds.push(ran.wall.as_secs_f64());
            memory.push(ran.mebibytes());
        }
        let job = "2 M rows, PostgreSQL → validate, partial mask, HMAC → PostgreSQL, TLS both ways";
        let rate = ROWS as f64 / median(ours.seconds.clone());
        let mut lines = table(job, &ours, &[piped], "");
        lines.push(format!(
            "| its rows a second, its peak memory | {rate:.0} rows/s, {:.0} MiB | ≥ 400,000 rows/s |",
            median(memory),
        ));
        Ok(lines)
    }

    /// What people write first.
    fn slowly(&self) -> anyhow::Result<Vec<String>> {
        let rows = SLOW_ROWS.to_string();
        let slow = self.theirs("postgres_rows.py", "slow", &[&rows], SLOW_ROWS)?;
        let values = PBKDF2_VALUES.to_string();
        let hashed = seconds(script("pbkdf2.py")?.arg(&values))?;
        Ok(vec![
            format!(
                "| the same a row at a time by psycopg2, {SLOW_ROWS} rows | {:.0} rows/s | |",
                SLOW_ROWS as f64 / slow,
            ),
            format!(
                "| PBKDF2, 100,000 iterations, Python's hashlib | {:.0} values/s | |",
                f64::from(PBKDF2_VALUES) / hashed
            ),
        ])
    }

    /// The job of `csv` with a keyed mask more, from this source into a table.
    fn manifest(&self, source: &str, table: &str) -> String {
        let sink = format!(
            "sink: {{ postgres: {{ {}, table: public.{table}, mode: append }} }}",
            self.server.place(&self.database)
        );
        MANIFEST
            .replace(CSV_SOURCE, source)
            .replace(
                "email: { type: text }",
                "email: { type: text, personal: true }",
            )
            .replace("steps:\n", &format!("credentials: [env]\nsteps:\n{HMAC}"))
            .replace("sink: { csv: { path: out.csv } }", &sink)
    }
}
