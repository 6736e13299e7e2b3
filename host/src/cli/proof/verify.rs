//! `glovebox proof verify`: whether a proof is as it was signed, and what it is about as it was stored.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use glovebox_core::{Sink, hex};
use glovebox_engine::{StoredChunk, arm};
use glovebox_proof::{Opened, PublicKey, open};
use sha2::{Digest, Sha256};

use super::read::{pack, public_key};
use crate::cli::manifest::Text;
use crate::cli::prove::Prover;
use crate::cli::{Exit, say};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The proof
    file: PathBuf,
    /// The public key that signed it, as PEM
    #[arg(long, value_name = "FILE", required_unless_present = "manifest")]
    public_key: Option<PathBuf>,
    /// Also compare a file with the digest that the proof has of it; may be given several times
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Also compare this manifest, and the journal of its database, with what the proof says of them; its key
    /// verifies the proof if no `--public-key` is given
    #[arg(long, value_name = "MANIFEST")]
    manifest: Option<PathBuf>,
}

impl Verify {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let bytes = pack(&self.file)?;
        let key = self.public_key.as_deref().map(public_key).transpose()?;
        let beside = match &self.manifest {
            None => None,
            Some(path) => match Beside::read(path)? {
                Some(beside) => Some(beside),
                None => return Ok(Exit::Usage),
            },
        };
        let own = beside.as_ref().and_then(|beside| beside.key.as_ref());
        let Some(key) = key.as_ref().or(own) else {
            say::error("the manifest names no key of proofs; give the proof's `--public-key`");
            return Ok(Exit::Usage);
        };
        let place = self.file.display();
        let opened = match open(&bytes, key) {
            Ok(opened) => opened,
            Err(refused) => {
                say::error(&format!("{place}: NOT VERIFIED: {refused}"));
                return Ok(Exit::Failed);
            }
        };
        println!("{place}: signed by key {}", opened.key);
        let mut wrong = Vec::new();
        for file in &self.files {
            wrong.extend(compare_file(file, &opened)?);
        }
        if let Some(beside) = beside {
            wrong.extend(beside.compare(&opened)?);
        }
        for problem in &wrong {
            say::error(problem);
        }
        match wrong.is_empty() {
            true => {
                println!("{place}: verified");
                Ok(Exit::Done)
            }
            false => Ok(Exit::Failed),
        }
    }
}

/// What is wrong with a file that the proof should be about, if anything.
fn compare_file(path: &Path, opened: &Opened) -> anyhow::Result<Option<String>> {
    let place = path.display();
    let unread = || format!("cannot read {place}");
    let mut file = File::open(path).with_context(unread)?;
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 1 << 20];
    loop {
        match file.read(&mut bytes).with_context(unread)? {
            0 => break,
            read => hash.update(bytes.get(..read).unwrap_or_default()),
        }
    }
    let digest = hex(hash.finalize());
    let mut subjects = opened.statement.subject.iter();
    match subjects.find(|subject| subject.sha256() == Some(&digest)) {
        Some(_) => {
            println!("{place}: is as it was stored");
            Ok(None)
        }
        None => Ok(Some(format!(
            "{place} is not a file that the proof is about, or was changed since"
        ))),
    }
}

/// What a proof is compared with beside files.
struct Beside {
    key: Option<PublicKey>,
    digest: String,
    place: String,
    sink: Box<dyn Sink>,
}

impl Beside {
    /// None if the manifest is not in order, which was said.
    fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let composed = Composed::new()?;
        let Some(text) = Text::read(path) else {
            return Ok(None);
        };
        let Some(manifest) = text.manifest(&composed) else {
            return Ok(None);
        };
        let read = Prover::new(&text, &manifest, &composed)
            .and_then(|prover| Ok((prover, arm::sink(&manifest, &composed)?)));
        let (prover, sink) = match read {
            Ok(read) => read,
            Err(problems) => {
                text.show(&problems);
                return Ok(None);
            }
        };
        Ok(Some(Beside {
            key: prover.map(|prover| prover.public().clone()),
            digest: hex(Sha256::digest(text.as_written())),
            place: path.display().to_string(),
            sink,
        }))
    }

    /// What the proof says otherwise than manifest and journal do.
    fn compare(mut self, opened: &Opened) -> anyhow::Result<Vec<String>> {
        let stated = &opened.statement.predicate;
        let mut wrong = Vec::new();
        match stated.manifest.sha256 == self.digest {
            true => println!("{}: is the manifest of the run", self.place),
            false => wrong.push(format!(
                "{} is not the manifest that the run had, or was changed since",
                self.place
            )),
        }
        let subjects = opened.statement.subject.iter();
        let Some(root) = subjects.filter_map(|subject| subject.root()).next() else {
            return Ok(wrong);
        };
        let run = self.sink.finished(&stated.run.pipeline, &stated.run.name)?;
        if run.is_none() {
            wrong.push(format!(
                "{}: its journal has no finished run of that name",
                self.sink.describe()
            ));
            return Ok(wrong);
        }
        let chunks = self.sink.chunks(&stated.run.name)?;
        let chunks: Vec<_> = chunks.into_iter().map(StoredChunk::from).collect();
        let sink = self.sink.describe();
        let count = stated.chunks.map(|stated| stated.count);
        let as_many = count == Some(chunks.len() as u64);
        match as_many && crate::cli::prove::root_of(&chunks) == root {
            true => println!("{sink}: its journal has the chunks of the run"),
            false => wrong.push(format!(
                "{sink}: its journal does not have the chunks that the proof is about ({} of the run are there)",
                chunks.len()
            )),
        }
        Ok(wrong)
    }
}
