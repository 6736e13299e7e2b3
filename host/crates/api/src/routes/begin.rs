//! Puts a run into the queue: of a pipeline, of an upload, or of another run's rejects. A run that
//! cannot be recorded is not started.

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{Added, NewRun, new_run_id};
use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;

use super::run_info::{Mode, RunInfo};
use crate::caller::Caller;
use crate::config::Pipeline;
use crate::problem::Problem;
use crate::state::Api;

/// When somebody may ask again whose run may not wait, in seconds: runs take their time.
const QUEUE_FULL: u64 = 30;

#[derive(ApiResponse)]
pub(super) enum Started {
    /// A new run, which waits for its turn.
    #[oai(status = 202)]
    New(
        Json<RunInfo>,
        /// Where the run is.
        #[oai(header = "Location")]
        String,
    ),
    /// The run that the same request began before.
    #[oai(status = 200)]
    Same(
        Json<RunInfo>,
        /// Where the run is.
        #[oai(header = "Location")]
        String,
    ),
}

/// What a request for a run says.
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    pub(super) mode: Option<Mode>,
    pub(super) key: Option<&'a str>,
    /// The run whose rejects are meant.
    pub(super) of: Option<&'a str>,
}

/// The pipeline, if there is one of that name for this caller.
pub(super) fn found<'a>(
    api: &'a Api,
    caller: &Caller,
    asked: &Asked<'_>,
) -> Result<&'a Pipeline, Problem> {
    let pipeline = api.config.pipelines.iter().find(|p| p.name == asked.name);
    let pipeline = pipeline.ok_or_else(Problem::not_found)?;
    if !caller.principal()?.may_see(pipeline) {
        // To somebody who may not see it there is none.
        return Err(Problem::not_found());
    }
    if asked.of.is_some() && asked.mode == Some(Mode::OnlyNew) {
        return Err(Problem::bad_request()
            .detail("a run over rejects selects its own rows; `only-new` is for whole inputs"));
    }
    Ok(pipeline)
}

/// Puts a run into the queue, once for each key, and records it.
pub(super) async fn add(
    api: &Api,
    caller: &Caller,
    pipeline: &Pipeline,
    asked: &Asked<'_>,
    upload: Option<(&str, &str)>,
) -> Result<Started, Problem> {
    api.recordable()?;
    let principal = caller.principal()?;
    let id = match upload {
        Some((id, _)) => id.to_owned(),
        None => new_run_id()?,
    };
    let new = NewRun {
        id: &id,
        pipeline: &pipeline.name,
        user_id: &principal.user.id,
        user_name: &principal.user.name,
        request: asked.key,
        mode: asked.mode.unwrap_or(Mode::Fresh).into(),
        upload: upload.map(|(_, digest)| (api.runs.machine(), digest)),
        of: asked.of,
        at_most: pipeline.queue,
    };
    let now = crate::now();
    let (run, is_new) = match api.catalog.add_run(&new, now).await? {
        Added::New(run) => (run, true),
        Added::Same(run) => (run, false),
        Added::Other => {
            return Err(Problem::unprocessable()
                .detail("this Idempotency-Key was used for another request; choose a new one"));
        }
        Added::Full => {
            let detail = format!("{} runs of this pipeline wait already", pipeline.queue);
            return Err(Problem::queue_full().detail(detail).retry_after(QUEUE_FULL));
        }
    };
    if is_new {
        let action = match upload {
            Some(_) => Action::Uploaded,
            None => Action::RunStarted,
        };
        let event = Event::new(action, Outcome::Success)
            .pipeline(&pipeline.name)
            .run(&run.id)
            .reason(asked.of.map(|_| "rejects"));
        if let Err(problem) = api.record(caller, event).await {
            // What is not recorded does not happen.
            api.catalog.cancel_run(&run.id, now).await?;
            return Err(problem);
        }
        api.runs.wake();
    }
    let place = format!("/runs/{}", run.id);
    let info = Json(RunInfo::seen_by(principal, run));
    Ok(match is_new {
        true => Started::New(info, place),
        false => Started::Same(info, place),
    })
}
