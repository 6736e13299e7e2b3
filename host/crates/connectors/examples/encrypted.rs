//! How fast rows are written to a file and read from it, in the clear and encrypted with age:
//! `cargo run --release -p glovebox-connectors --example encrypted FOLDER`.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use glovebox_connectors::age::{Identity, Recipients};
use glovebox_connectors::csv;
use glovebox_core::{
    DataType, Encoded, Field, FinishedChunk, Job, Payload, Schema, Secret, Sink, Source, Totals,
};

/// A pair of keys for nothing else.
const PUBLIC: &str = "age1rpwq3hqyseruuv8xdt4662sq0jr3c376nelclphsycjqk4ar550qaqr3lk";
const PRIVATE: &str = "AGE-SECRET-KEY-146R9W8M5DPRSZYTPRG0N6RGLY3JQ3GVKFFT8T4VSLQEZ20QYZF5SL7ZE39";
const CHUNKS: u32 = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("name a folder, such as /dev/shm")?;
    let row = "123456,some text of a usual length,2026-11-26\n";
    let chunk = row.repeat((1 << 20) / row.len());
    let megabytes = f64::from(CHUNKS) * chunk.len() as f64 / 1e6;
    let fields = ["id", "text", "day"].map(|name| Field::new(name, DataType::Text));
    let schema = Schema::new(fields.to_vec());
    for encrypted in [false, true] {
        let path = Path::new(&folder).join("glovebox-example-encrypted");
        let recipients = encrypted.then(|| Recipients::parse([PUBLIC])).transpose()?;
        let mut sink = csv::Sink::new(&path, csv::Mode::Replace, csv::SinkOptions::default())
            .encrypt_to(recipients);
        let began = Instant::now();
        sink.open(&Job::default(), &schema)?;
        for _ in 0..CHUNKS {
            sink.write(FinishedChunk {
                encoded: Encoded {
                    rows: 1,
                    payload: Payload::Bytes(chunk.clone().into_bytes()),
                    ..Encoded::default()
                },
                ..FinishedChunk::default()
            })?;
        }
        sink.commit(&Totals::default())?;
        let written = megabytes / began.elapsed().as_secs_f64();
        let mut options = csv::Options::new(&path);
        let key = Secret::new(PRIVATE.into());
        if encrypted {
            options.identities = vec![Identity::parse(&key)?];
        }
        let source = csv::Source::new(options, schema.clone());
        let began = Instant::now();
        let mut chunks = source.chunks()?;
        let mut bytes = 0;
        while let Some(chunk) = chunks.next_chunk()? {
            bytes += chunk.bytes.len();
        }
        let read = bytes as f64 / 1e6 / began.elapsed().as_secs_f64();
        std::fs::remove_file(&path)?;
        println!(
            "encrypted: {encrypted}; written at {written:.0} MB/s, read and cut into chunks at {read:.0} MB/s"
        );
    }
    Ok(())
}
