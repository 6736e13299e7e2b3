//! The header `Idempotency-Key`, with which a repeated request is not executed twice. An invalid or
//! repeated header is refused: if it were ignored, the request could be executed twice.

use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use crate::problem::{Part, Problem, Wrong};

const MAX_LENGTH: usize = 200;

/// A key of printable ASCII, if the request has one.
pub(super) struct IdempotencyKey(pub(super) Option<String>);

impl<'a> ApiExtractor<'a> for IdempotencyKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];

    type ParamType = Option<String>;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(MetaSchemaRef::Inline(Box::new(MetaSchema {
            min_length: Some(1),
            max_length: Some(MAX_LENGTH),
            pattern: Some("^[ -~]+$".into()),
            ..MetaSchema::new("string")
        })))
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let mut keys = request.headers().get_all(options.name).iter();
        let Some(key) = keys.next() else {
            return Ok(IdempotencyKey(None));
        };
        let readable = |b: &u8| b.is_ascii_graphic() || *b == b' ';
        let key = key.to_str().ok().filter(|key| {
            (1..=MAX_LENGTH).contains(&key.len()) && key.as_bytes().iter().all(readable)
        });
        match (key, keys.next()) {
            (Some(key), None) => Ok(IdempotencyKey(Some(key.to_owned()))),
            _ => {
                let due = "must be given once, with 1 to 200 printable ASCII characters";
                let wrong = Wrong::new(Part::Header(options.name.into()), due);
                Err(Problem::bad_request().wrong(vec![wrong]).into())
            }
        }
    }
}
