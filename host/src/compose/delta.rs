//! The Delta sink, of what a manifest says of it.

use glovebox_connectors::delta::{FILE_BYTES, Mode, Options, Sink};
use glovebox_connectors::outlet::Target;
use glovebox_core::Secret;
use glovebox_manifest::model::{self, DeltaSink};

use super::parquet::compression;

pub(super) fn sink(
    spec: &DeltaSink,
    target: Target,
    identity_key: Option<Secret>,
) -> Box<dyn glovebox_core::Sink> {
    Box::new(Sink::new(Options {
        target,
        mode: match spec.mode {
            model::Mode::Append => Mode::Append,
            // The manifest gives no such table the mode upsert.
            model::Mode::Replace | model::Mode::Upsert => Mode::Replace,
        },
        compression: compression(spec.compression),
        replace_with_nothing: spec.replace_with_nothing,
        file_bytes: FILE_BYTES,
        identity_key,
    }))
}
