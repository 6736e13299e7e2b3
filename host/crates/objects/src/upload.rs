//! An object on its way: in parts that nobody sees, published by one request that fails if what is there is
//! not what was there when it was begun.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use glovebox_core::{Object, ObjectUrl, StoreKind, Upload};
use glovebox_outbound::https::{HeaderName, HeaderValue};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, MultipartUpload, ObjectMeta, PutMode, PutMultipartOptions,
    PutOptions, UpdateVersion,
};
use tokio::task::JoinHandle;

use crate::asks::Condition;
use crate::bucket::{Bucket, head};
use crate::read::Pinned;
use crate::refused::changed;

/// Bytes of a part. Some stores want all but the last to have the same size.
const PART: usize = 16 << 20;
/// Behind so many parts, which are 80 GiB, each thousand has parts twice as large: a store takes 10,000.
const EVEN: usize = 5_000;
const LARGER_EACH: usize = 1_000;
/// Parts that are under way at once.
const AT_ONCE: usize = 3;
/// Under this name the object says of which upload it is, so that a lost answer is told from a refusal. Azure
/// takes letters and digits only.
const MARK: &str = "gloveboxupload";
/// The longest that is waited for a store to take parts back.
const TAKEN_BACK: Duration = Duration::from_secs(10);

/// An object on its way.
pub(crate) struct Going {
    bucket: Arc<Bucket>,
    url: ObjectUrl,
    path: Path,
    /// What was there.
    before: Option<ObjectMeta>,
    mark: String,
    /// The part that is filled.
    part: Vec<u8>,
    parts: usize,
    /// Once there is more than a part.
    upload: Option<Box<dyn MultipartUpload>>,
    under_way: VecDeque<JoinHandle<object_store::Result<()>>>,
}

impl Going {
    /// To that bucket, in the place of what was there; nothing is sent yet.
    pub(crate) fn new(
        bucket: Bucket,
        at: &ObjectUrl,
        path: Path,
        before: Option<ObjectMeta>,
    ) -> io::Result<Self> {
        let mut mark = [0; 16];
        getrandom::fill(&mut mark)
            .map_err(|_| io::Error::other("the system has no random numbers"))?;
        Ok(Going {
            bucket: Arc::new(bucket),
            url: at.clone(),
            path,
            before,
            mark: glovebox_core::hex(mark),
            part: Vec::new(),
            parts: 0,
            upload: None,
            under_way: VecDeque::new(),
        })
    }

    fn part_size(&self) -> usize {
        let larger = (self.parts + LARGER_EACH).saturating_sub(EVEN) / LARGER_EACH;
        PART << larger.min(5)
    }

    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::Metadata(MARK.into()), self.mark.clone().into());
        attributes
    }

    /// Sends the part that is filled.
    fn send(&mut self) -> io::Result<()> {
        let part = Bytes::from(std::mem::take(&mut self.part));
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => {
                let options = PutMultipartOptions {
                    attributes: self.attributes(),
                    ..PutMultipartOptions::default()
                };
                let begun = self.bucket.store.put_multipart_opts(&self.path, options);
                self.bucket.wait(begun)?
            }
        };
        let sent = upload.put_part(part.into());
        self.upload = Some(upload);
        self.parts += 1;
        let sent = self.bucket.runtime.spawn(sent);
        self.under_way.push_back(sent);
        while self.under_way.len() >= AT_ONCE {
            self.wait_for_one()?;
        }
        Ok(())
    }

    fn wait_for_one(&mut self) -> io::Result<()> {
        let Some(sent) = self.under_way.pop_front() else {
            return Ok(());
        };
        let sent = self.bucket.runtime.block_on(sent);
        let stopped =
            |_| io::Error::other("internal error: an upload ended early; please report it");
        sent.map_err(stopped)?.map_err(|e| self.bucket.refused(&e))
    }

    /// Publishes what is no larger than a part.
    fn put(&mut self) -> object_store::Result<()> {
        let body = Bytes::from(std::mem::take(&mut self.part));
        let mode = match &self.before {
            None => PutMode::Create,
            Some(before) => PutMode::Update(UpdateVersion {
                e_tag: before.e_tag.clone(),
                version: before.version.clone(),
            }),
        };
        let options = PutOptions {
            mode,
            attributes: self.attributes(),
            ..PutOptions::default()
        };
        let put = self.bucket.store.put_opts(&self.path, body.into(), options);
        self.bucket.runtime.block_on(put).map(drop)
    }

    /// Publishes the parts.
    fn complete(&mut self) -> io::Result<object_store::Result<()>> {
        if !self.part.is_empty() {
            self.send()?;
        }
        while !self.under_way.is_empty() {
            self.wait_for_one()?;
        }
        let Some(upload) = &mut self.upload else {
            return Ok(Ok(()));
        };
        let completed = self.bucket.runtime.block_on(upload.complete());
        Ok(completed.map(drop))
    }

    /// Puts it in its place; says no where what was there when it was begun is not any more.
    pub(crate) fn put_in_place(mut self) -> io::Result<bool> {
        let published = match self.upload {
            None => self.put(),
            Some(_) => self.complete()?,
        };
        match published {
            Ok(()) => {}
            // An answer was lost, and the request had been heard.
            Err(_) if self.is_there() => {}
            Err(Error::Precondition { .. } | Error::AlreadyExists { .. }) => return Ok(false),
            // It was deleted.
            Err(Error::NotFound { .. }) if self.before.is_some() => return Ok(false),
            Err(error) => return Err(self.bucket.refused(&error)),
        }
        self.upload = None;
        Ok(true)
    }

    /// Whether the object that is there is of this upload.
    fn is_there(&self) -> bool {
        let there = self.bucket.wait(head(&self.bucket, &self.path));
        let mark = Attribute::Metadata(MARK.into());
        there.is_ok_and(|there| {
            let there = there.as_ref().and_then(|found| found.attributes.get(&mark));
            there.is_some_and(|mark| mark.as_ref() == self.mark)
        })
    }
}

impl Upload for Going {
    fn existing(&self) -> io::Result<Option<Arc<dyn Object>>> {
        let there = self.bucket.wait(head(&self.bucket, &self.path))?;
        Ok(there.map(|found| -> Arc<dyn Object> {
            Arc::new(Pinned::new(&self.bucket, self.url.clone(), found.meta))
        }))
    }

    fn publish(self: Box<Self>) -> io::Result<()> {
        match self.put_in_place()? {
            true => Ok(()),
            false => Err(changed()),
        }
    }
}

impl Write for Going {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let size = self.part_size();
        if self.part.capacity() == 0 {
            self.part.reserve_exact(size);
        }
        // A part is sent when more comes behind it: what is just one is published by one request.
        if self.part.len() >= size {
            self.send()?;
            return self.write(bytes);
        }
        let count = bytes.len().min(size - self.part.len());
        self.part
            .extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Going {
    /// Gives the parts back that were sent: a store keeps and charges them, though nobody sees them.
    fn drop(&mut self) {
        for sent in &self.under_way {
            sent.abort();
        }
        if let Some(mut upload) = self.upload.take() {
            let aborted = async { tokio::time::timeout(TAKEN_BACK, upload.abort()).await };
            // A store that does not hear it drops them by its own rules.
            let _ = self.bucket.runtime.block_on(aborted);
        }
    }
}

impl fmt::Debug for Going {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Going({})", self.url)
    }
}

/// What has to be there when parts are made one object: just what was there.
pub(crate) fn condition(kind: StoreKind, before: Option<&ObjectMeta>) -> io::Result<Condition> {
    let unversioned = || {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "the store does not say which version of the object is there, so two runs could both replace it",
        )
    };
    let (header, value) = match (kind, before) {
        (StoreKind::Google, before) => {
            let generation = match before {
                None => "0".to_owned(),
                Some(before) => before.version.clone().ok_or_else(unversioned)?,
            };
            ("x-goog-if-generation-match", generation)
        }
        (StoreKind::Https, _) => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a file on a web server can only be read",
            ));
        }
        (_, None) => ("if-none-match", "*".to_owned()),
        (_, Some(before)) => ("if-match", before.e_tag.clone().ok_or_else(unversioned)?),
    };
    Ok(Condition {
        header: HeaderName::from_static(header),
        value: HeaderValue::from_str(&value).map_err(|_| unversioned())?,
    })
}
