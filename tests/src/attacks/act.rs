//! One attack in a process of its own: the peak of its memory can only be measured there.

use std::path::Path;
use std::time::{Duration, Instant};

use glovebox_core::{Batch, FaultKind, Instance, Limits, Plugin, PluginError};
use glovebox_sandbox::Sandbox;

use super::attack::Phase;
use super::{Attack, component, room};

/// What came of an attack, in the words of the process that it was run in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where it ended.
    pub phase: String,
    /// `trap`, `time`, `memory`, `breach`, `refused`, `declined` or `harmless`.
    pub kind: String,
    /// How many batches ended in a fault.
    pub faults: u64,
    /// The longest of its calls, in microseconds.
    pub micros: u64,
    /// The peak of the process's memory over what it held before, in bytes.
    pub peak: u64,
    /// What the host said of it.
    pub message: String,
    /// What was not as it has to be beside the guest; empty if nothing.
    pub damage: String,
}

impl Seen {
    /// On one line.
    pub fn to_json(&self) -> String {
        serde_json::json!({
            "phase": self.phase,
            "kind": self.kind,
            "faults": self.faults,
            "micros": self.micros,
            "peak": self.peak,
            "message": self.message,
            "damage": self.damage,
        })
        .to_string()
    }
}

/// Compiles a guest into the cache, so that what is measured later is its act.
///
/// # Errors
/// When the sandbox does not start or the guest's file is not there.
pub fn warm(attack: &Attack, cache: &Path) -> Result<(), String> {
    let bytes = component::bytes(attack)?;
    // Whether it can be loaded is for its line of the table to say.
    let _ = sandbox(cache)?.load(attack.guest, &bytes, &attack.limits);
    Ok(())
}

/// Runs one attack, and what stands beside it before and after.
///
/// # Errors
/// When the honest guest fails, or the machine does not tell what memory the process has.
pub fn act(attack: &Attack, cache: &Path) -> Result<Seen, String> {
    let sandbox = sandbox(cache)?;
    let clean = room::batch(false)?;
    let honest = component::honest()?;
    let mut neighbour = open_honest(&sandbox, &honest)?;
    let before = answer(neighbour.as_mut(), &clean)?;
    let bytes = component::bytes(attack)?;

    let base = Memory::reset()?;
    let mut seen = run(&sandbox, attack, &bytes, &clean)?;
    seen.peak = Memory::peak()?.saturating_sub(base);

    let mut fresh = open_honest(&sandbox, &honest)?;
    for after in [neighbour.as_mut(), fresh.as_mut()] {
        if answer(after, &clean)? != before {
            seen.damage = "an honest plugin beside it answered otherwise".into();
        }
    }
    Ok(seen)
}

fn sandbox(cache: &Path) -> Result<Sandbox, String> {
    Sandbox::new(Some(cache.to_owned())).map_err(|e| e.to_string())
}

fn open_honest(sandbox: &Sandbox, bytes: &[u8]) -> Result<Box<dyn Instance>, String> {
    let honest = super::attack("is_honest", "", super::Due::Harmless);
    sandbox
        .load("is_honest", bytes, &Limits::default())
        .and_then(|plugin| plugin.open("{}", &room::grants(&honest)))
        .map_err(|e| format!("the honest guest: {e}"))
}

fn answer(instance: &mut dyn Instance, batch: &Batch) -> Result<String, String> {
    let answer = instance
        .apply(batch)
        .map_err(|e| format!("the honest guest: {e}"))?;
    Ok(format!("{answer:?}"))
}

fn run(sandbox: &Sandbox, attack: &Attack, bytes: &[u8], clean: &Batch) -> Result<Seen, String> {
    let config = match attack.act {
        "" => "{}".to_owned(),
        act => format!("{{\"act\":\"{act}\"}}"),
    };
    let grants = room::grants(attack);
    let (loaded, time) = timed(|| sandbox.load(attack.guest, bytes, &attack.limits));
    let plugin = match loaded {
        Ok(plugin) => plugin,
        Err(error) => return Ok(ended(Phase::Load, &error, time)),
    };
    let (opened, time) = timed(|| plugin.open(&config, &grants));
    let mut instance = match opened {
        Ok(instance) => instance,
        Err(error) => return Ok(ended(Phase::Open, &error, time)),
    };
    let mut seen = Seen {
        kind: "harmless".into(),
        phase: Phase::Apply.name().into(),
        ..Seen::default()
    };
    let honest = match attack.poison {
        true => match instance.apply(clean) {
            Ok(answer) => Some(format!("{answer:?}")),
            Err(fault) => {
                let error = PluginError::Fault(fault);
                return Ok(ended(Phase::Apply, &error, Duration::ZERO));
            }
        },
        false => None,
    };
    let batch = room::batch(attack.poison)?;
    for _ in 0..attack.batches {
        let (answer, time) = timed(|| instance.apply(&batch));
        match answer {
            Ok(answer) => found(&mut seen, instance.as_ref(), &format!("{answer:?}"), time),
            Err(fault) => {
                let before = seen;
                seen = ended(Phase::Apply, &PluginError::Fault(fault), time);
                seen.micros = seen.micros.max(before.micros);
                seen.faults = before.faults + 1;
            }
        }
    }
    if let Some(honest) = &honest {
        recovers(
            &mut seen,
            plugin.as_ref(),
            &mut instance,
            (&config, attack),
            honest,
        )?;
    }
    let (_, time) = timed(|| drop(instance));
    if seen.kind == "harmless" && micros(time) > seen.micros {
        seen.phase = Phase::Drop.name().into();
        seen.micros = micros(time);
    }
    Ok(seen)
}

/// Takes note of an answer. A rule that is found broken says what was not as it has to be.
fn found(seen: &mut Seen, instance: &dyn Instance, answer: &str, time: Duration) {
    seen.micros = seen.micros.max(micros(time));
    let doors = format!("{:?}", instance.announced());
    if doors.contains("stands open") && answer.contains("Finding {") {
        seen.damage = format!("a door stands open: {answer} of {doors}");
    }
}

/// A guest that was honest at first must be so again, in its place and in a fresh one.
fn recovers(
    seen: &mut Seen,
    plugin: &dyn Plugin,
    instance: &mut Box<dyn Instance>,
    (config, attack): (&str, &Attack),
    honest: &str,
) -> Result<(), String> {
    let clean = room::batch(false)?;
    let mut fresh = plugin
        .open(config, &room::grants(attack))
        .map_err(|e| format!("a fresh instance: {e}"))?;
    for after in [instance, &mut fresh] {
        match after.apply(&clean) {
            Ok(answer) if format!("{answer:?}") == honest => {}
            Ok(_) => seen.damage = "what followed was answered otherwise".into(),
            Err(fault) => seen.damage = format!("what followed failed: {fault}"),
        }
    }
    Ok(())
}

fn ended(phase: Phase, error: &PluginError, time: Duration) -> Seen {
    let kind = match error {
        PluginError::Refused { .. } => "refused",
        PluginError::Config { .. } => "declined",
        PluginError::Fault(fault) => kind(fault.kind),
    };
    Seen {
        phase: phase.name().into(),
        kind: kind.into(),
        micros: micros(time),
        // What a log would have of it, too.
        message: format!("{error} {error:?}"),
        ..Seen::default()
    }
}

pub(super) fn kind(kind: FaultKind) -> &'static str {
    kind.rule().trim_start_matches("plugin-")
}

fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let done = act();
    (done, started.elapsed())
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// What Linux tells of this process's resident memory.
struct Memory;

impl Memory {
    /// Forgets the peak so far; returns what is held now, in bytes.
    fn reset() -> Result<u64, String> {
        std::fs::write("/proc/self/clear_refs", "5")
            .map_err(|e| format!("/proc/self/clear_refs: {e}"))?;
        Memory::line("VmRSS:")
    }

    fn peak() -> Result<u64, String> {
        Memory::line("VmHWM:")
    }

    fn line(name: &str) -> Result<u64, String> {
        let status = std::fs::read_to_string("/proc/self/status")
            .map_err(|e| format!("/proc/self/status: {e}"))?;
        let kib = status.lines().find_map(|line| {
            let value = line.strip_prefix(name)?;
            value.trim().trim_end_matches(" kB").parse::<u64>().ok()
        });
        kib.map(|kib| kib << 10)
            .ok_or_else(|| format!("/proc/self/status has no {name}"))
    }
}
