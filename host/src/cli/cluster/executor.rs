//! `glovebox cluster executor`: which pipelines an executor has, and how much it does at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use glovebox_cluster::{Certificates, Executor, Url};

use super::lanes::Lanes;
use super::runtime;
use crate::cli::asked_to_stop::asked_to_stop;
use crate::cli::manifest::Text;
use crate::cli::run::cores;
use crate::cli::shards::Shard;
use crate::cli::{Exit, say};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Manifests of the pipelines whose runs are worked on: the same files as where runs begin.
    #[arg(required = true)]
    manifests: Vec<PathBuf>,
    /// The scheduler's URL, such as https://scheduler:50050.
    #[arg(long, value_name = "URL")]
    scheduler: Url,
    /// A folder with `ca.crt`, `tls.crt` and `tls.key`.
    #[arg(long, value_name = "DIR")]
    certificates: PathBuf,
    /// Ranges that are worked on at a time, each by a process.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    slots: u16,
    /// The number of worker threads of each process; by default the cores, divided by the slots.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
}

pub(super) fn executor(args: &Args) -> anyhow::Result<Exit> {
    let slots = usize::from(args.slots);
    let workers = args.workers.map_or((cores() / slots).max(1), usize::from);
    let Some(shards) = pipelines(args, workers)? else {
        return Ok(Exit::Usage);
    };
    let executor = Executor {
        scheduler: args.scheduler.clone(),
        certificates: Certificates::read(&args.certificates)?,
        slots,
        work: Arc::new(Lanes::new(slots, shards)?),
    };
    say::note(&format!(
        "asks {} for ranges, and works on {slots} at a time with {workers} threads each",
        args.scheduler
    ));
    runtime()?.block_on(async {
        let stop = asked_to_stop()?;
        executor.run(say::note, stop).await?;
        Ok(Exit::Done)
    })
}

/// The manifests by the names of their pipelines, or none after a problem was shown. They are planned again for each run,
/// so that a manifest may be changed without a restart.
fn pipelines(args: &Args, workers: usize) -> anyhow::Result<Option<BTreeMap<String, Shard>>> {
    let composed = Composed::new()?;
    let mut pipelines = BTreeMap::new();
    for path in &args.manifests {
        let Some(text) = Text::read(path) else {
            return Ok(None);
        };
        let Some((manifest, _)) = text.plan_locked(&composed, args.locked) else {
            return Ok(None);
        };
        let shard = Shard {
            workers,
            manifest: path.clone(),
            input: None,
            locked: args.locked,
        };
        if pipelines
            .insert(manifest.name.value.clone(), shard)
            .is_some()
        {
            say::error(&format!(
                "{} is a second manifest of the pipeline `{}`",
                path.display(),
                manifest.name.value
            ));
            return Ok(None);
        }
    }
    Ok(Some(pipelines))
}
