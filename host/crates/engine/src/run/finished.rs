//! A run that is to be gone on with, and has finished: what it left is told again.

use glovebox_core::{Earlier, Rerun, Secret};

use super::rejected::publish;
use super::{Completed, Run};
use crate::error::RunError;
use crate::parts::Parts;
use crate::rejects::RejectsFile;

impl Run<'_> {
    /// Writes its rejects once more, and returns its report, and its proof if one is asked for.
    pub(super) fn as_it_was(
        &mut self,
        earlier: &Earlier,
        (key, rerun): (Option<Secret>, Option<Rerun>),
        parts: &Parts,
    ) -> Result<Completed, RunError> {
        let claimed = self.claim(true)?;
        let mut sealed = self.seal(&earlier.run, claimed, key)?;
        let mut rejects = RejectsFile::create(self.rejects, true)?;
        self.rejects_from_journal(&earlier.run, &mut rejects, sealed.as_mut())?;
        self.of_this_manifest(parts, earlier)?;
        let mut ledger = self.ledger(&earlier.run, rerun);
        ledger.resume(&self.sink.chunks(&earlier.run)?);
        publish(rejects, sealed, &mut ledger)?;
        let input = earlier.whole.unwrap_or_default();
        let evidence = self.evidence(&earlier.run, &earlier.plan, input, Vec::new())?;
        Ok(Completed {
            report: ledger.finished(earlier),
            evidence,
        })
    }
}
