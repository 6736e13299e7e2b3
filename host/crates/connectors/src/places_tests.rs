//! A chunk that has a place can be read from there by somebody else, with all that comes after it.

use std::path::Path;

use glovebox_core::{Chunk, ChunkReader, DataType, Field, Schema, Source};
use proptest::prelude::*;

use crate::{csv, jsonl};

fn schema() -> Schema {
    Schema::new(vec![Field::new("a", DataType::Text)])
}

/// All but how far the source has been read.
fn shown(chunk: &Chunk) -> String {
    let mut chunk = chunk.clone();
    chunk.position = 0;
    format!("{chunk:?}")
}

fn rest(chunks: &mut dyn ChunkReader) -> Vec<Chunk> {
    std::iter::from_fn(|| chunks.next_chunk().unwrap()).collect()
}

/// Reads a source from each place that it has; returns how many chunks there are, and how many have a place.
pub(crate) fn read_from_each_place(source: &dyn Source) -> (usize, usize) {
    let Ok(mut chunks) = source.chunks() else {
        return (0, 0);
    };
    let all = rest(chunks.as_mut());
    let mut places = 0;
    for (number, chunk) in all.iter().enumerate() {
        let Some(place) = chunk.place() else {
            continue;
        };
        places += 1;
        let mut others = source.chunks().unwrap();
        assert!(others.go_to(&place).unwrap(), "{place:?}");
        let found = rest(others.as_mut());
        for (found, due) in found.iter().zip(&all[number..]) {
            assert_eq!(shown(found), shown(due), "{place:?}");
        }
        assert_eq!(found.len(), all.len() - number);
    }
    (all.len(), places)
}

fn csv_of(path: &Path, chunk_bytes: usize, max_record: usize) -> csv::Source {
    let options = csv::Options {
        chunk_bytes,
        max_record,
        comment: Some(b'#'),
        ..csv::Options::new(path)
    };
    csv::Source::new(options, schema())
}

fn jsonl_of(path: &Path, chunk_bytes: usize, max_record: usize) -> jsonl::Source {
    let options = jsonl::Options {
        chunk_bytes,
        max_record,
        ..jsonl::Options::new(path)
    };
    jsonl::Source::new(options, schema())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn files_are_read_from_each_chunk_on_and_packed_ones_from_their_start() {
    let dir = tempfile::tempdir().unwrap();
    let rows = "\"x\ny\",1\nz,2\n\n# note\n\"broken\" quote,3\n".repeat(5);
    let file = format!("\u{feff}a,b\r\n{rows}");
    for (name, bytes) in [
        ("1.csv", file.clone().into_bytes()),
        ("2.csv", b"b,a\n".to_vec()),
        ("3.csv.gz", gzip(file.as_bytes())),
        ("4.csv", file.into_bytes()),
    ] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let (chunks, places) = read_from_each_place(&csv_of(dir.path(), 20, 1 << 20));
    assert!(
        places > chunks / 2 && places < chunks,
        "{places} of {chunks}"
    );
}

#[test]
fn an_array_has_one_place_and_lines_have_many() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.json");
    let objects = vec!["{\"a\":\"x\"}"; 20];
    std::fs::write(&path, format!("[{}]", objects.join(","))).unwrap();
    let (chunks, places) = read_from_each_place(&jsonl_of(&path, 20, 1 << 20));
    assert!(chunks > 5);
    assert_eq!(places, 1);
    std::fs::write(&path, objects.join("\n")).unwrap();
    let (chunks, places) = read_from_each_place(&jsonl_of(&path, 20, 1 << 20));
    assert!(chunks > 5);
    assert_eq!(places, chunks);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_a_file_holds(
        tail in prop::collection::vec(prop::sample::select(b"a,\"\n\r# {}:".to_vec()), 0..160),
        chunk_bytes in 1_usize..40,
        max_record in 4_usize..40,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in");
        std::fs::write(&path, [b"a,b\n", tail.as_slice()].concat()).unwrap();
        read_from_each_place(&csv_of(&path, chunk_bytes, max_record));
        std::fs::write(&path, [b"{\"a\":1}\n", tail.as_slice()].concat()).unwrap();
        read_from_each_place(&jsonl_of(&path, chunk_bytes, max_record));
    }
}
