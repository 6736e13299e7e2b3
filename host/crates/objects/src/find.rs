//! The objects at an address: one, those of a folder, or those that match a pattern.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use futures_util::TryStreamExt;
use glob::{MatchOptions, Pattern};
use glovebox_core::endings::{self, PACKED};
use glovebox_core::{Object, ObjectUrl, StoreKind};
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::bucket::{Bucket, head, path_of};
use crate::read::Pinned;

/// As for files: `*` and `?` stop at `/`, and do not find what begins with a dot.
const RULES: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The objects, sorted by the bytes of their keys.
pub(crate) fn find(
    bucket: &Arc<Bucket>,
    at: &ObjectUrl,
    of_format: &[&str],
) -> io::Result<Vec<Arc<dyn Object>>> {
    if at.kind() == StoreKind::Https && at.is_folder() {
        return Err(unlisted());
    }
    if at.is_folder() {
        let found = bucket.wait(below(bucket, at))?;
        let fits = |meta: &ObjectMeta| {
            let name = meta.location.filename().unwrap_or_default();
            endings::has(OsStr::new(name), of_format)
        };
        let found: Vec<_> = found.into_iter().filter(fits).collect();
        if found.is_empty() {
            return Err(none(format!(
                "the folder has no object with the extension .{} (or that and .{}); folders below it \
                 are not read: name the objects, or a pattern",
                of_format.join(", ."),
                PACKED.join(", .")
            )));
        }
        return Ok(pinned(bucket, at, found));
    }
    let there = bucket.wait(head(bucket, &path_of(at)?))?;
    if let Some(there) = there {
        return Ok(pinned(bucket, at, vec![there.meta]));
    }
    if !at.is_pattern() {
        return Err(none(
            "the store has no such object, or no such bucket".to_owned(),
        ));
    }
    if at.kind() == StoreKind::Https {
        return Err(unlisted());
    }
    let pattern = Pattern::new(at.key())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "is not a valid file pattern"))?;
    let found = bucket.wait(matching(bucket, at, &pattern))?;
    if found.is_empty() {
        return Err(none(
            "no object matches; `*` and `?` do not match `/`, or a dot at the beginning".to_owned(),
        ));
    }
    Ok(pinned(bucket, at, found))
}

async fn below(bucket: &Bucket, at: &ObjectUrl) -> object_store::Result<Vec<ObjectMeta>> {
    let folder = Path::parse(at.key().trim_end_matches('/'))?;
    let found = bucket.store.list_with_delimiter(Some(&folder)).await?;
    Ok(found.objects)
}

/// Only the matching ones are kept, however many there are.
async fn matching(
    bucket: &Bucket,
    at: &ObjectUrl,
    pattern: &Pattern,
) -> object_store::Result<Vec<ObjectMeta>> {
    let literal = at.key().find(['*', '?', '[']).unwrap_or_default();
    let folder = at.key().get(..literal).and_then(|k| k.rsplit_once('/'));
    let folder = folder.map(|(folder, _)| Path::parse(folder)).transpose()?;
    let matches = |meta: &ObjectMeta| pattern.matches_with(meta.location.as_ref(), RULES);
    let all = bucket.store.list(folder.as_ref());
    all.try_filter(|meta| std::future::ready(matches(meta)))
        .try_collect()
        .await
}

fn pinned(
    bucket: &Arc<Bucket>,
    at: &ObjectUrl,
    mut found: Vec<ObjectMeta>,
) -> Vec<Arc<dyn Object>> {
    found.sort_by(|a, b| a.location.as_ref().cmp(b.location.as_ref()));
    let objects = found.into_iter();
    let pin = |meta: ObjectMeta| -> Arc<dyn Object> {
        let url = at.with_key(meta.location.as_ref().to_owned());
        Arc::new(Pinned::new(bucket, url, meta))
    };
    objects.map(pin).collect()
}

fn none(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, problem)
}

fn unlisted() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "a web server cannot say which files it has; name each",
    )
}
