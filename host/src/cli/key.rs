//! `glovebox key`: keys of masks and their versions.
//!
//! Owns how a key gets a version and loses one; refuses to show a key, but for the public half of a
//! pair, and to replace a version that is there.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use clap::Subcommand;
use glovebox_core::{Secret, SecretName};
use glovebox_credentials::{Keyring, generate};
use glovebox_masking::methods::Opener;

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Keep them in this folder, as `credentials: [{ files: FOLDER }]` reads it, and not in the
    /// operating system's keyring.
    #[arg(long, global = true, value_name = "FOLDER")]
    files: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key: its version 1, of 256 random bits
    New {
        /// Its name, such as sales/email-key
        name: String,
        /// Make a pair for `seal`: the private key is kept, the public one printed
        #[arg(long)]
        pair: bool,
    },
    /// List keys and their versions
    List,
    /// Make the next version of a key; the ones before it stay
    Rotate {
        /// Its name, without a version
        name: String,
    },
    /// Delete one version of a key, for good: what only it has masked is never revealed again
    Retire {
        /// Its name and version, such as sales/email-key@1
        name: String,
        /// Say that this is meant
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn key(args: &Args) -> anyhow::Result<Exit> {
    let place: &dyn Place = match &args.files {
        Some(folder) => &Folder(folder),
        None => &Keyring::new(),
    };
    match &args.action {
        Action::New { name, pair } => {
            let name = parsed(name, false)?;
            let versions = versions(place, &name)?;
            ensure!(
                versions.is_empty(),
                "there is a `{}` already; nothing was stored. Its next version: glovebox key rotate {}",
                name,
                name
            );
            let key = generate()?;
            let first = name.at(1);
            let stored = place.set(&first, &key)?;
            println!("stored `{first}` in {stored}");
            if *pair {
                let opener = Opener::new(key.expose()).map_err(|e| anyhow::anyhow!("{e}"))?;
                println!("public key: {}", URL_SAFE.encode(opener.public_key()));
            }
        }
        Action::List => {
            for name in place.list()?.iter().filter(|name| name.version() > 0) {
                println!("{name}");
            }
        }
        Action::Rotate { name } => {
            let name = parsed(name, false)?;
            let versions = versions(place, &name)?;
            let newest = versions.last().copied().with_context(|| {
                format!(
                    "there is no version of `{name}`; make the first with: glovebox key new {name}"
                )
            })?;
            let next = name.at(newest.saturating_add(1));
            let stored = place.set(&next, &generate()?)?;
            println!("stored `{next}` in {stored}");
            let listed = versions
                .iter()
                .rev()
                .map(|version| name.at(*version).to_string());
            let listed: Vec<_> = std::iter::once(next.to_string()).chain(listed).collect();
            println!("write in `keys:` of its steps: [{}]", listed.join(", "));
        }
        Action::Retire { name, yes } => {
            let name = parsed(name, true)?;
            ensure!(
                *yes,
                "what only `{name}` has masked could never be revealed again; if that is meant: \
                 glovebox key retire {name} --yes"
            );
            ensure!(
                place.delete(&name)?,
                "there is no `{name}`; `glovebox key list` shows what there is"
            );
            println!("deleted `{name}`; take it out of `keys:` of its steps");
        }
    }
    Ok(Exit::Done)
}

/// The error does not repeat what was typed, which may be the key itself.
fn parsed(name: &str, versioned: bool) -> anyhow::Result<SecretName> {
    let name = SecretName::parse(name)?;
    match versioned {
        true => ensure!(name.version() > 0, "say which version, like `NAME@1`"),
        false => ensure!(
            name.version() == 0,
            "write the name without a version; versions are counted by themselves"
        ),
    }
    Ok(name)
}

/// The versions that there are, ascending.
fn versions(place: &dyn Place, name: &SecretName) -> anyhow::Result<Vec<u32>> {
    let names = place.list()?;
    let of = names.iter().filter(|n| n.base() == name.as_str());
    let mut versions: Vec<_> = of.map(SecretName::version).filter(|v| *v > 0).collect();
    versions.sort_unstable();
    Ok(versions)
}

/// Where keys are kept.
trait Place {
    /// Keeps a new one; returns where, for people.
    fn set(&self, name: &SecretName, key: &Secret) -> anyhow::Result<String>;
    fn list(&self) -> anyhow::Result<Vec<SecretName>>;
    /// Whether it was there.
    fn delete(&self, name: &SecretName) -> anyhow::Result<bool>;
}

impl Place for Keyring {
    fn set(&self, name: &SecretName, key: &Secret) -> anyhow::Result<String> {
        Ok(Keyring::set(self, name, key)?)
    }

    fn list(&self) -> anyhow::Result<Vec<SecretName>> {
        Ok(Keyring::list(self)?)
    }

    fn delete(&self, name: &SecretName) -> anyhow::Result<bool> {
        Ok(Keyring::delete(self, name)?)
    }
}

/// A folder of secret files, which nobody but their owner reads.
struct Folder<'a>(&'a Path);

impl Place for Folder<'_> {
    fn set(&self, name: &SecretName, key: &Secret) -> anyhow::Result<String> {
        let file = self.0.join(name.as_str());
        let at = || format!("cannot write {}", file.display());
        if let Some(folder) = file.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(folder).with_context(at)?;
        }
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(&file);
        let mut opened = opened.with_context(at)?;
        opened.write_all(key.expose()).with_context(at)?;
        opened.sync_all().with_context(at)?;
        Ok(self.0.display().to_string())
    }

    fn list(&self) -> anyhow::Result<Vec<SecretName>> {
        let mut names = Vec::new();
        let mut folders = vec![(self.0.to_owned(), String::new())];
        while let Some((folder, before)) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot list {}", folder.display()));
                }
            };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                // What has no name of a secret is none.
                let Some(name) = name.to_str() else { continue };
                let name = format!("{before}{name}");
                if entry.file_type()?.is_dir() {
                    folders.push((entry.path(), format!("{name}/")));
                } else if let Ok(name) = SecretName::parse(&name) {
                    names.push(name);
                }
            }
        }
        names.sort_by(|a, b| (a.base(), a.version()).cmp(&(b.base(), b.version())));
        Ok(names)
    }

    fn delete(&self, name: &SecretName) -> anyhow::Result<bool> {
        let file = self.0.join(name.as_str());
        match fs::remove_file(&file) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).with_context(|| format!("cannot delete {}", file.display())),
        }
    }
}
