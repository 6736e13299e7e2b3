//! `cargo xtask bench`: what the docs claim, measured on this machine, as a table to paste.

mod crossing;
mod csv;
mod generate;
mod glovebox;
mod growth;
mod guard;
mod load;
mod masks;
mod methods;
mod pbkdf2;
mod peers;
mod plot;
mod sandbox;
mod scale;
mod serve;
mod startup;
mod timed;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask bench [WHAT ...]     crossing, csv, guard, pbkdf2 and startup by default

  crossing   one masked text column: in the sandbox against the same code native
  sandbox    what the sandbox costs whole runs: standard plugins sandboxed and native, and runs with them
  csv        2 million rows, CSV to CSV: validate, mask; rows a second and memory
  csv-20m    the same with 20 million rows (1.5 GB of free disk twice)
  pbkdf2     distinct values: the `pbkdf2` crate's stream against lanes, one core and all
  methods    masks that can be undone or keep their form, one core: by us and by Python
  masks      the job of `csv` with each masker: rows a second and memory
  tokens     2 million cells as tokens into PostgreSQL over TLS: new ones, and known ones
  growth     time and memory by rows, columns, files, steps, rejects, values, workers; draws
             growth.svg beside the program (16 GB of free disk)
  guard      the leak guard by itself, and what the job of `csv` loses to it
  startup    `glovebox run` on six rows, warm cache
  serve      `glovebox serve`: time until it is ready, memory when idle
  peers-csv  the job of `csv` by polars, DuckDB and pandas too, by turns
  peers-formats  the same rows from and into CSV, JSON lines and Parquet, by polars and DuckDB too
  peers-pg   2 million rows into PostgreSQL over TLS: `psql \\copy`, pandas, psycopg2, us
  modes-pg   2 million rows into PostgreSQL over TLS: `append`, `replace`, `upsert`, and by hand
  shards     2 million rows into PostgreSQL over TLS by one process, by two, and by two executors if the
             program has clusters
  scale      what a cluster of 1 to 1,000 executors would load into PostgreSQL: constants measured on this
             machine, a model, a simulation
  peers-api  a page of 100 rows over HTTP by FastAPI and by `glovebox serve`
  peers      all four
";

fn main() -> ExitCode {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|w| w == "--help" || w == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    if wanted.is_empty() {
        wanted = ["crossing", "csv", "guard", "pbkdf2", "startup"]
            .map(str::to_owned)
            .into();
    }
    if let Some(place) = wanted.iter().position(|w| w == "peers") {
        wanted.splice(
            place..=place,
            ["peers-csv", "peers-formats", "peers-pg", "peers-api"].map(str::to_owned),
        );
    }
    println!("{}\n", machine());
    println!("| measure | figure | goal |\n|---|---|---|");
    for what in &wanted {
        let measured = match what.as_str() {
            "crossing" => crossing::measure(),
            "sandbox" => sandbox::measure(),
            "csv" => csv::measure(2_000_000),
            "csv-20m" => csv::measure(20_000_000),
            "pbkdf2" => pbkdf2::measure(),
            "methods" => methods::measure(),
            "masks" => masks::files(),
            "tokens" => masks::tokens(),
            "growth" => growth::measure(),
            "guard" => guard::measure(),
            "startup" => startup::measure(),
            "serve" => serve::measure(),
            "peers-csv" => peers::csv(),
            "peers-formats" => peers::formats(),
            "peers-pg" => peers::postgres(),
            "modes-pg" => peers::modes(),
            "shards" => peers::shards(),
            "scale" => scale::measure(),
            "peers-api" => peers::api(),
            _ => {
                eprint!("unknown measure `{what}`\n{HELP}");
                return ExitCode::from(2);
            }
        };
        match measured {
            Ok(rows) => rows.iter().for_each(|row| println!("{row}")),
            Err(error) => {
                eprintln!("{what}: {error:#}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|info| {
            let line = info.lines().find(|l| l.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| "unknown processor".into());
    format!("{cores} cores of {model}, {}", std::env::consts::OS)
}

/// The middle of an odd number of measurements.
fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}
