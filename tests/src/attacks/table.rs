//! The table: every attack in a process of its own, judged by what must come of it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::act::{Seen, kind};
use super::{Attack, Due, has_canary};

/// What a guest may take beyond its own memory: what the host needs to hold its answer.
const BEYOND_MEMORY: u64 = 32 << 20;
/// Longer than any attack lasts, and all its batches.
const HANG: Duration = Duration::from_secs(120);

const LATE: &str = "it took longer than";
/// How often what is late and nothing else is run: other work on the machine can make it so, and
/// an attack that can is late each time.
const TRIES: usize = 5;

/// How exactly deadlines are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// To 50 ms: nothing else runs on the machine.
    Idle,
    /// To three times the deadline and a second: other work may run beside.
    Busy,
}

impl Patience {
    fn longest(self, deadline: Duration) -> Duration {
        match self {
            Patience::Idle => deadline + Duration::from_millis(50),
            Patience::Busy => deadline * 3 + Duration::from_secs(1),
        }
    }
}

/// One attack and what came of it.
#[derive(Debug, Clone)]
pub struct Line {
    /// The attack.
    pub attack: Attack,
    /// What its process saw.
    pub seen: Seen,
    /// Why it is not contained; nothing if it is.
    pub complaints: Vec<String>,
}

/// All attacks, judged.
#[derive(Debug)]
pub struct Table {
    /// In the list's order.
    pub lines: Vec<Line>,
}

impl Table {
    /// Runs all attacks by `program`, which is `glovebox-hostile`, so many at a time.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn run(program: &Path, patience: Patience, at_once: usize) -> Result<Table, String> {
        let attacks = super::all();
        let cache = cache(program);
        // A guest that cannot be compiled says so in its own line.
        let _ = child(program, &["warm", &cache.to_string_lossy()])?;
        let next = AtomicUsize::new(0);
        let lines = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| {
                    loop {
                        let place = next.fetch_add(1, Ordering::Relaxed);
                        let Some(attack) = attacks.get(place) else {
                            break;
                        };
                        let line = judged(program, &cache, place, attack, patience);
                        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                        lines.push((place, line));
                    }
                });
            }
        });
        let mut lines = lines.into_inner().unwrap_or_else(PoisonError::into_inner);
        lines.sort_by_key(|(place, _)| *place);
        Ok(Table {
            lines: lines.into_iter().map(|(_, line)| line).collect(),
        })
    }

    /// Whether every guest is contained.
    pub fn holds(&self) -> bool {
        self.lines.iter().all(|line| line.complaints.is_empty())
    }
}

/// Compiled guests, kept from run to run beside the program.
fn cache(program: &Path) -> PathBuf {
    let target = program.ancestors().nth(2).unwrap_or(Path::new("."));
    target.join("tmp/hostile-cache")
}

fn judged(program: &Path, cache: &Path, place: usize, attack: &Attack, patience: Patience) -> Line {
    let arguments = ["act", &cache.to_string_lossy(), &place.to_string()];
    let once = || match child(program, &arguments) {
        Ok(ended) => ended.judge(attack, patience),
        Err(problem) => (Seen::default(), vec![problem]),
    };
    let (mut seen, mut complaints) = once();
    for _ in 1..TRIES {
        if matches!(complaints.as_slice(), [late] if late.starts_with(LATE)) {
            (seen, complaints) = once();
        }
    }
    Line {
        attack: attack.clone(),
        seen,
        complaints,
    }
}

/// A process that has ended, or was ended.
struct Ended {
    hung: bool,
    code: Option<i32>,
    output: String,
    error: String,
}

fn child(program: &Path, arguments: &[&str]) -> Result<Ended, String> {
    let told = |e: std::io::Error| format!("{}: {e}", program.display());
    let folder = tempfile::tempdir().map_err(told)?;
    let (output, error) = (folder.path().join("output"), folder.path().join("error"));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(File::create(&output).map_err(told)?)
        .stderr(File::create(&error).map_err(told)?)
        .spawn()
        .map_err(told)?;
    let started = Instant::now();
    let mut hung = false;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(told)? {
            break status;
        }
        if started.elapsed() > HANG && !hung {
            hung = true;
            child.kill().map_err(told)?;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = |path: &Path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(Ended {
        hung,
        code: status.code(),
        output: text(&output),
        error: text(&error),
    })
}

impl Ended {
    fn judge(&self, attack: &Attack, patience: Patience) -> (Seen, Vec<String>) {
        let mut complaints = Vec::new();
        let mut complain = |what: String| complaints.push(what);
        // What a guest may have written is never repeated here.
        if has_canary(&self.output) || has_canary(&self.error) {
            complain("a cell is in what the process wrote".into());
        }
        if self.hung {
            complain(format!("it was still running after {} s", HANG.as_secs()));
        }
        let Some(seen) = read(&self.output).filter(|_| self.code == Some(0)) else {
            complain(match (self.code, has_canary(&self.error)) {
                (None, _) => "the host process was killed".into(),
                (Some(code), true) => format!("the host process ended with code {code}"),
                (Some(code), false) => {
                    format!(
                        "the host process ended with code {code}: {}",
                        self.error.trim()
                    )
                }
            });
            return (Seen::default(), complaints);
        };
        if let Some(due) = due(attack.due)
            && due != (&*seen.kind, &*seen.phase)
            && !(attack.due == Due::Harmless && seen.kind == "harmless")
        {
            complain(format!(
                "it was to end as {} in {}, and it was {} in {}: {}",
                due.0, due.1, seen.kind, seen.phase, seen.message
            ));
        }
        let longest = patience.longest(attack.limits.time) + attack.one_instruction();
        if u128::from(seen.micros) > longest.as_micros() {
            complain(format!("{LATE} {} ms", longest.as_millis()));
        }
        let own = if attack.flat {
            0
        } else {
            attack.limits.memory as u64
        };
        if seen.peak > own + BEYOND_MEMORY {
            complain(format!(
                "it took more than {} MiB",
                (own + BEYOND_MEMORY) >> 20
            ));
        }
        let named = seen.message.contains(attack.guest) && seen.message.contains(';');
        let told = matches!(&*seen.kind, "trap" | "time" | "memory" | "breach");
        if told && !named {
            complain(format!(
                "its message lacks name or remedy: {}",
                seen.message
            ));
        }
        if !seen.damage.is_empty() {
            complain(seen.damage.clone());
        }
        (seen, complaints)
    }
}

/// Kind and phase, if there is only one that is due.
fn due(due: Due) -> Option<(&'static str, &'static str)> {
    Some(match due {
        Due::Stopped(fault, phase) => (kind(fault), phase.name()),
        Due::Refused => ("refused", "load"),
        Due::Declined => ("declined", "open"),
        Due::Harmless => ("harmless", "apply"),
        Due::Anything => return None,
    })
}

/// Reads what [`Seen::to_json`] wrote.
fn read(text: &str) -> Option<Seen> {
    let value: Value = serde_json::from_str(text.trim()).ok()?;
    let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let number = |name: &str| value.get(name)?.as_u64();
    Some(Seen {
        phase: text("phase")?,
        kind: text("kind")?,
        faults: number("faults")?,
        micros: number("micros")?,
        peak: number("peak")?,
        message: text("message")?,
        damage: text("damage")?,
    })
}
