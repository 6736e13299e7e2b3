//! Column types as the manifest names them and as Arrow lays them out.
//!
//! Owns the mapping between the two; refuses Arrow types that the contract cannot show a plugin.

use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, TimeUnit};

/// The type of a column, as the contract defines it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataType {
    /// True or false.
    Boolean,
    /// A 64-bit signed integer.
    Int64,
    /// A 64-bit IEEE 754 number.
    Float64,
    /// An exact number of `precision` digits, `scale` of them after the point.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, at most `precision`.
        scale: u8,
    },
    /// UTF-8 text.
    Text,
    /// Bytes.
    Bytes,
    /// Days since 1970-01-01.
    Date,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// Cells in their source's own form, which no plugin sees and only a sink of the same kind
    /// takes. What they are is the field's [`Native`].
    Opaque,
}

impl DataType {
    /// The Arrow type that holds a column of this type.
    pub fn to_arrow(self) -> ArrowType {
        match self {
            DataType::Boolean => ArrowType::Boolean,
            DataType::Int64 => ArrowType::Int64,
            DataType::Float64 => ArrowType::Float64,
            DataType::Decimal { precision, scale } => {
                ArrowType::Decimal128(precision, i8::try_from(scale).unwrap_or(i8::MAX))
            }
            DataType::Text => ArrowType::Utf8,
            DataType::Bytes | DataType::Opaque => ArrowType::Binary,
            DataType::Date => ArrowType::Date32,
            DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataType::Boolean => f.write_str("boolean"),
            DataType::Int64 => f.write_str("int64"),
            DataType::Float64 => f.write_str("float64"),
            DataType::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            DataType::Text => f.write_str("text"),
            DataType::Bytes => f.write_str("bytes"),
            DataType::Date => f.write_str("date"),
            DataType::Timestamp => f.write_str("timestamp"),
            DataType::Opaque => f.write_str("opaque"),
        }
    }
}

/// What a source calls the type of an opaque column, in SQL as a sink of the same kind reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Native {
    /// The type with its modifiers: `numeric(10,2)`.
    pub sql: String,
    /// Other types whose cells have the same form: without modifiers, or what a domain is over.
    pub alike: Vec<String>,
    /// Whether the cells are arrays that name their element type by a number of the source's
    /// database, to be replaced by the target's.
    pub numbered: bool,
}

/// Where a column stands in its source, if not under its own name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReadFrom {
    /// Under another name; in JSON a path of names with dots between them.
    Name(Arc<str>),
    /// At a position, counted from 1.
    Position(usize),
}

/// A named column.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    /// The column's name, unique in its schema.
    pub name: Arc<str>,
    /// What its cells are.
    pub data_type: DataType,
    /// Whether a cell may be null.
    pub nullable: bool,
    /// Whether it holds personal data that no masker has had yet.
    pub personal: bool,
    /// What an opaque column is; none of the others, and none before its source was opened.
    pub native: Option<Arc<Native>>,
    /// Where its source has it; none is under its own name.
    pub from: Option<ReadFrom>,
    /// What a mask has made of cells that were equal, and of those that were not.
    pub equality: Equality,
}

/// What a mask makes of equal and of different cells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Equality {
    /// Equal cells are equal still, and different ones different; or there is no mask, or nothing is known of it.
    #[default]
    Kept,
    /// Different cells may become the same.
    Merges,
    /// Equal cells become different ones, at each run others.
    Splits,
}

/// As it is written, it stands in the digests of plans, by which a run that goes on knows its own: what says
/// nothing about what a row becomes is left out.
impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Field")
            .field("name", &self.name)
            .field("data_type", &self.data_type)
            .field("nullable", &self.nullable)
            .field("personal", &self.personal)
            .field("native", &self.native)
            .field("from", &self.from)
            .finish()
    }
}

impl Field {
    /// A nullable column without personal data.
    pub fn new(name: impl Into<Arc<str>>, data_type: DataType) -> Self {
        Field {
            name: name.into(),
            data_type,
            nullable: true,
            personal: false,
            native: None,
            from: None,
            equality: Equality::Kept,
        }
    }

    /// The name under which its source has it; its own, too, where it is read by position.
    pub fn source_name(&self) -> &str {
        match &self.from {
            Some(ReadFrom::Name(name)) => name,
            _ => &self.name,
        }
    }
}

/// The columns of a batch, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema {
    /// The columns.
    pub fields: Vec<Field>,
}

impl Schema {
    /// A schema of these fields.
    pub fn new(fields: Vec<Field>) -> Self {
        Schema { fields }
    }

    /// Where a column of that name stands.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| &*f.name == name)
    }

    /// The same once its source has told what its opaque columns are.
    pub fn with_natives(&self, natives: &[(Arc<str>, Arc<Native>)]) -> Schema {
        let mut schema = self.clone();
        for field in &mut schema.fields {
            if field.data_type == DataType::Opaque {
                let told = natives.iter().find(|(name, _)| *name == field.name);
                field.native = told.map(|(_, native)| Arc::clone(native));
            }
        }
        schema
    }

    /// The same as an Arrow schema.
    pub fn to_arrow(&self) -> arrow_schema::SchemaRef {
        let fields: Vec<_> = self
            .fields
            .iter()
            .map(|f| arrow_schema::Field::new(&*f.name, f.data_type.to_arrow(), f.nullable))
            .collect();
        Arc::new(arrow_schema::Schema::new(fields))
    }
}
