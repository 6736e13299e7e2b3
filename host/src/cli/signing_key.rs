//! A key that signs, in the keyring or a folder of secret files: found there, or made.

use std::io::Write;
use std::path::Path;

use anyhow::{bail, ensure};
use glovebox_core::{CredentialStore, Secret, SecretName};
use glovebox_credentials::{Files, Keyring, generate};

/// A key, and where it was made if there was none.
type Found = (Secret, Option<String>);

/// The key of that name: in this folder of secret files, or else the operating system's keyring.
pub(super) fn find_or_make(name: &SecretName, folder: Option<&Path>) -> anyhow::Result<Found> {
    match folder {
        Some(folder) => in_files(folder, name),
        None => in_keyring(name),
    }
}

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
