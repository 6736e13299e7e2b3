//! Rows as JSON, NDJSON, CSV or an Arrow stream.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use glovebox_connectors::{csv, jsonl};
use glovebox_core::{Batch, Encoder, Field, Origin, Payload, Schema};

use super::Column;

/// A form of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One array of objects.
    Json,
    /// An object a line.
    Ndjson,
    /// With a header, by RFC 4180.
    Csv,
    /// An IPC stream of one batch.
    Arrow,
}

impl Format {
    /// All, the one for those who do not mind first.
    pub const ALL: [Format; 4] = [Format::Json, Format::Ndjson, Format::Csv, Format::Arrow];

    /// Its media type, without parameters.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Ndjson => "application/x-ndjson",
            Format::Csv => "text/csv",
            Format::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// What `Content-Type` says.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            other => other.media_type(),
        }
    }
}

/// The rows could not be written; a fault of ours.
#[derive(Debug, thiserror::Error)]
#[error("rows could not be written as {0}")]
pub struct Unwritable(&'static str);

/// The rows in a format.
///
/// # Errors
/// When the columns are not those of the rows.
pub fn write(
    format: Format,
    columns: &[&Column],
    rows: RecordBatch,
) -> Result<Vec<u8>, Unwritable> {
    let failed = || Unwritable(format.media_type());
    if format == Format::Arrow {
        let mut out = Vec::new();
        let schema = rows.schema();
        let mut writer = StreamWriter::try_new(&mut out, &schema).map_err(|_| failed())?;
        writer.write(&rows).map_err(|_| failed())?;
        writer.finish().map_err(|_| failed())?;
        drop(writer);
        return Ok(out);
    }
    let schema = Arc::new(Schema {
        fields: columns
            .iter()
            .map(|c| Field::new(c.name.as_str(), c.data_type))
            .collect(),
    });
    let place = "the response".to_owned();
    let encode = |mut encoder: Box<dyn Encoder>| {
        let batch = Batch::new(rows, Origin::contiguous(0));
        match encoder.encode(&[batch]).map_err(|_| failed())?.payload {
            Payload::Bytes(bytes) => Ok(bytes),
            Payload::Empty => Ok(Vec::new()),
            Payload::Batches(_) => Err(failed()),
        }
    };
    match format {
        Format::Csv => {
            let options = csv::SinkOptions::default();
            let mut out = Vec::new();
            for (i, column) in columns.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                csv_text(&column.name, &mut out);
            }
            out.push(b'\n');
            out.extend(encode(csv::encoder(schema, place, options))?);
            Ok(out)
        }
        Format::Ndjson => encode(jsonl::encoder(schema, place)),
        Format::Json | Format::Arrow => {
            let lines = encode(jsonl::encoder(schema, place))?;
            let mut out = Vec::with_capacity(lines.len() + 2);
            out.push(b'[');
            // No line has a line break within: JSON writes it as two signs.
            for (i, line) in lines
                .split(|b| *b == b'\n')
                .filter(|l| !l.is_empty())
                .enumerate()
            {
                if i > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(line);
            }
            out.push(b']');
            Ok(out)
        }
    }
}

fn csv_text(text: &str, out: &mut Vec<u8>) {
    if text.bytes().any(|b| b",\"\r\n".contains(&b)) {
        out.push(b'"');
        out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Float64Array, StringArray};
    use glovebox_core::DataType;

    use super::*;

    fn rows(products: Vec<Option<&str>>) -> (Vec<Column>, RecordBatch) {
        let column = |name: &str, data_type| Column {
            name: name.into(),
            data_type,
            not_null: false,
        };
        let prices: Float64Array = (0..products.len()).map(|i| Some(i as f64 + 0.5)).collect();
        let arrays: Vec<(&str, ArrayRef)> = vec![
            ("product", Arc::new(StringArray::from(products))),
            ("a,price", Arc::new(prices)),
        ];
        let columns = vec![
            column("product", DataType::Text),
            column("a,price", DataType::Float64),
        ];
        (columns, RecordBatch::try_from_iter(arrays).unwrap())
    }

    fn text(format: Format, products: Vec<Option<&str>>) -> String {
        let (columns, batch) = rows(products);
        let columns: Vec<_> = columns.iter().collect();
        String::from_utf8(write(format, &columns, batch).unwrap()).unwrap()
    }

    #[test]
    fn rows_look_as_each_format_has_them() {
        let products = || vec![Some("line\nbreak \"q\""), None];
        assert_eq!(
            text(Format::Json, products()),
            r#"[{"product":"line\nbreak \"q\"","a,price":0.5},{"product":null,"a,price":1.5}]"#
        );
        assert_eq!(
            text(Format::Csv, products()),
            "product,\"a,price\"\n\"line\nbreak \"\"q\"\"\",0.5\n,1.5\n"
        );
        assert_eq!(text(Format::Ndjson, products()).lines().count(), 2);
        assert_eq!(text(Format::Json, vec![]), "[]");
        assert_eq!(text(Format::Csv, vec![]), "product,\"a,price\"\n");
        assert_eq!(text(Format::Ndjson, vec![]), "");
    }

    #[test]
    fn an_arrow_stream_reads_back() {
        let (columns, batch) = rows(vec![Some("a"), None]);
        let columns: Vec<_> = columns.iter().collect();
        let bytes = write(Format::Arrow, &columns, batch.clone()).unwrap();
        let mut reader = arrow_ipc::reader::StreamReader::try_new(&bytes[..], None).unwrap();
        assert_eq!(reader.next().unwrap().unwrap().columns(), batch.columns());
        assert!(reader.next().is_none());
    }
}
