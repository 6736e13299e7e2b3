//! A bucket, a container or a web server that is asked, and the threads that ask.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU16;

use glovebox_core::{ObjectUrl, StoreKind};
use object_store::path::Path;
use object_store::{Error, GetOptions, GetResult, ObjectStore};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::blocks::Blocks;
use crate::refused::refused;

/// Threads that may end on one of themselves, when the last task that was under way lets go of them.
pub(crate) struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

/// How many there are, which are busy with TLS at most.
const THREADS: usize = 2;

impl Threads {
    /// None where the system gives no more of them.
    pub(crate) fn new() -> Option<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("objects")
            .enable_all()
            .build()
            .ok()?;
        Some(Threads {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Waits on a thread that is nobody else's to wait on.
    pub(crate) fn block_on<T>(&self, asked: impl Future<Output = T>) -> T {
        self.handle.block_on(asked)
    }

    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        asked: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(asked)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A bucket, a container, or a web server.
pub(crate) struct Bucket {
    pub(crate) store: Arc<dyn ObjectStore>,
    kind: StoreKind,
    pub(crate) runtime: Arc<Threads>,
    pub(crate) blocks: Blocks,
    /// The last status that it answered with, if it was no success.
    refusal: Arc<AtomicU16>,
}

impl Bucket {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        kind: StoreKind,
        runtime: &Arc<Threads>,
        refusal: Arc<AtomicU16>,
    ) -> Self {
        Bucket {
            store,
            kind,
            runtime: Arc::clone(runtime),
            blocks: Blocks::default(),
            refusal,
        }
    }

    /// Waits for an answer, on a thread that is nobody else's to wait on.
    pub(crate) fn wait<T>(
        &self,
        asked: impl Future<Output = object_store::Result<T>>,
    ) -> io::Result<T> {
        self.runtime.block_on(asked).map_err(|e| self.refused(&e))
    }

    /// What is said of an error.
    pub(crate) fn refused(&self, error: &object_store::Error) -> io::Error {
        refused(error, self.kind, &self.refusal)
    }
}

/// The library's form of a key, which is the key as it is.
pub(crate) fn path_of(at: &ObjectUrl) -> io::Result<Path> {
    let path = Path::parse(at.key().trim_end_matches('/'));
    path.map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "its name is not one that can be asked for",
        )
    })
}

/// What is there; none where nothing is.
pub(crate) async fn head(bucket: &Bucket, path: &Path) -> object_store::Result<Option<GetResult>> {
    let options = GetOptions {
        head: true,
        ..GetOptions::default()
    };
    match bucket.store.get_opts(path, options).await {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
