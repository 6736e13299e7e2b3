//! What a run is proven by, and the key of its digests.

use glovebox_core::{Earlier, History, Mark, PlanIdentity, WrittenFile};

use super::Run;
use crate::error::RunError;
use crate::evidence::{Evidence, StoredChunk};
use crate::identity::Key;
use crate::parts::Parts;

impl Run<'_> {
    /// What the run is proven by, of which its journal has the chunks.
    pub(super) fn evidence(
        &mut self,
        run: &str,
        plan: &PlanIdentity,
        input: Mark,
        files: Vec<WrittenFile>,
    ) -> Result<Option<Evidence>, RunError> {
        if !self.proof.is_some_and(|proof| proof.wanted) {
            return Ok(None);
        }
        let chunks = match files.is_empty() {
            true => Some(self.sink.chunks(run)?),
            false => None,
        };
        Ok(Some(Evidence {
            plan: plan.digest.clone(),
            input,
            chunks: chunks.map(|chunks| chunks.into_iter().map(StoredChunk::from).collect()),
            files,
        }))
    }

    /// A proof names the manifest, and so the run has to have had this very one.
    pub(super) fn of_this_manifest(
        &self,
        parts: &Parts,
        earlier: &Earlier,
    ) -> Result<(), RunError> {
        match self.proof.is_some_and(|proof| proof.wanted) && !parts.same_manifest(&earlier.parts) {
            true => Err(RunError::OtherManifest {
                run: earlier.run.clone(),
            }),
            false => Ok(()),
        }
    }

    /// The key of the journal that was looked into. Without a journal, lines are counted and not read, unless the
    /// run is to be proven.
    pub(super) fn key_of(&self, history: Option<&History>) -> Key {
        let secret = match history {
            Some(history) => history.key.as_ref(),
            None => self
                .proof
                .filter(|proof| proof.wanted)
                .map(|proof| proof.key),
        };
        secret.map_or_else(Key::none, Key::new)
    }
}
