//! Shared by the commands for authors: a component from a path or a name, on a workbench.

use std::time::Duration;

use glovebox_conformance::fault;
use glovebox_conformance::specimen::{self, NoSetting, Setting, Wanted};
use glovebox_core::{Limits, PluginError};
use glovebox_sandbox::{GuestOutput, Watched, Workbench};

use super::super::Exit;
use crate::compose;

/// What bounds the plugin here, as `limits:` does in a manifest.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Room {
    /// The time limit of one call, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=600))]
    time: u16,
    /// The memory limit of an instance, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    memory: u16,
}

impl Room {
    fn limits(&self) -> Limits {
        Limits {
            time: Duration::from_secs(self.time.into()),
            memory: usize::from(self.memory) << 20,
            ..Limits::default()
        }
    }
}

/// A component's bytes and what messages call it.
pub(super) struct Subject {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) workbench: Workbench,
    limits: Limits,
}

impl Subject {
    pub(super) fn read(name: &str, room: &Room) -> anyhow::Result<Self> {
        Ok(Subject {
            bytes: compose::plugin_bytes(name)?,
            name: name.to_owned(),
            workbench: compose::workbench()?,
            limits: room.limits(),
        })
    }

    /// Loads it, or says why it cannot be.
    pub(super) fn load(&self) -> Option<Watched> {
        let words = GuestOutput::default();
        self.workbench
            .load(&self.name, &self.bytes, &self.limits, &words)
            .map_err(|error| show(&error, &words))
            .ok()
    }
}

/// Says on standard error what is wrong, where, and what the guest wrote.
pub(super) fn show(error: &PluginError, words: &GuestOutput) {
    eprintln!("error: {}", error.in_full());
    for line in fault::backtrace(&words.take_frames()) {
        eprintln!("  {line}");
    }
    for line in fault::words(words) {
        eprintln!("  {line}");
    }
}

/// How it is opened, or how the call ends after it was said why it cannot be.
pub(super) fn setting(plugin: &Watched, wanted: &Wanted) -> Result<Setting, Exit> {
    let words = GuestOutput::default();
    match specimen::setting(plugin, wanted, &words) {
        Ok(setting) => Ok(setting),
        Err(NoSetting::Call(problem)) => {
            eprintln!("error: {problem}");
            Err(Exit::Usage)
        }
        Err(NoSetting::Fault(error)) => {
            show(&error, &words);
            Err(Exit::Failed)
        }
        Err(NoSetting::Refused(said)) => {
            eprintln!("error: no configuration and columns were found that it accepts");
            for said in said {
                eprintln!("  it says {said}");
            }
            eprintln!(
                "  pass what it accepts, like: --with '{{ OPTION: VALUE }}' --columns \
                name:text,price:decimal(12,2){}",
                match plugin.world() {
                    glovebox_core::World::Transformer => " --adds id:text",
                    glovebox_core::World::Validator | glovebox_core::World::Masker => "",
                }
            );
            Err(Exit::Usage)
        }
    }
}
