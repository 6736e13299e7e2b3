//! `glovebox audit key`: the key that signs checkpoints.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use glovebox_audit::SigningKey;
use glovebox_core::{CredentialStore, Secret, SecretName};
use glovebox_credentials::{Files, Keyring, generate};

use crate::cli::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Key {
    /// The secret's name
    #[arg(default_value = "audit/signing-key")]
    name: String,
    /// A folder of secret files, instead of the operating system's keyring
    #[arg(long, value_name = "FOLDER")]
    secrets: Option<PathBuf>,
}

impl Key {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let name = SecretName::parse(&self.name)?;
        let (secret, made) = match &self.secrets {
            Some(folder) => in_files(folder, &name)?,
            None => in_keyring(&name)?,
        };
        let key = SigningKey::from_secret(&secret)?;
        if let Some(place) = made {
            eprintln!("made `{name}` in {place}");
        }
        println!("{}", key.public());
        Ok(Exit::Done)
    }
}

type Found = (Secret, Option<String>);

fn in_keyring(name: &SecretName) -> anyhow::Result<Found> {
    let keyring = Keyring::new();
    if let Some(secret) = keyring.get(name)? {
        return Ok((secret, None));
    }
    let secret = generate()?;
    let place = keyring.set(name, &secret)?;
    Ok((secret, Some(place)))
}

fn in_files(folder: &Path, name: &SecretName) -> anyhow::Result<Found> {
    let files = Files::new(folder);
    if let Some(secret) = files.get(name)? {
        return Ok((secret, None));
    }
    let secret = generate()?;
    let path = folder.join(name.as_str());
    ensure!(
        path.parent()
            .is_some_and(|above| private_folder(above).is_ok()),
        "cannot create the folder of {}",
        path.display()
    );
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options.open(&path).and_then(|mut file| {
        file.write_all(secret.expose())
            .and_then(|()| file.sync_all())
    });
    if let Err(error) = written {
        bail!("cannot write the key to {}: {error}", path.display());
    }
    Ok((secret, Some(format!("file {}", path.display()))))
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}
