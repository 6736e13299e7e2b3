//! The stores that one manifest's source or sink is in: opened once a bucket, asked on threads of their own.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::atomic::AtomicU16;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{Object, ObjectStore, ObjectUrl, StoreKind, Upload};
use object_store::path::Path;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

use crate::access::{Access, NoAccess};
use crate::asks::{Asks, Condition};
use crate::find::find;
use crate::refused::refused;
use crate::upload::Going;

/// Threads that ask and answer, which are busy with TLS at most.
const THREADS: usize = 2;

/// Stores that are reached alike.
pub struct Stores {
    access: Access,
    runtime: Arc<Threads>,
    asks: Asks,
    buckets: Mutex<HashMap<(StoreKind, String), Arc<Bucket>>>,
}

/// Threads that may end on one of themselves, when the last task that was under way lets go of them.
pub(crate) struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Threads {
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
    pub(crate) store: Arc<dyn object_store::ObjectStore>,
    kind: StoreKind,
    pub(crate) runtime: Arc<Threads>,
    pub(crate) refusal: Arc<AtomicU16>,
}

impl Bucket {
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

impl Stores {
    /// Stores that are reached so; nothing is asked yet.
    ///
    /// # Errors
    /// When authorities cannot be read.
    pub fn new(access: Access) -> Result<Self, NoAccess> {
        let asks = Asks {
            client: access.client()?,
            condition: None,
            signer: Arc::default(),
            refusal: Arc::default(),
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("objects")
            .enable_all()
            .build()
            .map_err(|_| NoAccess::no_threads())?;
        Ok(Stores {
            access,
            runtime: Arc::new(Threads {
                handle: runtime.handle().clone(),
                runtime: Some(runtime),
            }),
            asks,
            buckets: Mutex::default(),
        })
    }

    fn bucket(&self, at: &ObjectUrl) -> io::Result<Arc<Bucket>> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (at.kind(), at.bucket().to_owned());
        if let Some(bucket) = buckets.get(&name) {
            return Ok(Arc::clone(bucket));
        }
        let bucket = Arc::new(self.open(at, None)?);
        buckets.insert(name, Arc::clone(&bucket));
        Ok(bucket)
    }

    /// A bucket in which uploads in parts are completed under that condition.
    pub(crate) fn open(&self, at: &ObjectUrl, condition: Option<Condition>) -> io::Result<Bucket> {
        let asks = Asks {
            condition,
            signer: Arc::default(),
            ..self.asks.clone()
        };
        let refusal = Arc::clone(&asks.refusal);
        let store = self.access.open(at.kind(), at.bucket(), asks);
        Ok(Bucket {
            store: store.map_err(io::Error::other)?,
            kind: at.kind(),
            runtime: Arc::clone(&self.runtime),
            refusal,
        })
    }
}

impl ObjectStore for Stores {
    fn find(&self, at: &ObjectUrl, endings: &[&str]) -> io::Result<Vec<Arc<dyn Object>>> {
        find(&self.bucket(at)?, at, endings)
    }

    fn create(&self, at: &ObjectUrl) -> io::Result<Box<dyn Upload>> {
        let going = Going::begin(self, &*self.bucket(at)?, at)?;
        Ok(Box::new(going))
    }

    fn probe(&self, at: &ObjectUrl) -> io::Result<()> {
        let bucket = self.bucket(at)?;
        let path = path_of(at)?;
        match bucket.runtime.block_on(head(&bucket, &path)) {
            Ok(_) => Ok(()),
            Err(error) => Err(bucket.refused(&error)),
        }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stores")
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
pub(crate) async fn head(
    bucket: &Bucket,
    path: &Path,
) -> object_store::Result<Option<object_store::GetResult>> {
    let options = object_store::GetOptions {
        head: true,
        ..object_store::GetOptions::default()
    };
    match bucket.store.get_opts(path, options).await {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
