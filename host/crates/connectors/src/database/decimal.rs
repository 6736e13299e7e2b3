//! Exact numbers and how many digits they have.
//! Nothing overflows: beyond 38 digits there is no power of ten.

use std::fmt;

use crate::values::write_decimal;

/// The digits of a column that is declared as `numeric(precision,scale)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digits {
    /// Digits in all.
    pub(crate) precision: i32,
    /// Of them behind the point; if it is negative, those before it are zeros.
    pub(crate) scale: i32,
}

impl Digits {
    /// Whether every number of so many digits goes into it.
    pub(crate) fn hold(self, precision: i32, scale: i32) -> bool {
        self.scale >= scale && self.precision - self.scale >= precision - scale
    }

    /// Whether this number does, with all its digits.
    pub(crate) fn take(self, value: i128, scale: u8) -> bool {
        let scale = i32::from(scale);
        let even = match u32::try_from(scale - self.scale) {
            Ok(finer) => value % powered(finer).unwrap_or(i128::MAX) == 0,
            Err(_) => true,
        };
        let small = match u32::try_from(self.precision - self.scale + scale) {
            Ok(digits) => powered(digits).is_none_or(|bound| value.abs() < bound),
            Err(_) => value == 0,
        };
        even && small
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "numeric({},{})", self.precision, self.scale)
    }
}

/// 10 to that power, if 128 bits hold it.
pub(crate) fn powered(digits: u32) -> Option<i128> {
    10_i128.checked_pow(digits)
}

/// The digits of a number without zeros at either end.
pub(crate) fn significant(value: i128) -> u32 {
    let mut rest = value.unsigned_abs();
    while rest != 0 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    rest.checked_ilog10().map_or(0, |log| log + 1)
}

/// The number with all its digits.
pub(crate) fn shown(value: i128, scale: u8) -> String {
    let mut text = Vec::new();
    write_decimal(value, usize::from(scale), &mut text);
    String::from_utf8(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_at_the_ends_are_no_digits() {
        for (value, digits) in [(0, 0), (5, 1), (-500, 1), (1_050, 3), (i128::MAX, 39)] {
            assert_eq!(significant(value), digits, "{value}");
        }
    }
}
