//! Rows on their way into a batch, and those rejected before that.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{ArrowError, SchemaRef};
use glovebox_core::{Batch, DataType, Formats, Origin, Reject, Schema, Violation};

/// What is wrong with a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Type,
    Utf8,
    Nul,
    TooLong,
    Null,
    Twice,
}

/// A flaw and its row in the batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flawed {
    pub(crate) row: usize,
    pub(crate) flaw: Flaw,
}

/// The places of the rows of the next batch, in their chunk.
pub(crate) struct Places {
    first_row: u64,
    first_line: u64,
    file: Option<Arc<str>>,
    /// Row numbers, counted from `first_row`.
    numbers: Vec<u32>,
    /// Lines, counted from `first_line`.
    lines: Vec<u32>,
}

impl Places {
    pub(crate) fn new(first_row: u64, first_line: u64, file: Option<Arc<str>>) -> Self {
        Places {
            first_row,
            first_line,
            file,
            numbers: Vec::new(),
            lines: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, number: u32, line: u32) {
        self.numbers.push(number);
        self.lines.push(line);
    }

    pub(crate) fn clear(&mut self) {
        self.numbers.clear();
        self.lines.clear();
    }

    /// A row that does not get into the batch at all.
    pub(crate) fn reject(&self, number: u32, line: u32, violation: Violation) -> Reject {
        Reject {
            row: self.first_row + u64::from(number),
            file: self.file.clone(),
            line: Some(self.first_line + u64::from(line)),
            violations: vec![violation],
        }
    }

    /// Positions are kept only where rows or lines do not simply follow each other.
    pub(crate) fn origin(&self) -> Origin {
        let row = self.numbers.first().copied().unwrap_or_default();
        let line = self.lines.first().copied().unwrap_or_default();
        let numbers: Vec<u32> = self.numbers.iter().map(|n| n - row).collect();
        let lines: Vec<u32> = self.lines.iter().map(|n| n - line).collect();
        let contiguous = (0..).zip(&numbers).all(|(i, n)| i == *n);
        let in_step = numbers == lines;
        Origin::scattered(
            self.first_row + u64::from(row),
            (!contiguous).then_some(numbers),
        )
        .with_lines(
            self.first_line + u64::from(line),
            (!in_step).then_some(lines),
        )
        .in_file(self.file.clone())
    }
}

/// Columns of so many rows become a batch of those rows that have no flaw; the others are rejected,
/// each with all of its flaws. `flaws` are columns and what is wrong in them.
pub(crate) fn keep_whole_rows(
    arrow: &SchemaRef,
    columns: Vec<ArrayRef>,
    count: usize,
    origin: Origin,
    flaws: Vec<(usize, Flawed)>,
    messages: &Messages,
    rejects: &mut Vec<Reject>,
) -> Result<Option<Batch>, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    if flaws.is_empty() {
        let columns = RecordBatch::try_new_with_options(arrow.clone(), columns, &options)?;
        return Ok((count > 0).then(|| Batch::new(columns, origin)));
    }
    let keep = reject(count, &origin, flaws, messages, rejects);
    // A null stands where a cell was flawed, so the filter has to come before the schema.
    let kept: Vec<_> = columns
        .iter()
        .map(|c| arrow_select::filter::filter(c, &keep))
        .collect::<Result<_, _>>()?;
    let count = keep.true_count();
    let options = options.with_row_count(Some(count));
    let columns = RecordBatch::try_new_with_options(arrow.clone(), kept, &options)?;
    Ok((count > 0).then(|| Batch::new(columns, origin.filter(&keep))))
}

/// Rejects the rows that have flaws, and marks the others.
fn reject(
    count: usize,
    origin: &Origin,
    mut flaws: Vec<(usize, Flawed)>,
    messages: &Messages,
    rejects: &mut Vec<Reject>,
) -> BooleanArray {
    let mut keep = BooleanBufferBuilder::new(count);
    keep.append_n(count, true);
    flaws.sort_by_key(|(_, f)| f.row);
    for of_row in flaws.chunk_by(|(_, a), (_, b)| a.row == b.row) {
        let Some(row) = of_row.first().map(|(_, f)| f.row) else {
            continue;
        };
        keep.set_bit(row, false);
        rejects.push(Reject {
            row: origin.row(row),
            file: origin.file().cloned(),
            line: origin.line(row),
            violations: of_row
                .iter()
                .map(|(column, f)| messages.violation(*column, f.flaw))
                .collect(),
        });
    }
    BooleanArray::new(keep.finish(), None)
}

/// The sentences of the source's rules, made once.
pub(crate) struct Messages {
    step: Arc<str>,
    columns: Vec<ColumnMessages>,
}

type Sentence = (Arc<str>, Arc<str>);

struct ColumnMessages {
    name: Arc<str>,
    type_: Sentence,
    utf8: Sentence,
    nul: Sentence,
    too_long: Sentence,
    null: Sentence,
    twice: Sentence,
}

/// A value of that type, in words.
fn one(data_type: DataType) -> String {
    match data_type {
        DataType::Int64 => "an int64".into(),
        DataType::Bytes => "bytes".into(),
        other => format!("a {other}"),
    }
}

impl Messages {
    pub(crate) fn new(schema: &Schema, max_field: usize) -> Self {
        let rule = |id: &str, message: String| (Arc::from(id), Arc::from(message));
        let columns = schema
            .fields
            .iter()
            .map(|field| {
                let name = &field.name;
                ColumnMessages {
                    name: name.clone(),
                    type_: rule("type", format!("`{name}` is not {}", one(field.data_type))),
                    utf8: rule("utf-8", format!("`{name}` is not UTF-8")),
                    nul: rule("nul", format!("`{name}` contains a NUL character")),
                    too_long: rule(
                        "too-long",
                        format!("`{name}` is longer than {max_field} bytes (`max-field`)"),
                    ),
                    null: rule("null", format!("`{name}` is null, which is not allowed")),
                    twice: rule("json", format!("`{name}` is given twice")),
                }
            })
            .collect();
        Messages {
            step: "source".into(),
            columns,
        }
    }

    /// For columns whose cells are JSON that the source makes of nested values.
    pub(crate) fn of_nested(mut self, longest: usize) -> Self {
        for column in &mut self.columns {
            let name = &column.name;
            column.twice.1 = format!("`{name}` has a key twice").into();
            column.too_long.1 = format!("`{name}` is longer than {longest} bytes as JSON").into();
        }
        self
    }

    /// The same, where an operator has said how the text of columns is spelled: then that is what a
    /// cell was not.
    pub(crate) fn with_formats(mut self, schema: &Schema, formats: &[Formats]) -> Self {
        let fields = schema.fields.iter().zip(formats);
        for (messages, (field, formats)) in self.columns.iter_mut().zip(fields) {
            if let Some(spelling) = formats.of(field.data_type) {
                let one = one(field.data_type);
                messages.type_.1 = format!("`{}` is not {one} by {spelling}", field.name).into();
            }
        }
        self
    }

    /// With other words for a cell that is no text.
    pub(crate) fn of_text(mut self, problem: &str) -> Messages {
        for column in &mut self.columns {
            column.utf8.1 = format!("`{}` {problem}", column.name).into();
        }
        self
    }

    fn violation(&self, column: usize, flaw: Flaw) -> Violation {
        let of = self.columns.get(column);
        let (rule, message) = of
            .map(|m| match flaw {
                Flaw::Type => m.type_.clone(),
                Flaw::Utf8 => m.utf8.clone(),
                Flaw::Nul => m.nul.clone(),
                Flaw::TooLong => m.too_long.clone(),
                Flaw::Null => m.null.clone(),
                Flaw::Twice => m.twice.clone(),
            })
            .unwrap_or_else(|| ("type".into(), "the cell cannot be read".into()));
        Violation {
            step: self.step.clone(),
            column: of.map(|m| m.name.clone()),
            rule,
            message,
        }
    }

    /// A violation of a row as a whole.
    pub(crate) fn of_row(&self, rule: &str, message: String) -> Violation {
        Violation {
            step: self.step.clone(),
            column: None,
            rule: rule.into(),
            message: message.into(),
        }
    }
}
