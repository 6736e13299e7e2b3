//! `/runs/{id}/explain`: how a cell of a run's came about, without the cell.

use std::sync::Arc;

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::Run;
use glovebox_core::supervised::NotExplained;
use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::ParseFromJSON;
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::Tag;
use super::explained::Explained;
use super::run_info::run;
use crate::caller::Caller;
use crate::explain::{CellAsked, NoAnswer, Reins, Told, ask};
use crate::problem::Problem;
use crate::state::Api;

pub(crate) struct Explain;

#[OpenApi(tag = "Tag::Runs")]
impl Explain {
    /// Explain a cell
    ///
    /// How a cell of a finished run came about, as `glovebox explain` says it: its column in the source, each step
    /// that could see or change it, with plugin, method and key, and what became of the row. The cell itself is
    /// not shown to anybody.
    #[oai(
        path = "/runs/:id/explain",
        method = "get",
        operation_id = "explain_cell"
    )]
    async fn explain(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The run's id.
        id: Path<String>,
        /// The row's number in the source, counted from 0, as rejects have it.
        row: Query<u64>,
        /// The column, by its name after the last step.
        #[oai(validator(min_length = 1, max_length = 255))]
        column: Query<String>,
    ) -> Result<Json<Explained>, Problem> {
        let found = run(&api, &caller, &id).await?;
        api.recordable()?;
        let asked = Event::new(Action::Explained, Outcome::Success)
            .pipeline(&found.pipeline)
            .run(&found.id);
        match explained(&api, &caller, &found, (row.0, &column.0)).await {
            Ok(explained) => {
                let event = asked.columns([explained.column()]);
                api.record(&caller, event).await?;
                Ok(Json(explained))
            }
            Err(problem) => {
                api.record(&caller, asked.failed()).await?;
                Err(problem)
            }
        }
    }
}

/// What a report says of its run.
#[derive(Deserialize)]
struct Reported {
    run: String,
    proof: Option<String>,
}

async fn explained(
    api: &Arc<Api>,
    caller: &Caller,
    found: &Run,
    (row, column): (u64, &str),
) -> Result<Explained, Problem> {
    let report = api.catalog.report(&found.id).await?;
    let report = report.ok_or_else(|| {
        Problem::not_found().detail("a run's cells can be explained once it is done")
    })?;
    let report: Reported = serde_json::from_str(&report).map_err(|_| Problem::internal())?;
    let mut pipelines = api.config.pipelines.iter();
    let pipeline = pipelines.find(|pipeline| pipeline.name == found.pipeline);
    let pipeline = pipeline.ok_or_else(Problem::not_found)?;
    let Ok(slot) = Arc::clone(&api.explanations).try_acquire_owned() else {
        return Err(Problem::unavailable().retry_after(1));
    };
    let command = (api.explains)(&CellAsked {
        manifest: &pipeline.manifest,
        run: &report.run,
        row,
        column,
        journal_only: found.upload || found.of.is_some(),
    });
    let command = command.map_err(|error| failed(found, &error))?;
    let reins = Reins::default();
    let dropped = reins.dropped();
    let told = tokio::task::spawn_blocking(move || {
        let _slot = slot;
        ask(command, report.proof.as_deref(), &dropped)
    });
    // Not a part of this request, since what a process was let into is recorded also if nobody waits for it.
    let recorded = tokio::spawn(recorded(
        Arc::clone(api),
        caller.clone(),
        found.id.clone(),
        told,
    ));
    let answer = recorded.await.map_err(|_| Problem::internal())??;
    match answer {
        // Only what it has fields for is passed on.
        Ok(answer) => Explained::parse_from_json(Some(answer))
            .map_err(|error| failed(found, &error.into_message())),
        Err(NoAnswer::Failed(problem)) => Err(failed(found, &problem)),
        Err(NoAnswer::Unexplained(unexplained)) => Err(match unexplained.why {
            NotExplained::Manifest => Problem::unprocessable().detail(
                "the pipeline's manifest is not in order, or a key of it cannot be had; `glovebox check` says why",
            ),
            NotExplained::Run => Problem::not_found()
                .detail("the sink's journal does not have this run any more"),
            NotExplained::Column => Problem::unprocessable().detail(unexplained.detail),
        }),
    }
}

/// What a process has said, once its use of secrets is recorded.
async fn recorded(
    api: Arc<Api>,
    caller: Caller,
    run: String,
    told: JoinHandle<Told>,
) -> Result<Result<serde_json::Value, NoAnswer>, Problem> {
    let told = told.await.map_err(|_| Problem::internal())?;
    for secret in &told.secrets {
        let event = Event::new(Action::SecretUsed, Outcome::Success)
            .key(secret)
            .run(&run);
        api.record(&caller, event).await?;
    }
    Ok(told.answer)
}

/// What the process said is for the server's log.
fn failed(run: &Run, error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(run = run.id, %error, "a cell could not be explained");
    Problem::unavailable()
        .detail("the pipeline's source or sink cannot be read; the server's log says why")
        .retry_after(5)
}
