//! A run shared out among processes, beside the same in one: the job of `csv` into PostgreSQL.

use glovebox_tests::postgres::Postgres;

use super::postgres::{SETTINGS, TABLE};
use super::{ROWS, TURNS, contenders, table};
use crate::csv::MANIFEST;
use crate::{generate, glovebox};

/// By turns: one process with two workers, and two with one each.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let server = Postgres::start_with(SETTINGS);
    let database = server.database("shards");
    let folder = tempfile::tempdir()?;
    generate::people(&folder.path().join("people.csv"), ROWS)?;
    let sink = format!(
        "credentials: [env]\nsink: {{ postgres: {{ {}, table: public.people }} }}",
        server.place(&database)
    );
    let manifest = folder.path().join("people.yaml");
    std::fs::write(
        &manifest,
        MANIFEST.replace("sink: { csv: { path: out.csv } }", &sink),
    )?;
    let secrets = [("GLOVEBOX_SECRET_PASSWORD", server.password())];
    let [mut one, mut two] = contenders(["one process, two workers", "two processes"]);
    for _ in 0..TURNS {
        for (contender, how) in [(&mut one, "--workers"), (&mut two, "--shards")] {
            for sql in [
                "DROP TABLE IF EXISTS public.people",
                &format!("CREATE TABLE public.people ({TABLE})"),
                "CHECKPOINT",
            ] {
                let _ = server.query(&database, sql);
            }
            let ran = glovebox::run_with(&manifest, &["--again", how, "2"], &secrets)?;
            contender.seconds.push(ran.wall.as_secs_f64());
            let found = server.query(&database, "SELECT count(*)::text FROM public.people");
            anyhow::ensure!(
                found == [[Some(ROWS.to_string())]],
                "the table has {found:?} rows"
            );
        }
    }
    let job = "2 M rows, `required`, `partial`, into PostgreSQL over TLS";
    Ok(table(job, &two, &[one], "≤ 1.15 × one process"))
}
