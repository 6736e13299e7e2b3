//! Server-sent events for a client that follows a run, as long as its token is valid.

use std::sync::Arc;
use std::time::Duration;

use glovebox_catalog::Run;
use poem::http::HeaderMap;

use super::run_info::{RunInfo, run};
use crate::access::authenticate;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::rules::{Permission, Rule};
use crate::state::Api;

/// How often a run is looked at for those who follow it.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Somebody who follows a run.
pub(super) struct Follower {
    api: Arc<Api>,
    caller: Caller,
    headers: HeaderMap,
    id: String,
    last: Option<RunInfo>,
}

impl Follower {
    /// One of those that somebody may follow at once; it is given back when this is dropped.
    ///
    /// # Errors
    /// 429 when they follow as many as they may.
    pub(super) fn new(
        api: &Arc<Api>,
        caller: &Caller,
        headers: &HeaderMap,
        run: &Run,
    ) -> Result<Self, Problem> {
        let slot = api.limits.stream(&caller.principal()?.user.id)?;
        let mut caller = caller.clone();
        caller.hold(Arc::new(slot));
        Ok(Follower {
            api: Arc::clone(api),
            caller,
            headers: headers.clone(),
            id: run.id.clone(),
            last: None,
        })
    }

    /// The run when it has changed; none when it was over, or the caller is nobody any more.
    pub(super) async fn next(mut self) -> Option<(RunInfo, Self)> {
        if self.last.as_ref().is_some_and(RunInfo::is_over) {
            return None;
        }
        loop {
            if self.last.is_some() {
                tokio::time::sleep(POLL_INTERVAL).await;
                let principal = authenticate(&self.api, &self.headers, false).await.ok()?;
                let rule = Rule::Needs(Permission::Watch);
                principal.passes(rule, Duration::ZERO).ok()?;
                self.caller.principal = Some(principal);
            }
            let run = run(&self.api, &self.caller, &self.id).await.ok()?;
            let run = RunInfo::seen_by(self.caller.principal().ok()?, run);
            if self.last.as_ref() != Some(&run) {
                self.last = Some(run.clone());
                return Some((run, self));
            }
        }
    }
}
