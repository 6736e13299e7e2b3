//! Parquet's source and sink, of what a manifest says of them.

use glovebox_connectors::parquet;
use glovebox_core::{Input, Schema, Sink, Source};
use glovebox_manifest::model::{Compression, ParquetSink};

pub(super) fn source(inputs: Vec<Input>, schema: Schema) -> Result<Box<dyn Source>, String> {
    Ok(Box::new(parquet::Source::new(inputs, schema)))
}

pub(super) fn sink(spec: &ParquetSink) -> Result<Box<dyn Sink>, String> {
    let sink = parquet::Sink::new(&spec.path.value, compression(spec.compression));
    Ok(Box::new(
        sink.replace_with_nothing(spec.replace_with_nothing),
    ))
}

fn compression(compression: Compression) -> parquet::Compression {
    match compression {
        Compression::Zstd => parquet::Compression::Zstd,
        Compression::Snappy => parquet::Compression::Snappy,
        Compression::Gzip => parquet::Compression::Gzip,
        Compression::Lz4 => parquet::Compression::Lz4,
        Compression::None => parquet::Compression::None,
    }
}
