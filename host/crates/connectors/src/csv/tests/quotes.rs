//! What quotes in the wrong place cost: the lines that they stand in, each by itself.

use super::*;

/// A row without its number: its line, and its cells or rules.
type Line = (u64, Found);
type Found = Result<Vec<Option<String>>, Vec<String>>;

fn cells(cells: &[&str]) -> Found {
    Ok(cells.iter().map(|c| Some((*c).to_owned())).collect())
}

fn quote() -> Found {
    Err(vec!["quote".to_owned()])
}

/// What becomes of the lines behind the header `id,note,email`, wherever the file is cut.
fn lines(body: &str) -> Vec<Line> {
    let file = format!("id,note,email\n{body}");
    let schema = text(&["id", "note", "email"]);
    let found = read(file.as_bytes(), &options(), &schema);
    for chunk_bytes in 1..file.len() {
        let options = Options {
            chunk_bytes,
            ..options()
        };
        assert_eq!(
            read(file.as_bytes(), &options, &schema),
            found,
            "by {chunk_bytes}"
        );
    }
    assert!((0..).zip(&found).all(|(i, row)| row.0 == i));
    found
        .into_iter()
        .map(|(_, line, row)| (line, row))
        .collect()
}

#[test]
fn an_open_quote_costs_its_line() {
    assert_eq!(
        lines("1,\"a,p1@x.org\n2,b,p2@x.org\n3,\"c\",p3@x.org\n"),
        [
            (2, quote()),
            (3, cells(&["2", "b", "p2@x.org"])),
            (4, cells(&["3", "c", "p3@x.org"])),
        ]
    );
    // With nothing behind that closes it.
    assert_eq!(
        lines("1,a,p1@x.org\n2,\"b,p2@x.org\n3,c,p3@x.org"),
        [
            (2, cells(&["1", "a", "p1@x.org"])),
            (3, quote()),
            (4, cells(&["3", "c", "p3@x.org"])),
        ]
    );
    // In a file in which all is quoted.
    assert_eq!(
        lines("\"1\",\"a\",\"p1@x.org\n\"2\",\"b\",\"p2@x.org\"\n\"3\",\"\",\"p3@x.org\"\n"),
        [
            (2, quote()),
            (3, cells(&["2", "b", "p2@x.org"])),
            (4, cells(&["3", "", "p3@x.org"])),
        ]
    );
}

#[test]
fn one_quote_too_many_costs_its_line() {
    for line in [
        "1,\"Hey, I missed \" it\",3",
        "2\"Doe, Jane\",jane@x.org,x",
        "1,a \"b\" c,x",
        "1,board 5\",x",
        "1,\"a,\"b\",\"c\"",
        "1,\"a\" ,c",
        "1,\"a\"\"\",\"c\"d",
    ] {
        assert_eq!(
            lines(&format!("0,\"o\",k\n{line}\n2,b,\"p2\"\n3,c,p3\n")),
            [
                (2, cells(&["0", "o", "k"])),
                (3, quote()),
                (4, cells(&["2", "b", "p2"])),
                (5, cells(&["3", "c", "p3"])),
            ],
            "{line}"
        );
    }
}

#[test]
fn what_is_quoted_right_is_read() {
    assert_eq!(
        lines("\"1\",\"a, \"\"b\"\"\nc\r\n\",\"\"\r\n2,\"\"\"\",\"p\"\n3,it's,\"\"\"x\"\"\""),
        [
            (2, cells(&["1", "a, \"b\"\nc\r\n", ""])),
            (5, cells(&["2", "\"", "p"])),
            (6, cells(&["3", "it's", "\"x\""])),
        ]
    );
}

#[test]
fn no_line_of_a_broken_cell_is_read_as_a_row_if_a_quote_tells() {
    // The third line would be a row, with an address that nobody masks.
    for body in [
        "1,\"Dear Sir,\njane@x.org,my secret,3\nhe said \"hello\" to me\",p@x.org\n2,b,c\n",
        "1,\"Dear \"Sir\" and\njane@x.org,my secret,3\nMadam\",p@x.org\n2,b,c\n",
        "1,\"he said \"hello\njane@x.org,my secret,3\nworld\"\",p@x.org\n2,b,c\n",
        "1,\"Dear \"Sir\njane@x.org,my secret,3\n\",p@x.org\n2,b,c\n",
    ] {
        assert_eq!(
            lines(body),
            [
                (2, quote()),
                (3, quote()),
                (4, quote()),
                (5, cells(&["2", "b", "c"])),
            ],
            "{body}"
        );
    }
}

#[test]
fn what_no_quote_tells_is_read_by_lines() {
    // Documented: the second line may have been part of the first one's cell.
    assert_eq!(
        lines("1,\"Dear \"Sir\njane@x.org,my secret,3\n"),
        [(2, quote()), (3, cells(&["jane@x.org", "my secret", "3"]))]
    );
}

#[test]
fn a_quote_left_open_never_stands_for_the_rest_of_a_file() {
    let mut file = String::from("id,note,email\n");
    for i in 0..100_000 {
        let note = if i == 9 { "\"a" } else { "b" };
        file += &format!("{i},{note},p{i}@x.org\n");
    }
    for max_record in [1 << 16, 8 << 20] {
        let options = Options {
            max_record,
            ..options()
        };
        let found = read(file.as_bytes(), &options, &text(&["id", "email"]));
        let rejected: Vec<_> = found.iter().filter(|r| r.2.is_err()).collect();
        assert_eq!(found.len(), 100_000);
        assert_eq!(rejected, [&(9, 11, quote())]);
    }
}

#[test]
fn open_quotes_in_each_line_are_read_in_one_pass() {
    // By looking ahead from each line to the end this would be 10 GB.
    for line in [
        "1,\"a,x\n",
        "1,\"\"a,x\n",
        "1\" ,\"a,x\n",
        "1,\"\"\"a,\"\"x\n",
    ] {
        let file = format!("id,note,email\n{}", line.repeat(20_000));
        let found = read(file.as_bytes(), &options(), &text(&["id", "email"]));
        assert_eq!(found.len(), 20_000, "{line}");
        assert!(found.iter().all(|r| r.2 == quote()), "{line}");
    }
}

#[test]
fn messages_name_the_options_and_no_cell() {
    let file = b"id,note,email\n1,\"secret,p1@x.org\n2\xff,b,c\n3,d\n4,e,f,g\n";
    let schema = text(&["id", "email"]);
    let (chunks, layout) = cut(file, &options(), &schema, usize::MAX);
    let decoded = decode(chunks, layout, &options(), &schema).remove(0);
    let messages = format!("{:?}", decoded.rejects);
    for word in [
        "`quotes: lenient`",
        "`quote: none`",
        "`encoding: windows-1252`",
        "`ragged: pad`",
        "`ragged: cut`",
    ] {
        assert!(messages.contains(word), "{word} in {messages}");
    }
    assert!(
        !messages.contains("secret") && !messages.contains("p1@"),
        "{messages}"
    );
}

#[test]
fn a_header_with_an_open_quote_is_no_header() {
    let schema = text(&["id"]);
    let source = |file: &str| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("in.csv");
        std::fs::write(&path, file).unwrap();
        let error = Source::new(Options::new(&path), schema.clone()).chunks();
        error.err().unwrap().to_string()
    };
    let error = source("id,\"note,email\n1,secret,c\n");
    assert!(error.contains("its header has an unclosed"), "{error}");
    assert!(!error.contains("secret"), "{error}");
    let error = source("x,\"note,email\n1,\"secret\",c\n");
    assert!(!error.contains("secret"), "{error}");
}
