//! `glovebox shard`: a process that `glovebox run --shards` starts. It joins the run, works on the ranges that it is
//! told on standard input, and ends with that.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use glovebox_engine::{Continuing, Joining, Member, Range, Start};

use super::lines::{Asked, Said, line};
use crate::cli::manifest::Text;
use crate::cli::run::{armed, as_begun};
use crate::cli::{Exit, supervised};
use crate::compose::Composed;

/// How often it says that it lives.
const ALIVE: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The pipeline's manifest.
    manifest: PathBuf,
    /// The number of worker threads.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Read this file instead of the one in the manifest.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Refuse plugin files without a pin.
    #[arg(long)]
    locked: bool,
}

pub(in crate::cli) fn shard(args: &Args) -> anyhow::Result<Exit> {
    let told = Told::default();
    told.live().context("cannot start a thread")?;
    let ended = work(args, &told);
    match &ended {
        Ok(Exit::Done) => {}
        Ok(_) => told.say(&Said::Failed(
            "a process could not read the manifest as this one did; it says why above".into(),
        )),
        Err(problem) => told.say(&Said::Failed(format!("{problem:#}"))),
    }
    // It was said to the one that asked, which says it.
    ended.or(Ok(Exit::Failed))
}

/// What this process says, and from where two of its threads have it.
#[derive(Default)]
struct Told(Arc<State>);

#[derive(Default)]
struct State {
    rows: AtomicU64,
    bytes: AtomicU64,
    /// Whether it works on a range.
    is_busy: AtomicBool,
}

impl Told {
    fn say(&self, said: &Said) {
        say_line(said);
    }

    /// Says all the time that this process lives, also while it waits for a database.
    fn live(&self) -> std::io::Result<()> {
        let state = Arc::clone(&self.0);
        let lives = thread::Builder::new().name("alive".into());
        let lives = lives.spawn(move || {
            loop {
                say_line(&Said::Alive {
                    rows: state.rows.load(Ordering::Relaxed),
                    bytes: state.bytes.load(Ordering::Relaxed),
                });
                thread::sleep(ALIVE);
            }
        });
        lives.map(drop)
    }
}

fn say_line(said: &Said) {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(line(said).as_bytes());
    if written.and_then(|()| output.flush()).is_err() {
        // Nobody listens any more.
        std::process::exit(1);
    }
}

/// What is asked on standard input: which run to join, and its ranges as they come.
fn asked(state: Arc<State>) -> anyhow::Result<(Joining, Receiver<Range>)> {
    // What is read ahead stays with standard input, which is listened to below.
    let first = std::io::stdin().lines().next();
    let first = first.context("standard input has no first line")??;
    let Asked::Join(joining) = serde_json::from_str(&first)? else {
        anyhow::bail!("standard input does not begin with a run to join");
    };
    let (hand_on, ranges) = sync_channel(0);
    thread::Builder::new().name("asked".into()).spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let Ok(Asked::Work(range)) = serde_json::from_str(&line) else {
                break;
            };
            state.is_busy.store(true, Ordering::Relaxed);
            if hand_on.send(*range).is_err() {
                return;
            }
        }
        // Who began the run has ended, or does not need this process any more.
        if state.is_busy.load(Ordering::Relaxed) {
            std::process::exit(1);
        }
    })?;
    Ok((joining, ranges))
}

fn work(args: &Args, told: &Told) -> anyhow::Result<Exit> {
    let (joining, ranges) = asked(Arc::clone(&told.0))?;
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some((mut manifest, plan)) = text.plan_locked(&composed, args.locked) else {
        return Ok(Exit::Usage);
    };
    if let Some(input) = &args.input {
        supervised::read_instead(&mut manifest, input.clone()).map_err(anyhow::Error::msg)?;
    }
    let continuing = Continuing {
        name: &manifest.name,
        part: None,
        start: Start::Resume,
        request: None,
    };
    let ready = armed(&manifest, &plan, None, &composed)
        .and_then(|armed| as_begun(armed, (&manifest, &plan), &composed, continuing, &|_| {}));
    let (steps, source, mut sink, recipients) = match ready {
        Ok(ready) => ready,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let member = Member {
        name: &manifest.name,
        plan: &plan,
        steps: &steps,
        source: source.as_ref(),
        sink: sink.as_mut(),
        recipients: recipients.filter(|_| manifest.rejects.sealed.is_some()),
        workers: usize::from(args.workers),
    };
    let mut membership = member.join(joining)?;
    told.say(&Said::Joined);
    let never = AtomicBool::new(false);
    for range in ranges {
        told.0.rows.store(0, Ordering::Relaxed);
        membership.work(&range, &never, &mut |progress| {
            let bytes = progress.bytes.saturating_sub(range.position);
            told.0.rows.store(progress.rows, Ordering::Relaxed);
            told.0.bytes.store(bytes, Ordering::Relaxed);
        })?;
        told.0.is_busy.store(false, Ordering::Relaxed);
        told.say(&Said::Done {
            rows: told.0.rows.swap(0, Ordering::Relaxed),
            absent: source
                .absent()
                .iter()
                .map(|name| name.to_string())
                .collect(),
        });
    }
    Ok(Exit::Done)
}
