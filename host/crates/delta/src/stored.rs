//! A table's folder in a store of objects.

use std::io::{self, Read, Write};
use std::sync::Arc;

use glovebox_core::{Object, ObjectStore, ObjectUrl, Upload};

use crate::folder::{Entry, Folder, Fresh};

/// The endings of files of a log.
const ENDINGS: &[&str] = &["json", "parquet"];

/// A folder of a store: objects whose keys begin alike.
#[derive(Debug, Clone)]
pub struct Stored {
    at: ObjectUrl,
    store: Arc<dyn ObjectStore>,
}

impl Stored {
    /// The folder at that address, which may end in a slash.
    pub fn new(at: &ObjectUrl, store: Arc<dyn ObjectStore>) -> Self {
        let at = at.with_key(at.key().trim_end_matches('/').to_owned());
        Stored { at, store }
    }

    /// The address of an object in it.
    pub fn url(&self, name: &str) -> ObjectUrl {
        self.at.with_key(format!("{}/{name}", self.at.key()))
    }

    fn found(&self, at: &ObjectUrl) -> io::Result<Vec<Arc<dyn Object>>> {
        match self.store.find(at, ENDINGS) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            found => found,
        }
    }
}

impl Folder for Stored {
    fn list(&self, folder: &str) -> io::Result<Vec<Box<dyn Entry>>> {
        let found = self.found(&self.url(&format!("{folder}/")))?;
        let entries = found.into_iter().map(|object| -> Box<dyn Entry> {
            let key = object.url().key();
            let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
            Box::new(Found {
                name: name.to_owned(),
                object,
            })
        });
        Ok(entries.collect())
    }

    fn read(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send>>> {
        let found = self.found(&self.url(name))?.into_iter().next();
        Ok(found.map(|object| object.stream(0)))
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        self.store.put_new(&self.url(name), bytes)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Fresh>> {
        Ok(Box::new(Going(self.store.create(&self.url(name))?)))
    }

    fn discard(&self, _: &str) {}

    fn discard_folder(&self, _: &str) {}
}

struct Found {
    name: String,
    object: Arc<dyn Object>,
}

impl Entry for Found {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Arc::clone(&self.object).stream(0))
    }
}

struct Going(Box<dyn Upload>);

impl Write for Going {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Fresh for Going {
    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.publish()
    }
}
