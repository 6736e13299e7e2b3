//! The files of a run's rejects: claimed, begun, filled from the journal, published.

use std::sync::Arc;

use glovebox_core::Secret;
use glovebox_files::Staged;

use super::Run;
use crate::error::RunError;
use crate::rejects::{RejectsFile, claim};
use crate::report::Ledger;
use crate::sealed::{RowSealer, SealedWriter, secret_of};

impl Run<'_> {
    /// An earlier process of the run took its rejects with it; the sink's journal has them all.
    pub(super) fn rejects_from_journal(
        &mut self,
        run: &str,
        rejects: &mut RejectsFile,
        sealed: Option<&mut SealedWriter>,
    ) -> Result<(), RunError> {
        rejects.clear()?;
        let mut written = Ok(());
        self.sink.rejects(run, &mut |kept| {
            if written.is_ok() {
                written = rejects.write_kept(&kept);
            }
        })?;
        written?;
        rejects.sync()?;
        let Some(sealed) = sealed else {
            return Ok(());
        };
        sealed.clear()?;
        let mut written = Ok(());
        self.sink.sealed(run, &mut |block| {
            if written.is_ok() {
                written = sealed.write(&block);
            }
        })?;
        written?;
        sealed.sync()
    }

    /// Claims the place of the sealed file, if there is to be one.
    pub(super) fn claim(&self, resumes: bool) -> Result<Option<Staged>, RunError> {
        let path = self.sealed.as_ref().map(|to| to.path);
        path.map(|path| claim(path, resumes)).transpose()
    }

    /// Begins the sealed file of a run in the place that was claimed.
    pub(super) fn seal(
        &self,
        run: &str,
        claimed: Option<Staged>,
        journal: Option<Secret>,
    ) -> Result<Option<SealedWriter>, RunError> {
        let Some((to, staged)) = self.sealed.as_ref().zip(claimed) else {
            return Ok(None);
        };
        let secret = secret_of(run, journal.as_ref()).map_err(RunError::Random)?;
        let recipients = Arc::clone(&to.recipients);
        let sealer = RowSealer::new(recipients, self.name, run, secret.expose());
        SealedWriter::begin(to.path, staged, sealer, secret).map(Some)
    }
}

/// Puts both files of rejects in their places.
pub(super) fn publish(
    rejects: RejectsFile,
    sealed: Option<SealedWriter>,
    ledger: &mut Ledger,
) -> Result<(), RunError> {
    rejects.publish()?;
    if let Some(sealed) = sealed {
        ledger.sealed(sealed.publish()?);
    }
    Ok(())
}
