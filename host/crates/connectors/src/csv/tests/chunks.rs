//! The rows of a file that is cut anywhere, by the source and by the `csv` crate.

use proptest::prelude::*;

use super::*;

#[test]
fn every_short_file_is_read_as_the_csv_crate_reads_it() {
    let alphabet = b"a,\"\n\r";
    for len in 0..=5u32 {
        for code in 0..5usize.pow(len) {
            // Two columns: in a file of one blank lines would be rows.
            let mut file = b"x,y\n".to_vec();
            file.extend((0..len).map(|i| alphabet[code / 5usize.pow(i) % 5]));
            let two = text(&["c0", "c1"]);
            let expected = oracle(&file, false, &two);
            for chunk_bytes in [1, 3, 100] {
                let options = Options {
                    header: false,
                    chunk_bytes,
                    ..lenient()
                };
                assert_eq!(
                    read(&file, &options, &two),
                    expected,
                    "{file:?} by {chunk_bytes}"
                );
            }
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_gives_the_same_rows() {
    let file = "\u{feff}x,\"y\",z\r\n1,\"a\nb\r\n\"\"c\"\"\",\u{e9}\n\n\r2,\"q\"t\"u,3\r\r\n,,\n\
                only,two\n\"\",\"\",\"\"\"\"\r\n4,\"5,5\",last";
    let schema = text(&["z", "y"]);
    let expected = oracle(file.as_bytes(), true, &schema);
    assert_eq!(expected.len(), 6);
    for chunk_bytes in 1..=file.len() + 1 {
        for batch_rows in [1, 2, 100] {
            let options = Options {
                chunk_bytes,
                batch_rows,
                ..lenient()
            };
            assert_eq!(
                read(file.as_bytes(), &options, &schema),
                expected,
                "by {chunk_bytes}"
            );
        }
    }
}

fn messy() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just(b"ab".to_vec()),
        5 => Just(b",".to_vec()),
        3 => Just(b"\n".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        2 => Just(b"\"".to_vec()),
        2 => Just(b"\"x,\n\"\"y\"".to_vec()),
        3 => Just(b"1,2,3\n".to_vec()),
        1 => Just("\u{e9}".as_bytes().to_vec()),
        1 => Just(b"\xff".to_vec()),
        1 => Just(b"\0".to_vec()),
        1 => "[a-z ,]{60,140}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parallel_equals_serial(
        body in messy(),
        bom: bool,
        header: bool,
        chunk_bytes in 1usize..300,
        chunk_rows in 1u64..20,
        batch_rows in 1usize..20,
        batch_bytes in 1usize..200,
        reads in 1usize..50,
    ) {
        let mut file = Vec::new();
        if bom {
            file.extend_from_slice(b"\xef\xbb\xbf");
        }
        file.extend_from_slice(b"p,q,r\n");
        file.extend_from_slice(&body);
        let schema = if header { text(&["r", "p"]) } else { text(&["p", "q"]) };
        let options = Options { header, chunk_bytes, chunk_rows, batch_rows, batch_bytes, ..lenient() };

        let (chunks, layout) = cut(&file, &options, &schema, usize::MAX);
        let (slowly, _) = cut(&file, &options, &schema, reads);
        let bounds = |chunks: &[Chunk]| -> Vec<_> {
            chunks.iter().map(|c| (c.first_row, c.rows, c.first_line, c.position)).collect()
        };
        prop_assert_eq!(bounds(&chunks), bounds(&slowly), "bounds depend on the size of reads");
        prop_assert_eq!(chunks.last().map(|c| c.position).unwrap_or(file.len() as u64), file.len() as u64);

        let decoded = decode(chunks, layout, &options, &schema);
        for batch in decoded.iter().flat_map(|d| &d.batches) {
            prop_assert!((1..=batch_rows).contains(&batch.rows()));
        }
        prop_assert_eq!(rows(&decoded), oracle(&file, header, &schema));
    }
}

#[test]
fn a_line_too_long_to_hold_is_rejected_and_the_run_goes_on() {
    let long = "x".repeat(200_000);
    let file = format!("a,b\n1,2\n\n\"{long}\n{long}\",3\r\n4,5\n6,\"{long}");
    let cells = |a: &str, b: &str| Ok(vec![Some(a.to_owned()), Some(b.to_owned())]);
    let too_long = || Err(vec!["too-long".to_owned()]);
    for options in [options(), lenient()] {
        let options = Options {
            chunk_bytes: 16,
            max_record: 64,
            ..options
        };
        assert_eq!(
            read(file.as_bytes(), &options, &text(&["a", "b"])),
            [
                (0, 2, cells("1", "2")),
                (1, 4, too_long()),
                (2, 5, too_long()),
                (3, 6, cells("4", "5")),
                (4, 7, too_long()),
            ]
        );
        let (chunks, _) = cut(file.as_bytes(), &options, &text(&["a", "b"]), usize::MAX);
        assert!(
            chunks.iter().all(|c| c.bytes.len() <= 64),
            "nothing longer is held"
        );
        assert_eq!(chunks.last().unwrap().position, file.len() as u64);
    }
}

#[test]
fn a_record_of_lines_that_is_too_long_costs_its_first_line() {
    let file = "a,b\n1,\"23456\n789\"\n3,4\n5,\"6\n7\"\n";
    let cells = |a: &str, b: &str| Ok(vec![Some(a.to_owned()), Some(b.to_owned())]);
    for (options, rule) in [(options(), "quote"), (lenient(), "too-long")] {
        let options = Options {
            max_record: 10,
            ..options
        };
        let found = read(file.as_bytes(), &options, &text(&["a", "b"]));
        assert_eq!(found[0], (0, 2, Err(vec![rule.to_owned()])));
        assert_eq!((found[1].1, found[1].2.is_err()), (3, true));
        assert_eq!(
            found[2..],
            [(2, 4, cells("3", "4")), (3, 5, cells("5", "6\n7"))]
        );
    }
}

#[test]
fn the_longest_record_is_as_long_as_the_limit_says() {
    let file = b"a,b\n1,23\n1,234\n\n1,2\n1,2345";
    for chunk_bytes in [1, 2, 6, 100] {
        let options = Options {
            chunk_bytes,
            max_record: 5,
            ..options()
        };
        let found = read(file, &options, &text(&["a", "b"]));
        let rejected: Vec<_> = found.iter().filter(|r| r.2.is_err()).collect();
        let too_long = || Err(vec!["too-long".to_owned()]);
        assert_eq!(found.len(), 4);
        assert_eq!(
            rejected,
            [&(1, 3, too_long()), &(3, 6, too_long())],
            "by {chunk_bytes}"
        );
    }
}

#[test]
fn an_open_quote_within_the_limit_is_one_record_as_for_the_csv_crate() {
    let file = b"a,b\n1,2\n3,\"4\n5,6\n";
    let schema = text(&["a", "b"]);
    assert_eq!(read(file, &lenient(), &schema), oracle(file, true, &schema));
    assert_eq!(read(file, &lenient(), &schema).len(), 2);
}

#[test]
fn chunks_of_very_short_rows_end_early() {
    let file = "a\n".repeat(300_000);
    let (chunks, _) = cut(
        file.as_bytes(),
        &Options::new("in.csv"),
        &text(&["a"]),
        usize::MAX,
    );
    assert_eq!(chunks.iter().map(|c| c.rows).sum::<u64>(), 299_999);
    assert!(
        chunks.iter().all(|c| c.rows <= 65_536 + 32_768),
        "{}",
        chunks.len()
    );
}
