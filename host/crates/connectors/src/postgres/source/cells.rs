//! Single cells of PostgreSQL's binary form as values of our types.

use super::cut::Malformed;

/// 2000-01-01, from which PostgreSQL counts, in days since 1970-01-01.
const EPOCH_DAYS: i32 = 10_957;
/// The same in microseconds.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A cell of this type that our type does not have, such as infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit;

pub(super) fn boolean(cell: &[u8]) -> Result<bool, Malformed> {
    match cell {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(Malformed),
    }
}

fn fixed<const N: usize>(cell: &[u8]) -> Result<[u8; N], Malformed> {
    cell.try_into().map_err(|_| Malformed)
}

pub(super) fn int2(cell: &[u8]) -> Result<i64, Malformed> {
    fixed(cell).map(|b| i64::from(i16::from_be_bytes(b)))
}

pub(super) fn int4(cell: &[u8]) -> Result<i64, Malformed> {
    fixed(cell).map(|b| i64::from(i32::from_be_bytes(b)))
}

pub(super) fn int8(cell: &[u8]) -> Result<i64, Malformed> {
    fixed(cell).map(i64::from_be_bytes)
}

pub(super) fn float4(cell: &[u8]) -> Result<f64, Malformed> {
    fixed(cell).map(|b| f64::from(f32::from_be_bytes(b)))
}

pub(super) fn float8(cell: &[u8]) -> Result<f64, Malformed> {
    fixed(cell).map(f64::from_be_bytes)
}

/// Days since 1970-01-01; the two infinities are none.
pub(super) fn date(cell: &[u8]) -> Result<Result<i32, Unfit>, Malformed> {
    let days = i32::from_be_bytes(fixed(cell)?);
    Ok(match days {
        i32::MIN | i32::MAX => Err(Unfit),
        days => days.checked_add(EPOCH_DAYS).ok_or(Unfit),
    })
}

/// Microseconds since 1970-01-01; the two infinities are none.
pub(super) fn timestamp(cell: &[u8]) -> Result<Result<i64, Unfit>, Malformed> {
    let micros = i64::from_be_bytes(fixed(cell)?);
    Ok(match micros {
        i64::MIN | i64::MAX => Err(Unfit),
        micros => micros.checked_add(EPOCH_MICROS).ok_or(Unfit),
    })
}

/// A decimal of that many digits, `scale` of them after the point; NaN, infinities and numbers that
/// would have to be rounded are none.
///
/// The format is `numeric_send`'s: count of digits, weight, sign, display scale, then digits of base
/// 10,000, the first of which counts `10000^weight`.
pub(super) fn decimal(
    cell: &[u8],
    precision: u8,
    scale: u8,
) -> Result<Result<i128, Unfit>, Malformed> {
    let (head, digits) = cell.split_first_chunk::<8>().ok_or(Malformed)?;
    let [c1, c2, w1, w2, s1, s2, _, _] = *head;
    let count = usize::from(u16::from_be_bytes([c1, c2]));
    let weight = i32::from(i16::from_be_bytes([w1, w2]));
    let sign = u16::from_be_bytes([s1, s2]);
    if digits.len() != count * 2 {
        return Err(Malformed);
    }
    if !matches!(sign, 0 | 0x4000) {
        // NaN and the infinities.
        return match sign {
            0xc000 | 0xd000 | 0xf000 => Ok(Err(Unfit)),
            _ => Err(Malformed),
        };
    }
    let mut value = Some(0_i128);
    // What the last digit of a group counts, as a power of ten, once the point is moved.
    let mut exponent = weight * 4 + i32::from(scale);
    for pair in digits.chunks_exact(2) {
        let digit = pair.try_into().map_or(u16::MAX, u16::from_be_bytes);
        if digit > 9999 {
            return Err(Malformed);
        }
        value = value.and_then(|v| appended(v, digit, exponent));
        exponent = exponent.saturating_sub(4);
    }
    let missing = exponent.saturating_add(4).max(0).unsigned_abs();
    let value = value.and_then(|v| match v {
        0 => Some(0),
        v => v.checked_mul(10_i128.checked_pow(missing)?),
    });
    let bound = 10_i128.checked_pow(u32::from(precision));
    Ok(match (value, bound) {
        (Some(v), Some(bound)) if v < bound => Ok(if sign == 0x4000 { -v } else { v }),
        _ => Err(Unfit),
    })
}

/// The value with the next four digits, as far as they stand before the point; none if others than
/// zeros stand behind it.
#[inline]
fn appended(value: i128, digit: u16, exponent: i32) -> Option<i128> {
    let (unit, behind) = match exponent {
        0.. => (10_000, 1),
        -1 => (1000, 10),
        -2 => (100, 100),
        -3 => (10, 1000),
        _ => (1, 10_000),
    };
    if !digit.is_multiple_of(behind) {
        return None;
    }
    value
        .checked_mul(unit)?
        .checked_add(i128::from(digit / behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::super::super::numeric;
    use super::*;

    fn numeric(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    #[test]
    fn numbers_that_would_be_rounded_or_are_none_do_not_fit() {
        // 123.45 as numeric_send writes it.
        let cell = numeric(&[2, 0, 0, 2, 123, 4500]);
        assert_eq!(decimal(&cell, 10, 2), Ok(Ok(12_345)));
        assert_eq!(decimal(&cell, 10, 4), Ok(Ok(1_234_500)));
        assert_eq!(decimal(&cell, 10, 1), Ok(Err(Unfit)));
        assert_eq!(decimal(&cell, 4, 2), Ok(Err(Unfit)));
        for special in [0xc000, 0xd000, 0xf000] {
            let cell = numeric(&[0, 0, special, 0]);
            assert_eq!(decimal(&cell, 38, 10), Ok(Err(Unfit)));
        }
        assert_eq!(decimal(&numeric(&[0, 0, 0, 0]), 1, 0), Ok(Ok(0)));
        // 10^131068, and as many places after the point.
        assert_eq!(
            decimal(&numeric(&[1, 32_767, 0, 0, 1]), 38, 38),
            Ok(Err(Unfit))
        );
        assert_eq!(
            decimal(&numeric(&[1, 0x8000, 0, 0, 1]), 38, 38),
            Ok(Err(Unfit))
        );
    }

    #[test]
    fn lengths_and_digits_that_the_server_never_sends_are_malformed() {
        for cell in [
            numeric(&[2, 0, 0, 2, 123]),
            numeric(&[0, 0, 0, 2, 123]),
            numeric(&[1, 0, 0, 0, 10_000]),
            numeric(&[1, 0, 0x1000, 0, 1]),
            vec![0; 7],
        ] {
            assert_eq!(decimal(&cell, 38, 2), Err(Malformed));
        }
        assert_eq!(int4(&[0; 3]), Err(Malformed));
        assert_eq!(boolean(&[2]), Err(Malformed));
        assert_eq!(timestamp(&[]), Err(Malformed));
    }

    #[test]
    fn infinities_do_not_fit() {
        assert_eq!(date(&i32::MAX.to_be_bytes()), Ok(Err(Unfit)));
        assert_eq!(timestamp(&i64::MIN.to_be_bytes()), Ok(Err(Unfit)));
        assert_eq!(timestamp(&(i64::MAX - 1).to_be_bytes()), Ok(Err(Unfit)));
        assert_eq!(timestamp(&0_i64.to_be_bytes()), Ok(Ok(EPOCH_MICROS)));
        assert_eq!(date(&0_i32.to_be_bytes()), Ok(Ok(EPOCH_DAYS)));
    }

    proptest! {
        #[test]
        fn what_the_sink_writes_is_read_back(
            digits in 0_i128..100_000_000_000_000_000_000_000_000_000_000_000_000,
            size in 0_u32..38,
            negative: bool,
            scale in 0_u8..=38,
        ) {
            let value = digits / 10_i128.pow(size) * if negative { -1 } else { 1 };
            let mut cell = Vec::new();
            numeric::put(value, scale, &mut cell);
            prop_assert_eq!(decimal(&cell, 38, scale), Ok(Ok(value)));
        }

        #[test]
        fn no_bytes_make_it_panic(
            cell in prop::collection::vec(any::<u8>(), 0..40),
            precision in 0_u8..=255,
            scale in 0_u8..=255,
        ) {
            if let Ok(Ok(value)) = decimal(&cell, precision, scale) {
                prop_assert!(value.unsigned_abs() < 10_u128.pow(precision.min(38).into()));
            }
            let _ = (date(&cell), timestamp(&cell), int2(&cell), float4(&cell), boolean(&cell));
        }
    }
}
