//! A cache of compiled components on disk, so that each plugin is compiled once per machine.
//! Only its own entries are loaded, because loading machine code means running it.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

type HmacSha256 = Hmac<Sha256>;

const TAG: usize = 32;
/// A compiled component larger than this is not read back.
const MAX_SIZE: u64 = 512 << 20;

/// The cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct CacheError {
    /// The folder or file.
    pub place: String,
    /// Why.
    pub problem: String,
}

/// A folder of compiled components, each with an HMAC under a key that lies beside them.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
    /// Stands for wasmtime's version and the engine's configuration in file names.
    engine: u64,
}

impl Cache {
    pub(crate) fn open(folder: PathBuf, engine: &Engine) -> Result<Self, CacheError> {
        let at = |place: &Path, problem: String| CacheError {
            place: place.display().to_string(),
            problem,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .and_then(|()| only_ours(&fs::symlink_metadata(&folder)?))
            .map_err(|e| at(&folder, e.to_string()))?;
        let key_file = folder.join("key");
        let key = read_key(&key_file)
            .or_else(|e| match e.kind() {
                io::ErrorKind::NotFound => make_key(&folder, &key_file),
                _ => Err(e),
            })
            .map_err(|e| at(&key_file, e.to_string()))?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Cache {
            folder,
            key,
            engine: hasher.finish(),
        })
    }

    /// The compiled form of the component with this digest, if it is here and intact.
    pub(crate) fn get(&self, engine: &Engine, sha256: &str) -> Option<Component> {
        let path = self.path(sha256);
        match self.read(&path, sha256) {
            Ok(code) => {
                // SAFETY: the code bears our HMAC under a key that only this user can read, for
                // this digest, so a wasmtime of this configuration wrote it for this user.
                #[allow(unsafe_code)]
                let component = unsafe { Component::deserialize(engine, &code) };
                component.ok()
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => {
                tracing::warn!(path = %path.display(), error = %e, "ignored a cached plugin");
                None
            }
        }
    }

    /// Keeps the compiled form. A cache that cannot be written is said in the log only.
    pub(crate) fn put(&self, component: &Component, sha256: &str) {
        let written = component
            .serialize()
            .map_err(|e| io::Error::other(e.to_string()))
            .and_then(|code| self.write(sha256, &code));
        if let Err(error) = written {
            tracing::warn!(folder = %self.folder.display(), %error, "a compiled plugin was not cached");
        }
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(format!("{sha256}-{:016x}", self.engine))
    }

    fn tag(&self, sha256: &str, code: &[u8]) -> io::Result<HmacSha256> {
        let mut mac = HmacSha256::new_from_slice(&self.key).map_err(io::Error::other)?;
        mac.update(sha256.as_bytes());
        mac.update(&self.engine.to_le_bytes());
        mac.update(code);
        Ok(mac)
    }

    fn read(&self, path: &Path, sha256: &str) -> io::Result<Vec<u8>> {
        let mut content = read_ours(path, MAX_SIZE)?;
        let split = content
            .len()
            .checked_sub(TAG)
            .ok_or_else(|| io::Error::other("cut short"))?;
        let tag = content.split_off(split);
        self.tag(sha256, &content)?
            .verify_slice(&tag)
            .map_err(|_| io::Error::other("its HMAC is wrong"))?;
        Ok(content)
    }

    fn write(&self, sha256: &str, code: &[u8]) -> io::Result<()> {
        let tag = self.tag(sha256, code)?.finalize().into_bytes();
        write_new(&self.folder, &self.path(sha256), &[code, &tag])
    }
}

fn read_key(path: &Path) -> io::Result<[u8; 32]> {
    let bytes = read_ours(path, 32)?;
    bytes
        .try_into()
        .map_err(|_| io::Error::other("is not a key; delete the folder"))
}

fn make_key(folder: &Path, path: &Path) -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    SysRng
        .try_fill_bytes(&mut key)
        .map_err(|e| io::Error::other(e.to_string()))?;
    write_new(folder, path, &[&key])?;
    // Another process may have been faster; both must use the key that is there now.
    read_key(path)
}

fn only_ours(meta: &fs::Metadata) -> io::Result<()> {
    let us = rustix::process::geteuid().as_raw();
    if meta.uid() != us || meta.mode() & 0o022 != 0 || meta.file_type().is_symlink() {
        return Err(io::Error::other(
            "other users may write here, so its content cannot be trusted",
        ));
    }
    Ok(())
}

fn read_ours(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    only_ours(&meta)?;
    let mut content = Vec::with_capacity(usize::try_from(meta.len().min(largest)).unwrap_or(0));
    file.take(largest + 1).read_to_end(&mut content)?;
    if content.len() as u64 > largest {
        return Err(io::Error::other("is too large"));
    }
    Ok(content)
}

/// Writes a file whole or not at all.
fn write_new(folder: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut nonce = [0; 8];
    SysRng
        .try_fill_bytes(&mut nonce)
        .map_err(|e| io::Error::other(e.to_string()))?;
    let staged = folder.join(format!(".{:016x}", u64::from_le_bytes(nonce)));
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&staged)?;
        for part in parts {
            file.write_all(part)?;
        }
        fs::rename(&staged, path)
    };
    write().inspect_err(|_| {
        // The first error is the one to report.
        let _ = fs::remove_file(&staged);
    })
}
