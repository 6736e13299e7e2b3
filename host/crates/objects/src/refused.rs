//! What is said of a store's refusal: our own sentence, since the store's text is another's.

use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use glovebox_core::StoreKind;
use glovebox_outbound::https::Failure;
use object_store::Error;

use crate::asks::{NoRole, Refused};

/// Another program has put an object there.
pub(crate) fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        "another program has changed it since the run began, and its rows would be lost; nothing \
        was added: run again",
    )
}

/// An object is not the one any more that was found.
pub(crate) fn moved_on() -> io::Error {
    io::Error::other("changed while it was read; run again")
}

/// The refusal as an error; `status` is the last that was none of success.
pub(crate) fn refused(error: &Error, kind: StoreKind, status: &AtomicU16) -> io::Error {
    let (of, sentence) = match error {
        Error::NotFound { .. } => (
            io::ErrorKind::NotFound,
            "the store has no such object, or no such bucket",
        ),
        Error::Precondition { .. } | Error::AlreadyExists { .. } => return changed(),
        Error::PermissionDenied { .. } => (
            io::ErrorKind::PermissionDenied,
            "the store does not let these credentials do that, or does not know them; look at `store:`, \
             at the environment, or at the machine's role",
        ),
        Error::Unauthenticated { .. } => (
            io::ErrorKind::PermissionDenied,
            "the store does not accept these credentials; look at `store:`, at the environment, or at \
             the machine's role",
        ),
        Error::NotSupported { .. } if kind == StoreKind::Https => (
            io::ErrorKind::Unsupported,
            "the server does not answer to ranges of bytes; download the file and name that",
        ),
        Error::NotImplemented { .. } | Error::NotSupported { .. } => (
            io::ErrorKind::Unsupported,
            "the server does not do what is asked of it; is it a store of that kind?",
        ),
        Error::InvalidPath { .. } => (
            io::ErrorKind::InvalidInput,
            "its name is not one that can be asked for",
        ),
        _ => return other(error, status),
    };
    io::Error::new(of, sentence)
}

fn other(error: &Error, status: &AtomicU16) -> io::Error {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return io::Error::other(format!("the store does not answer: {failure}"));
        }
        if error.is::<NoRole>() {
            return io::Error::other(
                "the store cannot be logged in to: neither `store:` nor the environment has a key, and the \
                 machine has no role",
            );
        }
        if error.is::<Refused>() {
            return io::Error::other(
                "the store's address is none that may be asked: plain http can be read and changed in \
                 transit; use https",
            );
        }
        cause = error.source();
    }
    match status.load(Ordering::Relaxed) {
        0 => io::Error::other(
            "the store is not asked, or its answer is not one of its kind; look at the keys in `store:` or \
             the environment",
        ),
        status @ 300..400 => io::Error::other(format!(
            "the store answered with status {status}: it is elsewhere; look at the region and the endpoint"
        )),
        status => io::Error::other(format!("the store answered with status {status}")),
    }
}
