//! What a cluster of so many executors would load into one PostgreSQL: a model of five bounds, its constants as they are
//! measured on this machine, and a simulation that runs what the model leaves out.

mod processors;
mod simulation;

use std::path::Path;

use glovebox_connectors::csv;
use glovebox_core::{DataType, Field, Schema, Source};
use glovebox_tests::postgres::Postgres;

use crate::csv::MANIFEST;
use crate::peers::TABLE;
use crate::{generate, glovebox};
use processors::server;
use simulation::{Cluster, simulate};

/// Rows of the two loads whose difference leaves out what a start costs.
const ROWS: [u64; 2] = [2_000_000, 6_000_000];
/// Bytes of a range.
const RANGE: f64 = (64 << 20) as f64;
/// Cores of the database's machine; threads of an executor, and of the process that began the run.
const CORES: f64 = 16.0;
const WORKERS: f64 = 4.0;
/// Seconds that the scheduler needs for a range: a job that is submitted, planned, handed out and asked for.
const SCHEDULING: f64 = 0.002;
/// Bytes that are loaded: a terabyte.
const LOAD: f64 = 1e12;

/// What a row costs, in seconds of one core.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    /// At an executor: reading, steps, masks, encoding, TLS.
    executor: f64,
    /// At the database: COPY and the journal.
    database: f64,
    /// Where the run began: finding where chunks end, which one thread does.
    read: f64,
    /// The same with digests of lines, which all threads do.
    cut: f64,
    /// Bytes of a row.
    bytes: f64,
}

/// What limits a cluster.
#[derive(Debug, Clone, Copy)]
struct Bound {
    name: &'static str,
    /// Rows a second.
    rows: f64,
}

/// The bound that is reached first.
fn bottleneck(costs: &Costs, executors: f64) -> Bound {
    let bounds = [
        ("executors", executors * WORKERS / costs.executor),
        ("database", CORES / costs.database),
        ("reading", 1.0 / costs.read),
        ("digests", WORKERS / (costs.cut - costs.read)),
        ("scheduler", RANGE / costs.bytes / SCHEDULING),
    ];
    let bounds = bounds.map(|(name, rows)| Bound { name, rows });
    let [first, others @ ..] = bounds;
    others
        .iter()
        .fold(first, |least, bound| match bound.rows < least.rows {
            true => *bound,
            false => least,
        })
}

/// What is simulated of it.
fn cluster(costs: &Costs, executors: usize, ranges: usize) -> Cluster {
    Cluster {
        executors,
        rate: WORKERS / costs.executor,
        database: CORES / costs.database,
        cutting: (1.0 / costs.read).min(WORKERS / (costs.cut - costs.read)),
        scheduling: SCHEDULING,
        rows: RANGE / costs.bytes,
        ranges,
    }
}

/// Measures the constants, and tells what follows.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let costs = costs()?;
    anyhow::ensure!(
        costs.read < costs.cut,
        "reading alone took longer than cutting: the bench has to be built as the program is"
    );
    let each = |what: &str, seconds: f64| {
        format!(
            "| a row at {what} | {:.0} ns of a core: {:.2} M rows/s a core | |",
            1e9 * seconds,
            1e-6 / seconds
        )
    };
    let mut told = vec![
        each("an executor", costs.executor),
        each("the database", costs.database),
        each("where it is cut", costs.cut),
        each("the thread of these that reads", costs.read),
    ];
    for executors in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000] {
        let bound = bottleneck(&costs, f64::from(executors));
        let cluster = cluster(&costs, executors as usize, (LOAD / RANGE) as usize);
        let run = simulate(&cluster, 20_261_127);
        told.push(format!(
            "| {executors} executors of {WORKERS} threads, a terabyte | model {:.2} M rows/s ({}), simulated {:.2} M rows/s, {} ranges \
             done again | |",
            1e-6 * bound.rows,
            bound.name,
            1e-6 * run.rows_a_second(),
            run.again
        ));
    }
    Ok(told)
}

/// Processor time of the program, and of the database, in seconds.
type Spent = (f64, f64);

fn costs() -> anyhow::Result<Costs> {
    let server = Postgres::start_with("fsync = on\nmax_wal_size = '8GB'\n");
    let folder = tempfile::tempdir()?;
    let mut alone: Vec<Spent> = Vec::new();
    let mut shared: Vec<Spent> = Vec::new();
    let (mut bytes, mut read) = (Vec::new(), f64::NAN);
    for rows in ROWS {
        let file = folder.path().join("people.csv");
        generate::people(&file, rows)?;
        bytes.push(std::fs::metadata(&file)?.len() as f64);
        read = reading(&file)? / rows as f64;
        alone.push(load(&server, folder.path(), &["--workers", "2"])?);
        shared.push(load(&server, folder.path(), &["--shards", "2"])?);
    }
    let more = (ROWS[1] - ROWS[0]) as f64;
    let slope = |of: &[Spent], which: fn(&Spent) -> f64| match of {
        [few, many] => (which(many) - which(few)) / more,
        _ => f64::NAN,
    };
    let executor = slope(&alone, |spent| spent.0);
    Ok(Costs {
        executor,
        database: slope(&alone, |spent| spent.1),
        read,
        // What several processes need more: lines are read and digested once more where they are cut.
        cut: slope(&shared, |spent| spent.0) - executor,
        bytes: match bytes[..] {
            [few, many] => (many - few) / more,
            _ => f64::NAN,
        },
    })
}

/// What it takes one thread to find where all chunks of the file end.
fn reading(file: &Path) -> anyhow::Result<f64> {
    let columns = Schema::new(vec![Field::new("id", DataType::Int64)]);
    let source = csv::Source::new(csv::Options::new(file), columns);
    let before = glovebox::thread_time()?;
    let mut chunks = source.chunks()?;
    while chunks.next_chunk()?.is_some() {}
    Ok((glovebox::thread_time()? - before).as_secs_f64())
}

/// One load of the file, and what it took.
fn load(postgres: &Postgres, folder: &Path, how: &[&str]) -> anyhow::Result<Spent> {
    let database = postgres.database("scale");
    let _ = postgres.query(&database, &format!("CREATE TABLE people ({TABLE})"));
    let sink = format!(
        "credentials: [env]\nsink: {{ postgres: {{ {}, table: public.people }} }}",
        postgres.place(&database)
    );
    let manifest = folder.join("people.yaml");
    std::fs::write(
        &manifest,
        MANIFEST.replace("sink: { csv: { path: out.csv } }", &sink),
    )?;
    let secrets = [("GLOVEBOX_SECRET_PASSWORD", postgres.password())];
    let before = (glovebox::processor_time()?, server(postgres.port())?);
    let _ = glovebox::run_with(&manifest, how, &secrets)?;
    let after = (glovebox::processor_time()?, server(postgres.port())?);
    Ok(((after.0 - before.0).as_secs_f64(), after.1 - before.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulation_comes_near_the_model_where_one_thing_is_scarce() {
        let costs = Costs {
            executor: 1e-6,
            database: 0.5e-6,
            read: 0.1e-6,
            cut: 0.2e-6,
            bytes: 100.0,
        };
        for executors in [1.0, 4.0, 64.0] {
            let bound = bottleneck(&costs, executors);
            let cluster = cluster(&costs, executors as usize, 2_000);
            let ratio = simulate(&cluster, 7).rows_a_second() / bound.rows;
            assert!((0.7..=1.05).contains(&ratio), "{executors}: {ratio}");
        }
    }

    #[test]
    fn the_bottleneck_moves_as_a_cluster_grows() {
        let costs = Costs {
            executor: 1e-6,
            database: 0.5e-6,
            read: 0.01e-6,
            cut: 0.02e-6,
            bytes: 100.0,
        };
        assert_eq!(bottleneck(&costs, 1.0).name, "executors");
        assert_eq!(bottleneck(&costs, 100.0).name, "database");
    }
}
