//! What logins read on this machine: files, and the environment.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use glovebox_core::Secret;
use glovebox_outbound::https::{Address, Client};

use super::Problem;
use crate::files::read_secret;

/// Of a file of authorities, so many bytes are read.
const MAX_AUTHORITIES: u64 = 1 << 20;

/// A client that trusts the authorities in a PEM file, as it is now, or without one Mozilla's list.
pub(super) fn client(ca: Option<&Path>) -> Result<Client, Problem> {
    let ca = ca.map(authorities).transpose()?;
    let client = Client::new(ca.as_deref());
    client.map_err(|error| Problem::Refused(format!("tls: {{ ca: FILE }}: {error}")))
}

/// A client for the servers that say who the program is, which may be the clouds' public ones where the
/// store is not: it trusts Mozilla's list, too.
pub(super) fn identity_client(ca: Option<&Path>) -> Result<Client, Problem> {
    let Some(ca) = ca else { return client(None) };
    let client = Client::besides_public(&authorities(ca)?);
    client.map_err(|error| Problem::Refused(format!("tls: {{ ca: FILE }}: {error}")))
}

/// A failure of such a server, which is not the store's.
pub(super) fn of_identity(problem: Problem, server: &Address) -> Problem {
    let server = server.authority();
    problem.within(|problem| format!("{server}, which says who the program is: {problem}"))
}

pub(super) fn authorities(path: &Path) -> Result<Vec<u8>, Problem> {
    let mut pem = Vec::new();
    let file = regular(path).map(|file| file.take(MAX_AUTHORITIES));
    let read = file.and_then(|mut file| file.read_to_end(&mut pem));
    read.map_err(|error| unreadable(path, "tls: { ca: FILE }", &error))?;
    Ok(pem)
}

/// A secret that is a file; `what` it is, for messages.
pub(super) fn read(path: &Path, what: &str) -> Result<Secret, Problem> {
    let read = regular(path).and_then(read_secret);
    read.map_err(|error| unreadable(path, what, &error))
}

/// Of a pipe the opening alone would wait for its other end.
fn regular(path: &Path) -> io::Result<File> {
    match path.metadata()?.is_file() {
        true => File::open(path),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn unreadable(path: &Path, what: &str, error: &io::Error) -> Problem {
    let (path, why) = (path.display(), error.kind());
    Problem::Refused(format!("{what} cannot be read from {path}: {why}"))
}
