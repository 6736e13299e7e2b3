//! A run as the API shows it, and to whom. A failure's message is shown only to those who may start
//! runs.

use glovebox_catalog::{Run, RunMode, RunState};
use poem_openapi::{Enum, Object};

use super::time::Moment;
use crate::caller::{Caller, Principal};
use crate::problem::Problem;
use crate::rules::Permission;
use crate::state::Api;

/// How a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase", remote = "RunMode")]
pub(crate) enum Mode {
    /// The same input is not added twice, and a run that did not finish is in the way.
    Fresh,
    /// It goes on with a run that did not finish.
    Resume,
    /// It begins anew, whatever was added before.
    Again,
    /// It passes over the rows at its input's beginning that were added before, and adds the others.
    #[oai(rename = "only-new")]
    OnlyNew,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase", remote = "RunState")]
pub(crate) enum State {
    /// It waits for its turn.
    Queued,
    /// It is under way.
    Running,
    /// Every row has its fate.
    Done,
    /// More rows were rejected than the pipeline allows, or none was left to replace those that are
    /// there; the report says whether the rest is stored or withheld.
    Rejected,
    /// It failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Object)]
pub(crate) struct RunInfo {
    /// What it is called in paths.
    id: String,
    /// The pipeline's name.
    pipeline: String,
    /// Who asked for it.
    user: String,
    /// How it begins.
    mode: Mode,
    /// Whether its rows were uploaded.
    upload: bool,
    /// The run whose rejects it goes over, and over no other rows; absent of a whole input.
    #[oai(skip_serializing_if_is_none)]
    of: Option<String>,
    /// How far it is.
    state: State,
    /// Whether somebody has asked for its end.
    cancelled: bool,
    /// How often a server has begun it; more than once if one died meanwhile.
    starts: i64,
    /// When it was asked for.
    created: Moment,
    /// When it was first begun.
    #[oai(skip_serializing_if_is_none)]
    started: Option<Moment>,
    /// When it was over.
    #[oai(skip_serializing_if_is_none)]
    ended: Option<Moment>,
    /// Rows that have been through the steps.
    rows: i64,
    /// Those, divided by the seconds since it was begun.
    #[oai(skip_serializing_if_is_none)]
    rows_per_second: Option<f64>,
    /// How much of the source was read, 0 to 1, where its length is known.
    #[oai(skip_serializing_if_is_none)]
    share: Option<f64>,
    /// Why it failed; for those who may start runs.
    #[oai(skip_serializing_if_is_none)]
    problem: Option<String>,
}

impl RunInfo {
    pub(super) fn seen_by(principal: &Principal, run: Run) -> Self {
        let until = run.ended.unwrap_or_else(crate::now);
        let seconds = run.started.map(|started| (until - started).max(1));
        let share = match run.state {
            RunState::Done | RunState::Rejected => Some(1.0),
            _ => run
                .bytes_all
                .filter(|all| *all > 0)
                .map(|all| (run.bytes as f64 / all as f64).min(1.0)),
        };
        let told = principal.may.contains(&Permission::Run);
        RunInfo {
            id: run.id,
            pipeline: run.pipeline,
            user: run.user_name,
            mode: run.mode.into(),
            upload: run.upload,
            of: run.of,
            state: run.state.into(),
            cancelled: run.cancelled,
            starts: run.starts,
            created: Moment(run.created),
            started: run.started.map(Moment),
            ended: run.ended.map(Moment),
            rows: run.rows,
            rows_per_second: seconds.map(|seconds| run.rows as f64 / seconds as f64),
            share,
            problem: run.problem.filter(|_| told),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        RunState::from(self.state).is_over()
    }
}

/// A run of a pipeline that the caller may see.
pub(super) async fn run(api: &Api, caller: &Caller, id: &str) -> Result<Run, Problem> {
    if id.len() > 64 || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::not_found());
    }
    let run = api.catalog.run(id).await?.ok_or_else(Problem::not_found)?;
    let principal = caller.principal()?;
    let pipeline = api.config.pipelines.iter().find(|p| p.name == run.pipeline);
    match pipeline {
        Some(pipeline) if principal.may_see(pipeline) => Ok(run),
        // To somebody who may not see its pipeline there is no such run.
        _ => Err(Problem::not_found()),
    }
}
