//! Parquet's source and sink, of what a manifest says of them.

use glovebox_connectors::age::Identity;
use glovebox_connectors::input::Given;
use glovebox_connectors::outlet::Target;
use glovebox_connectors::parquet;
use glovebox_core::{Schema, Secret, SecretName, Sink, Source};
use glovebox_manifest::model::{Compression, ParquetSink, ParquetSource, Spanned};

pub(super) fn source(
    spec: &ParquetSource,
    given: Given,
    schema: Schema,
    (secret, around): (Option<Secret>, Option<Identity>),
) -> Result<Box<dyn Source>, String> {
    let of_file = key(spec.decrypt_with.as_ref(), secret)?;
    let keys = parquet::Keys { of_file, around };
    Ok(Box::new(parquet::Source::new(given, schema, keys)))
}

pub(super) fn sink(
    spec: &ParquetSink,
    target: Target,
    secret: Option<Secret>,
) -> Result<Box<dyn Sink>, String> {
    let name = spec.encrypt_with.as_ref();
    let key = key(name, secret)?;
    // Whoever asked for encryption gets no file without it.
    if let (Some(name), None) = (name, &key) {
        return Err(format!("the secret `{}` was not fetched", name.value));
    }
    let sink = parquet::Sink::to(target, compression(spec.compression))
        .replace_with_nothing(spec.replace_with_nothing)
        .encrypt_with(key);
    Ok(Box::new(sink))
}

/// The key of the files, if they are encrypted.
fn key(
    name: Option<&Spanned<SecretName>>,
    secret: Option<Secret>,
) -> Result<Option<parquet::Key>, String> {
    let Some((name, secret)) = name.zip(secret) else {
        return Ok(None);
    };
    let key = parquet::Key::parse(&secret);
    key.map(Some)
        .map_err(|problem| format!("the secret `{}` {problem}", name.value))
}

pub(super) fn compression(compression: Compression) -> parquet::Compression {
    match compression {
        Compression::Zstd => parquet::Compression::Zstd,
        Compression::Snappy => parquet::Compression::Snappy,
        Compression::Gzip => parquet::Compression::Gzip,
        Compression::Lz4 => parquet::Compression::Lz4,
        Compression::None => parquet::Compression::None,
    }
}
