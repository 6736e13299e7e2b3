//! `glovebox plugin pin`: writes the digests of its plugins into a manifest.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use glovebox_engine::{PublicKey, Toolbox};
use glovebox_manifest::pin::{self, Pinnable};
use glovebox_manifest::{Diagnostic, Manifest, load};

use crate::cli::Exit;
use crate::cli::manifest::Text;
use crate::compose::{Composed, digest};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline's manifest.
    manifest: PathBuf,
    /// Change nothing; exit with code 1 if a pin is missing or does not match.
    #[arg(long)]
    check: bool,
}

pub(super) fn pin(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let read = load(&args.manifest, text.as_written()).and_then(|manifest| {
        let trusted = trusted(&manifest, &composed)?;
        Ok((manifest, trusted))
    });
    let (manifest, trusted) = match read {
        Ok(read) => read,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let plugins = pin::pinnable(&manifest);
    let place = args.manifest.display();
    if plugins.is_empty() {
        println!("nothing to pin in {place}: standard plugins are part of the program");
        return Ok(Exit::Done);
    }

    let (changes, mut failed) = compare(&plugins, &trusted);
    if changes.is_empty() && failed == 0 {
        println!("every plugin in {place} is pinned, and every pin matches");
        return Ok(Exit::Done);
    }
    if args.check {
        println!(
            "{} of {} missing or not matching; `glovebox plugin pin {place}` writes them",
            changes.len() + failed,
            pins(plugins.len())
        );
        return Ok(Exit::Failed);
    }

    let pinned: Vec<(&Pinnable, &str)> = changes.iter().map(|(p, d)| (*p, d.as_str())).collect();
    let written = match pin::write(&args.manifest, text.as_written(), &pinned) {
        Ok(written) => written,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    for ((plugin, digest), _) in pinned.iter().zip(&written.done).filter(|(_, done)| !**done) {
        failed += 1;
        eprintln!(
            "error: step `{}`: its pin cannot be inserted automatically; write there: {}",
            plugin.step,
            pin::reference(&plugin.written, digest)
        );
    }
    let done = written.done.iter().filter(|done| **done).count();
    if done > 0 {
        replace(&args.manifest, text.as_written(), &written.text)
            .with_context(|| format!("cannot write {place}; it was not changed"))?;
    }
    println!("{} written to {place}", pins(done));
    Ok(if failed == 0 {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn pins(number: usize) -> String {
    match number {
        1 => "1 pin".to_owned(),
        n => format!("{n} pins"),
    }
}

fn trusted(manifest: &Manifest, composed: &Composed) -> Result<Vec<PublicKey>, Vec<Diagnostic>> {
    let keys = manifest.trusted_keys.iter();
    keys.map(|key| {
        composed
            .trusted_key(key)
            .map_err(|problem| vec![Diagnostic::error(key.span.clone(), problem)])
    })
    .collect()
}

/// Says of each plugin what its pin is and will be: the pins to write, and how many plugins have
/// no digest that could be pinned.
fn compare<'p>(
    plugins: &'p [Pinnable],
    trusted: &[PublicKey],
) -> (Vec<(&'p Pinnable, String)>, usize) {
    // Each file is read once, so that its steps get the same pin.
    let mut digests = HashMap::new();
    let mut changes = Vec::new();
    let mut failed = 0;
    for plugin in plugins {
        let file = plugin.path.display();
        let found = digests
            .entry(&plugin.path)
            .or_insert_with(|| digest(&plugin.path, trusted));
        match (found, &plugin.pinned) {
            (Err(problem), _) => {
                failed += 1;
                eprintln!("error: step `{}` is not pinned: {problem}", plugin.step);
            }
            (Ok(digest), Some(pin)) if pin == digest => {
                println!("step `{}`: {file} stays {digest}", plugin.step);
            }
            (Ok(digest), pin) => {
                let old = pin.as_deref().unwrap_or("not pinned");
                println!("step `{}`: {file} {old} → {digest}", plugin.step);
                changes.push((plugin, digest.clone()));
            }
        }
    }
    (changes, failed)
}

/// Puts a new text in the place of a file: whole or not at all, with the same owner and rights.
fn replace(path: &Path, old: &str, new: &str) -> io::Result<()> {
    // A link stays one.
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let before = path.metadata()?;
    let mut file = tempfile::Builder::new()
        .prefix(".glovebox-")
        .suffix(".part")
        .tempfile_in(folder)?;
    file.write_all(new.as_bytes())?;
    let mine = file.as_file().metadata()?;
    if (mine.uid(), mine.gid()) != (before.uid(), before.gid()) {
        std::os::unix::fs::fchown(file.as_file(), Some(before.uid()), Some(before.gid()))?;
    }
    file.as_file().set_permissions(before.permissions())?;
    file.as_file().sync_all()?;
    if std::fs::read(&path)? != old.as_bytes() {
        return Err(io::Error::other(
            "it was changed while the pins were computed",
        ));
    }
    file.persist(&path).map_err(|e| e.error)?;
    Ok(())
}
