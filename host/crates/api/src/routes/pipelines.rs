//! `/pipelines`: the pipelines, starting a run, and uploads. Clients send no manifests, paths or
//! SQL: they name a pipeline, and the configuration has the rest.

use std::sync::Arc;

use glovebox_catalog::new_run_id;
use poem::Body;
use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::begin::{Asked, Started, add, found};
use super::idempotency::IdempotencyKey;
use super::run_info::Mode;
use super::sent::File;
use super::{Tag, reruns};
use crate::access::still;
use crate::caller::Caller;
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
        let seen = api.config.pipelines.iter().filter(|p| principal.may_see(p));
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

/// The body as a private file.
async fn receive(api: &Api, id: &str, body: Body, room: u64) -> Result<Incoming, Problem> {
    let mut incoming =
        Incoming::create(api.runs.folder(), id, room, api.runs.upload_key()).map_err(disk)?;
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
