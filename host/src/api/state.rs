//! What every request shares.
//!
//! Owns its parts; refuses to decide anything.

use std::sync::Arc;

use glovebox_catalog::{Catalog, Hasher, Lockout};

use super::access::{Caller, Standings};
use super::audit::{Audit, Event};
use super::config::Config;
use super::datasets::Dataset;
use super::limits::Limits;
use super::metrics::Metrics;
use super::problem::Problem;
use super::runs::Runs;
use super::tokens::Tokens;

/// What every request shares.
pub(crate) struct Api {
    pub(crate) config: Config,
    pub(crate) catalog: Catalog,
    pub(crate) hasher: Hasher,
    pub(crate) lockout: Lockout,
    pub(crate) tokens: Tokens,
    pub(crate) audit: Audit,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) standings: Standings,
    pub(crate) datasets: Vec<Dataset>,
    pub(crate) runs: Arc<Runs>,
    /// The datasets' paths, for the rules.
    pub(crate) paths: Vec<String>,
    /// The API's description, as JSON and as a page.
    pub(crate) described: super::openapi::Described,
}

impl Api {
    /// Records what a caller did; nothing may be answered before.
    ///
    /// # Errors
    /// 503 when it cannot be recorded.
    pub(crate) async fn record(&self, caller: &Caller, mut event: Event) -> Result<(), Problem> {
        event.from = Some(caller.address);
        event.request = Some(caller.request.clone());
        if event.who.is_none() {
            event.who = caller.principal.as_ref().map(|p| p.who());
        }
        Ok(self.audit.record(event).await?)
    }

    /// Whether what is about to be done can be recorded, as far as is known: what cannot be is not
    /// begun.
    pub(crate) fn recordable(&self) -> Result<(), Problem> {
        Ok(self.audit.ready()?)
    }
}
