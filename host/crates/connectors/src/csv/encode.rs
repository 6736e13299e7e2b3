//! Batches as CSV bytes, by RFC 4180 with `\n` as line end.
//! Null and empty text stay distinct: null is an empty cell, empty text is `""`.

use std::sync::Arc;

use glovebox_core::{Batch, Encoded, Encoder, Payload, Schema, SinkError};

use crate::values::{Values, any, text_bytes};

/// A line of this alone is the end of the data to PostgreSQL, so no cell is written so.
const END_OF_DATA: &[u8] = b"\\.";

/// How cells are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) delimiter: u8,
    pub(super) escape_formulas: bool,
}

impl Style {
    fn special(self, b: u8) -> bool {
        (b == self.delimiter) | (b == b'"') | (b == b'\n') | (b == b'\r')
    }

    /// Appends text, quoted if it has to be.
    pub(super) fn text(self, text: &[u8], out: &mut Vec<u8>) {
        let formula = self.escape_formulas
            && matches!(
                text.first(),
                Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')
            );
        let plain = !text.is_empty() && !formula && text != END_OF_DATA;
        if plain && !any(text, |b| self.special(b)) {
            out.extend_from_slice(text);
            return;
        }
        out.push(b'"');
        if formula {
            out.push(b'\'');
        }
        let mut rest = text;
        while let Some(quote) = memchr::memchr(b'"', rest) {
            let (before, after) = rest.split_at(quote + 1);
            out.extend_from_slice(before);
            out.push(b'"');
            rest = after;
        }
        out.extend_from_slice(rest);
        out.push(b'"');
    }
}

/// Encodes batches.
pub(super) struct CsvEncoder {
    pub(super) style: Style,
    pub(super) schema: Arc<Schema>,
    pub(super) place: String,
    /// Size of the last payload, as a guess of the next one's.
    pub(super) size: usize,
}

impl CsvEncoder {
    fn batch(&self, batch: &Batch, out: &mut Vec<u8>) -> Option<()> {
        let columns = Values::of(&batch.columns, &self.schema)?;
        let alone = columns.len() == 1;
        let columns: Vec<_> = columns
            .into_iter()
            .map(|column| (self.is_plain(&column, alone), column))
            .collect();
        for row in 0..batch.rows() {
            let start = out.len();
            for (plain, column) in &columns {
                if column.is_null(row) {
                    // A blank line would be no row at all.
                    if alone {
                        out.extend_from_slice(b"\"\"");
                    }
                } else {
                    match column {
                        Values::Text(text) => {
                            let text = text.value(row).as_bytes();
                            if *plain && !text.is_empty() {
                                out.extend_from_slice(text);
                            } else {
                                self.style.text(text, out);
                            }
                        }
                        other => other.write(row, out),
                    }
                }
                out.push(self.style.delimiter);
            }
            // The last delimiter is one too many.
            if out.len() > start {
                out.pop();
            }
            out.push(b'\n');
        }
        Some(())
    }

    /// Whether no cell of the column, which may be `alone`, needs quotes, but for empty ones.
    fn is_plain(&self, column: &Values<'_>, alone: bool) -> bool {
        match column {
            Values::Text(text) => {
                let special = |b| self.style.special(b) | (alone && b == b'\\');
                !self.style.escape_formulas && !any(text_bytes(text), special)
            }
            _ => true,
        }
    }
}

impl Encoder for CsvEncoder {
    fn encode(&mut self, batches: &[Batch]) -> Result<Encoded, SinkError> {
        let mut out = Vec::with_capacity(self.size + self.size / 8);
        let mut rows = 0;
        for batch in batches {
            self.batch(batch, &mut out)
                .ok_or_else(|| SinkError::Internal {
                    place: self.place.clone(),
                    problem: "a batch has different columns than the sink was opened with".into(),
                })?;
            rows += batch.rows() as u64;
        }
        self.size = out.len();
        Ok(Encoded {
            rows,
            payload: Payload::Bytes(out),
            ..Encoded::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    use glovebox_core::{DataType, Field, Origin};

    const PLAIN: Style = Style {
        delimiter: b',',
        escape_formulas: false,
    };

    fn encode(style: Style, columns: &[&[Option<&str>]]) -> String {
        let fields = (0..columns.len()).map(|i| Field::new(format!("c{i}"), DataType::Text));
        let schema = Arc::new(Schema::new(fields.collect()));
        let arrays = columns
            .iter()
            .map(|c| Arc::new(StringArray::from(c.to_vec())) as ArrayRef)
            .collect();
        let batch = RecordBatch::try_new(schema.to_arrow(), arrays).unwrap();
        let mut encoder = CsvEncoder {
            style,
            schema,
            place: "out.csv".into(),
            size: 0,
        };
        let batches = [Batch::new(batch, Origin::contiguous(0))];
        let encoded = encoder.encode(&batches).unwrap();
        assert_eq!(encoded.rows, columns[0].len() as u64);
        let Payload::Bytes(bytes) = encoded.payload else {
            panic!("a file takes bytes");
        };
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn quotes_stand_where_they_must() {
        let cells = [
            Some("a,b"),
            Some("say \"no\""),
            Some("two\nlines"),
            Some("cr\r"),
            Some(" spaced "),
            Some("it's;fine"),
        ];
        assert_eq!(
            encode(PLAIN, &[&cells, &[Some("x"); 6]]),
            "\"a,b\",x\n\"say \"\"no\"\"\",x\n\"two\nlines\",x\n\"cr\r\",x\n spaced ,x\nit's;fine,x\n"
        );
    }

    #[test]
    fn null_is_not_empty_text() {
        let cells = [None, Some(""), Some("x")];
        assert_eq!(encode(PLAIN, &[&cells, &cells]), ",\n\"\",\"\"\nx,x\n");
    }

    #[test]
    fn a_single_null_is_no_blank_line() {
        assert_eq!(encode(PLAIN, &[&[None, Some("x")]]), "\"\"\nx\n");
    }

    #[test]
    fn an_end_of_data_is_never_written() {
        let cells = [Some("\\."), Some("\\.x"), Some("a")];
        assert_eq!(encode(PLAIN, &[&cells]), "\"\\.\"\n\\.x\na\n");
        assert_eq!(encode(PLAIN, &[&cells, &[None; 3]]), "\\.,\n\\.x,\na,\n");
    }

    #[test]
    fn the_delimiter_decides_what_is_quoted() {
        let style = Style {
            delimiter: b';',
            ..PLAIN
        };
        assert_eq!(
            encode(style, &[&[Some("a;b"), Some("a,b")], &[None, None]]),
            "\"a;b\";\na,b;\n"
        );
    }

    #[test]
    fn formulas_are_escaped_on_demand() {
        let style = Style {
            escape_formulas: true,
            ..PLAIN
        };
        let cells = [Some("=1+1"), Some("@x"), Some("-\"y"), Some("a=b")];
        assert_eq!(
            encode(style, &[&cells]),
            "\"'=1+1\"\n\"'@x\"\n\"'-\"\"y\"\na=b\n"
        );
        assert_eq!(encode(PLAIN, &[&cells[..1]]), "=1+1\n");
    }

    #[test]
    fn a_batch_of_other_columns_is_an_error() {
        let batch = RecordBatch::new_empty(Schema::default().to_arrow());
        let mut encoder = CsvEncoder {
            style: PLAIN,
            schema: Arc::new(Schema::new(vec![Field::new("a", DataType::Text)])),
            place: "out.csv".into(),
            size: 0,
        };
        let batches = [Batch::new(batch, Origin::contiguous(0))];
        assert!(encoder.encode(&batches).is_err());
    }
}
