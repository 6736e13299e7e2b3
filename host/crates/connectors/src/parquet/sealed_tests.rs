//! Files under Parquet's own encryption: what is written is read back by its key alone, and nothing
//! that was changed or moved is.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use glovebox_core::{DataType, Field, Schema, Secret, SourceError};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, GzipLevel};
use parquet::encryption::encrypt::{EncryptionPropertiesBuilder, FileEncryptionProperties};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::tests::{batch, columns, joined, parts_of, read, store_by};
use super::{Compression, Key, Keys, Sink, Source};
use crate::input::Input;

const LONG: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SHORT: &str = "AAECAwQFBgcICQoLDA0ODw==";

fn key(text: &str) -> Option<Key> {
    Some(Key::parse(&Secret::new(text.into())).unwrap())
}

fn by(of_file: Option<Key>) -> Keys {
    Keys {
        of_file,
        around: None,
    }
}

fn source(path: &Path, key: Option<Key>) -> Source {
    Source::new(vec![Input::Path(path.to_owned())], columns(), by(key))
}

fn refusal(path: &Path, key: Option<Key>) -> String {
    match read(&source(path, key)) {
        Err(SourceError::Shape { place, problem }) => {
            assert_eq!(place, path.display().to_string());
            problem
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was read"),
    }
}

/// What the crate writes by these properties, with pages of 100 rows in groups of 1,000.
fn written(path: &Path, codec: Codec, version: WriterVersion, how: EncryptionPropertiesBuilder) {
    let properties = WriterProperties::builder()
        .set_writer_version(version)
        .set_compression(codec)
        .set_max_row_group_row_count(Some(1_000))
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(100)
        .with_file_encryption_properties(how.build().unwrap())
        .build();
    let (file, rows) = (fs::File::create(path).unwrap(), batch(2_500));
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
}

fn by_footer_key() -> EncryptionPropertiesBuilder {
    FileEncryptionProperties::builder((0..16).collect())
}

#[test]
fn what_is_written_by_a_key_is_read_by_it_and_shows_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.parquet");
    let rows = batch(300_000);
    for (text, compression) in [
        (LONG, Compression::None),
        (SHORT, Compression::None),
        (LONG, Compression::Zstd),
        (LONG, Compression::Gzip),
    ] {
        let sink = Sink::new(&path, compression).encrypt_with(key(text));
        store_by(sink, &parts_of(&rows));
        let (chunks, decoded) = read(&source(&path, key(text))).unwrap();
        assert!(chunks.len() > 3);
        assert!(joined(&decoded) == rows, "{compression:?}");
        let file = fs::read(&path).unwrap();
        assert!(file.starts_with(b"PARE") && file.ends_with(b"PARE"));
        for shown in [&b"decimal"[..], b"glovebox", b"text 1"] {
            assert!(!file.windows(shown.len()).any(|part| part == shown));
        }
    }
}

#[test]
fn other_writers_pages_are_read_whatever_their_version_and_compression() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let (v1, v2) = (WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0);
    for (codec, version) in [
        (Codec::UNCOMPRESSED, v1),
        (Codec::SNAPPY, v2),
        (Codec::GZIP(GzipLevel::default()), v1),
        (Codec::GZIP(GzipLevel::default()), v2),
        (Codec::LZ4, v1),
        (Codec::LZ4_RAW, v2),
    ] {
        let prefix = by_footer_key().with_aad_prefix(b"sales".to_vec());
        for how in [by_footer_key(), prefix.with_aad_prefix_storage(true)] {
            written(&path, codec, version, how);
            let (chunks, decoded) = read(&source(&path, key(SHORT))).unwrap();
            assert!(joined(&decoded) == batch(2_500), "{codec}");
            assert_eq!(chunks.len(), 3);
        }
    }
}

#[test]
fn what_does_not_open_a_file_is_told_without_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let write = |how| written(&path, Codec::SNAPPY, WriterVersion::PARQUET_1_0, how);
    write(by_footer_key());
    for (key, told) in [
        (None, "name its key in the source: decrypt-with"),
        (key(LONG), "is not opened by the key of `decrypt-with`"),
    ] {
        let said = refusal(&path, key);
        assert!(said.contains(told), "{said}");
    }
    for (how, told) in [
        (
            by_footer_key().with_aad_prefix(b"x".to_vec()),
            "an AAD prefix that it does not hold",
        ),
        (
            by_footer_key().with_plaintext_footer(true),
            "write it with an encrypted footer",
        ),
        (
            by_footer_key().with_column_key("text", vec![9; 16]),
            "columns under keys of their own",
        ),
    ] {
        write(how);
        let said = refusal(&path, key(SHORT));
        assert!(said.contains(told), "{said}");
    }
    store_by(Sink::new(&path, Compression::Zstd), &[batch(10)]);
    let said = refusal(&path, key(SHORT));
    assert!(said.contains("is not encrypted"), "{said}");
}

#[test]
fn a_byte_that_was_changed_anywhere_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    written(
        &path,
        Codec::UNCOMPRESSED,
        WriterVersion::PARQUET_1_0,
        by_footer_key(),
    );
    let good = fs::read(&path).unwrap();
    let footer = good.len() - 8;
    let length = u32::from_le_bytes(good[footer..footer + 4].try_into().unwrap()) as usize;
    let (mut noticed, mut said_so) = (0, 0);
    // Behind the pages are indexes, which are not read.
    for at in (4..footer).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        match read(&source(&path, key(SHORT))) {
            Ok((_, decoded)) => {
                assert!(joined(&decoded) == batch(2_500), "{at}");
                assert!(at < footer - length, "{at}");
            }
            Err(error) => {
                noticed += 1;
                said_so += usize::from(error.to_string().contains("`decrypt-with`"));
            }
        }
    }
    let tried = (footer - 4) / 97;
    assert!(noticed * 10 > tried * 7, "{noticed} of {tried}");
    assert!(said_so * 10 > noticed * 9, "{said_so} of {noticed}");
}

#[test]
fn a_column_that_was_put_in_anothers_place_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.parquet");
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(1_000))
        .set_dictionary_enabled(false)
        .with_file_encryption_properties(by_footer_key().build().unwrap())
        .build();
    let one = Schema::new(vec![Field::new("int", DataType::Int64)]);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..2_000));
    let rows = RecordBatch::try_new(one.to_arrow(), vec![numbers]).unwrap();
    let file = fs::File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();
    let inputs = vec![Input::Path(path.clone())];
    let source = || Source::new(inputs.clone(), one.clone(), by(key(SHORT)));
    assert!(joined(&read(&source()).unwrap().1) == rows);
    let opened = source().files.opened(0).unwrap();
    let [first, second] = [0, 1].map(|group| opened.ranges(&opened.groups()[group])[0]);
    assert_eq!(first.1, second.1, "so that they can be exchanged");
    let mut bytes = fs::read(&path).unwrap();
    for i in 0..first.1 {
        bytes.swap((first.0 + i) as usize, (second.0 + i) as usize);
    }
    fs::write(&path, &bytes).unwrap();
    let said = read(&source()).err().unwrap().to_string();
    assert!(said.contains("does not open"), "{said}");
}
