//! The options of a CSV source.

use std::path::PathBuf;

use glovebox_core::{Formats, SourceError};

use super::dialect::{Delimiter, Dialect, LineEnd, MAX_DELIMITER_LEN, Quotes};
use super::encoding::{self, Encoding};
use crate::age::Identity;
use crate::chunks::Sizes;
use crate::input::Input;

/// Why a record may be too long.
pub(super) const OPEN_QUOTE: &str = "a quote may not be closed";

/// What becomes of records with another number of fields than the file's first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ragged {
    /// They are rejected.
    #[default]
    Reject,
    /// Missing fields at the end are null; longer records are rejected.
    Pad,
    /// Fields that are too many at the end are left out; shorter records are rejected.
    Cut,
    /// Both.
    Both,
}

impl Ragged {
    pub(super) fn pads(self) -> bool {
        matches!(self, Ragged::Pad | Ragged::Both)
    }

    pub(super) fn cuts(self) -> bool {
        matches!(self, Ragged::Cut | Ragged::Both)
    }
}

/// How a CSV source is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the bytes come from: files one after the other.
    pub inputs: Vec<Input>,
    /// The keys that open them, from the outside in, where they are encrypted; none.
    pub identities: Vec<Identity>,
    /// The encoding of the files by its label in the WHATWG's Encoding Standard; none is UTF-8.
    pub encoding: Option<Encoding>,
    /// Lines before the header, or before the first record, that are passed over whatever is in
    /// them; 0.
    pub skip: u64,
    /// Whether the first record names the columns; if not, the declared columns are the first
    /// fields, in their order, or where [`glovebox_core::Field::from`] says.
    pub header: bool,
    /// Records of the header; 1. A column is called by all of them, with spaces between.
    pub header_rows: usize,
    /// What stands between fields; `,`.
    pub delimiter: Vec<u8>,
    /// The byte around fields that hold delimiters or line ends; `"`. None where quotes have no
    /// meaning.
    pub quote: Option<u8>,
    /// What becomes of records whose quotes are wrong; strict.
    pub quotes: Quotes,
    /// The byte that, within quotes, takes its meaning from a quote that follows and from another
    /// one of itself; none. Quotes may be doubled all the same.
    pub escape: Option<u8>,
    /// The byte at the start of lines that are no records; none.
    pub comment: Option<u8>,
    /// What ends a record.
    pub line_end: LineEnd,
    /// Whether spaces and tabs around fields are left out, those outside of quotes; they are not.
    pub trim: bool,
    /// What becomes of records with too few or too many fields; they are rejected.
    pub ragged: Ragged,
    /// Cells that mean null, in columns of every type; the empty one.
    pub null: Vec<String>,
    /// Whether they mean it within quotes, too; they do.
    pub null_quoted: bool,
    /// How the cells of each column are spelled, in the order of the columns; where one has none,
    /// as the source's table says.
    pub formats: Vec<Formats>,
    /// Bytes of a declared cell; a longer one rejects its row. 1 MiB.
    pub max_field: usize,
    /// Bytes of a record with its line end; a longer one is rejected, and skipped without being
    /// held if it is larger than a chunk, too. 8 MiB, 256 MiB at most.
    pub max_record: usize,
    /// Bytes of a chunk, the unit of work; 1 MiB, 256 MiB at most.
    pub chunk_bytes: usize,
    /// Rows after which a chunk ends early, so that rejects of very short rows stay bounded;
    /// about 65,536.
    pub chunk_rows: u64,
    /// Rows of a batch; 8,192.
    pub batch_rows: usize,
    /// Bytes of the file that go into a batch, give or take a row; 1 MiB.
    pub batch_bytes: usize,
}

impl Options {
    /// The defaults for this path; `-` is standard input.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Options {
            inputs: vec![Input::from(path.into())],
            identities: Vec::new(),
            encoding: None,
            skip: 0,
            header: true,
            header_rows: 1,
            delimiter: b",".to_vec(),
            quote: Some(b'"'),
            quotes: Quotes::Strict,
            escape: None,
            comment: None,
            line_end: LineEnd::Any,
            trim: false,
            ragged: Ragged::Reject,
            null: vec![String::new()],
            null_quoted: true,
            formats: Vec::new(),
            max_field: 1 << 20,
            max_record: 8 << 20,
            chunk_bytes: 1 << 20,
            chunk_rows: 1 << 16,
            batch_rows: 8192,
            batch_bytes: 1 << 20,
        }
    }

    /// All that decides how bytes become rows, in one line.
    pub(super) fn describe(&self) -> String {
        let o = self;
        format!(
            "csv encoding={} skip={} header={}x{} delimiter={:?} quote={:?} quotes={:?} escape={:?} \
             comment={:?} line-end={:?} trim={} ragged={:?} null={:?} null-quoted={} field={} \
             record={} chunk={}/{}",
            encoding::name(o.encoding),
            o.skip,
            o.header,
            o.header_rows,
            o.delimiter,
            o.quote,
            o.quotes,
            o.escape,
            o.comment,
            o.line_end,
            o.trim,
            o.ragged,
            o.null,
            o.null_quoted,
            o.max_field,
            o.max_record,
            o.chunk_bytes,
            o.chunk_rows
        )
    }

    /// The bytes of the dialect, and the limits brought into their bounds.
    pub(super) fn check(&self) -> Result<Checked, SourceError> {
        const MAX_CHUNK_BYTES: usize = 256 << 20;
        let chunk_bytes = self.chunk_bytes.clamp(1, MAX_CHUNK_BYTES);
        let dialect = self.dialect().map_err(|problem| SourceError::Shape {
            place: "the CSV source".into(),
            problem,
        })?;
        Ok(Checked {
            dialect,
            sizes: Sizes {
                chunk_bytes,
                chunk_rows: self.chunk_rows.max(1),
                max_record: self.max_record.clamp(1, MAX_CHUNK_BYTES),
                suspect: OPEN_QUOTE,
            },
        })
    }

    fn dialect(&self) -> Result<Dialect, String> {
        let ends = |b: u8| matches!(b, b'\n' | b'\r' | 0);
        let delimiter = Delimiter::new(&self.delimiter)
            .filter(|d| !d.bytes().iter().any(|b| ends(*b)))
            .ok_or_else(|| {
                format!(
                    "`delimiter` must be 1 to {MAX_DELIMITER_LEN} bytes, without line ends and NUL"
                )
            })?;
        let signs = [
            ("quote", self.quote),
            ("escape", self.escape),
            ("comment", self.comment),
        ];
        for (i, (name, sign)) in signs.iter().enumerate() {
            let Some(sign) = sign else { continue };
            if !sign.is_ascii() || ends(*sign) {
                return Err(format!(
                    "`{name}` must be one ASCII character other than a line end or NUL"
                ));
            }
            let same = signs
                .iter()
                .take(i)
                .find(|(_, other)| *other == Some(*sign));
            if delimiter.bytes().contains(sign) || same.is_some() {
                let other = same.map_or("delimiter", |(other, _)| other);
                return Err(format!(
                    "`{other}` and `{name}` have the same character; choose two"
                ));
            }
        }
        Ok(Dialect {
            quotes: self.quotes,
            escape: self.escape.filter(|_| self.quote.is_some()),
            comment: self.comment,
            line_end: self.line_end,
            trim: self.trim,
            ..Dialect::new(delimiter, self.quote)
        })
    }
}

/// What cutting a source into chunks needs of its options.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    pub(super) dialect: Dialect,
    pub(super) sizes: Sizes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_has_one_meaning() {
        for (delimiter, quote) in [(b'"', b'"'), (b'\n', b'"'), (b',', b'\r'), (b',', 0xc3)] {
            let mut options = Options::new("in.csv");
            (options.delimiter, options.quote) = (vec![delimiter], Some(quote));
            assert!(options.check().is_err(), "{delimiter} {quote}");
        }
        for (escape, comment) in [
            (Some(b'"'), None),
            (Some(b','), None),
            (Some(b'#'), Some(b'#')),
        ] {
            let options = Options {
                escape,
                comment,
                ..Options::new("in.csv")
            };
            assert!(options.check().is_err(), "{escape:?} {comment:?}");
        }
        for delimiter in ["", "a\nb", "ten bytes and seven"] {
            let mut options = Options::new("in.csv");
            options.delimiter = delimiter.into();
            assert!(options.check().is_err(), "{delimiter:?}");
        }
        assert!(Options::new("in.csv").check().is_ok());
    }

    #[test]
    fn all_that_decides_how_rows_are_read_is_in_the_dialect() {
        let plain = Options::new("in.csv");
        let change: [fn(&mut Options); 17] = [
            |o| o.encoding = encoding::by_label("latin1"),
            |o| o.skip = 1,
            |o| o.header = false,
            |o| o.header_rows = 2,
            |o| o.delimiter = b"||".to_vec(),
            |o| o.quote = None,
            |o| o.quotes = Quotes::Lenient,
            |o| o.escape = Some(b'\\'),
            |o| o.comment = Some(b'#'),
            |o| o.line_end = LineEnd::Lf,
            |o| o.trim = true,
            |o| o.ragged = Ragged::Pad,
            |o| o.null = vec!["NA".into()],
            |o| o.null_quoted = false,
            |o| o.max_field = 7,
            |o| o.max_record = 7,
            |o| o.chunk_bytes = 7,
        ];
        let mut seen = vec![plain.describe()];
        for change in change {
            let mut other = plain.clone();
            change(&mut other);
            assert!(!seen.contains(&other.describe()), "{other:?}");
            seen.push(other.describe());
        }
    }

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Options::new("-").inputs, [Input::Stdin]);
        assert_eq!(Options::new("./-").inputs, [Input::Path("./-".into())]);
    }
}
