//! `glovebox plugin bench`: nanoseconds per row for several batch sizes, as a chart.
//! It measures a single plugin.

use std::io::IsTerminal;

use glovebox_conformance::pace;
use glovebox_conformance::specimen::{self, Wanted};
use glovebox_sandbox::GuestOutput;
use serde_json::json;

use super::super::Exit;
use super::subject::{self, Subject};

/// Characters of the widest bar.
const WIDTH: usize = 40;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component, or a standard plugin's name.
    plugin: String,
    #[command(flatten)]
    wanted: Wanted,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    room: subject::Room,
}

pub(super) fn bench(args: &Args) -> anyhow::Result<Exit> {
    let Some(plugin) = Subject::read(&args.plugin, &args.room)?.load() else {
        return Ok(Exit::Failed);
    };
    let setting = match subject::setting(&plugin, &args.wanted) {
        Ok(setting) => setting,
        Err(exit) => return Ok(exit),
    };
    let words = GuestOutput::default();
    let mut sitting = match plugin.open(&setting.config, &setting.grants, &words) {
        Ok(sitting) => sitting,
        Err(error) => {
            subject::show(&error, &words);
            return Ok(Exit::Failed);
        }
    };
    let paces = pace::measure(&mut sitting, &setting.grants.fields)?;
    let columns = specimen::spelled(&setting.grants.fields);
    let about = plugin.about();
    if args.json {
        let sizes: Vec<_> = paces
            .iter()
            .map(|p| json!({ "rows": p.rows, "nanoseconds-a-row": p.nanos_a_row(), "microseconds-a-call": p.call.as_secs_f64() * 1e6 }))
            .collect();
        let config: serde_json::Value = serde_json::from_str(&setting.config).unwrap_or_default();
        println!(
            "{:#}",
            json!({ "name": about.name, "version": about.version, "with": config, "columns": columns, "sizes": sizes })
        );
        return Ok(Exit::Done);
    }
    println!(
        "{} {} with {} on {columns}",
        about.name, about.version, setting.config
    );
    println!("ns per row, bars on a logarithmic scale\n");
    let plain = !std::io::stdout().is_terminal();
    let widest = paces
        .iter()
        .map(|p| scale(p.nanos_a_row()))
        .fold(1.0, f64::max);
    for pace in &paces {
        let nanos = pace.nanos_a_row();
        let bar = pace::bar(scale(nanos) / widest, WIDTH, plain);
        println!("{:>6} rows per call {nanos:>12.1}  {bar}", pace.rows);
    }
    Ok(Exit::Done)
}

/// From one row a call to 65,536 the cost falls by thousands, so a plain scale would show one bar.
fn scale(nanos: f64) -> f64 {
    (1.0 + nanos).log10()
}
