//! A run shared out among processes, and among executors of a cluster, beside the same in one: the job of `csv` into
//! PostgreSQL.

use glovebox_tests::postgres::Postgres;

use super::executors::Executors;
use super::postgres::{SETTINGS, TABLE};
use super::{ROWS, TURNS, contenders, table};
use crate::csv::MANIFEST;
use crate::{generate, glovebox};

/// By turns: one process with two workers, two with one each, and two executors with one each, if the program has them.
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
    let executors = Executors::start(folder.path(), &manifest, &secrets)?;
    let [mut one, mut two, mut cluster] =
        contenders(["one process, two workers", "two processes", "two executors"]);
    for _ in 0..TURNS {
        let mut turns = vec![
            (&mut one, vec!["--workers", "2"]),
            (&mut two, vec!["--shards", "2"]),
        ];
        if let Some(executors) = &executors {
            turns.push((&mut cluster, executors.arguments()?.to_vec()));
        }
        for (contender, how) in turns {
            for sql in [
                "DROP TABLE IF EXISTS public.people",
                &format!("CREATE TABLE public.people ({TABLE})"),
                "CHECKPOINT",
            ] {
                let _ = server.query(&database, sql);
            }
            let how = [&["--again"], &how[..]].concat();
            let ran = glovebox::run_with(&manifest, &how, &secrets)?;
            contender.seconds.push(ran.wall.as_secs_f64());
            let found = server.query(&database, "SELECT count(*)::text FROM public.people");
            anyhow::ensure!(
                found == [[Some(ROWS.to_string())]],
                "the table has {found:?} rows"
            );
        }
    }
    let job = "2 M rows, `required`, `partial`, into PostgreSQL over TLS";
    let goal = "≤ 1.15 × one process";
    let mut told = table(job, &two, &[one.clone()], goal);
    if executors.is_some() {
        told.extend(table(job, &cluster, &[one], goal).pop());
    }
    Ok(told)
}
