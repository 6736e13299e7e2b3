//! `glovebox serve --demo`: creates a token key and an administrator.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, ensure};
use glovebox_api as api;
use glovebox_api::config::{Config, Database};
use glovebox_catalog::{Catalog, Error, Hasher, Hashing, Name, Roles, Token, token};
use glovebox_core::{Secret, SecretName};
use glovebox_credentials::generate;
use glovebox_manifest::model::Store;

/// Makes the folders, and the keys whose files are missing.
pub(super) fn key(config: &Config) -> anyhow::Result<()> {
    ensure!(
        config.listen.ip().is_loopback(),
        "--demo is for this machine only: `listen` must be 127.0.0.1 or ::1"
    );
    if let Database::Sqlite(path) = &config.catalog {
        folder(path)?;
    }
    let files = config.credentials.iter().find_map(|store| match store {
        Store::Files(folder) => Some(folder),
        _ => None,
    });
    let folder_of =
        files.context("--demo writes a key, which needs a `files:` entry in `credentials`")?;
    let name = config
        .tokens
        .keys
        .first()
        .context("`tokens.keys` is empty")?;
    make(folder_of, name)?;
    match &config.audit.checkpoints {
        Some((_, name, _)) => make(folder_of, name),
        None => Ok(()),
    }
}

fn make(secrets: &Path, name: &SecretName) -> anyhow::Result<()> {
    let path = secrets.join(name.as_str());
    if path.exists() {
        return Ok(());
    }
    folder(&path)?;
    let mut file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| path.display().to_string())?;
    file.write_all(generate()?.expose())
        .with_context(|| path.display().to_string())
}

/// The folder of a file, for its owner's eyes only.
fn folder(path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| folder.display().to_string())
}

/// The user `admin` with a new password.
pub(super) async fn admin(
    config: &Config,
    secrets: &dyn Fn(&SecretName) -> anyhow::Result<Secret>,
) -> anyhow::Result<Token> {
    let catalog = Catalog::open(&api::database_place(&config.catalog, secrets)?).await?;
    let (name, roles) = (Name::parse("admin")?, Roles::parse(["admin"])?);
    let password = token("")?;
    let hash = Hasher::new(Hashing::default())?
        .hash(Secret::new(password.expose().into()))
        .await?;
    match catalog.add_user(&name, &roles, &hash, api::now()).await {
        Ok(_) => {}
        Err(Error::Taken) => {
            catalog.set_password(&name, &hash, api::now()).await?;
        }
        Err(error) => return Err(error.into()),
    }
    catalog.close().await;
    Ok(password)
}

/// The two calls to try, ready to paste.
pub(super) fn lines(url: &str, password: &Token, dataset: Option<&str>) -> String {
    let path = dataset.unwrap_or("datasets");
    format!(
        "user admin, with a password that is shown only once. Try:\n\n  \
         curl -X POST {url}/token -d \"username=admin&password={}\"\n  \
         curl -H \"Authorization: Bearer ACCESS_TOKEN\" {url}/{path}\n\n\
         Ctrl-C stops it.",
        password.expose()
    )
}
