//! Whether what is said of object stores fits the objects that are read and written.

use std::path::{Path, PathBuf};

use glovebox_core::{Input, ObjectUrl, StoreKind};

use super::paths::{file_of, tables, would_read};
use crate::diagnostic::Diagnostic;
use crate::model::{Manifest, Mode, SinkTarget, Source, Span, Spanned, StoreAccess};

/// What does not fit.
pub(super) fn uses(manifest: &Manifest, sink: bool, problems: &mut Vec<Diagnostic>) {
    let sources = std::iter::once(&manifest.source).chain(tables(manifest));
    for source in sources {
        one_store(source, problems);
        let at = source.object();
        access(source.store(), at.as_ref(), &source.span(), problems);
    }
    let target = &manifest.sink.target;
    let Some(url) = target.object() else {
        if sink && target.place().is_some() {
            access(target.store(), None, &manifest.sink.span, problems);
        }
        return;
    };
    let at = Spanned::new(&url.value, url.span.clone());
    access(target.store(), Some(&at), &manifest.sink.span, problems);
    let is_table = matches!(target, SinkTarget::Delta(_));
    for source in std::iter::once(&manifest.source).chain(tables(manifest)) {
        overwritten(source, url, is_table, problems);
    }
    if target.mode() == Mode::Append && !is_table {
        problems.push(
            Diagnostic::error(url.span.clone(), "an object cannot be added to")
                .help("write mode: replace, or another name for each run"),
        );
    }
    if let Some(gate) = manifest.gate.as_ref().filter(|_| !is_table) {
        let problem = "a release cannot go to an object store: it is held against the one before, whose record a \
                       store does not keep";
        problems.push(
            Diagnostic::error(url.span.clone(), problem)
                .context(gate.span.clone(), "the release")
                .help("release into a database or a file, and copy that"),
        );
    }
}

/// Refuses to put an object in the place of one that is read, or among those that the next run would read.
fn overwritten(
    source: &Source,
    written: &Spanned<ObjectUrl>,
    is_table: bool,
    problems: &mut Vec<Diagnostic>,
) {
    let written_as = match is_table {
        true => file_of(Path::new(written.value.key())),
        false => PathBuf::from(written.value.key()),
    };
    let (inputs, endings) = source.inputs();
    for input in inputs {
        let Input::Object(read) = &input.value else {
            continue;
        };
        let of_one = (read.kind(), read.bucket()) == (written.value.kind(), written.value.bucket());
        let problem = if *read == written.value {
            "the sink would overwrite the source"
        } else if of_one && would_read(Path::new(read.key()), &written_as, endings) {
            "the source would read what the sink wrote"
        } else {
            continue;
        };
        problems.push(
            Diagnostic::error(written.span.clone(), problem)
                .context(input.span.clone(), "this is read")
                .help("choose another address for the sink"),
        );
    }
}

/// All objects of a source are reached alike.
fn one_store(source: &Source, problems: &mut Vec<Diagnostic>) {
    let Some(first) = source.object() else {
        return;
    };
    let objects = source.inputs().0.iter();
    let other = objects.filter_map(|input| match &input.value {
        Input::Object(url) => Some((url, &input.span)),
        Input::Stdin | Input::Path(_) | Input::File(_) => None,
    });
    let differs = |url: &ObjectUrl| url.kind() != first.value.kind();
    if let Some((_, span)) = other.into_iter().find(|(url, _)| differs(url)) {
        problems.push(
            Diagnostic::error(span.clone(), "a source reads from stores of one kind")
                .context(first.span, "another kind")
                .help("run two manifests"),
        );
    }
}

fn access(
    access: Option<&StoreAccess>,
    at: Option<&Spanned<&ObjectUrl>>,
    span: &Span,
    problems: &mut Vec<Diagnostic>,
) {
    let Some(access) = access else {
        return;
    };
    let Some(at) = at else {
        problems.push(
            Diagnostic::error(
                span.clone(),
                "`store` is for objects, and there are none here",
            )
            .help("delete it, or write an address, like path: s3://bucket/sales.csv"),
        );
        return;
    };
    let kind = at.value.kind();
    let key = access.access_key.as_ref().map(|key| key.span.clone());
    let mut say = |span: Option<Span>, problem: &str, help: &str| {
        let span = span.unwrap_or_else(|| at.span.clone());
        problems.push(Diagnostic::error(span, problem).help(help));
    };
    if access.anonymous && (access.access_key.is_some() || access.access_key_id.is_some()) {
        say(
            key.clone(),
            "whoever is anonymous has no key",
            "delete `access-key`, or `anonymous`",
        );
    }
    match kind {
        StoreKind::S3 if access.access_key.is_some() != access.access_key_id.is_some() => say(
            key,
            "an access key of S3 is an ID and a secret key",
            "write both: access-key-id: AKIA…, access-key: { secret: NAME }",
        ),
        StoreKind::Google | StoreKind::Azure if access.access_key_id.is_some() => say(
            key,
            "`access-key-id` is for S3",
            "delete it: here `access-key` says all",
        ),
        StoreKind::Https if access.access_key.is_some() || access.access_key_id.is_some() => say(
            key,
            "a web server is read without logging in",
            "delete `access-key` and `access-key-id`",
        ),
        StoreKind::Https if access.endpoint.is_some() => say(
            None,
            "the address of a web server says where it is",
            "delete `endpoint`",
        ),
        _ => {}
    }
    if access.account.is_some() && kind != StoreKind::Azure {
        say(None, "`account` is for Azure", "delete it");
    }
    if access.region.is_some() && kind != StoreKind::S3 {
        say(None, "`region` is for S3", "delete it");
    }
}
