//! What an operator may choose about a CSV source.
//!
//! Owns the defaults and what goes together; refuses a dialect in which a byte has two meanings.

use std::path::PathBuf;

use glovebox_core::{Formats, SourceError};

use super::records::Dialect;
use crate::chunks::Sizes;
use crate::input::Input;

/// Why a record may be too long.
const OPEN_QUOTE: &str = "a quote may have been left open";

/// How a CSV source is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where the bytes come from: files one after the other.
    pub inputs: Vec<Input>,
    /// Whether the first record names the columns; if not, the declared columns are the first
    /// fields, in their order.
    pub header: bool,
    /// The byte between fields; `,`.
    pub delimiter: u8,
    /// The byte around fields that hold delimiters or line ends; `"`.
    pub quote: u8,
    /// Cells that mean null, quoted or not, in columns of every type; the empty one.
    pub null: Vec<String>,
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
            header: true,
            delimiter: b',',
            quote: b'"',
            null: vec![String::new()],
            formats: Vec::new(),
            max_field: 1 << 20,
            max_record: 8 << 20,
            chunk_bytes: 1 << 20,
            chunk_rows: 1 << 16,
            batch_rows: 8192,
            batch_bytes: 1 << 20,
        }
    }

    /// The two bytes of the dialect, and the limits brought into their bounds.
    pub(super) fn check(&self) -> Result<Checked, SourceError> {
        const MOST: usize = 256 << 20;
        let usable = |b: u8| b.is_ascii() && !matches!(b, b'\n' | b'\r' | 0);
        let problem = if !usable(self.delimiter) || !usable(self.quote) {
            "`delimiter` and `quote` must each be one ASCII character, no line end and no NUL"
        } else if self.delimiter == self.quote {
            "`delimiter` and `quote` are the same character; choose two"
        } else {
            let chunk_bytes = self.chunk_bytes.clamp(1, MOST);
            return Ok(Checked {
                dialect: Dialect {
                    delimiter: self.delimiter,
                    quote: self.quote,
                },
                sizes: Sizes {
                    chunk_bytes,
                    chunk_rows: self.chunk_rows.max(1),
                    max_record: self.max_record.clamp(1, MOST),
                    suspect: OPEN_QUOTE,
                },
            });
        };
        Err(SourceError::Shape {
            place: "the CSV source".into(),
            problem: problem.into(),
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
        for (delimiter, quote) in [(b'"', b'"'), (b'\n', b'"'), (b',', b'\r'), (0xc3, b'"')] {
            let mut options = Options::new("in.csv");
            (options.delimiter, options.quote) = (delimiter, quote);
            assert!(options.check().is_err(), "{delimiter} {quote}");
        }
        assert!(Options::new("in.csv").check().is_ok());
    }

    #[test]
    fn a_dash_is_standard_input() {
        assert_eq!(Options::new("-").inputs, [Input::Stdin]);
        assert_eq!(Options::new("./-").inputs, [Input::Path("./-".into())]);
    }
}
