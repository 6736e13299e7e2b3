//! `/pipelines`: the pipelines, starting a run, and uploads. Clients send no manifests, paths or
//! SQL: they name a pipeline, and the configuration has the rest.

use std::sync::Arc;

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{Added, NewRun, RunMode, new_run_id};
use poem::Body;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};

use super::idempotency::IdempotencyKey;
use super::runs::RunInfo;
use super::sent::File;
use super::{Tag, reruns};
use crate::access::{Caller, Principal, still};
use crate::config::Pipeline;
use crate::pace::Arriving;
use crate::problem::Problem;
use crate::rules::{Permission, Rule};
use crate::runs::files::{Incoming, NotTaken};
use crate::state::Api;

/// A pipeline that may be run.
#[derive(Object)]
struct PipelineInfo {
    /// What it is called in paths.
    name: String,
    /// What it is for.
    about: String,
    /// Bytes that may be uploaded to it; absent if none may.
    #[oai(skip_serializing_if_is_none)]
    upload_at_most: Option<u64>,
}

/// How a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
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

impl From<Mode> for RunMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Fresh => RunMode::Fresh,
            Mode::Resume => RunMode::Resume,
            Mode::Again => RunMode::Again,
            Mode::OnlyNew => RunMode::OnlyNew,
        }
    }
}

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

/// Whether somebody may see and run a pipeline.
pub(super) fn may(principal: &Principal, pipeline: &Pipeline) -> bool {
    pipeline.roles.is_empty()
        || pipeline
            .roles
            .iter()
            .any(|r| principal.user.roles.contains(r))
}

/// What a request for a run says.
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    pub(super) mode: Option<Mode>,
    pub(super) key: Option<&'a str>,
    /// The run whose rejects are meant.
    pub(super) of: Option<&'a str>,
}

pub(crate) struct Pipelines;

#[OpenApi(tag = "Tag::Runs")]
impl Pipelines {
    /// List pipelines
    ///
    /// The datasets that the caller may see.
    #[oai(path = "/pipelines", method = "get", operation_id = "list_pipelines")]
    async fn list(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
    ) -> Result<Json<Vec<PipelineInfo>>, Problem> {
        let principal = caller.principal()?;
        let seen = api.config.pipelines.iter().filter(|p| may(principal, p));
        let list: Vec<_> = seen
            .map(|p| PipelineInfo {
                name: p.name.clone(),
                about: p.about.clone(),
                upload_at_most: p.upload,
            })
            .collect();
        Ok(Json(list))
    }

    /// Start a run
    ///
    /// It waits for its turn: a pipeline has one run at a time, in the order in which they were
    /// asked for. With an `Idempotency-Key`, the same request made again gets the same run.
    #[oai(
        path = "/pipelines/:name/runs",
        method = "post",
        operation_id = "start_run"
    )]
    async fn start(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The pipeline's name.
        name: Path<String>,
        /// How the run begins; `fresh` if left out.
        mode: Query<Option<Mode>>,
        /// What the client calls this request: 1 to 200 printable characters.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
    ) -> Result<Started, Problem> {
        let asked = Asked {
            name: &name,
            mode: *mode,
            key: key.0.as_deref(),
            of: None,
        };
        let pipeline = found(&api, &caller, &asked)?;
        add(&api, &caller, pipeline, &asked, None).await
    }

    /// Upload rows and run a pipeline on them
    ///
    /// The body is the file that the pipeline reads instead of its own source. It is kept for this
    /// run only, and deleted when the run is over.
    #[oai(
        path = "/pipelines/:name/uploads",
        method = "post",
        operation_id = "upload"
    )]
    // Each is a parameter of the request.
    #[allow(clippy::too_many_arguments)]
    async fn upload(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The pipeline's name.
        name: Path<String>,
        /// How the run begins; `fresh` if left out.
        mode: Query<Option<Mode>>,
        /// What the client calls this request: 1 to 200 printable characters.
        #[oai(name = "Idempotency-Key")]
        key: IdempotencyKey,
        /// A run whose rejects the file has corrected: only the rows of those numbers are run.
        #[oai(
            name = "rejects-of",
            validator(max_length = 64, pattern = "^[A-Za-z0-9_-]+$")
        )]
        of: Query<Option<String>>,
        body: File,
    ) -> Result<Started, Problem> {
        let asked = Asked {
            name: &name,
            mode: *mode,
            key: key.0.as_deref(),
            of: of.as_deref(),
        };
        let pipeline = found(&api, &caller, &asked)?;
        if let Some(of) = asked.of {
            reruns::corrected(&api, &caller, pipeline, of).await?;
        }
        let Some(room) = pipeline.upload else {
            return Err(Problem::forbidden().detail("this pipeline takes no uploads"));
        };
        let _mine = api.limits.upload(&caller.principal()?.user.id)?;
        let Some(_slot) = api.runs.upload_slot() else {
            return Err(Problem::unavailable().retry_after(5));
        };
        let id = new_run_id()?;
        let incoming = receive(&api, &id, body.0, room).await?;
        // It may have taken an hour, after which they may be somebody else.
        let mut caller = caller.clone();
        let principal = still(&api, caller.principal()?, Rule::Needs(Permission::Run)).await?;
        caller.principal = Some(principal);
        let pipeline = found(&api, &caller, &asked)?;
        let digest = incoming.digest();
        incoming.keep(api.runs.folder(), &id).map_err(disk)?;
        let started = add(&api, &caller, pipeline, &asked, Some((&id, &digest))).await;
        // A run of that name has the file now, or nobody does.
        if !matches!(started, Ok(Started::New(..))) {
            api.runs.folder().forget(&id);
        }
        started
    }
}

/// The pipeline, if there is one of that name for this caller.
pub(super) fn found<'a>(
    api: &'a Api,
    caller: &Caller,
    asked: &Asked<'_>,
) -> Result<&'a Pipeline, Problem> {
    let pipeline = api.config.pipelines.iter().find(|p| p.name == asked.name);
    let pipeline = pipeline.ok_or_else(Problem::not_found)?;
    if !may(caller.principal()?, pipeline) {
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
    };
    let now = crate::now();
    let (run, is_new) = match api.catalog.add_run(&new, now).await? {
        Added::New(run) => (run, true),
        Added::Same(run) => (run, false),
        Added::Other => {
            return Err(Problem::unprocessable()
                .detail("this Idempotency-Key was used for another request; choose a new one"));
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

/// The body as a private file.
async fn receive(api: &Api, id: &str, body: Body, room: u64) -> Result<Incoming, Problem> {
    let mut incoming = Incoming::create(api.runs.folder(), id, room).map_err(disk)?;
    let parts = std::pin::pin!(body.into_bytes_stream());
    let mut parts = Arriving::new(parts, api.config.limits.pace);
    loop {
        let part = parts.next().await?;
        let Some(part) = part else {
            return Ok(incoming);
        };
        incoming.add(&part).map_err(|problem| match problem {
            NotTaken::TooLarge => Problem::too_large(),
            NotTaken::Disk(error) => disk(error),
        })?;
    }
}

fn disk(error: std::io::Error) -> Problem {
    tracing::error!(%error, "an upload could not be kept");
    Problem::unavailable().retry_after(60)
}
