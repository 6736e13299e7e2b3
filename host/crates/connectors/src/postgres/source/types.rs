//! Which PostgreSQL types can be read as which manifest types, and what to write otherwise. Inexact
//! conversions are refused, since a rounded or truncated value would look like the source's.

use std::collections::HashMap;
use std::sync::Arc;

use glovebox_core::{DataType, Field, Native};

use crate::names::shown_name;

/// The oids that PostgreSQL's own types have in every database are below this.
const FIRST_OWN: u32 = 16_384;

/// How a column's cells come, and as what they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Boolean,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric {
        precision: u8,
        scale: u8,
    },
    Date,
    Timestamp,
    Text,
    /// As they come: bytes, and what is opaque.
    Bytes,
}

/// The declared columns as the server sends them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) columns: Vec<Incoming>,
}

/// A declared column as the server sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Incoming {
    pub(super) form: Form,
    /// Whether the server has to write it as text.
    pub(super) written: bool,
    pub(super) native: Option<Arc<Native>>,
}

/// A column of the table or query.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) oid: u32,
    /// Its type with modifiers.
    pub(super) sql: String,
}

/// A type of the server's catalogue.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    /// `typtype`.
    pub(super) kind: char,
    /// Of an array its elements' type, else 0.
    pub(super) element: u32,
    /// Of a domain what it is over, else 0.
    pub(super) base: u32,
    /// Of a range what it is of, else 0.
    pub(super) range_of: u32,
    /// Of a composite type its columns' types.
    pub(super) attributes: Vec<u32>,
    /// Whether it has a binary form.
    pub(super) sends: bool,
    /// Its name without modifiers.
    pub(super) sql: String,
    /// Of a domain what it is over, with modifiers and without.
    pub(super) base_sql: Option<[String; 2]>,
}

/// The types that columns are of, and those that these are made of.
#[derive(Debug, Default)]
pub(super) struct Kinds(pub(super) HashMap<u32, Kind>);

impl Kinds {
    /// Types that known ones are made of and that are not known yet.
    pub(super) fn missing(&self, of: &[u32]) -> Vec<u32> {
        let parts = self.0.values().flat_map(|k| {
            let of = [k.element, k.base, k.range_of];
            of.into_iter().chain(k.attributes.iter().copied())
        });
        let mut missing: Vec<u32> = parts
            .chain(of.iter().copied())
            .filter(|oid| *oid != 0 && !self.0.contains_key(oid))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing
    }

    /// What a domain is over in the end; the type itself if it is none.
    fn base(&self, oid: u32) -> u32 {
        let mut oid = oid;
        // Domains cannot be over themselves, but the server may say so.
        for _ in 0..32 {
            match self.0.get(&oid) {
                Some(kind) if kind.kind == 'd' => oid = kind.base,
                _ => break,
            }
        }
        oid
    }

    /// How a column comes that is declared like this.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn incoming(&self, found: &Found, field: &Field) -> Result<Incoming, String> {
        let plain = |form| Incoming {
            form,
            written: false,
            native: None,
        };
        let base = self.base(found.oid);
        let form = match (field.data_type, base) {
            (DataType::Boolean, 16) => Form::Boolean,
            (DataType::Int64, 21) => Form::Int2,
            (DataType::Int64, 23) => Form::Int4,
            (DataType::Int64, 20) => Form::Int8,
            (DataType::Float64, 700) => Form::Float4,
            (DataType::Float64, 701) => Form::Float8,
            (DataType::Decimal { precision, scale }, NUMERIC) => Form::Numeric { precision, scale },
            (DataType::Bytes, 17) => Form::Bytes,
            (DataType::Date, 1082) => Form::Date,
            (DataType::Timestamp, 1114 | 1184) => Form::Timestamp,
            (DataType::Text, _) => {
                return Ok(Incoming {
                    written: !self.is_text(base),
                    ..plain(Form::Text)
                });
            }
            (DataType::Opaque, _) => {
                let native = self.native(found).map_err(|why| {
                    format!(
                        "column `{}` is {}, which {why}, so it cannot be opaque; write type: text",
                        found.name,
                        told(&found.sql)
                    )
                })?;
                return Ok(Incoming {
                    native: Some(Arc::new(native)),
                    ..plain(Form::Bytes)
                });
            }
            (declared, _) => {
                return Err(format!(
                    "column `{}` is {}, not {declared}; write type: {}",
                    found.name,
                    told(&found.sql),
                    self.fitting(found, base)
                ));
            }
        };
        Ok(plain(form))
    }

    /// Whether the binary form is the text itself.
    fn is_text(&self, base: u32) -> bool {
        matches!(base, 25 | 1043 | 1042 | 19 | 114 | 705)
            || self.0.get(&base).is_some_and(|k| k.kind == 'e')
    }

    /// What to write for a column.
    fn fitting(&self, found: &Found, base: u32) -> String {
        match exact(found, base) {
            Some(decimal @ DataType::Decimal { .. }) => format!("\"{decimal}\""),
            Some(data_type) => data_type.to_string(),
            None if base == NUMERIC => {
                format!("\"{ANY_NUMERIC}\", with as many digits as you need")
            }
            None if self.is_text(base) || self.native(found).is_err() => "text".into(),
            None => "text, or type: opaque, which no plugin sees".into(),
        }
    }

    /// A type that has room for a column's cells, or as good as: text, for all that has no other.
    pub(super) fn roomy(&self, found: &Found) -> DataType {
        let base = self.base(found.oid);
        match exact(found, base) {
            Some(data_type) => data_type,
            None if base == NUMERIC => ANY_NUMERIC,
            None => DataType::Text,
        }
    }

    fn native(&self, found: &Found) -> Result<Native, &'static str> {
        let numbered = self.numbered(found.oid, 0)?;
        let mut alike = Vec::new();
        if let Some(kind) = self.0.get(&found.oid) {
            alike.push(kind.sql.clone());
            alike.extend(kind.base_sql.iter().flatten().cloned());
        }
        if self.base(found.oid) == 1043 {
            alike.push("text".into());
        }
        alike.retain(|name| *name != found.sql);
        Ok(Native {
            sql: found.sql.clone(),
            alike,
            numbered,
        })
    }

    /// Whether the binary form of a type names its element type by a number of this database; an
    /// error if the form means nothing elsewhere for other reasons.
    fn numbered(&self, oid: u32, depth: u8) -> Result<bool, &'static str> {
        const NESTED: &str = "contains types that only its own database knows";
        const NONE: &str = "has no binary form that another database can read";
        let kind = self.0.get(&oid).ok_or(NONE)?;
        if !kind.sends || depth > 8 {
            return Err(NONE);
        }
        let whole = |oid| match self.numbered(oid, depth + 1) {
            Ok(true) => Err(NESTED),
            other => other,
        };
        match kind.kind {
            'd' => self.numbered(kind.base, depth + 1),
            'e' => Ok(false),
            'r' => whole(kind.range_of),
            'm' if oid < FIRST_OWN => Ok(false),
            'c' => {
                for attribute in &kind.attributes {
                    if *attribute >= FIRST_OWN {
                        return Err(NESTED);
                    }
                    whole(*attribute)?;
                }
                Ok(false)
            }
            'b' if kind.element != 0 => {
                whole(kind.element)?;
                if kind.element < FIRST_OWN {
                    return Ok(false);
                }
                let simple = self.0.get(&kind.element);
                match simple.is_some_and(|e| matches!(e.kind, 'b' | 'd' | 'e')) {
                    true => Ok(true),
                    false => Err(NESTED),
                }
            }
            // The numbers of objects: regclass, regproc and their like.
            'b' if matches!(oid, 24 | 2202..=2206 | 3734 | 3769 | 4089 | 4096 | 4191) => {
                Err("is a number with a meaning only in its own database")
            }
            'b' => Ok(false),
            _ => Err(NONE),
        }
    }
}

/// The oid of `numeric`.
const NUMERIC: u32 = 1700;
/// What is suggested for a `numeric` that says nothing of its digits.
const ANY_NUMERIC: DataType = DataType::Decimal {
    precision: 38,
    scale: 10,
};

/// The type that is a column's own, if it is another one than text.
fn exact(found: &Found, base: u32) -> Option<DataType> {
    Some(match base {
        16 => DataType::Boolean,
        20 | 21 | 23 => DataType::Int64,
        700 | 701 => DataType::Float64,
        17 => DataType::Bytes,
        1082 => DataType::Date,
        1114 | 1184 => DataType::Timestamp,
        NUMERIC => {
            let (precision, scale) = digits(&found.sql)?;
            DataType::Decimal { precision, scale }
        }
        _ => return None,
    })
}

/// `numeric(12,2)` as precision and scale, if a decimal can have them.
fn digits(sql: &str) -> Option<(u8, u8)> {
    let (precision, scale) = sql
        .strip_prefix("numeric(")?
        .strip_suffix(')')?
        .split_once(',')?;
    let (precision, scale) = (precision.parse().ok()?, scale.parse().ok()?);
    (precision <= 38 && scale <= precision).then_some((precision, scale))
}

/// A type's name, which whoever made the type has chosen.
fn told(sql: &str) -> &str {
    shown_name(sql).unwrap_or("of a type with a name that is not shown")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(kind: char, element: u32, base: u32) -> Kind {
        Kind {
            kind,
            element,
            base,
            range_of: 0,
            attributes: Vec::new(),
            sends: true,
            sql: "a".into(),
            base_sql: None,
        }
    }

    fn kinds() -> Kinds {
        let mut composite = kind('c', 0, 0);
        composite.attributes = vec![23, 20_000];
        let mut silent = kind('b', 0, 0);
        silent.sends = false;
        Kinds(HashMap::from([
            (23, kind('b', 0, 0)),
            (1007, kind('b', 23, 0)),
            (1700, kind('b', 0, 0)),
            (2205, kind('b', 0, 0)),
            (1033, silent),
            (20_000, kind('e', 0, 0)),
            (20_001, kind('b', 20_000, 0)),
            (20_002, kind('d', 0, 23)),
            (20_003, composite),
            (20_004, kind('b', 20_003, 0)),
            (20_005, kind('b', 20_002, 0)),
            (20_006, kind('d', 0, 20_006)),
        ]))
    }

    #[test]
    fn what_means_the_same_elsewhere_may_be_opaque() {
        let kinds = kinds();
        for (oid, numbered) in [
            (23, false),
            (1007, false),
            (20_000, false),
            (20_001, true),
            (20_002, false),
            (20_005, true),
        ] {
            assert_eq!(kinds.numbered(oid, 0), Ok(numbered), "{oid}");
        }
        for oid in [2205, 1033, 20_003, 20_004, 20_006, 99] {
            assert!(kinds.numbered(oid, 0).is_err(), "{oid}");
        }
    }

    #[test]
    fn a_mismatch_says_what_to_write() {
        let kinds = kinds();
        let said = |oid, sql: &str, data_type| {
            let found = Found {
                name: "c".into(),
                oid,
                sql: sql.into(),
            };
            kinds
                .incoming(&found, &Field::new("c", data_type))
                .unwrap_err()
        };
        assert_eq!(
            said(1700, "numeric(12,2)", DataType::Int64),
            "column `c` is numeric(12,2), not int64; write type: \"decimal(12,2)\""
        );
        assert_eq!(
            said(20_002, "public.counter", DataType::Bytes),
            "column `c` is public.counter, not bytes; write type: int64"
        );
        assert!(said(1007, "integer[]", DataType::Date).ends_with("opaque, which no plugin sees"));
        assert!(said(2205, "regclass", DataType::Opaque).ends_with("write type: text"));
    }

    #[test]
    fn digits_are_read_where_a_decimal_has_them() {
        assert_eq!(digits("numeric(12,2)"), Some((12, 2)));
        assert_eq!(digits("numeric(50,2)"), None);
        assert_eq!(digits("numeric(3,-2)"), None);
        assert_eq!(digits("numeric"), None);
    }
}
