//! Temporary measurement.
use std::error::Error;
use std::io::{BufWriter, Write};
use std::time::Duration;
/// CPU time of this thread.
struct Instant(Duration);
impl Instant {
    fn now() -> Self {
        let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        Instant(Duration::from_nanos(
            s.split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0),
        ))
    }
    fn elapsed(&self) -> Duration {
        Instant::now().0 - self.0
    }
}

use glovebox_connectors::csv::{Mode, Options, Sink, SinkOptions, Source};
use glovebox_connectors::jsonl;
use glovebox_core::{DataType, Field, Payload, Schema, Sink as _, Source as _};

const ROWS: u64 = 2_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let quoted = std::env::args().any(|a| a == "--quoted");
    let path = dir.path().join("in.csv");
    generate(&path, quoted)?;
    for _ in 0..3 {
        once(dir.path(), &path)?;
    }
    Ok(())
}
fn once(dir: &std::path::Path, path: &std::path::Path) -> Result<(), Box<dyn Error>> {
    let schema = schema();
    let source = Source::new(Options::new(path), schema.clone());
    let bytes = source.size_bytes().unwrap_or_default();
    let mut sink = Sink::new(dir.join("out.csv"), Mode::Replace, SinkOptions::default());
    sink.open(&schema)?;
    let mut json = jsonl::Sink::new(
        dir.join("out.jsonl"),
        Mode::Replace,
        jsonl::SinkOptions::default(),
    );
    json.open(&schema)?;
    let mut chunks = source.chunks()?;
    let mut decoder = source.decoder()?;
    let mut encoder = sink.encoder();
    let mut json_encoder = json.encoder();
    let mut rows = 0;
    let (mut cut, mut decode) = (Duration::ZERO, Duration::ZERO);
    let (mut encode, mut write) = (Duration::ZERO, Duration::ZERO);
    let mut as_json = Duration::ZERO;
    let with_json = std::env::args().any(|a| a == "--json");
    let whole = Instant::now();
    loop {
        let start = Instant::now();
        let Some(chunk) = chunks.next_chunk()? else {
            break;
        };
        cut += start.elapsed();
        let start = Instant::now();
        let decoded = decoder.decode(chunk)?;
        decode += start.elapsed();
        assert!(decoded.rejects.is_empty(), "the generated file is clean");
        let start = Instant::now();
        let encoded = encoder.encode(&decoded.batches)?;
        encode += start.elapsed();
        rows += encoded.rows;
        let start = Instant::now();
        sink.write(encoded)?;
        write += start.elapsed();
        if with_json {
            let start = Instant::now();
            let encoded = json_encoder.encode(&decoded.batches)?;
            if let Payload::Bytes(bytes) = encoded.payload {
                std::hint::black_box(bytes);
            }
            as_json += start.elapsed();
        }
    }
    let start = Instant::now();
    sink.commit()?;
    let commit = start.elapsed();
    json.abort();
    println!(
        "{rows} rows, {} MB, {:.2?} in all",
        bytes / 1_000_000,
        whole.elapsed()
    );
    for (name, time) in [
        ("read and cut", cut),
        ("decode", decode),
        ("encode CSV", encode),
        ("write", write),
        ("sync, rename", commit),
        ("encode JSON", as_json),
    ] {
        let seconds = time.as_secs_f64();
        println!(
            "{name:>14} {seconds:7.3} s {:8.0} MB/s {:7.2} M rows/s",
            bytes as f64 / seconds / 1e6,
            rows as f64 / seconds / 1e6
        );
    }
    Ok(())
}

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("id", DataType::Int64),
        Field::new("name", DataType::Text),
        Field::new("email", DataType::Text),
        Field::new("ssn", DataType::Text),
        Field::new("city", DataType::Text),
        Field::new("amount", DataType::Float64),
        Field::new("quantity", DataType::Int64),
    ])
}

/// Rows of about 73 bytes.
fn generate(path: &std::path::Path, quoted: bool) -> Result<(), Box<dyn Error>> {
    const CITIES: [&str; 4] = ["Amsterdam", "Kuala Lumpur", "Oslo", "New York"];
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    writeln!(out, "id,name,email,ssn,city,amount,quantity")?;
    let q = if quoted { "\"" } else { "" };
    for id in 0..ROWS {
        let city = CITIES.get(id as usize % 4).copied().unwrap_or_default();
        let mixed = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        writeln!(
            out,
            "{id},{q}Customer {:06}{q},{q}c{:07}@example.com{q},{q}{:03}-{:02}-{:04}{q},{q}{city}{q},{}.{:02},{}",
            mixed % 1_000_000,
            mixed % 10_000_000,
            mixed % 899 + 1,
            mixed % 99,
            mixed % 9973,
            mixed % 5000,
            mixed % 100,
            mixed % 100
        )?;
    }
    out.flush()?;
    Ok(())
}
