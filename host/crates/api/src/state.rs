//! State shared by all requests.

use std::sync::Arc;
use std::time::Instant;

use glovebox_audit::Event;
use glovebox_catalog::{Catalog, Hasher, Lockout};
use tokio::sync::Semaphore;

use super::alerts::Alerts;
use super::audit::Audit;
use super::caller::Caller;
use super::config::Config;
use super::datasets::Dataset;
use super::described::Descriptions;
use super::explain::Explains;
use super::limits::Limits;
use super::metrics::Metrics;
use super::problem::Problem;
use super::reveal::Reveals;
use super::runs::Runs;
use super::standings::Standings;
use super::tally::Tally;
use super::tokens::Tokens;

/// What every request shares.
pub(crate) struct Api {
    pub(crate) config: Config,
    pub(crate) catalog: Catalog,
    pub(crate) hasher: Hasher,
    pub(crate) lockout: Lockout,
    pub(crate) tokens: Tokens,
    pub(crate) audit: Audit,
    pub(crate) tally: Tally,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) standings: Standings,
    pub(crate) datasets: Vec<Dataset>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) reveals: Reveals,
    pub(crate) explains: Explains,
    /// The right to explain a cell now.
    pub(crate) explanations: Arc<Semaphore>,
    pub(crate) alerts: Option<Alerts>,
    /// The datasets' paths, for the rules.
    pub(crate) paths: Vec<String>,
    /// The API's description, by what one may see of it.
    pub(crate) described: Descriptions,
}

impl Api {
    /// Records what a caller did; nothing may be answered before.
    ///
    /// # Errors
    /// 503 when it cannot be recorded.
    pub(crate) async fn record(&self, caller: &Caller, event: Event) -> Result<(), Problem> {
        self.audit.record(by(caller, event)).await?;
        caller.set_recorded();
        Ok(())
    }

    /// The same of what may be done over and over: it is recorded, or counted, and the count
    /// recorded at the end of the minute.
    ///
    /// # Errors
    /// 503 when it could not be recorded.
    pub(crate) async fn count(&self, caller: &Caller, event: Event) -> Result<(), Problem> {
        let event = by(caller, event);
        let seen = self.audit.is_tapped().then(|| event.clone());
        match self.tally.count(event, Instant::now()) {
            Some(event) => self.audit.record(event).await?,
            None => {
                self.audit.ready()?;
                // A series is told before its minute is over.
                seen.into_iter().for_each(|event| self.audit.hand_on(event));
            }
        }
        caller.set_recorded();
        Ok(())
    }

    /// Records the counts of minutes that are over, or of all.
    pub(crate) async fn record_counts(&self, all: bool) {
        for event in self.tally.over(Instant::now(), all) {
            // The log says why it was not.
            let _ = self.audit.record_count(event).await;
        }
    }

    /// Whether what is about to be done can be recorded, as far as is known: what cannot be is not
    /// begun.
    pub(crate) fn recordable(&self) -> Result<(), Problem> {
        Ok(self.audit.ready()?)
    }
}

fn by(caller: &Caller, event: Event) -> Event {
    let mut event = event.source(caller.address).request(&caller.request);
    if let Some((method, path)) = &caller.route {
        event = event.http(method, path);
    }
    match &caller.principal {
        Some(principal) if !event.is_by_somebody() => principal.did(event),
        _ => event,
    }
}
