//! A JSON body, checked against the API description before it is parsed.

use std::sync::Arc;

use poem::{FromRequest, Request, RequestBody};
use poem_openapi::payload::{Json, ParsePayload, Payload};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry};
use poem_openapi::types::ParseFromJSON;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;

use crate::openapi;
use crate::problem::{Problem, Wrong};
use crate::state::Api;

/// What was sent as JSON.
pub(super) struct Sent<T>(pub(super) T);

fn read<T: ParseFromJSON>(schemas: &Value, bytes: &[u8]) -> Result<T, Problem> {
    if bytes.is_empty() {
        return Err(Problem::bad_request().detail("The body is empty; send JSON."));
    }
    // The parser's own words may quote the body.
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        Problem::bad_request().detail(format!(
            "The body is not JSON: line {}, column {}.",
            error.line(),
            error.column()
        ))
    })?;
    let wrong = openapi::body(&schemas[&*T::name()], schemas, &value);
    if !wrong.is_empty() {
        return Err(Problem::bad_request().wrong(wrong));
    }
    T::parse_from_json(Some(value)).map_err(|_| {
        let wrong = Wrong::member("#", "is not as documented in the API description");
        Problem::bad_request().wrong(vec![wrong])
    })
}

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for Sent<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType {
                content_type: Json::<T>::CONTENT_TYPE,
                schema: T::schema_ref(),
            }],
            required: Json::<T>::IS_REQUIRED,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let json = request.content_type();
        if !json.is_some_and(Json::<T>::check_content_type) {
            return Err(Problem::unsupported_type()
                .detail("Send JSON, with `Content-Type: application/json`.")
                .into());
        }
        let api = request.data::<Arc<Api>>().ok_or_else(Problem::internal)?;
        let bytes = <Vec<u8> as FromRequest>::from_request(request, body).await?;
        Ok(Sent(read(api.described.schemas(), &bytes)?))
    }
}

/// Bytes as they are, of a file.
pub(super) struct File(pub(super) poem::Body);

/// What a form makes of a file is not the file: it stands among boundaries there.
fn is_form(content_type: &str) -> bool {
    let kind = content_type.trim_start().get(..10).unwrap_or_default();
    kind.eq_ignore_ascii_case("multipart/")
}

impl<'a> ApiExtractor<'a> for File {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        type Bytes = poem_openapi::payload::Binary<poem::Body>;
        let schema: MetaSchemaRef = Bytes::schema_ref();
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType {
                content_type: Bytes::CONTENT_TYPE,
                schema,
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        if request.content_type().is_some_and(is_form) {
            return Err(Problem::unsupported_type()
                .detail(
                    "Send the file's bytes as the body, not as part of a form, with \
                     `Content-Type: application/octet-stream`: with curl, use `--data-binary \
                         @FILE` instead of `-F`.",
                )
                .into());
        }
        Ok(File(
            <poem::Body as FromRequest>::from_request(request, body).await?,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_told_from_a_file_however_it_is_spelled() {
        for form in [
            "multipart/form-data; boundary=x",
            "Multipart/Form-Data",
            " multipart/mixed",
            "multipart/",
        ] {
            assert!(is_form(form), "{form}");
        }
        for file in [
            "application/octet-stream",
            "text/csv",
            // What curl says of `--data-binary`.
            "application/x-www-form-urlencoded",
            "multi",
            "multiparté",
            "",
        ] {
            assert!(!is_form(file), "{file}");
        }
    }
}
