//! The options of a CSV file that nobody has described, by its first records.
//!
//! A first line is taken for names only where something says so: names go into a manifest, and
//! the first line of a file without a header holds somebody's data.

use std::collections::{BTreeSet, HashMap};

use super::dialect::{Delimiter, Dialect};
use super::encoding::{Encoding, by_label};
use super::header::DELIMITERS;
use super::options::Options;
use super::records::Records;
use crate::discover::types::{guess, is_typed};
use crate::names::folded;

/// Bytes, in UTF-8, that the options are chosen by.
const SNIFFED_BYTES: usize = 256 << 10;
/// Records that are split for it, by each dialect that is tried.
const RECORDS: usize = 500;
/// The most records before a header.
const BEFORE: usize = 50;
/// Of a hundred records, how many have to agree in their number of fields.
const AGREEMENT: usize = 80;
/// A longer field of a first record is no name.
const MAX_NAME_LEN: usize = 100;
/// Words that headers have, without case and signs.
const WORDS: [&str; 62] = [
    "account",
    "address",
    "age",
    "amount",
    "balance",
    "birthday",
    "category",
    "city",
    "code",
    "comment",
    "company",
    "count",
    "country",
    "created",
    "currency",
    "customer",
    "date",
    "day",
    "department",
    "description",
    "email",
    "enddate",
    "fax",
    "firstname",
    "gender",
    "iban",
    "id",
    "key",
    "language",
    "lastname",
    "mail",
    "mobile",
    "month",
    "name",
    "no",
    "note",
    "notes",
    "number",
    "order",
    "password",
    "phone",
    "postcode",
    "price",
    "product",
    "quantity",
    "region",
    "salary",
    "sex",
    "ssn",
    "state",
    "status",
    "street",
    "surname",
    "tel",
    "time",
    "timestamp",
    "title",
    "total",
    "type",
    "updated",
    "user",
    "zip",
];

/// A record, split.
struct Split {
    /// Lines before it.
    lines: u32,
    /// Its fields; none if its quotes are wrong.
    fields: Vec<Vec<u8>>,
}

/// How records look under a dialect.
struct Reading {
    dialect: Dialect,
    records: Vec<Split>,
    /// The first record that has as many fields as most.
    start: usize,
    /// Of a hundred records from there on, how many have.
    agreement: usize,
}

/// What was found of a file that begins so, and the names, or else the fields, of its first
/// record. `whole` says whether these are all of its bytes.
pub(crate) fn discover(
    beginning: &[u8],
    whole: bool,
    header: Option<bool>,
) -> (Options, Vec<Vec<u8>>) {
    let encoding = encoding_of(beginning);
    let text = match encoding {
        Some(encoding) => encoding.decode(beginning).0.into_owned().into_bytes(),
        None => beginning.to_vec(),
    };
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let looked_at = text.get(..SNIFFED_BYTES).unwrap_or(text);
    let whole = whole && looked_at.len() == text.len();
    let mut options = Options::new("");
    options.encoding = encoding;
    let Some(reading) = best(looked_at, whole) else {
        return (options, Vec::new());
    };
    let dialect = reading.dialect;
    options.delimiter = dialect.delimiter.bytes().to_vec();
    options.quote = dialect.quote;
    options.escape = dialect.escape;
    let mut rest = reading.records.into_iter().skip(reading.start);
    let Some(first) = rest.next() else {
        return (options, Vec::new());
    };
    options.skip = match reading.start {
        0 => 0,
        _ => first.lines.into(),
    };
    let mut names = first.fields;
    let blank = |name: &&Vec<u8>| name.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
    options.trim = names.len() > 1 && names.iter().skip(1).filter(blank).count() * 2 >= names.len();
    if options.trim {
        for name in &mut names {
            *name = name.trim_ascii().to_vec();
        }
    }
    let below: Vec<Split> = rest.collect();
    options.header = header.unwrap_or_else(|| is_header(&names, &below));
    (options, names)
}

/// The encoding by its mark; without one UTF-8 if all is that, else the one that most other files
/// have.
fn encoding_of(beginning: &[u8]) -> Option<Encoding> {
    let label = match beginning {
        [0xff, 0xfe, ..] => "utf-16le",
        [0xfe, 0xff, ..] => "utf-16be",
        _ => match std::str::from_utf8(beginning) {
            Ok(_) => return None,
            // Cut off within a character.
            Err(error) if error.error_len().is_none() => return None,
            Err(_) => "windows-1252",
        },
    };
    by_label(label)
}

/// The dialect under which most records have the same number of fields.
fn best(text: &[u8], whole: bool) -> Option<Reading> {
    let mut found: Option<(usize, Reading)> = None;
    let quotings = [
        (Some(b'"'), None),
        (Some(b'"'), Some(b'\\')),
        (None, None),
        (Some(b'\''), None),
    ];
    for (rank, (quote, escape)) in quotings.into_iter().enumerate() {
        for delimiter in DELIMITERS {
            let Some(delimiter) = Delimiter::new(delimiter.as_bytes()) else {
                continue;
            };
            let dialect = Dialect {
                escape,
                ..Dialect::new(delimiter, quote)
            };
            let reading = Reading::of(text, whole, dialect);
            // Whatever is unusual has to explain more than a few records.
            let unusual = 3 * rank + if reading.start > 0 { 5 } else { 0 };
            let score = reading.agreement.saturating_sub(unusual);
            let better = found.as_ref().is_none_or(|(best, _)| score > *best);
            if reading.agreement >= AGREEMENT && better {
                found = Some((score, reading));
            }
        }
    }
    let one_column = || {
        let comma = Dialect::new(Delimiter::new(b",")?, Some(b'"'));
        Some(Reading::one_column(text, whole, comma))
    };
    let reading = found.map(|(_, reading)| reading).or_else(one_column)?;
    Some(reading.with_other_quotes(text, whole))
}

impl Reading {
    fn of(text: &[u8], whole: bool, dialect: Dialect) -> Reading {
        let records = split(text, whole, dialect);
        let mut counts: HashMap<usize, usize> = HashMap::new();
        for record in &records {
            *counts.entry(record.fields.len()).or_default() += 1;
        }
        let most = counts
            .into_iter()
            .filter(|(fields, _)| *fields > 1)
            .max_by_key(|(fields, records)| (*records, *fields));
        let (start, agreement) = most
            .and_then(|(fields, _)| {
                let same = |record: &&Split| record.fields.len() == fields;
                let start = records.iter().position(|record| same(&record))?;
                let agreeing = records.iter().filter(same).count();
                let from_there = records.len() - start;
                (start <= BEFORE).then_some((start, agreeing * 100 / from_there))
            })
            .unwrap_or_default();
        Reading {
            dialect,
            records,
            start,
            agreement,
        }
    }

    fn one_column(text: &[u8], whole: bool, dialect: Dialect) -> Reading {
        Reading {
            dialect,
            records: split(text, whole, dialect),
            start: 0,
            agreement: 0,
        }
    }

    /// The same with quotes of another kind, if fields stand in them.
    fn with_other_quotes(self, text: &[u8], whole: bool) -> Reading {
        let fields = || self.records.iter().flat_map(|record| &record.fields);
        let quoted = |field: &&Vec<u8>| matches!(field.as_slice(), [b'\'', .., b'\'']);
        let filled = fields().filter(|field| !field.is_empty()).count();
        if filled == 0 || fields().filter(quoted).count() * 2 < filled {
            return self;
        }
        let dialect = Dialect {
            escape: None,
            ..Dialect::new(self.dialect.delimiter, Some(b'\''))
        };
        let other = Reading::of(text, whole, dialect);
        if other.agreement >= self.agreement {
            other
        } else {
            self
        }
    }
}

/// The first records. The last one of a part of a file may be a part itself.
fn split(text: &[u8], whole: bool, dialect: Dialect) -> Vec<Split> {
    let mut bytes = text.to_vec();
    let mut records = Records::new(&mut bytes, dialect, usize::MAX);
    let mut found = Vec::new();
    let mut spans = Vec::new();
    while found.len() < RECORDS {
        spans.clear();
        let Some(record) = records.next(|_, span| spans.push(span)) else {
            break;
        };
        if !whole && record.end >= text.len() {
            break;
        }
        spans.truncate(record.fields);
        let bytes = records.bytes();
        found.push(Split {
            lines: record.newlines,
            fields: spans.iter().map(|span| span.of(bytes).to_vec()).collect(),
        });
    }
    found
}

/// Whether a record holds names: none of its fields is a value, no two are the same, and either the
/// columns below have values of other types than text, or one of the names is usual.
fn is_header(names: &[Vec<u8>], below: &[Split]) -> bool {
    let Some(names) = names
        .iter()
        .map(|name| std::str::from_utf8(name).ok())
        .collect::<Option<Vec<&str>>>()
    else {
        return false;
    };
    let is_value = |name: &&str| {
        let digits = name.bytes().filter(u8::is_ascii_digit).count();
        is_typed(name) || name.contains('@') || digits > 4 || name.len() > MAX_NAME_LEN
    };
    let named: Vec<&str> = names.iter().copied().filter(|n| !n.is_empty()).collect();
    let different: BTreeSet<&str> = named.iter().copied().collect();
    if named.len() * 2 <= names.len()
        || named.iter().any(is_value)
        || different.len() * 2 < named.len()
    {
        return false;
    }
    let usual = |name: &&str| {
        name.contains('_')
            || WORDS.contains(&folded(name).as_str())
            || name
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| WORDS.contains(&folded(word).as_str()))
    };
    below.is_empty() || named.iter().any(usual) || has_types(names.len(), below)
}

fn has_types(columns: usize, below: &[Split]) -> bool {
    (0..columns).any(|column| {
        let cells: Vec<&str> = below
            .iter()
            .filter_map(|record| std::str::from_utf8(record.fields.get(column)?).ok())
            .filter(|cell| !cell.is_empty())
            .collect();
        guess(&cells, true).data_type != glovebox_core::DataType::Text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(file: &str) -> (Options, Vec<String>) {
        let (options, names) = discover(file.as_bytes(), true, None);
        let names = names
            .into_iter()
            .map(|n| String::from_utf8(n).unwrap())
            .collect();
        (options, names)
    }

    #[test]
    fn the_delimiter_is_what_records_agree_on() {
        for (file, delimiter, names) in [
            ("id,name\n1,a\n2,b\n", ",", &["id", "name"][..]),
            ("id;price\n1;1,5\n2;2,5\n", ";", &["id", "price"]),
            ("id\tname\n1\ta, b\n", "\t", &["id", "name"]),
            ("id|name|x\n1|a|b\n", "|", &["id", "name", "x"]),
            ("id||name\n1||a\n", "||", &["id", "name"]),
            ("note\nHello, you\nno\n", ",", &["note"]),
            ("id,note\n1,\"a;b;c\"\n2,\"d\ne\"\n", ",", &["id", "note"]),
        ] {
            let (options, found) = found(file);
            assert_eq!(options.delimiter, delimiter.as_bytes(), "{file}");
            assert_eq!(found, names, "{file}");
            assert!(options.header, "{file}");
            assert_eq!(options.skip, 0, "{file}");
        }
    }

    #[test]
    fn lines_before_the_header_are_passed_over() {
        let (options, names) = found("Report of May\n\nall branches\nid;name\n1;a\n2;b\n3;c\n");
        assert_eq!((options.skip, names.len()), (3, 2));
        assert_eq!(options.delimiter, b";");
    }

    #[test]
    fn quotes_are_those_that_records_are_whole_with() {
        let (options, _) = found("id,name\n1,\"a \\\"b\\\", c\"\n2,\"d, e\"\n");
        assert_eq!(options.escape, Some(b'\\'));
        let (options, _) = found("'id';'name'\n'1';'a;b'\n'2';'c'\n");
        assert_eq!((options.quote, options.header), (Some(b'\''), true));
        let (options, _) = found("id;size\n1;5\" pipe\n2;6\" pipe\n");
        assert_eq!(options.quote, None);
    }

    #[test]
    fn a_first_line_that_may_be_data_gives_no_names() {
        for file in [
            "1,Ann\n2,Bo\n",
            "Ann,Oslo\nBo,Rome\n",
            "ann@example.org,Oslo\nbo@example.org,Rome\n",
            "4111 1111,x\n",
            "2027-01-31,date\n2027-02-01,date\n",
        ] {
            assert!(!found(file).0.header, "{file}");
        }
        for file in [
            "Kunde,Saldo\nAnn,12.5\n",
            "customer_id,x\na,b\n",
            "name\nAnn\n",
        ] {
            assert!(found(file).0.header, "{file}");
        }
        let (options, _) = discover(b"Ann,Oslo\nBo,Rome\n", true, Some(true));
        assert!(options.header);
    }

    #[test]
    fn an_encoding_is_found_by_its_mark_or_by_what_is_not_utf_8() {
        let name = |bytes: &[u8]| discover(bytes, true, None).0.encoding.map(|e| e.name());
        assert_eq!(name(b"id,name\n1,a\n"), None);
        assert_eq!(name(b"id,name\n1,Z\xfcrich\n"), Some("windows-1252"));
        assert_eq!(name(b"\xff\xfei\0d\0\n\0"), Some("UTF-16LE"));
        let (options, names) = discover(b"\xef\xbb\xbfid,name\n1,a\n", true, None);
        assert_eq!((options.encoding, names[0].as_slice()), (None, &b"id"[..]));
    }

    #[test]
    fn blanks_around_names_are_trimmed() {
        let (options, names) = found("id, name, city\n1, a, b\n");
        assert!(options.trim);
        assert_eq!(names, ["id", "name", "city"]);
    }

    #[test]
    fn nothing_is_a_file_without_columns() {
        assert!(found("").1.is_empty());
    }
}
