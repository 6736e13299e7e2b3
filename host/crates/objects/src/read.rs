//! Reads an object by places and from a place on, for as long as it is the one that was found.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use glovebox_core::{Object, ObjectUrl};
use object_store::{Error, GetOptions, GetRange, ObjectMeta};
use tokio::task::JoinHandle;

use crate::blocks::BLOCK;
use crate::bucket::Bucket;
use crate::refused::moved_on;

/// The first request of a stream, which may be for a look only; each that follows is twice as large, up to
/// the largest.
const FIRST: u64 = 256 << 10;
const LARGEST: u64 = 4 << 20;
/// Requests of a stream that are under way at once, when it reads on.
const AHEAD: usize = 4;

/// An object as it was found.
pub(crate) struct Pinned {
    bucket: Arc<Bucket>,
    url: ObjectUrl,
    meta: ObjectMeta,
    /// By which its blocks are kept.
    number: u64,
}

impl Pinned {
    pub(crate) fn new(bucket: &Arc<Bucket>, url: ObjectUrl, mut meta: ObjectMeta) -> Self {
        meta.e_tag = meta.e_tag.map(quoted);
        Pinned {
            bucket: Arc::clone(bucket),
            url,
            meta,
            number: bucket.blocks.number(),
        }
    }

    /// A range of it, whole.
    async fn range(&self, range: Range<u64>) -> io::Result<Bytes> {
        let length = range.end - range.start;
        // One that is weak matches nothing, so it is compared here alone.
        let strong = self.meta.e_tag.clone().filter(|tag| !tag.starts_with("W/"));
        let options = GetOptions {
            if_match: strong,
            range: Some(GetRange::Bounded(range)),
            ..GetOptions::default()
        };
        let found = match self
            .bucket
            .store
            .get_opts(&self.meta.location, options)
            .await
        {
            Ok(found) => found,
            Err(Error::Precondition { .. }) => return Err(moved_on()),
            Err(error) => return Err(self.bucket.refused(&error)),
        };
        let (there, found_as) = (&found.meta, &self.meta);
        let same = match found_as.e_tag {
            Some(_) => there.e_tag.clone().map(quoted) == found_as.e_tag,
            None => there.last_modified == found_as.last_modified,
        };
        if !same || there.size != found_as.size {
            return Err(moved_on());
        }
        let bytes = found.bytes().await;
        let bytes = bytes.map_err(|error| self.bucket.refused(&error))?;
        match bytes.len() as u64 == length {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// An entity tag as headers have it; Azure's listings leave the quotes out.
fn quoted(tag: String) -> String {
    match tag.ends_with('"') {
        true => tag,
        false => format!("\"{tag}\""),
    }
}

impl Object for Pinned {
    fn url(&self) -> &ObjectUrl {
        &self.url
    }

    fn size(&self) -> u64 {
        self.meta.size
    }

    fn read_at(&self, buf: &mut [u8], at: u64) -> io::Result<usize> {
        if at >= self.meta.size || buf.is_empty() {
            return Ok(0);
        }
        let start = at - at % BLOCK;
        let block = self.bucket.blocks.get((self.number, start), || {
            let end = (start + BLOCK).min(self.meta.size);
            self.bucket.runtime.block_on(self.range(start..end))
        })?;
        let from = usize::try_from(at - start).unwrap_or(usize::MAX);
        let there = block.get(from..).unwrap_or_default();
        let count = there.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..count), there.get(..count)) {
            to.copy_from_slice(from);
        }
        Ok(count)
    }

    fn stream(self: Arc<Self>, from: u64) -> Box<dyn Read + Send> {
        Box::new(Ahead {
            asked: from,
            object: self,
            size: FIRST,
            at_once: 1,
            under_way: VecDeque::new(),
            bytes: Bytes::new(),
        })
    }
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pinned({})", self.url)
    }
}

/// An object's bytes from a place on, asked for ahead of who reads them.
struct Ahead {
    object: Arc<Pinned>,
    /// Where the next request begins.
    asked: u64,
    /// Its bytes.
    size: u64,
    /// Requests that may be under way.
    at_once: usize,
    under_way: VecDeque<Asked>,
    bytes: Bytes,
}

/// A request under way, which ends with whoever asked.
struct Asked(JoinHandle<io::Result<Bytes>>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ahead {
    fn ask(&mut self) {
        let all = self.object.meta.size;
        while self.under_way.len() < self.at_once && self.asked < all {
            let range = self.asked..(self.asked + self.size).min(all);
            self.asked = range.end;
            let object = Arc::clone(&self.object);
            let runtime = Arc::clone(&self.object.bucket.runtime);
            let asked = runtime.spawn(async move { object.range(range).await });
            self.under_way.push_back(Asked(asked));
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.bytes.is_empty() {
            self.ask();
            let Some(mut first) = self.under_way.pop_front() else {
                return Ok(0);
            };
            let answer = self.object.bucket.runtime.block_on(&mut first.0);
            let stopped =
                |_| io::Error::other("internal error: reading ended early; please report it");
            self.bytes = answer.map_err(stopped)??;
            self.size = (self.size * 2).min(LARGEST);
            self.at_once = (self.at_once + 1).min(AHEAD);
            // Whoever has read all of the first means to go on.
            if self.at_once > 2 {
                self.ask();
            }
        }
        let count = self.bytes.len().min(buf.len());
        let from = self.bytes.split_to(count);
        if let Some(to) = buf.get_mut(..count) {
            to.copy_from_slice(&from);
        }
        Ok(count)
    }
}
