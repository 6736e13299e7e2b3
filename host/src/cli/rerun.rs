//! `--rejects-of`: the rows of a run that goes over what an earlier one has rejected. A list names them, or
//! has them itself: a sealed file, or one that was opened and perhaps corrected.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use glovebox_connectors::jsonl::KeptRows;
use glovebox_core::{Secret, SecretName};
use glovebox_engine::{Plan, SealedFile, Selection, Toolbox, can_rerun};
use glovebox_manifest::Manifest;
use glovebox_masking::Recipient;

use crate::compose::Composed;

/// The most that is held of rows that a list has itself, in bytes.
const MAX_HELD: u64 = 1 << 30;

#[derive(Debug, clap::Args)]
pub(super) struct RejectsOf {
    /// Run only the rows listed in this rejects file of an earlier run; with `--input`, those rows
    /// of a corrected file. Rows that a sealed or opened file has itself are taken from there.
    #[arg(long, value_name = "FILE")]
    pub(super) rejects_of: Option<PathBuf>,
    /// The secret that holds a recipient's private key, if the rejects file is a sealed one.
    #[arg(long, value_name = "SECRET", requires = "rejects_of", value_parser = SecretName::parse)]
    key: Option<SecretName>,
    /// If several runs rejected rows with these numbers: the run that wrote the list (`run` in its
    /// report).
    #[arg(long, value_name = "RUN", requires = "rejects_of")]
    of_run: Option<String>,
}

/// What a run goes over.
#[derive(Default)]
pub(super) struct Asked {
    /// The rows, if not all are run.
    pub(super) only: Option<Selection>,
    /// The rows themselves, if the list has them.
    pub(super) rows: Option<KeptRows>,
}

impl RejectsOf {
    /// What is asked for; `corrected` says that another input is named than the manifest's.
    pub(super) fn asked(
        &self,
        corrected: bool,
        manifest: &Manifest,
        plan: &Plan,
        composed: &Composed,
    ) -> anyhow::Result<Asked> {
        let Some(list) = &self.rejects_of else {
            return Ok(Asked::default());
        };
        let (only, text) = match SealedFile::is(list) {
            true => self.sealed(list, manifest, composed)?,
            false => self.listed(list, corrected)?,
        };
        can_rerun(manifest, &only)?;
        let Some(text) = text else {
            return Ok(Asked {
                only: Some(only),
                rows: None,
            });
        };
        ensure!(
            !corrected,
            "the rows are in the list itself; leave --input out"
        );
        let text = text.expose_str().context("the rows are not UTF-8")?;
        let rows = KeptRows::read(text, &list.display().to_string(), &plan.source)?;
        Ok(Asked {
            only: Some(only),
            rows: Some(rows),
        })
    }

    /// The rows of a sealed file, which names its run.
    fn sealed(
        &self,
        list: &Path,
        manifest: &Manifest,
        composed: &Composed,
    ) -> anyhow::Result<(Selection, Option<Secret>)> {
        let name = self.key.as_ref().context(
            "the rejects are sealed: name the secret that holds a recipient's private key with \
             --key",
        )?;
        let stores = manifest.credentials.iter();
        let stores: Vec<_> = stores.map(|store| store.value.clone()).collect();
        let key = Recipient::new(&composed.secret(&stores, name)?)
            .map_err(|problem| anyhow!("the secret `{name}`: {problem}"))?;
        let mut file = SealedFile::open(list)?;
        let mut text = Vec::new();
        file.rows(&key, &mut |rows| {
            fits(text.len() + rows.len())?;
            text.extend_from_slice(rows);
            Ok(())
        })?;
        let text = Secret::new(text);
        let rows = text.expose_str().context("the rows are not UTF-8")?;
        let run = self.of_run.clone().unwrap_or_else(|| file.run().to_owned());
        let only = Selection::of_text(rows, list)?.of_run(Some(run));
        Ok((only, Some(text)))
    }

    /// The rows that a list names, and those that it has.
    fn listed(&self, list: &Path, corrected: bool) -> anyhow::Result<(Selection, Option<Secret>)> {
        ensure!(
            self.key.is_none(),
            "the rejects are not sealed; leave --key out"
        );
        let only = Selection::read(list, corrected)?.of_run(self.of_run.clone());
        if !only.holds_rows() {
            return Ok((only, None));
        }
        let mut text = Vec::new();
        let read = File::open(list).and_then(|file| file.take(MAX_HELD + 1).read_to_end(&mut text));
        let read = read.and_then(fits);
        read.with_context(|| format!("cannot read {}", list.display()))?;
        Ok((only, Some(Secret::new(text))))
    }
}

/// Whether memory is to hold so many bytes of rows.
fn fits(bytes: usize) -> io::Result<()> {
    if bytes as u64 <= MAX_HELD {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "it has more than {} MiB of rows; open it, split it, and run the parts",
        MAX_HELD >> 20
    )))
}
