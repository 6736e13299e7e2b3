//! Object stores, as connectors know them: what is at an address, its bytes by their places, and one that is
//! published whole or not at all.
//!
//! Nothing here asks a store; the crate that does implements these traits.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

/// The longest address that is read.
const MAX_LENGTH: usize = 2 << 10;

/// Whose store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// Amazon's S3, and what answers as it does.
    S3,
    /// Google's Cloud Storage.
    Google,
    /// Azure's Blob Storage.
    Azure,
    /// A server of files, over HTTPS.
    Https,
}

impl StoreKind {
    /// Each with what its addresses begin with.
    pub const ALL: [(StoreKind, &'static str); 4] = [
        (StoreKind::S3, "s3://"),
        (StoreKind::Google, "gs://"),
        (StoreKind::Azure, "az://"),
        (StoreKind::Https, "https://"),
    ];

    /// What its addresses begin with.
    pub fn scheme(self) -> &'static str {
        let named = StoreKind::ALL.iter().find(|(kind, _)| *kind == self);
        named.map_or("", |(_, scheme)| *scheme)
    }
}

/// Where one or several objects are: `s3://bucket/key`, `gs://bucket/key`, `az://container/blob`, `https://host/path`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectUrl {
    kind: StoreKind,
    bucket: String,
    key: String,
}

impl ObjectUrl {
    /// Whether a text is meant as an address: it begins with one of the schemes.
    pub fn is_meant(text: &str) -> bool {
        StoreKind::ALL
            .iter()
            .any(|(_, scheme)| text.starts_with(scheme))
    }

    /// Reads an address.
    ///
    /// # Errors
    /// A sentence without a subject: what is wrong with it, and what to write.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let named = StoreKind::ALL
            .iter()
            .find_map(|(kind, scheme)| Some((*kind, text.strip_prefix(scheme)?)));
        let Some((kind, rest)) = named else {
            return Err("does not begin with s3://, gs://, az:// or https://");
        };
        if text.len() > MAX_LENGTH {
            return Err("is longer than 2 KiB");
        }
        if rest.chars().any(char::is_control) {
            return Err("holds a control character");
        }
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err("names no bucket");
        }
        if bucket.contains('@') {
            return Err(
                "has user information before the host, which may include a password; name a secret \
                 in `store:`",
            );
        }
        if bucket.contains(['*', '?', '[', '#', ' ']) {
            return Err("names its bucket by a pattern, which only stands behind it");
        }
        if key.is_empty() {
            return Err("names no object");
        }
        if key.split('/').rev().skip(1).any(str::is_empty) {
            return Err("has two slashes behind each other, or one where the object's name begins");
        }
        if key.split('/').any(|part| part == "." || part == "..") {
            return Err("has a part `.` or `..`, which object stores do not resolve");
        }
        if kind == StoreKind::Https && key.contains(['?', '#']) {
            return Err("has a query or a fragment, which may hold a secret; name it in `store:`");
        }
        Ok(ObjectUrl {
            kind,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }

    /// Whose store it is in.
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// Bucket, container, or host and port.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What stands behind it: an object's key, a pattern, or a folder that ends in `/`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Another object of the same bucket.
    #[must_use]
    pub fn with_key(&self, key: String) -> Self {
        ObjectUrl {
            key,
            ..self.clone()
        }
    }

    /// Whether it stands for the objects below it.
    pub fn is_folder(&self) -> bool {
        self.key.ends_with('/')
    }

    /// Whether it is a pattern, unless an object has just that name.
    pub fn is_pattern(&self) -> bool {
        self.key.contains(['*', '?', '['])
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", self.kind.scheme(), self.bucket, self.key)
    }
}

/// A store of objects, or several.
pub trait ObjectStore: fmt::Debug + Send + Sync {
    /// The objects at an address, sorted by the bytes of their keys: one, or those that match a pattern,
    /// or those of a folder that have one of these endings, perhaps with those of packing.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached, or there are none.
    fn find(&self, at: &ObjectUrl, endings: &[&str]) -> io::Result<Vec<Arc<dyn Object>>>;

    /// An object on its way to that address.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached.
    fn create(&self, at: &ObjectUrl) -> io::Result<Box<dyn Upload>>;

    /// Puts a whole object at an address where there is none, by one request; says no where there is one.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached. It may be there all the same.
    fn put_new(&self, at: &ObjectUrl, bytes: &[u8]) -> io::Result<bool>;

    /// Whether one could be put at that address, as far as that can be told without it.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached.
    fn probe(&self, at: &ObjectUrl) -> io::Result<()>;
}

/// An object as it was found: if it is another one by now, its bytes are not read.
pub trait Object: fmt::Debug + Send + Sync {
    /// Where it is.
    fn url(&self) -> &ObjectUrl;

    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Its bytes from a place on, as many as there are and fit.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached, or the object has changed.
    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize>;

    /// Its bytes from a place on, read ahead.
    fn stream(self: Arc<Self>, from: u64) -> Box<dyn io::Read + Send>;
}

/// An object on its way to its place: nobody sees it before it is published, and dropped it goes.
pub trait Upload: Write + Send {
    /// What is at its place by now.
    ///
    /// # Errors
    /// When the store refuses or cannot be reached.
    fn existing(&self) -> io::Result<Option<Arc<dyn Object>>>;

    /// Puts it in its place, in one request, if what was there when it was begun still is.
    ///
    /// # Errors
    /// When another program has put one there meanwhile; when the store refuses or cannot be reached.
    fn publish(self: Box<Self>) -> io::Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_store_a_bucket_and_a_key() {
        for (text, kind, bucket, key) in [
            ("s3://b/k.csv", StoreKind::S3, "b", "k.csv"),
            ("gs://b/a/*.csv", StoreKind::Google, "b", "a/*.csv"),
            ("az://c/in/", StoreKind::Azure, "c", "in/"),
            (
                "https://h:8443/x y.csv",
                StoreKind::Https,
                "h:8443",
                "x y.csv",
            ),
        ] {
            let url = ObjectUrl::parse(text).unwrap();
            assert_eq!((url.kind(), url.bucket(), url.key()), (kind, bucket, key));
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "in.csv",
            "http://h/x",
            "s3://",
            "s3://b",
            "s3://b/",
            "s3:///k",
            "s3://u:p@b/k",
            "s3://b*/k",
            "s3://b/a//k",
            "s3://b//k",
            "s3://b/../k",
            "s3://b/k\n",
            "https://h/k?token=x",
        ] {
            assert!(ObjectUrl::parse(text).is_err(), "{text}");
        }
        assert!(ObjectUrl::parse(&format!("s3://b/{}", "k".repeat(MAX_LENGTH))).is_err());
    }
}
