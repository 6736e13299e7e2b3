//! The stores that one manifest's source or sink is in: opened once a bucket, asked on threads of their own.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{Object, ObjectStore, ObjectUrl, StoreKind, Upload};

use crate::access::{Access, NoAccess};
use crate::asks::{Asks, Condition};
use crate::bucket::{Bucket, Threads, head, path_of};
use crate::find::find;
use crate::upload::{Going, condition};

/// Stores that are reached alike.
pub struct Stores {
    access: Access,
    threads: Arc<Threads>,
    asks: Asks,
    buckets: Mutex<HashMap<(StoreKind, String), Arc<Bucket>>>,
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
        Ok(Stores {
            access,
            threads: Arc::new(Threads::new().ok_or_else(NoAccess::no_threads)?),
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
    fn open(&self, at: &ObjectUrl, condition: Option<Condition>) -> io::Result<Bucket> {
        let asks = Asks {
            condition,
            signer: Arc::default(),
            ..self.asks.clone()
        };
        let refusal = Arc::clone(&asks.refusal);
        let store = self.access.open(at.kind(), at.bucket(), asks);
        let store = store.map_err(io::Error::other)?;
        Ok(Bucket::new(store, at.kind(), &self.threads, refusal))
    }
}

impl ObjectStore for Stores {
    fn find(&self, at: &ObjectUrl, endings: &[&str]) -> io::Result<Vec<Arc<dyn Object>>> {
        find(&self.bucket(at)?, at, endings)
    }

    fn create(&self, at: &ObjectUrl) -> io::Result<Box<dyn Upload>> {
        let (bucket, path) = (self.bucket(at)?, path_of(at)?);
        let before = bucket.wait(head(&bucket, &path))?.map(|found| found.meta);
        let bucket = self.open(at, Some(condition(at.kind(), before.as_ref())?))?;
        Ok(Box::new(Going::new(bucket, at, path, before)?))
    }

    fn put_new(&self, at: &ObjectUrl, bytes: &[u8]) -> io::Result<bool> {
        let path = path_of(at)?;
        let bucket = self.open(at, Some(condition(at.kind(), None)?))?;
        let mut going = Going::new(bucket, at, path, None)?;
        going.write_all(bytes)?;
        going.put_in_place()
    }

    fn probe(&self, at: &ObjectUrl) -> io::Result<()> {
        let (bucket, path) = (self.bucket(at)?, path_of(at)?);
        bucket.wait(head(&bucket, &path)).map(drop)
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stores")
    }
}
