//! Who calls a command and why, for the audit log.

use std::path::Path;
use std::str::FromStr;

use glovebox_audit::{Event, Log, Options};
use glovebox_core::{InvalidSecretName, SecretName};

/// The longest reason, in bytes.
const MAX_REASON_LEN: usize = 200;

/// Why somebody is to see cells.
#[derive(Debug, Clone)]
pub(super) struct Reason(pub(super) String);

impl FromStr for Reason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = !text.trim().is_empty()
            && text.len() <= MAX_REASON_LEN
            && !text.chars().any(char::is_control);
        match fits {
            true => Ok(Reason(text.to_owned())),
            false => Err(format!(
                "write 1 to {MAX_REASON_LEN} bytes, without control characters"
            )),
        }
    }
}

/// Refuses without repeating what was typed, which may be the key itself.
pub(super) fn secret_name(name: &str) -> Result<SecretName, InvalidSecretName> {
    SecretName::parse(name)
}

/// Adds a record to the log in that folder; on the disk once this returns.
pub(super) fn record_in(folder: &Path, event: Event) -> anyhow::Result<()> {
    let log = Log::open(Options::new(folder))?;
    log.record_blocking(event)?;
    log.close()?;
    Ok(())
}

/// The system's user: the one who called cannot choose it.
pub(super) fn caller() -> String {
    format!("uid:{}", rustix::process::geteuid().as_raw())
}
