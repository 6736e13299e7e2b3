//! A query's result as a table, CSV or JSON lines.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use clap::ValueEnum;
use glovebox_core::shown::printable;
use glovebox_core::{DataType, Field, Schema};
use serde_json::Value;

use crate::cli::cell::cell;
use crate::cli::table::Table;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// For people.
    Table,
    /// Comma-separated values, with a header.
    Csv,
    /// A JSON object a line.
    Jsonl,
}

/// What prints it.
pub(super) struct Print {
    schema: Schema,
    /// Whether somebody looks at it.
    terminal: bool,
    to: To,
}

enum To {
    Table {
        table: Table,
        rows: usize,
        most: usize,
    },
    Csv(Box<csv::Writer<Stdout>>),
    Jsonl(BufWriter<Stdout>),
}

impl Print {
    pub(super) fn new(shape: Shape, schema: &Schema, most: usize) -> Self {
        let names = schema.fields.iter().map(|field| field.name.to_string());
        let to = match shape {
            Shape::Table => To::Table {
                table: Table::new(names),
                rows: 0,
                most,
            },
            Shape::Csv => {
                let mut writer = csv::Writer::from_writer(io::stdout());
                // What is wrong with it is said at the first row, or at the end.
                let _ = writer.write_record(names);
                To::Csv(Box::new(writer))
            }
            Shape::Jsonl => To::Jsonl(BufWriter::new(io::stdout())),
        };
        Print {
            schema: schema.clone(),
            terminal: io::stdout().is_terminal(),
            to,
        }
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let columns = || batch.columns().iter().zip(&self.schema.fields);
        for row in 0..batch.num_rows() {
            match &mut self.to {
                To::Table { table, rows, most } => {
                    *rows += 1;
                    if *rows <= *most {
                        let cells = columns().map(|(column, field)| cell(column, field, row));
                        table.row(cells.collect::<anyhow::Result<_>>()?);
                    }
                }
                To::Csv(writer) => {
                    for (column, field) in columns() {
                        let cell = cell(column, field, row)?.unwrap_or_default();
                        // A terminal would obey what a file just holds.
                        match self.terminal {
                            true => writer.write_field(printable(&cell))?,
                            false => writer.write_field(cell)?,
                        }
                    }
                    writer.write_record(None::<&[u8]>)?;
                }
                To::Jsonl(out) => {
                    for (i, (column, field)) in columns().enumerate() {
                        out.write_all(if i == 0 { b"{" } else { b"," })?;
                        serde_json::to_writer(&mut *out, &*field.name)?;
                        out.write_all(b":")?;
                        serde_json::to_writer(&mut *out, &value(column, field, row)?)?;
                    }
                    out.write_all(b"}\n")?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn end(self) -> anyhow::Result<()> {
        match self.to {
            To::Table { table, rows, most } => {
                print!("{table}");
                if rows > most {
                    println!(
                        "… and {} more rows; --rows prints more, --format csv all",
                        rows - most
                    );
                }
            }
            To::Csv(mut writer) => writer.flush()?,
            To::Jsonl(mut out) => out.flush()?,
        }
        Ok(())
    }
}

/// Numbers and truths as JSON has them; what JSON has no number for is null, and all else text.
fn value(column: &ArrayRef, field: &Field, row: usize) -> anyhow::Result<Value> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match field.data_type {
        DataType::Boolean => column.as_boolean().value(row).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
        _ => cell(column, field, row)?.map_or(Value::Null, Value::String),
    })
}
