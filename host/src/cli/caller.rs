//! Who calls a command, for the audit log.

use std::os::unix::fs::MetadataExt;

/// The system's user: the one who called cannot choose it.
pub(super) fn caller() -> String {
    match std::fs::metadata("/proc/self") {
        Ok(process) => format!("uid:{}", process.uid()),
        Err(_) => "uid:unknown".into(),
    }
}
