//! The file of cases: its keys, its notation, and each case made ready to run.

use std::fmt;
use std::ops::Range;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use glovebox_core::{Batch, Field, Grants, Origin, Schema};
use glovebox_manifest::Diagnostic;
use glovebox_manifest::model::Spanned;
use glovebox_manifest::typed::{self, Ordered};
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::cells;

/// A case as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    name: Spanned<String>,
    #[serde(default)]
    with: Option<Value>,
    columns: Spanned<Ordered<Column>>,
    #[serde(default)]
    masks: Vec<Spanned<String>>,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    adds: Ordered<Column>,
    #[serde(default)]
    rows: Vec<Spanned<Row>>,
    #[serde(default)]
    first_row: u64,
    expect: Spanned<Expect>,
}

/// What a case expects; none is not compared.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Expect {
    pub(crate) rules: Option<Vec<String>>,
    pub(crate) findings: Option<Ordered<Found>>,
    pub(crate) columns: Option<Ordered<Vec<Spanned<Value>>>>,
    pub(crate) fields: Option<Ordered<Column>>,
    pub(crate) keyed: Option<Ordered<Keyed>>,
    pub(crate) keep: Option<Vec<u32>>,
    pub(crate) config_error: Option<Refusal>,
    #[serde(default)]
    pub(crate) trap: bool,
}

/// A refused `with:` block.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    pub(crate) path: Option<String>,
    pub(crate) message: Option<String>,
}

/// An order for a keyed mask.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keyed {
    pub(crate) method: String,
    pub(crate) key: String,
    pub(crate) iterations: Option<u32>,
    pub(crate) alphabet: Option<String>,
    pub(crate) cells: Option<All>,
    pub(crate) rows: Option<Vec<u32>>,
    pub(crate) spans: Option<Ordered<Vec<Part>>>,
}

/// The only word for all cells.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum All {
    All,
}

/// A type, alone or in a block.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) data_type: Spanned<String>,
    nullable: bool,
}

/// The rows of a rule, in all its columns or by column.
#[derive(Debug)]
pub(crate) enum Found {
    Rows(Vec<u32>),
    Columns(Ordered<Vec<u32>>),
}

/// A part of a cell: as it reads, or from byte to byte.
#[derive(Debug)]
pub(crate) enum Part {
    Text(String),
    Bytes(u32, u32),
}

/// The cells of a row, by place or by name.
#[derive(Debug)]
enum Row {
    List(Vec<Spanned<Value>>),
    Block(Ordered<Spanned<Value>>),
}

/// Deserialises a value that is written in one of several forms.
macro_rules! forms {
    ($type:ident, $expecting:literal, { $($visit:item)* }) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Forms;

                impl<'de> Visitor<'de> for Forms {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    $($visit)*
                }

                deserializer.deserialize_any(Forms)
            }
        }
    };
}

forms!(Row, "a list of cells, or a block of column and cell", {
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Row, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Row::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Row, A::Error> {
        Ordered::deserialize(MapAccessDeserializer::new(map)).map(Row::Block)
    }
});

forms!(
    Found,
    "a list of row numbers, or a block of column and row numbers",
    {
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Found, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Found::Rows)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Found, A::Error> {
            Ordered::deserialize(MapAccessDeserializer::new(map)).map(Found::Columns)
        }
    }
);

forms!(
    Part,
    "a part of the cell as text, or [start, end] in bytes",
    {
        fn visit_str<E>(self, text: &str) -> Result<Part, E> {
            Ok(Part::Text(text.to_owned()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Part, A::Error> {
            <(u32, u32)>::deserialize(SeqAccessDeserializer::new(seq))
                .map(|(s, e)| Part::Bytes(s, e))
        }
    }
);

impl<'de> Deserialize<'de> for Column {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Block {
            #[serde(rename = "type")]
            data_type: String,
            #[serde(default = "yes")]
            nullable: bool,
        }

        struct Type(Block);

        forms!(Type, "a type, or a block with `type`", {
            fn visit_str<E>(self, text: &str) -> Result<Type, E> {
                Ok(Type(Block {
                    data_type: text.to_owned(),
                    nullable: true,
                }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Type, A::Error> {
                Block::deserialize(MapAccessDeserializer::new(map)).map(Type)
            }
        });

        let Spanned {
            value: Type(block),
            span,
        } = Spanned::deserialize(deserializer)?;
        Ok(Column {
            data_type: Spanned {
                value: block.data_type,
                span,
            },
            nullable: block.nullable,
        })
    }
}

fn yes() -> bool {
    true
}

/// A case ready to run.
#[derive(Debug)]
pub struct Case {
    /// Its name, as the author wrote it.
    pub name: String,
    pub(crate) config: String,
    pub(crate) grants: Grants,
    pub(crate) keys: Vec<String>,
    pub(crate) batch: Batch,
    pub(crate) expect: Expect,
    /// Where the case's name stands.
    pub(crate) span: Range<usize>,
}

/// Reads a file of cases.
pub fn read(text: &str) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let written: Vec<Written> = typed::typed(text, "a cases file")?;
    let mut problems = Vec::new();
    let mut cases: Vec<Case> = Vec::with_capacity(written.len());
    for case in written {
        if let Some(first) = cases.iter().find(|c| c.name == case.name.value) {
            problems.push(
                Diagnostic::error(case.name.span.clone(), "two cases have this name")
                    .label("again here")
                    .context(first.span.clone(), "first here"),
            );
        }
        match ready(case) {
            Ok(case) => cases.push(case),
            Err(problem) => problems.push(*problem),
        }
    }
    if problems.is_empty() && cases.is_empty() {
        problems.push(Diagnostic::error(0..0, "this file has no cases"));
    }
    if problems.is_empty() {
        Ok(cases)
    } else {
        Err(problems)
    }
}

fn wrong(span: Range<usize>, problem: impl Into<String>) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(span, problem))
}

fn ready(case: Written) -> Result<Case, Box<Diagnostic>> {
    check_expect(&case.expect)?;
    let fields = fields(&case.columns.value)?;
    let mut masks = Vec::new();
    for mask in &case.masks {
        let place = fields.iter().position(|f| *f.name == *mask.value);
        masks.push(place.ok_or_else(|| {
            wrong(
                mask.span.clone(),
                "`masks` names a column that is not in \
                                                        `columns`",
            )
        })?);
    }
    masks.sort_unstable();
    masks.dedup();
    let grants = Grants {
        adds: self::fields(&case.adds)?,
        masks,
        fields,
    };
    let batch = batch(&case.rows, &grants.fields, case.first_row)?;
    Ok(Case {
        name: case.name.value,
        config: case
            .with
            .map_or_else(|| "{}".into(), |with| with.to_string()),
        grants,
        keys: case.keys,
        batch,
        expect: case.expect.value,
        span: case.name.span,
    })
}

fn check_expect(expect: &Spanned<Expect>) -> Result<(), Box<Diagnostic>> {
    let Expect {
        rules,
        findings,
        columns,
        fields,
        keyed,
        keep,
        config_error,
        trap,
    } = &expect.value;
    let compared = rules.is_some()
        || findings.is_some()
        || columns.is_some()
        || fields.is_some()
        || keyed.is_some()
        || keep.is_some();
    let ends = usize::from(config_error.is_some()) + usize::from(*trap);
    let problem = match (compared, ends) {
        (false, 0) => "`expect` expects nothing, so the case would always pass",
        (true, 1..) | (_, 2..) => {
            "`config-error` and `trap` cannot be combined with other keys: \
                                  there is no answer"
        }
        _ => return Ok(()),
    };
    Err(wrong(expect.span.start..expect.span.start + 1, problem))
}

/// The fields of a block of columns.
fn fields(columns: &Ordered<Column>) -> Result<Vec<Field>, Box<Diagnostic>> {
    let field = |(name, column): &(Spanned<String>, Column)| {
        let data_type = typed::data_type(&column.data_type.value)
            .map_err(|problem| wrong(column.data_type.span.clone(), problem))?;
        Ok(Field {
            nullable: column.nullable,
            ..Field::new(name.value.as_str(), data_type)
        })
    };
    columns.0.iter().map(field).collect()
}

fn batch(
    rows: &[Spanned<Row>],
    fields: &[Field],
    first_row: u64,
) -> Result<Batch, Box<Diagnostic>> {
    let nothing = Value::Null;
    let mut columns: Vec<Vec<(&Value, Range<usize>)>> = vec![Vec::new(); fields.len()];
    for row in rows {
        match &row.value {
            Row::List(cells) if cells.len() == fields.len() => {
                for (column, cell) in columns.iter_mut().zip(cells) {
                    column.push((&cell.value, cell.span.clone()));
                }
            }
            Row::List(cells) => {
                let problem = format!(
                    "this row has {} cells, but there are {} columns",
                    cells.len(),
                    fields.len()
                );
                return Err(wrong(row.span.clone(), problem));
            }
            Row::Block(cells) => {
                let known = |name: &str| fields.iter().any(|f| &*f.name == name);
                if let Some((name, _)) = cells.0.iter().find(|(name, _)| !known(&name.value)) {
                    return Err(wrong(
                        name.span.clone(),
                        "`columns` has no column of this name",
                    ));
                }
                for (column, field) in columns.iter_mut().zip(fields) {
                    let cell = cells.0.iter().find(|(name, _)| *name.value == *field.name);
                    column.push(cell.map_or((&nothing, row.span.clone()), |(_, cell)| {
                        (&cell.value, cell.span.clone())
                    }));
                }
            }
        }
    }
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(fields.len());
    for (cells, field) in columns.iter().zip(fields) {
        let values: Vec<&Value> = cells.iter().map(|(value, _)| *value).collect();
        let at = |row: usize| cells.get(row).map_or(0..0, |(_, span)| span.clone());
        if let Some(row) = values
            .iter()
            .position(|v| v.is_null())
            .filter(|_| !field.nullable)
        {
            let problem = format!("column `{}` is not nullable", field.name);
            return Err(wrong(at(row), problem));
        }
        arrays.push(
            cells::column(&values, field.data_type)
                .map_err(|(row, problem)| wrong(at(row), problem))?,
        );
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let schema = Schema::new(fields.to_vec()).to_arrow();
    let batch = RecordBatch::try_new_with_options(schema, arrays, &options)
        .map_err(|_| wrong(0..0, "internal error: the columns do not fit together"))?;
    Ok(Batch::new(batch, Origin::contiguous(first_row)))
}
