//! Cells in the binary forms of an application's columns, such as `integer`, `varchar(n)` or
//! `uuid`, which cannot store every cell.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use glovebox_core::DataType;
use serde::de::IgnoredAny;

use super::name::MAX_NAME_LEN;
use super::numeric;
use crate::database::decimal::{Digits, powered, shown, significant};
use crate::database::set_aside::SetAside;

/// 2000-01-01, from which PostgreSQL counts, in days since 1970-01-01.
pub(super) const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// 4714-11-24 BC, PostgreSQL's first day (Julian day 0), in days since 1970-01-01.
pub(super) const FIRST_DAY: i32 = -2_440_588;
/// 5874897-12-31, PostgreSQL's last day.
pub(super) const LAST_DAY: i32 = 2_145_042_905;
/// Midnight of the first day, PostgreSQL's first timestamp, in microseconds since 1970-01-01. Its
/// last, at the end of the year 294276, is past what 64 bits of microseconds since 1970 reach.
pub(super) const FIRST_MICRO: i64 = FIRST_DAY as i64 * 86_400_000_000;
/// What is told of a text that no text column takes.
pub(super) const NUL: &str = "text with a NUL (U+0000), which PostgreSQL's text cannot hold";

/// In which form a column takes cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// That of the type which a table of ours would have; every cell of it goes.
    Own,
    /// `smallint`.
    Int2,
    /// `integer`.
    Int4,
    /// `bigint`, from a decimal.
    Int8,
    /// `real`.
    Float4,
    /// `double precision`, from an exact number.
    Float8,
    /// `numeric` that does not hold every cell, or of whole numbers.
    Numeric(Option<Digits>),
    /// `varchar(n)` and `char(n)`.
    Characters(usize),
    /// `name`.
    Name,
    /// An enum, with its labels.
    Enum(Arc<HashSet<String>>),
    /// `uuid`.
    Uuid,
    /// `json`.
    Json,
    /// `jsonb`.
    Jsonb,
    /// `inet`, or `cidr` if it is of networks.
    Inet {
        /// Whether it takes networks only.
        network: bool,
    },
    /// `time`, in so many microseconds.
    Time {
        /// What it counts in.
        step: i64,
    },
    /// `timestamp` and `timestamptz` in so many microseconds, or from a date.
    Timestamp {
        /// What it counts in.
        step: i64,
    },
}

/// Why a cell has no form: a rule, and a sentence.
struct Misfit(&'static str, String);

impl Misfit {
    fn range(message: impl Into<String>) -> Self {
        Misfit("range", message.into())
    }

    fn type_(message: &str) -> Self {
        Misfit("type", message.into())
    }
}

/// A column whose cells have to fit one by one.
pub(super) enum Fitted<'a> {
    Whole(&'a Int64Array, &'a Form),
    Real(&'a Float64Array),
    Exact(&'a Decimal128Array, u8, &'a Form),
    Text(&'a StringArray, &'a Form),
    Midnight(&'a Date32Array),
    Moment(&'a TimestampMicrosecondArray, i64),
}

impl<'a> Fitted<'a> {
    /// The column, if it is of that type and the form is one of its.
    pub(super) fn of(array: &'a dyn Array, data_type: DataType, form: &'a Form) -> Option<Self> {
        Some(match (data_type, form) {
            (DataType::Int64, form) => Fitted::Whole(array.as_primitive_opt::<Int64Type>()?, form),
            (DataType::Float64, Form::Float4) => {
                Fitted::Real(array.as_primitive_opt::<Float64Type>()?)
            }
            (DataType::Decimal { scale, .. }, form) => {
                Fitted::Exact(array.as_primitive_opt::<Decimal128Type>()?, scale, form)
            }
            (DataType::Text, form) => Fitted::Text(array.as_string_opt()?, form),
            (DataType::Date, Form::Timestamp { .. }) => {
                Fitted::Midnight(array.as_primitive_opt::<Date32Type>()?)
            }
            (DataType::Timestamp, Form::Timestamp { step }) => {
                Fitted::Moment(array.as_primitive_opt::<TimestampMicrosecondType>()?, *step)
            }
            _ => return None,
        })
    }

    pub(super) fn array(&self) -> &dyn Array {
        match self {
            Fitted::Whole(a, _) => a,
            Fitted::Real(a) => a,
            Fitted::Exact(a, ..) => a,
            Fitted::Text(a, _) => a,
            Fitted::Midnight(a) => a,
            Fitted::Moment(a, _) => a,
        }
    }

    /// Sets the rows aside whose cell has no form.
    pub(super) fn check(&self, name: &Arc<str>, aside: &mut SetAside) {
        let mut scratch = Vec::new();
        for row in 0..self.array().len() {
            if self.array().is_null(row) {
                continue;
            }
            scratch.clear();
            if let Err(Misfit(rule, message)) = self.write(row, &mut scratch) {
                aside.add(row, name, rule, &message);
            }
        }
    }

    /// Appends the body of a cell that is not null; what has no form was set aside.
    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        if self.write(row, out).is_err() {
            out.truncate(start);
        }
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Misfit> {
        match self {
            Fitted::Whole(a, form) => exact(i128::from(a.value(row)), 0, form, out),
            Fitted::Real(a) => real(a.value(row), out),
            Fitted::Exact(a, scale, form) => exact(a.value(row), *scale, form, out),
            Fitted::Text(a, form) => text(a.value(row), form, out),
            Fitted::Midnight(a) => {
                let day = i64::from(a.value(row)) - i64::from(EPOCH_DAYS);
                let micros = day.checked_mul(86_400_000_000).filter(|micros| {
                    micros
                        .checked_add(EPOCH_MICROS)
                        .is_some_and(|m| m >= FIRST_MICRO)
                });
                let micros = micros.ok_or_else(|| {
                    Misfit::range("outside PostgreSQL's timestamps, 4713 BC to 294276")
                })?;
                out.extend_from_slice(&micros.to_be_bytes());
                Ok(())
            }
            Fitted::Moment(a, step) => {
                let value = a.value(row);
                if value < FIRST_MICRO {
                    return Err(Misfit::range(
                        "before PostgreSQL's first timestamp, 4714-11-24 BC",
                    ));
                }
                if value % step != 0 {
                    return Err(finer());
                }
                out.extend_from_slice(&value.wrapping_sub(EPOCH_MICROS).to_be_bytes());
                Ok(())
            }
        }
    }
}

fn finer() -> Misfit {
    Misfit::range("more decimal places for seconds than the column keeps")
}

fn exact(value: i128, scale: u8, form: &Form, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let whole = || {
        let unit = powered(u32::from(scale)).unwrap_or(i128::MAX);
        match value % unit {
            0 => Ok(value / unit),
            _ => Err(Misfit::range("a fraction, but the column takes integers")),
        }
    };
    match form {
        Form::Int2 => match i16::try_from(whole()?) {
            Ok(value) => out.extend_from_slice(&value.to_be_bytes()),
            Err(_) => return Err(Misfit::range("outside smallint, -32768 to 32767")),
        },
        Form::Int4 => match i32::try_from(whole()?) {
            Ok(value) => out.extend_from_slice(&value.to_be_bytes()),
            Err(_) => {
                return Err(Misfit::range("outside integer, -2147483648 to 2147483647"));
            }
        },
        Form::Int8 => match i64::try_from(whole()?) {
            Ok(value) => out.extend_from_slice(&value.to_be_bytes()),
            Err(_) => {
                return Err(Misfit::range(
                    "outside bigint, -9223372036854775808 to 9223372036854775807",
                ));
            }
        },
        // Numbers of so many digits come back from the float as they went in.
        Form::Float8 if significant(value) <= 15 => match shown(value, scale).parse::<f64>() {
            Ok(value) => out.extend_from_slice(&value.to_be_bytes()),
            Err(_) => return Err(Misfit::range("a number that the column cannot store")),
        },
        Form::Float8 => {
            return Err(Misfit::range(
                "more than the 15 digits that double precision holds",
            ));
        }
        Form::Float4 if significant(value) <= 6 => match shown(value, scale).parse::<f32>() {
            Ok(value) if value.is_finite() => out.extend_from_slice(&value.to_be_bytes()),
            _ => return Err(Misfit::range("a number that the column cannot store")),
        },
        Form::Float4 => return Err(Misfit::range("more than the 6 digits that real holds")),
        Form::Numeric(digits) => {
            if let Some(digits) = digits.filter(|digits| !digits.take(value, scale)) {
                return Err(Misfit::range(format!("more digits than {digits} holds")));
            }
            numeric::put(value, scale, out);
        }
        _ => return Err(Misfit::type_("invalid for the column's type")),
    }
    Ok(())
}

/// The nearest `real`, as PostgreSQL reads it; what that cannot hold at all does not go.
fn real(value: f64, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let nearest = value as f32;
    if (value.is_finite() && !nearest.is_finite()) || (value != 0.0 && nearest == 0.0) {
        return Err(Misfit::range("outside real, about 1e-45 to 3e38"));
    }
    out.extend_from_slice(&nearest.to_be_bytes());
    Ok(())
}

fn text(cell: &str, form: &Form, out: &mut Vec<u8>) -> Result<(), Misfit> {
    if cell.as_bytes().contains(&0) {
        return Err(Misfit("nul", NUL.into()));
    }
    match form {
        Form::Characters(most) => {
            // There are no more characters than bytes, which are counted already.
            if cell.len() > *most && cell.chars().count() > *most {
                return Err(Misfit(
                    "too-long",
                    format!("longer than the column's {most} characters"),
                ));
            }
            out.extend_from_slice(cell.as_bytes());
        }
        Form::Name => {
            if cell.len() > MAX_NAME_LEN {
                let message = format!("longer than the column's {MAX_NAME_LEN} bytes");
                return Err(Misfit("too-long", message));
            }
            out.extend_from_slice(cell.as_bytes());
        }
        Form::Enum(labels) => {
            if !labels.contains(cell) {
                return Err(Misfit::type_("not a label of the column's enum"));
            }
            out.extend_from_slice(cell.as_bytes());
        }
        Form::Uuid => match uuid(cell) {
            Some(id) => out.extend_from_slice(&id),
            None => return Err(Misfit::type_("not a UUID")),
        },
        Form::Json | Form::Jsonb => {
            if serde_json::from_str::<IgnoredAny>(cell).is_err() {
                return Err(Misfit::type_("not JSON"));
            }
            if *form == Form::Jsonb {
                // The version of its binary form.
                out.push(1);
            }
            out.extend_from_slice(cell.as_bytes());
        }
        Form::Inet { network } => inet(cell, *network, out)?,
        Form::Time { step } => {
            let micros =
                time(cell).ok_or_else(|| Misfit::type_("not a time of day such as 23:59:00.5"))?;
            if micros % step != 0 {
                return Err(finer());
            }
            out.extend_from_slice(&micros.to_be_bytes());
        }
        _ => return Err(Misfit::type_("invalid for the column's type")),
    }
    Ok(())
}

/// A UUID as `uuid_in` reads it: hexadecimal digits, with a hyphen behind any four of them, in
/// braces or not.
fn uuid(cell: &str) -> Option<[u8; 16]> {
    let inner = match cell.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => cell,
    };
    let mut id = [0; 16];
    let mut signs = inner.bytes().peekable();
    for (i, byte) in id.iter_mut().enumerate() {
        let mut digit = || {
            let digit = char::from(signs.next()?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        *byte = digit()? << 4 | digit()?;
        if i % 2 == 1 && i < 15 {
            signs.next_if_eq(&b'-');
        }
    }
    signs.next().is_none().then_some(id)
}

/// An address or a network in the form of `inet_send`: family, bits, whether a network, length,
/// address.
fn inet(cell: &str, network: bool, out: &mut Vec<u8>) -> Result<(), Misfit> {
    let not = || {
        Misfit::type_(match network {
            true => "not a network such as 10.0.0.0/8, with zeros after its prefix",
            false => "not an address such as 192.0.2.7 or 2001:db8::/32",
        })
    };
    let (address, bits) = match cell.split_once('/') {
        Some((address, bits)) => {
            let plain = (1..=3).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_digit());
            let bits = bits.parse::<u8>().ok().filter(|_| plain);
            (address, Some(bits.ok_or_else(not)?))
        }
        None => (cell, None),
    };
    let address: IpAddr = address.parse().map_err(|_| not())?;
    // The families as PostgreSQL numbers them on every system: AF_INET and the one behind it.
    let (family, bytes) = match address {
        IpAddr::V4(a) => (2, a.octets().to_vec()),
        IpAddr::V6(a) => (3, a.octets().to_vec()),
    };
    let most = u8::try_from(bytes.len() * 8).unwrap_or(u8::MAX);
    let bits = bits.unwrap_or(most);
    if bits > most {
        return Err(not());
    }
    let behind = bytes.iter().zip((0_u8..).step_by(8)).any(|(byte, at)| {
        let kept = bits.saturating_sub(at).min(8);
        kept < 8 && byte << kept != 0
    });
    if network && behind {
        return Err(not());
    }
    out.extend_from_slice(&[family, bits, u8::from(network), most / 8]);
    out.extend_from_slice(&bytes);
    Ok(())
}

/// `23:59`, `23:59:00` or `23:59:00.123456` in microseconds; the end of a day is 24:00.
fn time(cell: &str) -> Option<i64> {
    let two = |digits: &str| -> Option<i64> {
        let plain = digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| digits.parse().ok())?
    };
    let (clock, fraction) = match cell.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (cell, None),
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (two(parts.next()?)?, two(parts.next()?)?);
    let second = parts.next();
    if parts.next().is_some() || (second.is_none() && fraction.is_some()) {
        return None;
    }
    let second = second.map_or(Some(0), two)?;
    let micros = match fraction {
        None => 0,
        Some(digits) => {
            let plain =
                (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            let value: i64 = plain.then(|| digits.parse().ok())??;
            value * 10_i64.pow(6 - u32::try_from(digits.len()).ok()?)
        }
    };
    let micros = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros;
    (minute < 60 && second < 60 && micros <= 86_400_000_000).then_some(micros)
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
