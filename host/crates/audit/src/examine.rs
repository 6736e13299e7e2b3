//! Checks whether a log could be opened, without changing anything.
//! It takes no lock, so it works while a server is running.

use crate::anchor;
use crate::checkpoint;
use crate::error::AuditError;
use crate::lines::Mend;
use crate::open::standing;
use crate::options::Options;

/// Whether [`crate::Log::open`] would take what is there.
///
/// # Errors
/// As it would, but for a lock that another process holds.
pub fn examine(options: &Options) -> Result<(), AuditError> {
    // Before the log: a writer may add to both meanwhile, and the log has to be the longer one.
    let last = match &options.checkpoints {
        Some(c) if c.folder.exists() => checkpoint::newest(&c.folder, &c.key, Mend::No)?,
        _ => None,
    };
    let last = last.map(|(statement, _)| statement);
    let (found, _) = standing(&options.folder, last.as_ref(), Mend::No)?;
    let Some(anchorage) = &options.anchorage else {
        return Ok(());
    };
    let checkpoints = options.checkpoints.as_ref().map(|_| last.as_ref());
    match anchor::check(&options.folder, found.as_ref(), checkpoints, anchorage)? {
        None => Ok(()),
        Some((_, problem)) => Err(AuditError::Behind {
            folder: options.folder.display().to_string(),
            problem,
        }),
    }
}
