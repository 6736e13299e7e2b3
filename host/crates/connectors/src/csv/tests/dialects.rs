//! Every dialect, cut anywhere, against a reading of the whole file by one byte at a time.

use std::io::Cursor;

use glovebox_core::ChunkReader as _;
use proptest::prelude::*;

use super::super::dialect::{Delimiter, Dialect, LineEnd, Quotes};
use super::super::reader::CsvChunks;
use super::super::records::Records;
use crate::chunks::Sizes;
use crate::input::Stream;

/// A row: its line, and its fields unless it is rejected.
type Row = (u64, Option<Vec<Vec<u8>>>);

fn comma() -> Dialect {
    Dialect::new(Delimiter::new(b",").unwrap(), Some(b'"'))
}

fn lenient(of: Dialect) -> Dialect {
    Dialect {
        quotes: Quotes::Lenient,
        ..of
    }
}

/// The rows as both halves have them.
fn read(file: &[u8], dialect: Dialect, chunk_bytes: usize, most: usize) -> Vec<Row> {
    let sizes = Sizes {
        chunk_bytes,
        chunk_rows: u64::MAX,
        max_record: most,
        suspect: "",
    };
    let stream = Stream::plain(Cursor::new(file.to_vec()));
    let mut chunks = CsvChunks::new(stream, String::new(), dialect, sizes).unwrap();
    let mut rows = Vec::new();
    while let Some(mut chunk) = chunks.next_chunk().unwrap() {
        assert_eq!(chunk.first_row, rows.len() as u64, "{file:?}");
        let first_line = chunk.first_line.unwrap();
        let mut records = Records::new(&mut chunk.bytes, dialect, most);
        let mut spans = Vec::new();
        let mut count = 0;
        while let Some(record) = records.next(|number, span| {
            spans.truncate(number);
            spans.push(span);
        }) {
            let fits = record.fields > 0 && !record.long;
            let fields = spans.iter().take(record.fields);
            let fields = fields.map(|s| s.of(records.bytes()).to_vec()).collect();
            let line = first_line + u64::from(record.newlines);
            rows.push((line, fits.then_some(fields)));
            spans.clear();
            count += 1;
        }
        assert_eq!(count, chunk.rows, "{file:?} by {chunk_bytes}");
        rows.extend(chunk.rejects.iter().map(|r| (r.line.unwrap(), None)));
    }
    rows
}

/// How long the line end at `at` is.
fn line_end(file: &[u8], at: usize, d: &Dialect) -> Option<usize> {
    let (b, next) = (file.get(at)?, file.get(at + 1));
    match d.line_end {
        LineEnd::Any => match (b, next) {
            (b'\r', Some(b'\n')) => Some(2),
            (b'\r' | b'\n', _) => Some(1),
            _ => None,
        },
        LineEnd::Lf => (*b == b'\n').then_some(1),
        LineEnd::Cr => (*b == b'\r').then_some(1),
        LineEnd::Crlf => ((b, next) == (&b'\r', Some(&b'\n'))).then_some(2),
    }
}

/// Where the line at `at` stops, and where the next one starts.
fn line_of(file: &[u8], at: usize, d: &Dialect) -> (usize, usize) {
    let mut stop = at;
    while stop < file.len() {
        if let Some(len) = line_end(file, stop, d) {
            return (stop, stop + len);
        }
        stop += 1;
    }
    (stop, stop)
}

fn is_boundary(file: &[u8], at: usize, d: &Dialect) -> bool {
    let at = at + blanks(file, at, d);
    at >= file.len()
        || file[at..].starts_with(d.delimiter.bytes())
        || line_end(file, at, d).is_some()
}

fn blanks(file: &[u8], at: usize, d: &Dialect) -> usize {
    let blank = |b: &&u8| d.trim && b" \t".contains(b) && !d.delimiter.bytes().contains(b);
    file[at..].iter().take_while(blank).count()
}

fn trimmed(mut text: &[u8], d: &Dialect) -> Vec<u8> {
    text = &text[blanks(text, 0, d)..];
    let back: Vec<u8> = text.iter().rev().copied().collect();
    text[..text.len() - blanks(&back, 0, d)].to_vec()
}

/// The record at `at` and where it ends, if its quotes are right.
fn record(file: &[u8], mut at: usize, d: &Dialect) -> Option<(Vec<Vec<u8>>, usize)> {
    let strict = d.quotes == Quotes::Strict;
    let mut fields = Vec::new();
    loop {
        let mut field = Vec::new();
        let first = at + blanks(file, at, d);
        let quoted = d.quote.is_some() && file.get(first).copied() == d.quote;
        if quoted {
            at = first + 1;
            loop {
                let (b, next) = (file.get(at).copied(), file.get(at + 1).copied());
                let special = next.is_some() && (next == d.quote || next == d.escape);
                match b {
                    None if strict => return None,
                    None => {
                        fields.push(field);
                        return Some((fields, at));
                    }
                    Some(b) if Some(b) == d.escape && special => {
                        field.push(next.unwrap());
                        at += 2;
                    }
                    b if b == d.quote && next == d.quote => {
                        field.push(b.unwrap());
                        at += 2;
                    }
                    b if b == d.quote => break,
                    Some(b) => {
                        field.push(b);
                        at += 1;
                    }
                }
            }
            at += 1;
        }
        let start = at;
        while at < file.len()
            && !file[at..].starts_with(d.delimiter.bytes())
            && line_end(file, at, d).is_none()
        {
            at += 1;
        }
        let text = &file[start..at];
        if quoted {
            if strict && !trimmed(text, d).is_empty() {
                return None;
            }
            if !trimmed(text, d).is_empty() {
                let mut marked = vec![b'x'];
                marked.extend(text);
                field.extend(&trimmed(&marked, d)[1..]);
            }
        } else {
            if strict && d.quote.is_some_and(|q| text.contains(&q)) {
                return None;
            }
            field = trimmed(text, d);
        }
        fields.push(field);
        if let Some(len) = line_end(file, at, d) {
            return Some((fields, at + len));
        }
        if at >= file.len() {
            return Some((fields, at));
        }
        at += d.delimiter.len();
    }
}

/// The quotes of a line from `at` on, in groups: whether the group stands where a field may begin,
/// whether one may end there, how many quotes it has, and where it ends.
fn groups(
    line: &[u8],
    mut at: usize,
    d: &Dialect,
    within: bool,
) -> Vec<(bool, bool, usize, usize)> {
    let mut found = Vec::new();
    while at < line.len() {
        let next = line.get(at + 1).copied();
        if within
            && Some(line[at]) == d.escape
            && (next == d.quote || next == d.escape)
            && next.is_some()
        {
            at += 2;
            continue;
        }
        if Some(line[at]) != d.quote {
            at += 1;
            continue;
        }
        let start = at;
        while line.get(at).copied() == d.quote {
            at += 1;
        }
        let before: Vec<u8> = line[..start].iter().rev().copied().collect();
        let before = &line[..start - blanks(&before, 0, d)];
        let first = before.is_empty() || before.ends_with(d.delimiter.bytes());
        found.push((first, is_boundary(line, at, d), at - start, at));
    }
    found
}

/// Whether a line is left within quotes, and with an odd number of quotes in the last field.
fn left_open(line: &[u8], from: usize, d: &Dialect) -> (bool, bool) {
    let (mut at, mut open, mut odd) = (from, false, false);
    while let Some((first, last, count, end)) = groups(line, at, d, open).into_iter().next() {
        at = end;
        if count % 2 == 1 {
            odd = open && !odd;
            open = if open { !last } else { first };
        }
    }
    (open, odd)
}

/// Up to where lines are rejected, if the record at `at` is none.
fn rejected(file: &[u8], at: usize, d: &Dialect, most: usize) -> usize {
    let (stop, mut next) = line_of(file, at, d);
    let mut rejected = next;
    let (mut open, mut odd_before) = left_open(&file[at..stop], 0, d);
    while open && next < file.len() {
        let start = next;
        let stop;
        (stop, next) = line_of(file, start, d);
        let within = if stop < next { stop + 1 } else { stop };
        if within > at + most {
            break;
        }
        let line = &file[start..stop];
        let mut half = false;
        for (first, last, count, end) in groups(line, 0, d, true) {
            let odd = count % 2 == 1;
            if first && (odd != last) {
                return rejected;
            }
            let closes = if odd { !half } else { half || odd_before };
            if first && odd || last && !first && closes {
                rejected = next;
                (open, odd_before) = left_open(line, end, d);
                break;
            }
            half ^= odd && !first;
        }
    }
    rejected
}

/// The rows of a whole file.
fn reference(file: &[u8], d: Dialect, most: usize) -> Vec<Row> {
    let newline = match d.line_end {
        LineEnd::Cr => b'\r',
        _ => b'\n',
    };
    let line = |at: usize| 1 + file[..at].iter().filter(|b| **b == newline).count() as u64;
    let (mut rows, mut at) = (Vec::new(), 0);
    while at < file.len() {
        if let Some(len) = line_end(file, at, &d) {
            if d.blank_rows {
                rows.push((line(at), Some(vec![Vec::new()])));
            }
            at += len;
            continue;
        }
        let (_, next) = line_of(file, at, &d);
        if d.comment == Some(file[at]) {
            at = next;
            continue;
        }
        let found = record(file, at, &d);
        // A line end counts for one byte.
        let long = found.as_ref().is_some_and(|(_, end)| {
            end - at > most + usize::from(file[at..*end].ends_with(b"\r\n"))
        });
        let end = match &found {
            Some((_, end)) if !long || *end <= next => *end,
            Some(_) if d.quotes == Quotes::Lenient => next,
            _ => {
                let to = rejected(file, at, &d, most);
                while at < to {
                    let (stop, next) = line_of(file, at, &d);
                    if stop > at || d.blank_rows {
                        rows.push((line(at), None));
                    }
                    at = next;
                }
                continue;
            }
        };
        let fields = found.filter(|_| !long);
        rows.push((line(at), fields.map(|(fields, _)| fields)));
        at = end;
    }
    rows
}

/// Every text of so many of these signs.
fn small_texts(signs: &[&[u8]], longest: u32, mut visit: impl FnMut(&[u8])) {
    for len in 0..=longest {
        for code in 0..signs.len().pow(len) {
            let sign = |i: u32| signs[code / signs.len().pow(i) % signs.len()];
            let text: Vec<u8> = (0..len).flat_map(sign).copied().collect();
            visit(&text);
        }
    }
}

fn agree(signs: &[&[u8]], longest: u32, dialect: Dialect) {
    small_texts(signs, longest, |file| {
        for (chunk_bytes, most) in [(1, 100), (3, 100), (100, 100), (1, 4), (2, 3), (100, 4)] {
            assert_eq!(
                read(file, dialect, chunk_bytes, most),
                reference(file, dialect, most),
                "{:?} by {chunk_bytes}, at most {most}, {dialect:?}",
                String::from_utf8_lossy(file)
            );
        }
    });
}

const SIGNS: [&[u8]; 5] = [b"a", b",", b"\"", b"\n", b"\r"];

#[test]
fn strict_files_are_read_as_by_the_reference() {
    agree(&SIGNS, 6, comma());
    agree(&[b"a", b",", b"\"", b"\n"], 7, comma());
}

#[test]
fn lenient_files_are_read_as_by_the_reference() {
    agree(&SIGNS, 6, lenient(comma()));
}

#[test]
fn files_without_quotes_are_read_as_by_the_reference() {
    let none = Dialect {
        quote: None,
        ..comma()
    };
    agree(&SIGNS, 6, none);
}

#[test]
fn files_with_escapes_are_read_as_by_the_reference() {
    let escape = Dialect {
        escape: Some(b'\\'),
        ..comma()
    };
    let signs: [&[u8]; 5] = [b"a", b",", b"\"", b"\n", b"\\"];
    agree(&signs, 6, escape);
    agree(&signs, 5, lenient(escape));
}

#[test]
fn long_delimiters_blanks_and_comments_are_read_as_by_the_reference() {
    let bars = Dialect::new(Delimiter::new(b"||").unwrap(), Some(b'"'));
    let trim = Dialect {
        trim: true,
        ..comma()
    };
    let comment = Dialect {
        comment: Some(b'#'),
        ..comma()
    };
    for quotes in [Quotes::Strict, Quotes::Lenient] {
        let with = |of| Dialect { quotes, ..of };
        agree(&[b"a", b"|", b"\"", b"\n"], 6, with(bars));
        agree(&[b"a", b"|", b"||", b"\"", b"\n"], 5, with(bars));
        agree(&[b"a", b",", b"\"", b"\n", b" "], 6, with(trim));
        agree(
            &[b"a", b"||", b" ", b"\"", b"\n"],
            5,
            with(Dialect { trim: true, ..bars }),
        );
        agree(&[b"a", b",", b"\"", b"\n", b"#"], 5, with(comment));
    }
}

#[test]
fn line_ends_and_blank_rows_are_read_as_by_the_reference() {
    for line_end in [LineEnd::Any, LineEnd::Lf, LineEnd::Crlf, LineEnd::Cr] {
        for blank_rows in [false, true] {
            for quotes in [Quotes::Strict, Quotes::Lenient] {
                let dialect = Dialect {
                    line_end,
                    blank_rows,
                    quotes,
                    ..comma()
                };
                agree(&SIGNS, 5, dialect);
            }
        }
    }
}

fn any_dialect() -> impl Strategy<Value = Dialect> {
    let line_ends = [LineEnd::Any, LineEnd::Lf, LineEnd::Crlf, LineEnd::Cr];
    (
        prop_oneof![3 => Just(","), 1 => Just("||"), 1 => Just(", ")],
        prop_oneof![4 => Just(Some(b'"')), 1 => Just(None)],
        prop::bool::weighted(0.7),
        prop_oneof![2 => Just(None), 1 => Just(Some(b'\\'))],
        prop_oneof![2 => Just(None), 1 => Just(Some(b'#'))],
        prop::sample::select(line_ends.to_vec()),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
    )
        .prop_map(
            |(delimiter, quote, strict, escape, comment, line_end, trim, blank_rows)| Dialect {
                delimiter: Delimiter::new(delimiter.as_bytes()).unwrap(),
                quote,
                quotes: if strict {
                    Quotes::Strict
                } else {
                    Quotes::Lenient
                },
                escape: escape.filter(|_| quote.is_some()),
                comment,
                line_end,
                trim,
                blank_rows,
            },
        )
}

fn messy() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just("ab"),
        4 => Just(","),
        2 => Just("||"),
        1 => Just(", "),
        3 => Just("\n"),
        3 => Just("\r\n"),
        1 => Just("\r"),
        2 => Just("\""),
        2 => Just("\"\""),
        1 => Just("\"x,\n\"\"y\""),
        1 => Just("\\\""),
        1 => Just("\\"),
        1 => Just(" "),
        1 => Just("#"),
        3 => Just("1,\"2\",3\n"),
        3 => Just("1,2,3\r\n"),
        1 => Just("a long text that has neither delimiters nor quotes, but for this one"),
    ];
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_file_is_read_as_by_the_reference(
        file in messy(),
        dialect in any_dialect(),
        chunk_bytes in 1usize..200,
        most in prop_oneof![1usize..300, Just(1 << 20)],
    ) {
        // A byte order mark is no part of a file, and none starts like one.
        prop_assert_eq!(read(&file, dialect, chunk_bytes, most), reference(&file, dialect, most));
    }
}
