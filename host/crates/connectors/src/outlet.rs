//! Where the bytes of a file go that is written: beside its place on the disk, or to an object store; either
//! way nobody sees them before they are whole.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use glovebox_core::{ObjectStore, ObjectUrl, Upload, WrittenFile};
use glovebox_files::Staged;
use sha2::{Digest, Sha256};

use crate::input::Regular;

/// Where a file is to be.
#[derive(Debug, Clone)]
pub enum Target {
    /// On this machine.
    File(PathBuf),
    /// In a store.
    Object(ObjectUrl, Arc<dyn ObjectStore>),
}

impl Target {
    /// Whether a file could be put there, as far as that can be told without it.
    pub(crate) fn probe(&self) -> io::Result<()> {
        match self {
            Target::File(path) => Staged::probe(path),
            Target::Object(url, store) => store.probe(url),
        }
    }

    /// Begins a file there. `proven` asks for the digest of what will be written.
    pub(crate) fn create(&self, proven: bool) -> io::Result<Outlet> {
        Ok(match self {
            Target::File(path) => Outlet::File {
                staged: Staged::create(path)?,
                proven,
            },
            Target::Object(url, store) => Outlet::Object {
                url: url.clone(),
                upload: store.create(url)?,
                digest: proven.then(Sha256::new),
            },
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::File(path) => write!(f, "{}", path.display()),
            Target::Object(url, _) => write!(f, "{url}"),
        }
    }
}

/// A file on its way.
pub(crate) enum Outlet {
    File {
        staged: Staged,
        proven: bool,
    },
    Object {
        url: ObjectUrl,
        upload: Box<dyn Upload>,
        digest: Option<Sha256>,
    },
}

impl Outlet {
    /// What is at its place, and how long that is.
    pub(crate) fn existing(&self) -> io::Result<Option<(Regular, u64)>> {
        match self {
            Outlet::File { staged, .. } => match std::fs::File::open(staged.target()) {
                Ok(file) => {
                    let length = file.metadata()?.len();
                    Ok(Some((Regular::File(file), length)))
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(e) => Err(e),
            },
            Outlet::Object { upload, .. } => {
                let found = upload.existing()?;
                Ok(found.map(|object| {
                    let length = object.size();
                    (Regular::Object(object), length)
                }))
            }
        }
    }

    /// Puts the file in its place. Its digest is taken before, if it was asked for: afterwards others could have
    /// changed it.
    pub(crate) fn publish(self) -> io::Result<Vec<WrittenFile>> {
        let written = match self {
            Outlet::File { staged, proven } => {
                let digest = proven.then(|| digest_of(&staged)).transpose()?;
                let path = staged.target().to_owned();
                staged.publish()?;
                (path, digest)
            }
            Outlet::Object {
                url,
                upload,
                digest,
            } => {
                upload.publish()?;
                let digest = digest.map(|digest| digest.finalize().into());
                (PathBuf::from(url.to_string()), digest)
            }
        };
        let (path, digest) = written;
        let files = digest.map(|sha256| WrittenFile { path, sha256 });
        Ok(files.into_iter().collect())
    }
}

impl Write for Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Outlet::File { staged, .. } => staged.write(bytes).map(|()| bytes.len()),
            Outlet::Object { upload, digest, .. } => {
                upload.write_all(bytes)?;
                if let Some(digest) = digest {
                    digest.update(bytes);
                }
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outlet")
    }
}

fn digest_of(staged: &Staged) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    let mut written = staged.reread()?;
    let mut bytes = vec![0; 1 << 20];
    loop {
        match written.read(&mut bytes)? {
            0 => break,
            read => hash.update(bytes.get(..read).unwrap_or_default()),
        }
    }
    Ok(hash.finalize().into())
}
