//! Which process works on a run, as recorded in the journal, and whether it lives.

use std::fs;

use serde::{Deserialize, Serialize};

/// The longest host name that is kept and shown.
const MAX_HOST_NAME: usize = 64;

/// A process on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Runner {
    host: String,
    process: u32,
    /// When the process began, in the kernel's ticks: its number is given anew.
    began: u64,
    /// This start of the machine.
    boot: String,
    /// The space of process numbers: a container has one of its own.
    space: String,
}

/// Whether a process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    /// It does, if only asleep.
    Living,
    /// It does not.
    Dead,
    /// It is on another machine, or in another container.
    OutOfSight,
}

impl Runner {
    /// This process.
    pub(crate) fn this() -> Self {
        let process = std::process::id();
        let line = |path: &str| {
            fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        Runner {
            host: line("/proc/sys/kernel/hostname"),
            process,
            began: began(process).unwrap_or_default(),
            boot: line("/proc/sys/kernel/random/boot_id"),
            space: fs::read_link("/proc/self/ns/pid")
                .map(|space| space.display().to_string())
                .unwrap_or_default(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn from_json(json: Option<&str>) -> Self {
        json.and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default()
    }

    /// Whether it lives, as far as the kernel of this machine knows.
    pub(crate) fn life(&self) -> Life {
        let this = Runner::this();
        if self.boot.is_empty() || self.boot != this.boot {
            return match !self.host.is_empty() && self.host == this.host {
                // The machine was started anew since.
                true => Life::Dead,
                false => Life::OutOfSight,
            };
        }
        if self.space != this.space {
            return Life::OutOfSight;
        }
        match began(self.process) {
            Some(began) if began == self.began => Life::Living,
            _ => Life::Dead,
        }
    }
}

impl std::fmt::Display for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        let host: String = self
            .host
            .chars()
            .filter(plain)
            .take(MAX_HOST_NAME)
            .collect();
        match host.as_str() {
            "" => f.write_str("an unknown process"),
            host => write!(f, "process {} on host `{host}`", self.process),
        }
    }
}

/// When a process began; none if there is none, or it has ended and waits to be seen off.
fn began(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // Field 22 of proc(5); the state is field 3.
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_one_that_has_ended_does_not() {
        let this = Runner::this();
        assert_eq!(this.life(), Life::Living);
        assert_eq!(Runner::from_json(Some(&this.to_json())), this);
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let ran = Runner {
            process: child.id(),
            began: began(child.id()).unwrap(),
            ..this.clone()
        };
        assert_eq!(ran.life(), Life::Living);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(ran.life(), Life::Dead);
        // Its number may have been given to another since.
        let other = Runner {
            began: this.began + 1,
            ..this.clone()
        };
        assert_eq!(other.life(), Life::Dead);
    }

    #[test]
    fn what_cannot_be_seen_from_here_is_not_guessed() {
        let this = Runner::this();
        let elsewhere = Runner {
            host: "x".into(),
            boot: "y".into(),
            ..this.clone()
        };
        assert_eq!(elsewhere.life(), Life::OutOfSight);
        let contained = Runner {
            space: "pid:[1]".into(),
            ..this.clone()
        };
        assert_eq!(contained.life(), Life::OutOfSight);
        let rebooted = Runner {
            boot: "y".into(),
            ..this
        };
        assert_eq!(rebooted.life(), Life::Dead);
        assert_eq!(Runner::from_json(None).life(), Life::OutOfSight);
    }

    #[test]
    fn a_host_cannot_write_on_a_terminal() {
        let runner = Runner {
            host: "db\u{1b}[31m1".into(),
            process: 7,
            ..Runner::default()
        };
        assert_eq!(runner.to_string(), "process 7 on host `db31m1`");
    }
}
