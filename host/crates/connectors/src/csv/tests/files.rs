//! A source from its files: opened, sized, several as one.

use super::*;

#[test]
fn a_file_is_opened_sized_and_estimated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    std::fs::write(&path, "a,b\n1,2\n3,4").unwrap();
    let source = Source::new(Options::new(&path), text(&["b"]));
    assert_eq!(
        (source.size_bytes(), source.estimate_rows()),
        (Some(11), Some(2))
    );
    let mut decoder = source.decoder().unwrap();
    let mut chunks = source.chunks().unwrap();
    let chunk = chunks.next_chunk().unwrap().unwrap();
    assert_eq!(decoder.decode(chunk).unwrap().batches[0].rows(), 2);
    assert!(chunks.next_chunk().unwrap().is_none());

    let rows = 200_000;
    std::fs::write(&path, format!("a,b\n{}", "10,20\n".repeat(rows))).unwrap();
    let estimate = source.estimate_rows().unwrap();
    assert!(estimate.abs_diff(rows as u64) < 100, "{estimate}");
}

#[test]
fn what_cannot_be_read_is_said_before_the_first_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    let error = |file: &[u8]| -> String {
        std::fs::write(&path, file).unwrap();
        let source = Source::new(Options::new(&path), text(&["a"]));
        let (chunks, decoder) = (source.chunks().err(), source.decoder().err());
        let error = chunks.expect("an error").to_string();
        assert_eq!(error, decoder.expect("the same").to_string());
        error
    };
    assert!(error(b"").contains("is empty"));
    assert!(error(b"\xff\xfea\0\n\0").contains("UTF-16"));
    assert!(error(b"A\n1\n").contains("did you mean `A`"));
    let open = [b"\"".as_slice(), &vec![b'x'; 9 << 20]].concat();
    assert!(error(&open).contains("an unclosed or misplaced quote"));

    let missing = Source::new(Options::new(dir.path().join("none.csv")), text(&["a"]));
    assert!(matches!(missing.chunks(), Err(SourceError::Io { .. })));
    assert!(missing.estimate_rows().is_none());
}

#[test]
fn columns_that_change_between_two_passes_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.csv");
    std::fs::write(&path, "a,b\n1,2\n").unwrap();
    let source = Source::new(Options::new(&path), text(&["a"]));
    source.decoder().unwrap();
    std::fs::write(&path, "b,a\n1,2\n").unwrap();
    assert!(source.chunks().is_err());
}

#[test]
fn several_files_are_one_source_wherever_they_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        ("a.csv", "x,y\n1,\"a\nb\"\n2,c"),
        ("b.csv", "y,unknown,x\r\n\"d\r\n\",,3\n\n,,4\n"),
        ("c.csv", "x,y\n"),
        ("d.csv", "\u{feff}x,y\n5,e\n"),
    ];
    for (name, content) in files {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let schema = text(&["y", "x"]);
    let mut expected = Vec::new();
    for (name, content) in files {
        let part = oracle(content.as_bytes(), true, &schema);
        let file = dir.path().join(name).display().to_string();
        expected.extend(part.into_iter().map(|row| (file.clone(), row.1, row.2)));
    }
    for chunk_bytes in 1..40 {
        let options = Options {
            chunk_bytes,
            ..Options::new(dir.path())
        };
        let source = Source::new(
            Options {
                null: Vec::new(),
                ..options
            },
            schema.clone(),
        );
        let (mut chunks, mut decoder) = (source.chunks().unwrap(), source.decoder().unwrap());
        let mut found = Vec::new();
        let mut index = 0;
        let mut position = 0;
        while let Some(chunk) = chunks.next_chunk().unwrap() {
            assert_eq!((chunk.index, chunk.first_row), (index, found.len() as u64));
            index += 1;
            assert!(chunk.position >= position);
            position = chunk.position;
            let decoded = decoder.decode(chunk).unwrap();
            // A chunk may be blank lines only.
            let Some(batch) = decoded.batches.first() else {
                continue;
            };
            let file = batch.origin.file().unwrap().to_string();
            for (row, line, cells) in rows(&[decoded]) {
                assert_eq!(row, found.len() as u64);
                found.push((file.clone(), line, cells));
            }
        }
        assert_eq!(found, expected, "by {chunk_bytes}");
        assert_eq!(Some(position), source.size_bytes());
    }
}

#[test]
fn a_file_without_a_declared_column_is_named_before_the_first_row() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.csv"), "x,y\n1,2\n").unwrap();
    std::fs::write(dir.path().join("b.csv"), "x\n1\n").unwrap();
    let source = Source::new(Options::new(dir.path()), text(&["x", "y"]));
    let error = source.chunks().err().unwrap().to_string();
    assert!(
        error.contains("b.csv: the header has no column `y`"),
        "{error}"
    );
    assert_eq!(source.size_bytes(), Some(12));
}
