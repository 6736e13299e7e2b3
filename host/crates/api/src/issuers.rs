//! The keys of other issuers: read from files at the start, or fetched while the server runs.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use glovebox_audit::{Action, Event, Outcome};
use glovebox_outbound::https::Client;
use tokio::task::JoinHandle;

use super::audit::Audit;
use super::config::{Issuer, KeySource};
use super::tokens::{External, Published, RefreshPolicy, Remote};

/// A file of keys or certificates larger than this is not read.
const MAX_SIZE: u64 = 1 << 20;

/// The issuers of a configuration, and what has to be done to know their keys.
///
/// # Errors
/// When a file cannot be read, or holds no keys. An issuer that is away is none.
pub(super) fn open(issuers: &[Issuer]) -> anyhow::Result<(Vec<External>, Vec<KeyRefresh>)> {
    let (mut externals, mut refreshes) = (Vec::new(), Vec::new());
    for issuer in issuers {
        if let KeySource::File(file) = &issuer.keys {
            let place = || format!("the keys of issuer {} in {}", issuer.url, file.display());
            let bytes = read(file).with_context(place)?;
            let external = External::new(issuer, &bytes);
            externals.push(external.map_err(|p| anyhow::anyhow!("{}: {p}", place()))?);
            continue;
        }
        let client = client(issuer.ca.as_deref())
            .with_context(|| format!("`tls` of the issuer {}", issuer.url))?;
        let remote = Remote::new(&issuer.url, RefreshPolicy::default());
        externals.push(External::remote(issuer, Arc::clone(&remote)));
        refreshes.push(KeyRefresh {
            remote,
            published: Published::new(issuer, client),
        });
    }
    Ok((externals, refreshes))
}

/// A client that trusts the authorities of this file, or without one those of everybody.
///
/// # Errors
/// When it cannot be read, or holds none.
pub(super) fn client(ca: Option<&Path>) -> anyhow::Result<Client> {
    let Some(ca) = ca else {
        return Ok(Client::new(None)?);
    };
    let place = || ca.display().to_string();
    let pem = read(ca).with_context(place)?;
    Client::new(Some(&pem)).with_context(place)
}

pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > MAX_SIZE {
        bail!("larger than {MAX_SIZE} bytes");
    }
    Ok(std::fs::read(file)?)
}

/// An issuer that has to be asked.
pub(super) struct KeyRefresh {
    remote: Arc<Remote>,
    published: Published,
}

impl KeyRefresh {
    /// Asks now, when its answer gets old, and when a token names a key that we do not know.
    pub(super) fn keep(self, audit: Audit) -> JoinHandle<()> {
        tokio::spawn(async move {
            loop {
                let record = async || {
                    let event = Event::new(Action::Configured, Outcome::Success)
                        .key(&self.remote.issuer)
                        .reason("issuer-keys");
                    let recorded = audit.record(event).await;
                    recorded.map_err(|error| error.to_string())
                };
                let wait = self.remote.renew(&self.published, record).await;
                self.remote.rest(wait).await;
            }
        })
    }
}
