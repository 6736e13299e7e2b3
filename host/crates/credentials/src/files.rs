//! Secrets in a folder, one file per secret.
//!
//! `sales/customer-salt` is the file `sales/customer-salt`, or `sales.customer-salt` where a mount
//! cannot hold folders (`/run/secrets`, Kubernetes secrets, whose links inside the folder are
//! followed). One trailing newline (`\n` or `\r\n`) is not part of the secret. A file anyone may
//! read is taken with a warning, since Kubernetes mounts secrets that way. The secrets `a/b` and
//! `a.b` share the file `a.b` if there is no file `a/b`. An empty file counts as absent, like an
//! empty variable.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use glovebox_core::{CredentialError, CredentialStore, Secret, SecretName};

/// The largest secret file that is read, in bytes, its trailing newline included.
pub const MAX_BYTES: u64 = 64 * 1024;

/// A folder of secret files.
pub struct Files {
    folder: PathBuf,
}

impl Files {
    /// Looks in that folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Files {
            folder: folder.into(),
        }
    }

    fn candidates(&self, name: &SecretName) -> Vec<PathBuf> {
        let mut paths = vec![self.folder.join(name.as_str())];
        if name.as_str().contains('/') {
            paths.push(self.folder.join(name.as_str().replace('/', ".")));
        }
        paths
    }
}

impl CredentialStore for Files {
    fn remedy(&self, name: &SecretName) -> Option<String> {
        let path = self.folder.join(name.as_str());
        Some(format!(
            "write it to {}, readable only by its owner",
            path.display()
        ))
    }

    fn place(&self, name: &SecretName) -> String {
        let candidates = self.candidates(name);
        let there = |path: &&PathBuf| path.is_file();
        if let Some(path) = candidates.iter().filter(there).find(|p| !is_empty(p)) {
            return format!("file {}", path.display());
        }
        if let Some(path) = candidates.iter().find(there) {
            return format!("file {} (there, but empty)", path.display());
        }
        let paths: Vec<_> = candidates.iter().map(|p| p.display().to_string()).collect();
        let note = if self.folder.is_dir() {
            ""
        } else {
            " (no such folder)"
        };
        format!("file {}{note}", paths.join(" or "))
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>, CredentialError> {
        for path in self.candidates(name) {
            let found = read(&self.folder, &path).map_err(|problem| CredentialError::Store {
                name: name.clone(),
                place: format!("file {}", path.display()),
                problem,
            })?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

fn is_empty(path: &Path) -> bool {
    let newline_at_most = fs::metadata(path).is_ok_and(|m| m.len() <= 2);
    newline_at_most
        && fs::read(path).is_ok_and(|bytes| Secret::new(without_newline(bytes)).is_empty())
}

/// The secret in a file, none if the file is absent or empty, else what is wrong with it.
fn read(folder: &Path, path: &Path) -> Result<Option<Secret>, String> {
    let Some(real) = present(path.canonicalize())? else {
        return Ok(None);
    };
    let Some(real_folder) = present(folder.canonicalize())? else {
        return Ok(None);
    };
    if !real.starts_with(&real_folder) {
        return Err("it links to a path outside its folder; put the secret itself there".into());
    }
    // Before opening, because opening a pipe would wait for its other end.
    check(&fs::metadata(&real).map_err(told)?)?;
    let file = File::open(&real).map_err(told)?;
    let metadata = file.metadata().map_err(told)?;
    check(&metadata)?;
    if readable_by_anyone(&metadata) {
        tracing::warn!(
            file = %path.display(),
            "every user of this machine can read this secret file; `chmod o-r` is safer"
        );
    }
    let secret = read_secret(file).map_err(told)?;
    Ok((!secret.is_empty()).then_some(secret))
}

fn present(path: io::Result<PathBuf>) -> Result<Option<PathBuf>, String> {
    match path {
        Ok(path) => Ok(Some(path)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(told(e)),
    }
}

fn told(error: io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "permission denied; let the user that runs glovebox read it".into()
        }
        ErrorKind::FileTooLarge => too_large(),
        _ => error.to_string(),
    }
}

fn check(metadata: &Metadata) -> Result<(), String> {
    if !metadata.is_file() {
        return Err("it is not a regular file; a secret is one file".into());
    }
    if writable_by_anyone(metadata) {
        return Err("every user of this machine can write it; run `chmod o-w` first".into());
    }
    if metadata.len() > MAX_BYTES {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> String {
    format!("it is larger than {MAX_BYTES} bytes; a secret file holds one secret")
}

/// One secret out of a file or pipe, without one line end at its end.
///
/// # Errors
/// What the system says; [`ErrorKind::FileTooLarge`] if there are more than [`MAX_BYTES`].
pub fn read_secret(from: impl Read) -> io::Result<Secret> {
    // Room for all of it at once: a growing buffer would leave copies behind unwiped.
    let room = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(room.saturating_add(1));
    let read = from.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    let is_whole = bytes.len() <= room;
    let secret = Secret::new(without_newline(bytes));
    read?;
    match is_whole {
        true => Ok(secret),
        false => Err(ErrorKind::FileTooLarge.into()),
    }
}

/// The bytes without one line end at their end, in the same buffer.
fn without_newline(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode()
}

/// Other systems keep access lists, which these bits cannot show.
#[cfg(not(unix))]
fn mode(_: &Metadata) -> u32 {
    0
}

fn writable_by_anyone(metadata: &Metadata) -> bool {
    mode(metadata) & 0o002 != 0
}

fn readable_by_anyone(metadata: &Metadata) -> bool {
    mode(metadata) & 0o004 != 0
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
