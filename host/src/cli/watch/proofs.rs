//! The proofs of a watcher's runs, a file each.

use std::path::{Path, PathBuf};

use anyhow::Context;
use glovebox_core::RunReport;
use glovebox_engine::{ArmedStep, Completed, Plan, Proving};
use glovebox_files::Staged;
use glovebox_manifest::Manifest;
use glovebox_watch::Version;

use super::folders::Folders;
use super::names::of_version;
use crate::cli::prove::Prover;

/// What proves runs, if the manifest asks for it, and where their proofs go, if they are asked for.
pub(super) struct Proofs {
    prover: Option<Prover>,
    folder: Option<PathBuf>,
}

impl Proofs {
    /// # Errors
    /// Why there can be no proofs, or not there.
    pub(super) fn new(
        prover: Option<Prover>,
        folder: Option<&Path>,
        watched: &Folders,
    ) -> Result<Self, String> {
        if let Some(folder) = folder {
            let place = folder.display();
            if prover.is_none() {
                return Err(
                    "`--proofs` needs a key that signs: write `proof: { key: NAME }` in the manifest, and make it with: \
                     glovebox proof key NAME"
                        .into(),
                );
            }
            let found = folder
                .canonicalize()
                .map_err(|problem| format!("`--proofs {place}`: {problem}"))?;
            if !found.is_dir() {
                return Err(format!("`--proofs {place}` is not a folder"));
            }
            let mut watched = watched.watched().into_iter();
            if watched.any(|watched| watched.canonicalize().is_ok_and(|w| w == found)) {
                return Err(format!(
                    "`--proofs {place}` is watched, so that proofs would be run as input; name another folder"
                ));
            }
        }
        Ok(Proofs {
            prover,
            folder: folder.map(Path::to_owned),
        })
    }

    /// How runs are proven.
    pub(super) fn proving(&self) -> Option<Proving<'_>> {
        let wanted = self.folder.is_some();
        self.prover.as_ref().map(|prover| prover.proving(wanted))
    }

    /// Where the proof of this version of a file goes.
    fn place(&self, name: &str, version: &Version) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        Some(of_version(&folder.join("proof.json"), name, version))
    }

    /// Whether there should be one, and is not: a watcher was killed between the rows and their proof.
    pub(super) fn misses(&self, name: &str, version: &Version) -> bool {
        let place = self.place(name, version);
        place.is_some_and(|place| !place.exists())
    }

    /// The proof of a run that published something, if it is asked for.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn pack(
        &self,
        completed: &Completed,
        manifest: &Manifest,
        of: (&Plan, &[ArmedStep<'_>]),
    ) -> anyhow::Result<Option<String>> {
        match self.prover.as_ref().filter(|_| self.folder.is_some()) {
            Some(prover) => prover.pack(completed, manifest, of, None),
            None => Ok(None),
        }
    }

    /// Writes a proof under its name, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, pack: &str, name: &str, version: &Version) -> anyhow::Result<()> {
        let Some(place) = self.place(name, version) else {
            return Ok(());
        };
        // Another watcher that has the run too writes the same.
        let written = Staged::succeed(&place).and_then(|mut staged| {
            staged.write(pack.as_bytes())?;
            staged.publish()
        });
        written.with_context(|| format!("cannot write the proof to {}", place.display()))
    }
}

/// A run's report, and its proof if there is one.
pub(super) type Proven = (RunReport, anyhow::Result<Option<String>>);
