//! How uploads wait on a server's disk: as age files, to whoever has the server's own key.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use glovebox_api::{SealUploads, SealedUpload};
use glovebox_connectors::age::{Encrypting, Identity, Recipients};
use glovebox_core::Secret;

/// By the first key of that secret.
pub(crate) fn seals(secret: &Secret) -> Result<Arc<dyn SealUploads>, String> {
    Ok(Arc::new(Sealing(Identity::parse(secret)?.recipient())))
}

struct Sealing(Recipients);

impl SealUploads for Sealing {
    fn begin(&self, file: File) -> io::Result<Box<dyn SealedUpload>> {
        Ok(Box::new(Upload(self.0.encrypt(file)?)))
    }
}

struct Upload(Encrypting<File>);

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SealedUpload for Upload {
    fn finish(self: Box<Self>) -> io::Result<File> {
        self.0.finish()
    }
}
