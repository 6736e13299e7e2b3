//! `/runs/{id}/rejects/runs`: runs the rows that a run rejected again.
//! Refused if the input is gone, since row numbers mean nothing without it.

use std::sync::Arc;

use glovebox_catalog::{Run, RunState};
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::Tag;
use super::begin::{Asked, Started, add, found};
use super::idempotency::IdempotencyKey;
use super::run_info::{Mode, run};
use super::runs::still_there;
use crate::caller::Caller;
use crate::config::Pipeline;
use crate::problem::Problem;
use crate::runs::rows;
use crate::state::Api;

pub(crate) struct Reruns;

#[OpenApi(tag = "Tag::Runs")]
impl Reruns {
    /// Run a run's rejects again
    ///
    /// A new run of the same pipeline, as it is configured now, over the rows that this run rejected
    /// and no others; its `of` names this run. The input has to be the one that they were rejected
    /// from. With an `Idempotency-Key`, the same request made again gets the same run.
    #[oai(
        path = "/runs/:id/rejects/runs",
        method = "post",
        operation_id = "rerun_rejects"
    )]
    async fn start(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The run's id.
        id: Path<String>,
        /// How the new run begins; `fresh` if left out.
        mode: Query<Option<Mode>>,
        /// What the client calls this request: 1 to 200 printable characters.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
    ) -> Result<Started, Problem> {
        let earlier = run(&api, &caller, &id).await?;
        let asked = Asked {
            name: &earlier.pipeline,
            mode: *mode,
            key: key.0.as_deref(),
            of: Some(&earlier.id),
        };
        let pipeline = found(&api, &caller, &asked)?;
        if earlier.upload {
            return Err(Problem::conflict().detail(
                "the rows of this run were uploaded, and the file was deleted; upload the \
                corrected file to /pipelines/{name}/uploads with `rejects-of`",
            ));
        }
        left(&api, &earlier).await?;
        add(&api, &caller, pipeline, &asked, None).await
    }
}

/// Whether an upload to a pipeline may correct the rejects of that run.
pub(super) async fn corrected(
    api: &Api,
    caller: &Caller,
    pipeline: &Pipeline,
    of: &str,
) -> Result<(), Problem> {
    let stranger = || Problem::not_found().detail("`rejects-of` names no run of this pipeline");
    let earlier = run(api, caller, of).await;
    let earlier = earlier.map_err(|problem| match problem.kind() {
        "not-found" => stranger(),
        _ => problem,
    })?;
    if earlier.pipeline != pipeline.name {
        return Err(stranger());
    }
    left(api, &earlier).await
}

/// Whether a run has left rejects.
async fn left(api: &Api, run: &Run) -> Result<(), Problem> {
    let refused = |why: &str| Err(Problem::conflict().detail(why));
    match run.state {
        RunState::Done | RunState::Rejected => {}
        RunState::Queued | RunState::Running => {
            return refused("that run is not over yet; try again when it is");
        }
        RunState::Failed | RunState::Cancelled => {
            return refused(
                "that run did not finish, so it left no rejects file; start the pipeline with \
                `mode=resume` first",
            );
        }
    }
    let report = api.catalog.report(&run.id).await?;
    if report.and_then(|r| rows(&r, "rejected")) == Some(0) {
        return refused("that run rejected no rows, so there is nothing to run again");
    }
    still_there(api, run).await
}
