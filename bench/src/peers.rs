//! The same job by us and by others, by turns in one run: polars, DuckDB, pandas, psql, psycopg2.
//!
//! Owns who does what; refuses to compare contenders that stored another number of rows.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use glovebox_tests::postgres::Postgres;

use crate::csv::MANIFEST;
use crate::timed::seconds;
use crate::{generate, glovebox, median};

const ROWS: u64 = 2_000_000;
const TURNS: usize = 5;
/// Rows of the script that takes them one by one.
const SLOW_ROWS: u64 = 20_000;
const PBKDF2_VALUES: u32 = 40;
/// As a careful operator has them; a checkpoint before each turn is ours.
const SETTINGS: &str = "fsync = on\nmax_wal_size = 4GB\nshared_buffers = 512MB\n";
const SALT: &str = "a salt for the benchmark";
const TABLE: &str = "id bigint, first text, last text, email text, ssn text, \
                     amount double precision, joined date";

/// Python with the contenders' packages, by `cargo xtask bench`.
fn python() -> anyhow::Result<PathBuf> {
    let python = std::env::var_os("GLOVEBOX_PEERS").context(
        "the peers are not installed: they need python3 with venv, and `cargo xtask bench peers`",
    )?;
    Ok(python.into())
}

fn script(name: &str) -> anyhow::Result<Command> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("peers")
        .join(name);
    let mut command = Command::new(python()?);
    command.arg(path);
    Ok(command)
}

/// One contender's seconds, a turn each.
struct Contender {
    name: &'static str,
    seconds: Vec<f64>,
}

fn contenders<const N: usize>(names: [&'static str; N]) -> [Contender; N] {
    names.map(|name| Contender {
        name,
        seconds: Vec::new(),
    })
}

/// A line a contender: its median, its range, and how ours stands to it.
fn table(job: &str, ours: &Contender, others: &[Contender], goal: &str) -> Vec<String> {
    let middle = |c: &Contender| median(c.seconds.clone());
    let range = |c: &Contender| {
        let least = c.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        let most = c.seconds.iter().copied().fold(0.0, f64::max);
        format!("{:.2} s ({least:.2} to {most:.2})", middle(c))
    };
    let mut lines: Vec<String> = others
        .iter()
        .map(|c| format!("| {job}: {} | {} | |", c.name, range(c)))
        .collect();
    let ratios: Vec<String> = others
        .iter()
        .map(|c| format!("{:.2} × {}", middle(ours) / middle(c), c.name))
        .collect();
    lines.push(format!(
        "| {job}: {} | {}: {} | {goal} |",
        ours.name,
        range(ours),
        ratios.join(", ")
    ));
    lines
}

/// CSV to CSV.
pub(crate) fn csv() -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    generate::people(&path("people.csv"), ROWS)?;
    std::fs::write(path("people.yaml"), MANIFEST)?;
    let [mut ours, others @ ..] = contenders(["glovebox", "polars", "DuckDB", "pandas"]);
    let mut others = others;
    for _ in 0..TURNS {
        let ran = glovebox::run(&path("people.yaml"))?;
        ours.seconds.push(ran.wall.as_secs_f64());
        whole(&path("out.csv"))?;
        for contender in &mut others {
            let name = format!("csv_{}.py", contender.name.to_lowercase());
            let mut command = script(&name)?;
            command.args([path("people.csv"), path("other.csv")]);
            contender.seconds.push(seconds(&mut command)?);
            whole(&path("other.csv"))?;
        }
    }
    Ok(table(
        "2 M rows, CSV → validate, partial mask → CSV",
        &ours,
        &others,
        "≤ 1.0 × polars",
    ))
}

/// Whether a file has all rows, masked.
fn whole(path: &Path) -> anyhow::Result<()> {
    let mut lines = 0;
    let mut last = String::new();
    for line in BufReader::new(File::open(path)?).lines() {
        last = line?;
        lines += 1;
    }
    let masked = last.split(',').nth(4).is_some_and(|c| c.ends_with("-XXXX"));
    ensure!(
        lines == ROWS + 1 && masked,
        "{}: {lines} lines, not all or not masked",
        path.display()
    );
    Ok(())
}

/// Into PostgreSQL over TLS.
pub(crate) fn postgres() -> anyhow::Result<Vec<String>> {
    let server = Postgres::start_with(SETTINGS);
    let database = server.database("bench");
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    generate::people(&path("people.csv"), ROWS)?;
    std::fs::write(path("people.yaml"), into_postgres(&server, &database))?;
    let input = path("people.csv").display().to_string();
    let fresh = |table: &str| {
        let sql =
            format!("DROP TABLE IF EXISTS public.{table}; CREATE TABLE public.{table} ({TABLE})");
        server.query(&database, &sql);
        server.query(&database, "CHECKPOINT");
    };
    let stored = |table: &str, rows: u64| -> anyhow::Result<()> {
        let sql = format!("SELECT count(*)::text FROM public.{table}");
        let found = server.query(&database, &sql);
        let expected = [[Some(rows.to_string())]];
        ensure!(found == expected, "{table} has {found:?} rows");
        Ok(())
    };
    let [mut ours, mut copy, mut pandas] = contenders([
        "glovebox",
        "`psql \\copy` of the raw file",
        "pandas and psycopg2, COPY",
    ]);
    for turn in 0..TURNS {
        fresh("raw");
        let copied = format!("\\copy public.raw FROM '{input}' (FORMAT csv, HEADER)");
        copy.seconds.push(seconds(
            server.psql_command(&database).args(["-c", &copied]),
        )?);
        stored("raw", ROWS)?;
        fresh("people");
        let ran = glovebox::run_with(
            &path("people.yaml"),
            &["--again"],
            &[
                ("GLOVEBOX_SECRET_SALT", SALT),
                ("GLOVEBOX_SECRET_PASSWORD", server.password()),
            ],
        )?;
        ours.seconds.push(ran.wall.as_secs_f64());
        stored("people", ROWS)?;
        if turn == 0 {
            fresh("pandas");
            let mut command = script("postgres_pandas.py")?;
            server.set_environment(&mut command, &database);
            pandas
                .seconds
                .push(seconds(command.args([&input, "public.pandas"]))?);
            stored("pandas", ROWS)?;
        }
    }
    let mut lines = table(
        "2 M rows, CSV → validate, partial mask, HMAC → PostgreSQL over TLS",
        &ours,
        &[copy, pandas],
        "≤ 1.0 × psql",
    );
    fresh("slow");
    let mut command = script("postgres_rows.py")?;
    server.set_environment(&mut command, &database);
    let slow = seconds(command.args([&input, "public.slow", &SLOW_ROWS.to_string()]))?;
    stored("slow", SLOW_ROWS)?;
    lines.push(format!(
        "| the same a row at a time by psycopg2, {SLOW_ROWS} rows | {:.0} rows/s; ours {:.0} rows/s | |",
        SLOW_ROWS as f64 / slow,
        ROWS as f64 / median(ours.seconds)
    ));
    let values = PBKDF2_VALUES.to_string();
    let hashed = seconds(script("pbkdf2.py")?.arg(&values))?;
    lines.push(format!(
        "| PBKDF2, 100,000 iterations, Python's hashlib | {:.0} values/s | |",
        f64::from(PBKDF2_VALUES) / hashed
    ));
    Ok(lines)
}

fn into_postgres(server: &Postgres, database: &str) -> String {
    let mask = "steps:\n";
    let hmac = "steps:\n  - { name: alias, mask: pseudonym, masks: [email], with: { method: \
                hmac-sha256 }, keys: { pseudonym: salt } }\n";
    let sink = format!(
        "sink: {{ postgres: {{ host: {}, port: {}, database: {database}, user: {}, password: \
         {{ secret: password }}, tls: {{ ca: \"{}\" }}, table: public.people, mode: append }} }}",
        server.host(),
        server.port(),
        server.user(),
        server.ca_path().display(),
    );
    MANIFEST
        .replace(
            "email: { type: text }",
            "email: { type: text, personal: true }",
        )
        .replace(mask, &format!("credentials: [env]\n{hmac}"))
        .replace("sink: { csv: { path: out.csv } }", &sink)
}
