//! Which column types can store which cells.

use std::collections::HashSet;
use std::sync::Arc;

use glovebox_core::{DataType, Field};

use super::fit::Form;
use crate::database::decimal::Digits;

/// A column's type, as PostgreSQL's `format_type` writes it.
pub(super) fn sql_type(field: &Field) -> String {
    match &field.native {
        Some(native) => native.sql.clone(),
        None => of(field.data_type),
    }
}

fn of(data_type: DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float64 => "double precision".into(),
        DataType::Decimal { precision, scale } => format!("numeric({precision},{scale})"),
        DataType::Text => "text".into(),
        DataType::Bytes => "bytea".into(),
        DataType::Date => "date".into(),
        DataType::Timestamp => "timestamp with time zone".into(),
        DataType::Opaque => "unknown, because its source did not say".into(),
    }
}

/// What to tell of the types that take such cells.
pub(super) fn accepted(field: &Field) -> String {
    match field.data_type {
        DataType::Boolean | DataType::Bytes => sql_type(field),
        DataType::Int64 => {
            "bigint, integer, smallint, numeric, double precision or real".to_owned()
        }
        DataType::Float64 => "double precision or real".into(),
        DataType::Decimal { .. } => {
            "numeric, bigint, integer, smallint, double precision or real".into()
        }
        DataType::Text => {
            "text, character varying, character, an enum, uuid, json, jsonb, xml, time, inet, cidr \
             or name"
                .into()
        }
        DataType::Date => "date or timestamp without time zone".into(),
        DataType::Timestamp => "timestamp with or without time zone".into(),
        DataType::Opaque => format!("{}, as in the source", sql_type(field)),
    }
}

/// An existing column's type, and what it is over if it is a domain.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    /// As `format_type` writes it, with its schema.
    pub(super) sql: String,
    /// The number of the type that it is over in the end.
    pub(super) base: u32,
    /// That type's name.
    pub(super) name: String,
    /// Its modifier: a length, a precision; -1 if there is none.
    pub(super) modifier: i32,
    /// Of an enum its labels.
    pub(super) labels: Option<Vec<String>>,
}

/// In which form cells of a field go into such a column; none if they do not.
pub(super) fn form(field: &Field, kind: &Kind) -> Option<Form> {
    if let DataType::Opaque = field.data_type {
        let native = field.native.as_deref()?;
        let same = native.sql == kind.sql || native.alike.contains(&kind.sql);
        return same.then_some(Form::Own);
    }
    if let (DataType::Text, Some(labels)) = (field.data_type, &kind.labels) {
        let labels: HashSet<String> = labels.iter().cloned().collect();
        return Some(Form::Enum(Arc::new(labels)));
    }
    Some(match (field.data_type, kind.base) {
        (DataType::Boolean, BOOL) | (DataType::Bytes, BYTEA) | (DataType::Date, DATE) => Form::Own,
        (DataType::Int64, INT8) | (DataType::Float64, FLOAT8) => Form::Own,
        (DataType::Int64 | DataType::Decimal { .. }, INT2) => Form::Int2,
        (DataType::Int64 | DataType::Decimal { .. }, INT4) => Form::Int4,
        (DataType::Decimal { .. }, INT8) => Form::Int8,
        (DataType::Int64 | DataType::Decimal { .. }, FLOAT8) => Form::Float8,
        (DataType::Int64 | DataType::Float64 | DataType::Decimal { .. }, FLOAT4) => Form::Float4,
        (DataType::Int64, NUMERIC) => Form::Numeric(digits(kind.modifier)),
        (DataType::Decimal { precision, scale }, NUMERIC) => match digits(kind.modifier) {
            Some(theirs) if !theirs.hold(i32::from(precision), i32::from(scale)) => {
                Form::Numeric(Some(theirs))
            }
            _ => Form::Own,
        },
        (DataType::Text, TEXT | XML) => Form::Own,
        (DataType::Text, VARCHAR | BPCHAR) => match kind.modifier {
            // What `character` without a length is, as a cast has it.
            -1 => Form::Own,
            length => Form::Characters(usize::try_from(length - HEADER).unwrap_or(0)),
        },
        (DataType::Text, NAME) => Form::Name,
        (DataType::Text, UUID) => Form::Uuid,
        (DataType::Text, JSON) => Form::Json,
        (DataType::Text, JSONB) => Form::Jsonb,
        (DataType::Text, INET) => Form::Inet { network: false },
        (DataType::Text, CIDR) => Form::Inet { network: true },
        (DataType::Text, TIME) => Form::Time {
            step: step(kind.modifier),
        },
        // An extension's type has no number of its own.
        (DataType::Text, _) if kind.name == "citext" => Form::Own,
        (DataType::Date, TIMESTAMP) => Form::Timestamp { step: 1 },
        (DataType::Timestamp, TIMESTAMP | TIMESTAMPTZ) => match step(kind.modifier) {
            1 => Form::Own,
            step => Form::Timestamp { step },
        },
        _ => return None,
    })
}

// Numbers of PostgreSQL's own types, the same in every database: pg_type.dat.
const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const NAME: u32 = 19;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const JSON: u32 = 114;
const XML: u32 = 142;
const CIDR: u32 = 650;
const FLOAT4: u32 = 700;
const FLOAT8: u32 = 701;
const INET: u32 = 869;
const BPCHAR: u32 = 1042;
const VARCHAR: u32 = 1043;
const DATE: u32 = 1082;
const TIME: u32 = 1083;
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;
const NUMERIC: u32 = 1700;
const UUID: u32 = 2950;
const JSONB: u32 = 3802;

/// What modifiers of lengths and of `numeric` count from (`VARHDRSZ`).
const HEADER: i32 = 4;

/// The digits of `numeric(p,s)`, read as `numeric_typmod_precision` and `numeric_typmod_scale` do.
fn digits(modifier: i32) -> Option<Digits> {
    let packed = modifier.checked_sub(HEADER).filter(|packed| *packed >= 0)?;
    Some(Digits {
        precision: (packed >> 16) & 0xffff,
        scale: ((packed & 0x7ff) ^ 1024) - 1024,
    })
}

/// The microseconds that a time of that precision counts in.
fn step(modifier: i32) -> i64 {
    match u32::try_from(modifier) {
        Ok(places @ 0..=5) => 10_i64.pow(6 - places),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(base: u32, modifier: i32) -> Kind {
        Kind {
            sql: "a".into(),
            base,
            name: "a".into(),
            modifier,
            labels: None,
        }
    }

    /// As PostgreSQL packs it.
    fn numeric(precision: i32, scale: i32) -> Kind {
        kind(NUMERIC, (precision << 16 | (scale & 0x7ff)) + HEADER)
    }

    #[test]
    fn a_numeric_that_holds_every_cell_takes_them_unseen() {
        let decimal = DataType::Decimal {
            precision: 10,
            scale: 2,
        };
        let ours = Field::new("price", decimal);
        for (precision, scale) in [(10, 2), (12, 4), (38, 2)] {
            assert_eq!(form(&ours, &numeric(precision, scale)), Some(Form::Own));
        }
        assert_eq!(form(&ours, &kind(NUMERIC, -1)), Some(Form::Own));
        for (precision, scale) in [(10, 3), (9, 2), (10, 1), (3, -2), (2, 5)] {
            let theirs = Some(Digits { precision, scale });
            let found = form(&ours, &numeric(precision, scale));
            assert_eq!(found, Some(Form::Numeric(theirs)));
        }
    }

    #[test]
    fn lengths_and_precisions_are_read_off_the_modifier() {
        let text = Field::new("name", DataType::Text);
        let found = form(&text, &kind(VARCHAR, 104));
        assert_eq!(found, Some(Form::Characters(100)));
        assert_eq!(form(&text, &kind(VARCHAR, -1)), Some(Form::Own));
        let at = Field::new("at", DataType::Timestamp);
        let seconds = Form::Timestamp { step: 1_000_000 };
        assert_eq!(form(&at, &kind(TIMESTAMP, 0)), Some(seconds));
        assert_eq!(form(&at, &kind(TIMESTAMPTZ, 6)), Some(Form::Own));
        // `money`, and a number as text.
        assert_eq!(form(&at, &kind(790, -1)), None);
        assert_eq!(form(&text, &kind(INT4, -1)), None);
    }
}
