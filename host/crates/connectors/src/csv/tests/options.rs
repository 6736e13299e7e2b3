//! What each option makes of a file.

use super::*;
use crate::csv::{LineEnd, Ragged, encoding};
use glovebox_core::ReadFrom;

fn rows_of(file: &[u8], options: &Options, schema: &Schema) -> Vec<Vec<String>> {
    let found = read(file, options, schema);
    for chunk_bytes in [1, 2, 5, 9] {
        let options = Options {
            chunk_bytes,
            ..options.clone()
        };
        assert_eq!(read(file, &options, schema), found, "by {chunk_bytes}");
    }
    found
        .into_iter()
        .map(|(_, _, row)| match row {
            Ok(cells) => cells
                .into_iter()
                .map(|c| c.unwrap_or_else(|| "NULL".into()))
                .collect(),
            Err(rules) => vec![format!("! {}", rules.join(" "))],
        })
        .collect()
}

#[test]
fn lines_before_the_header_are_passed_over() {
    for file in [
        "Report \"of\nMay\r\n\na,b\n1,2\n",
        "x\n,,\"\ny\na,b\n1,2",
        "\n\n\na,b\n1,2",
    ] {
        let options = Options {
            skip: 3,
            ..options()
        };
        let found = read(file.as_bytes(), &options, &text(&["b"]));
        assert_eq!(found, [(0, 5, Ok(vec![Some("2".into())]))]);
        assert_eq!(rows_of(file.as_bytes(), &options, &text(&["b"])), [["2"]]);
    }
    let header = Options {
        header: false,
        skip: 1,
        ..options()
    };
    assert_eq!(rows_of(b"x\n1,2\n", &header, &text(&["a"])), [["1"]]);
}

#[test]
fn a_header_of_several_rows_names_columns_by_all_of_them() {
    let options = Options {
        header_rows: 2,
        ..options()
    };
    let schema = text(&["product", "Price net", "Price gross"]);
    let file = b"product,Price,Price\n,net,gross\nx,1,2\n";
    assert_eq!(rows_of(file, &options, &schema), [["x", "1", "2"]]);
}

#[test]
fn comments_are_no_rows() {
    let options = Options {
        comment: Some(b'#'),
        ..options()
    };
    let file = b"# made by \"x\na,b\n#1,2\n3,#4\n\"#5\",6\n#";
    assert_eq!(
        rows_of(file, &options, &text(&["a", "b"])),
        [["3", "#4"], ["#5", "6"]]
    );
}

#[test]
fn columns_are_read_by_position_or_another_name() {
    let mut schema = text(&["id", "second", "blank"]);
    schema.fields[0].from = Some(ReadFrom::Name("The \"id\"".into()));
    schema.fields[1].from = Some(ReadFrom::Position(3));
    schema.fields[2].from = Some(ReadFrom::Position(4));
    let file = b"x,note,note,,\"The \"\"id\"\"\"\n1,2,3,4,5\n";
    assert_eq!(rows_of(file, &options(), &schema), [["5", "3", "4"]]);
    let headless = Options {
        header: false,
        ..options()
    };
    schema.fields[0].from = None;
    assert_eq!(rows_of(b"1,2,3,4\n", &headless, &schema), [["1", "3", "4"]]);
}

#[test]
fn ragged_rows_are_rejected_padded_or_cut() {
    let file = b"a,b,c\n1,2,3\n1\n1,2,3,4\n1,\"\"\n";
    let schema = text(&["c", "a"]);
    let ragged = || vec!["! ragged".to_owned()];
    let row = |c: &str| vec![c.to_owned(), "1".to_owned()];
    for (how, expected) in [
        (Ragged::Reject, [row("3"), ragged(), ragged(), ragged()]),
        (Ragged::Pad, [row("3"), row("NULL"), ragged(), row("NULL")]),
        (Ragged::Cut, [row("3"), ragged(), row("3"), ragged()]),
        (Ragged::Both, [row("3"), row("NULL"), row("3"), row("NULL")]),
    ] {
        let options = Options {
            ragged: how,
            ..options()
        };
        assert_eq!(rows_of(file, &options, &schema), expected);
    }
}

#[test]
fn null_may_be_what_is_not_quoted() {
    let file = b"a,b\n,\"\"\nNA,\"NA\"\n";
    let schema = text(&["a", "b"]);
    let null = vec![String::new(), "NA".into()];
    let both = Options { null, ..options() };
    assert_eq!(
        rows_of(file, &both, &schema),
        [["NULL", "NULL"], ["NULL", "NULL"]]
    );
    let unquoted = Options {
        null_quoted: false,
        ..both
    };
    assert_eq!(
        rows_of(file, &unquoted, &schema),
        [["NULL", ""], ["NULL", "NA"]]
    );
    let trimmed = Options {
        trim: true,
        ..unquoted
    };
    let file = b"a,b\n  , \"\" \n NA , \" NA\"\n";
    assert_eq!(
        rows_of(file, &trimmed, &schema),
        [["NULL", ""], ["NULL", " NA"]]
    );
}

#[test]
fn other_encodings_are_read_and_what_is_none_of_them_is_rejected() {
    let schema = text(&["stra\u{df}e"]);
    let with = |label| Options {
        encoding: encoding(label),
        ..options()
    };
    let latin = b"stra\xdfe,b\n\xfc,2\n";
    assert_eq!(rows_of(latin, &with("latin1"), &schema), [["\u{fc}"]]);
    let utf16: Vec<u8> = "\u{feff}stra\u{df}e,b\r\n\u{fc},2\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(rows_of(&utf16, &with("utf-16le"), &schema), [["\u{fc}"]]);
    let japanese = b"a,b\n\x83\x8f,1\n\x83,2\n";
    assert_eq!(
        rows_of(japanese, &with("shift_jis"), &text(&["a"])),
        [["\u{30ef}"], ["! a:utf-8"]]
    );
}

#[test]
fn delimiters_may_be_long_and_blanks_left_out() {
    let bars = Options {
        delimiter: b"||".to_vec(),
        ..options()
    };
    let schema = text(&["a", "c"]);
    let file = b"a||b||c\n1||\"2||\"||3|\n";
    assert_eq!(rows_of(file, &bars, &schema), [["1", "3|"]]);
    let trim = Options {
        trim: true,
        ..options()
    };
    let file = b"a , b,\tc\n 1 ,\" 2, \" , \" 3 \" \n";
    assert_eq!(rows_of(file, &trim, &schema), [["1", " 3 "]]);
}

#[test]
fn line_ends_may_be_fixed() {
    let schema = text(&["a", "b"]);
    for (line_end, file, expected) in [
        (LineEnd::Lf, "a,b\n1,2\r\n", ["1", "2\r"]),
        (LineEnd::Crlf, "a,b\r\n1\n,2\r\r\n", ["1\n", "2\r"]),
        (LineEnd::Cr, "a,b\r1,2\n\r", ["1", "2\n"]),
    ] {
        let options = Options {
            line_end,
            ..options()
        };
        assert_eq!(rows_of(file.as_bytes(), &options, &schema), [expected]);
    }
}

#[test]
fn quotes_may_mean_nothing_and_be_escaped() {
    let schema = text(&["a", "b"]);
    let none = Options {
        quote: None,
        ..options()
    };
    assert_eq!(
        rows_of(b"a,b\n\"1,2\"\n3\",\"\n", &none, &schema),
        [["\"1", "2\""], ["3\"", "\""]]
    );
    let escape = Options {
        escape: Some(b'\\'),
        ..options()
    };
    assert_eq!(
        rows_of(
            b"a,b\n\"8\\'9\\\",\",\"c:\\\\\"\n\\,\"\"\"\"\n",
            &escape,
            &schema
        ),
        [["8\\'9\",", "c:\\"], ["\\", "\""]]
    );
}

#[test]
fn a_blank_line_of_a_file_of_one_column_is_a_row() {
    let one = text(&["a"]);
    for file in [
        &b"a\n1\n\n2\n\n"[..],
        b"a\r\n1\r\n\r\n2\r\n\r\n",
        b"a\r1\r\r2\r\r",
    ] {
        assert_eq!(
            rows_of(file, &options(), &one),
            [["1"], [""], ["2"], [""]],
            "{file:?}"
        );
    }
    let headless = Options {
        header: false,
        ..Options::new("in.csv")
    };
    assert_eq!(
        rows_of(b"\n1\n\n", &headless, &one),
        [["NULL"], ["1"], ["NULL"]]
    );
    assert_eq!(rows_of(b"a,b\n\n1,2\n\n", &options(), &one), [["1"]]);
}
