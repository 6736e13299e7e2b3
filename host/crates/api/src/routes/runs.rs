//! `/runs`: their progress and outcome, reports and rejects.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{Run, RunFilter, RunState};
use poem::Request;
use poem::web::Data;
use poem::web::sse;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::{EventStream, Json, PlainText};
use poem_openapi::types::{Any, ToJSON};
use poem_openapi::{ApiResponse, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::follow::Follower;
use super::run_info::{RunInfo, State, run};
use super::sight::Sight;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::runs::{Page, rejects_page, rows};
use crate::state::Api;

/// What keeps a connection open on which nothing happens.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Items of a page when a request does not say.
const ITEMS: u32 = 100;

#[derive(ApiResponse)]
enum Cancelled {
    /// The run, which is over, or ends with its current batch.
    #[oai(status = 202)]
    Asked(Json<RunInfo>),
}

pub(crate) struct Runs;

#[OpenApi(tag = "Tag::Runs")]
impl Runs {
    /// List runs
    ///
    /// The latest first, of the pipelines that the caller may see.
    #[oai(path = "/runs", method = "get", operation_id = "list_runs")]
    async fn list(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// Only of this pipeline.
        #[oai(validator(max_length = 64))]
        pipeline: Query<Option<String>>,
        /// Only in this state.
        state: Query<Option<State>>,
        /// Only those before this one, by its id.
        #[oai(validator(max_length = 64, pattern = "^[A-Za-z0-9_-]*$"))]
        before: Query<Option<String>>,
        /// How many at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
    ) -> Result<Json<Vec<RunInfo>>, Problem> {
        let principal = caller.principal()?;
        let seen = api.config.pipelines.iter().filter(|p| {
            principal.may_see(p) && pipeline.as_ref().is_none_or(|wanted| *wanted == p.name)
        });
        let seen: Vec<&str> = seen.map(|p| p.name.as_str()).collect();
        let filter = RunFilter {
            pipelines: &seen,
            state: state.map(RunState::from),
            before: before.as_deref(),
        };
        let runs = api.catalog.runs(&filter, limit.unwrap_or(ITEMS)).await;
        let runs = runs?.into_iter();
        Ok(Json(
            runs.map(|run| RunInfo::seen_by(principal, run)).collect(),
        ))
    }

    /// Get a run
    #[oai(path = "/runs/:id", method = "get", operation_id = "get_run")]
    async fn get(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The run's id.
        id: Path<String>,
    ) -> Result<Json<RunInfo>, Problem> {
        let run = run(&api, &caller, &id).await?;
        let event = look(&run);
        api.count(&caller, event).await?;
        Ok(Json(RunInfo::seen_by(caller.principal()?, run)))
    }

    /// Follow a run
    ///
    /// Server-sent events of type `run`, each with the run as it is then, at most two a second,
    /// until it is over. They end with the token that asked for them, too.
    #[oai(path = "/runs/:id/events", method = "get", operation_id = "follow_run")]
    async fn events(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        request: &Request,
        /// The run's id.
        id: Path<String>,
    ) -> Result<EventStream<BoxStream<'static, RunInfo>>, Problem> {
        // Whether there is such a run for this caller is told by the status.
        let found = run(&api, &caller, &id).await?;
        let follower = Follower::new(&api, &caller, request.headers(), &found)?;
        api.count(&caller, look(&found)).await?;
        let runs = stream::unfold(follower, Follower::next).boxed();
        let events = EventStream::new(runs)
            .keep_alive(KEEP_ALIVE)
            .to_event(|run| sse::Event::message(run.to_json_string()).event_type("run"));
        Ok(events)
    }

    /// Cancel a run
    ///
    /// One that waits is over at once, one that runs ends with its current batch. What it has
    /// stored by then depends on the sink; a run in mode `resume` goes on from there.
    #[oai(
        path = "/runs/:id/cancel",
        method = "post",
        operation_id = "cancel_run"
    )]
    async fn cancel(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The run's id.
        id: Path<String>,
    ) -> Result<Cancelled, Problem> {
        let found = run(&api, &caller, &id).await?;
        let event = Event::new(Action::RunCancelled, Outcome::Success)
            .pipeline(&found.pipeline)
            .run(&found.id);
        api.record(&caller, event).await?;
        let cancelled = api.catalog.cancel_run(&id, crate::now()).await?;
        let run = cancelled.ok_or_else(Problem::not_found)?;
        if run.upload && run.state == RunState::Cancelled {
            api.runs.folder().forget_input(&run.id);
        }
        let run = RunInfo::seen_by(caller.principal()?, run);
        Ok(Cancelled::Asked(Json(run)))
    }

    /// Get a run's report
    ///
    /// Counts of rows, by step and rule, as `glovebox run --report` writes it.
    #[oai(path = "/runs/:id/report", method = "get", operation_id = "get_report")]
    async fn report(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The run's id.
        id: Path<String>,
    ) -> Result<Json<Any<serde_json::Value>>, Problem> {
        let found = run(&api, &caller, &id).await?;
        let report = api.catalog.report(&found.id).await?;
        let report = report
            .ok_or_else(|| Problem::not_found().detail("a run has no report before it is done"))?;
        let report = serde_json::from_str(&report).map_err(|_| Problem::internal())?;
        let report = Sight::of(&api, caller.principal()?).report(report);
        viewed(&api, &caller, &found, None).await?;
        Ok(Json(Any(report)))
    }

    /// Get a run's proof
    ///
    /// The signed statement of what left, under which rules, by whose plugins and keys, as `glovebox run --proof`
    /// writes it; `glovebox proof verify` verifies it as it is, to the byte. Only of runs whose manifest has
    /// `proof`.
    #[oai(path = "/runs/:id/proof", method = "get", operation_id = "get_proof")]
    async fn proof(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The run's id.
        id: Path<String>,
    ) -> Result<PlainText<String>, Problem> {
        let found = run(&api, &caller, &id).await?;
        let report = api.catalog.report(&found.id).await?;
        let report: Option<Proven> = report
            .map(|report| serde_json::from_str(&report).map_err(|_| Problem::internal()))
            .transpose()?;
        let proof = report.and_then(|report| report.proof).ok_or_else(|| {
            Problem::not_found()
                .detail("a run has a proof once it has published rows, if its manifest has `proof`")
        })?;
        viewed(&api, &caller, &found, None).await?;
        Ok(PlainText(proof))
    }

    /// Get a run's rejects
    ///
    /// Which rows of the source were set aside, by which rules; no values. A run that is not over
    /// has none yet.
    #[oai(
        path = "/runs/:id/rejects",
        method = "get",
        operation_id = "get_rejects"
    )]
    async fn rejects(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The run's id.
        id: Path<String>,
        /// What the page before had as `next`.
        #[oai(validator(max_length = 20, pattern = "^[0-9]+$"))]
        after: Query<Option<String>>,
        /// How many at most.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
        limit: Query<Option<u32>>,
    ) -> Result<Json<Page>, Problem> {
        let found = run(&api, &caller, &id).await?;
        let after = after.0.unwrap_or_else(|| "0".into());
        let after: u64 = after.parse().map_err(|_| Problem::bad_query())?;
        let path = api.runs.folder().rejects(&found.id);
        let at_most = limit.unwrap_or(ITEMS) as usize;
        let page = tokio::task::spawn_blocking(move || rejects_page(&path, after, at_most)).await;
        let page = page.map_err(|_| Problem::internal())?.map_err(|error| {
            tracing::error!(run = found.id, %error, "rejects cannot be read");
            Problem::unavailable().retry_after(5)
        })?;
        if page.as_ref().is_none_or(|page| page.rejects.is_empty()) {
            still_there(&api, &found).await?;
        }
        let page = page.ok_or_else(|| {
            Problem::bad_cursor().detail("`after` is not the `next` of a page of this run")
        })?;
        viewed(&api, &caller, &found, Some(page.rejects.len() as u64)).await?;
        Ok(Json(Sight::of(&api, caller.principal()?).rejects(page)))
    }
}

/// Whether a run's list of rejects is here, if it has rejected rows: one that is gone is not an empty one.
pub(super) async fn still_there(api: &Api, run: &Run) -> Result<(), Problem> {
    let report = api.catalog.report(&run.id).await?;
    let has_rejects = report.and_then(|report| rows(&report, "rejected")) > Some(0);
    if has_rejects && !api.runs.folder().rejects(&run.id).is_file() {
        return Err(Problem::conflict().detail(
            "that run's rejects file is not on this server: another one has it, or it was deleted, as \
             `runs.keep-size` has it",
        ));
    }
    Ok(())
}

/// A run's report, as far as it is about its proof.
#[derive(Deserialize)]
struct Proven {
    proof: Option<String>,
}

fn look(run: &Run) -> Event {
    Event::new(Action::Viewed, Outcome::Success)
        .pipeline(&run.pipeline)
        .run(&run.id)
}

async fn viewed(api: &Api, caller: &Caller, run: &Run, rows: Option<u64>) -> Result<(), Problem> {
    api.record(caller, look(run).rows(rows)).await
}
