//! `/pipelines/{name}/reveal`: encrypted values back to their cells.
//! The record is on the disk before a cell is sent.

use std::sync::Arc;

use glovebox_audit::{Action, Event, Outcome};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use super::begin::{Asked, found};
use super::body::{Text, Whole};
use super::sent::Sent;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::reveal::Request;
use crate::state::Api;

/// Values that a pipeline has encrypted.
#[derive(Object)]
#[oai(deny_unknown_fields, write_only_all)]
struct RevealRequest {
    /// The column that they are from.
    #[oai(validator(min_length = 1, max_length = 63))]
    column: Text,
    /// The values, as they are stored.
    #[oai(validator(min_items = 1, max_items = 1000))]
    values: Vec<Text>,
    /// Why they are to be seen; recorded.
    #[oai(validator(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]+$"
    ))]
    reason: Text,
    /// The step that has encrypted them, where several encrypt the column.
    #[oai(validator(max_length = 64))]
    step: Option<Text>,
    /// The version of the key that has made them, where values do not say it (`ff1`).
    #[oai(validator(minimum(value = "1"), maximum(value = "999999")))]
    #[oai(rename = "key-version")]
    key_version: Option<Whole>,
}

/// What the values were made from.
#[derive(Object)]
struct Revealed {
    /// A cell for each value, in their order; null for one that does not open: of another key or domain, or altered.
    cells: Vec<Option<String>>,
}

pub(crate) struct Reveal;

#[OpenApi(tag = "Tag::Runs")]
impl Reveal {
    /// Give encrypted values back
    ///
    /// The cells from which the pipeline's maskers have made these values. Who asked, why, and how many is in
    /// the audit log before they are sent.
    #[oai(
        path = "/pipelines/:name/reveal",
        method = "post",
        operation_id = "reveal"
    )]
    async fn reveal(
        &self,
        api: Data<&Arc<Api>>,
        caller: Data<&Caller>,
        /// The pipeline's name.
        name: Path<String>,
        request: Sent<RevealRequest>,
    ) -> Result<Json<Revealed>, Problem> {
        let asked = Asked {
            name: &name,
            mode: None,
            key: None,
            of: None,
        };
        let pipeline = found(&api, &caller, &asked)?;
        api.recordable()?;
        let RevealRequest {
            column,
            values,
            reason,
            step,
            key_version,
        } = request.0;
        let request = Request {
            manifest: pipeline.manifest.clone(),
            column: column.0,
            values: values.into_iter().map(|value| value.0).collect(),
            step: step.map(|step| step.0),
            key_version: key_version.map(|version| version.0),
        };
        let event = Event::new(Action::Revealed, Outcome::Success)
            .pipeline(&pipeline.name)
            .because(&reason.0);
        let reveals = Arc::clone(&api.reveals);
        let answer = tokio::task::spawn_blocking(move || reveals(&request)).await;
        let answer = match answer.map_err(|_| Problem::internal())? {
            Ok(answer) => answer,
            Err(problem) => {
                api.record(&caller, event.failed()).await?;
                return Err(Problem::unprocessable().detail(problem));
            }
        };
        let opened = answer.cells.iter().flatten().count() as u64;
        let event = match opened {
            0 => event.failed(),
            _ => event,
        };
        let event = event
            .columns([answer.column.as_str()])
            .key(&answer.key)
            .count(answer.cells.len() as u64)
            .rows(opened);
        api.record(&caller, event).await?;
        Ok(Json(Revealed {
            cells: answer.cells,
        }))
    }
}
