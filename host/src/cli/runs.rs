//! `glovebox runs`: which runs into a sink live, died, finished or were given up.
//!
//! Reads what the sink keeps of its runs and changes nothing; a file keeps no more than who writes
//! it now.

use std::path::PathBuf;

use chrono::DateTime;
use glovebox_core::shown::printable;
use glovebox_core::{Listed, RowCounts, RunState};
use glovebox_engine::arm;
use glovebox_files::Holder;
use serde_json::{Value, json};

use super::Exit;
use super::manifest::Text;
use super::table::Table;
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A pipeline's manifest; lists the runs of all pipelines into its sink.
    manifest: PathBuf,
    /// How many runs to show, latest first.
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    runs: u32,
    /// Print a JSON array.
    #[arg(long)]
    json: bool,
}

/// A line of the list.
struct Line {
    run: Option<String>,
    pipeline: Option<String>,
    state: &'static str,
    started: Option<String>,
    finished: Option<String>,
    by: String,
    rows: Option<RowCounts>,
}

pub(super) fn runs(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some(manifest) = text.manifest(&composed) else {
        return Ok(Exit::Usage);
    };
    let mut sink = match arm::sink(&manifest, &composed) {
        Ok(sink) => sink,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let kept = sink.runs(args.runs)?;
    let is_file = kept.is_none();
    let lines: Vec<Line> = match (kept, manifest.sink.target.path()) {
        (Some(runs), _) => runs.into_iter().map(Line::of).collect(),
        (None, Some(path)) => Holder::of(path)?.map(Line::of_file).into_iter().collect(),
        (None, None) => Vec::new(),
    };
    if args.json {
        let all: Vec<Value> = lines.iter().map(Line::json).collect();
        println!("{:#}", Value::from(all));
        return Ok(Exit::Done);
    }
    let place = sink.describe();
    match (lines.is_empty(), is_file) {
        (true, true) => println!("no run is writing {place}"),
        (true, false) => println!("{place} has no runs"),
        (false, _) => print!("{}", table(&lines)),
    }
    if is_file {
        println!("a file keeps no journal: see a run's `--report` for its outcome");
    }
    Ok(Exit::Done)
}

impl Line {
    fn of(listed: Listed) -> Line {
        let run = listed.run;
        Line {
            state: match (run.state, &run.living) {
                (RunState::Running, Some(_)) => "living",
                (RunState::Running, None) => "dead",
                (RunState::Finished, _) => "finished",
                (RunState::Abandoned, _) => "given up",
            },
            // Others may have written into the journal, and `--json` is read on terminals, too.
            run: Some(printable(&run.run)),
            pipeline: Some(printable(&run.pipeline)),
            started: Some(moment(&run.started)),
            finished: listed.finished.as_deref().map(moment),
            by: printable(&listed.runner),
            rows: Some(run.rows),
        }
    }

    fn of_file(holder: Holder) -> Line {
        let since = holder.since.and_then(|since| i64::try_from(since).ok());
        let since = since.and_then(|since| DateTime::from_timestamp(since, 0));
        Line {
            run: None,
            pipeline: None,
            state: if holder.lives() { "living" } else { "dead" },
            started: since.map(|since| since.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            finished: None,
            by: match holder.host {
                Some(host) => format!("process {} on host `{}`", holder.process, printable(&host)),
                None => format!("process {}", holder.process),
            },
            rows: None,
        }
    }

    fn json(&self) -> Value {
        let mut line = json!({
            "run": self.run,
            "pipeline": self.pipeline,
            "state": self.state,
            "started": self.started,
            "finished": self.finished,
            "by": self.by,
        });
        if let (Some(rows), Value::Object(line)) = (self.rows, &mut line) {
            line.insert("rows".into(), json!(rows));
        }
        line
    }
}

/// A time as databases keep it, in one spelling.
fn moment(kept: &str) -> String {
    printable(&kept.replacen(' ', "T", 1))
}

fn table(lines: &[Line]) -> Table {
    let head = [
        "run", "pipeline", "state", "started", "finished", "read", "stored", "filtered",
        "rejected", "by",
    ];
    let mut table = Table::new(head.map(str::to_owned));
    for line in lines {
        let text = |text: &Option<String>| Some(text.clone().unwrap_or_else(|| "-".into()));
        let count = |count: fn(RowCounts) -> u64| {
            Some(
                line.rows
                    .map_or_else(|| "-".into(), |rows| count(rows).to_string()),
            )
        };
        table.row(vec![
            text(&line.run),
            text(&line.pipeline),
            Some(line.state.into()),
            text(&line.started),
            text(&line.finished),
            count(|rows| rows.read),
            count(|rows| rows.stored),
            count(|rows| rows.filtered),
            count(|rows| rows.rejected),
            Some(line.by.clone()),
        ]);
    }
    table
}
