//! Column types in PostgreSQL's words.
//!
//! Owns which existing types take every cell unchanged; refuses near fits, since a load that
//! rounds, cuts or casts would change what the steps made.

use glovebox_core::{DataType, Field};

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
        DataType::Opaque => "unknown, since its source did not tell".into(),
    }
}

/// What to tell of a type's fits.
pub(super) fn accepted(field: &Field) -> String {
    let sql = sql_type(field);
    match field.data_type {
        DataType::Decimal { .. } => format!("{sql} or wider"),
        DataType::Text => "text (or character varying without a limit)".into(),
        DataType::Opaque => format!("{sql}, as in the source"),
        _ => sql,
    }
}

/// Whether a column whose type PostgreSQL writes like this takes every cell unchanged.
pub(super) fn accepts(existing: &str, field: &Field) -> bool {
    if let DataType::Opaque = field.data_type {
        let native = field.native.as_deref();
        return native.is_some_and(|n| n.sql == existing || n.alike.iter().any(|a| a == existing));
    }
    if existing == of(field.data_type) {
        return true;
    }
    match field.data_type {
        DataType::Text => existing == "character varying",
        DataType::Timestamp => existing == "timestamp(6) with time zone",
        DataType::Decimal { precision, scale } => {
            existing == "numeric" || at_least(existing, i32::from(precision), i32::from(scale))
        }
        _ => false,
    }
}

/// Whether `numeric(p,s)` has as many digits as we need on both sides of the point.
fn at_least(existing: &str, precision: i32, scale: i32) -> bool {
    let bounds = existing
        .strip_prefix("numeric(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|rest| rest.split_once(','))
        .and_then(|(p, s)| Some((p.parse::<i32>().ok()?, s.parse::<i32>().ok()?)));
    bounds.is_some_and(|(p, s)| s >= scale && p - s >= precision - scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_numeric_fits_and_a_narrower_does_not() {
        let ours = Field::new(
            "price",
            DataType::Decimal {
                precision: 10,
                scale: 2,
            },
        );
        for fits in ["numeric", "numeric(10,2)", "numeric(12,4)", "numeric(38,2)"] {
            assert!(accepts(fits, &ours), "{fits}");
        }
        for not in ["numeric(10,3)", "numeric(9,2)", "numeric(10,1)", "money"] {
            assert!(!accepts(not, &ours), "{not}");
        }
    }
}
