//! Uploads that wait encrypted on the disk. What encrypts them comes with the program: the API knows
//! only that it is done, by which secret, and how the process of a run gets the key.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::process::ChildStdin;
use std::sync::Arc;

use glovebox_core::{Secret, SecretName};

/// Encrypts files as they are written.
pub trait SealUploads: Send + Sync {
    /// Writes the beginning.
    ///
    /// # Errors
    /// What the file says.
    fn begin(&self, file: File) -> io::Result<Box<dyn SealedUpload>>;
}

/// A file that is encrypted as it is written.
pub trait SealedUpload: Write + Send {
    /// Writes the end, and gives the file back.
    ///
    /// # Errors
    /// What the file says.
    fn finish(self: Box<Self>) -> io::Result<File>;
}

/// Makes what encrypts by a secret; the error is the end of a sentence that says nothing of it.
pub type UploadSeals = fn(&Secret) -> Result<Arc<dyn SealUploads>, String>;

/// The key of the uploads.
pub(crate) struct UploadKey {
    pub(crate) name: SecretName,
    secret: Secret,
    seals: Arc<dyn SealUploads>,
}

impl UploadKey {
    /// A sentence, when the secret is no such key.
    pub(crate) fn new(
        name: &SecretName,
        secret: Secret,
        seals: UploadSeals,
    ) -> Result<Self, String> {
        let made = seals(&secret);
        let seals = made.map_err(|problem| format!("the secret `{name}` {problem}"))?;
        Ok(UploadKey {
            name: name.clone(),
            secret,
            seals,
        })
    }

    pub(super) fn begin(&self, file: File) -> io::Result<Box<dyn SealedUpload>> {
        self.seals.begin(file)
    }

    /// Tells the process that reads the upload: the lines of the key, and an empty one.
    pub(super) fn tell(&self, process: &mut ChildStdin) -> io::Result<()> {
        let lines = self.secret.expose().split(|byte| *byte == b'\n');
        for line in lines
            .map(<[u8]>::trim_ascii)
            .filter(|line| !line.is_empty())
        {
            process.write_all(line)?;
            process.write_all(b"\n")?;
        }
        process.write_all(b"\n")
    }
}

impl fmt::Debug for UploadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadKey({})", self.name)
    }
}
