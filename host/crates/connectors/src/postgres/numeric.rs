//! PostgreSQL's binary form of `numeric`, from Arrow's 128-bit decimals.

/// Appends the body of a binary `numeric`: digit count, weight, sign, display scale, digits.
///
/// The format is that of `numeric_send` in PostgreSQL's `numeric.c`: digits of base 10,000 aligned
/// at the decimal point, the first of which counts `10000^weight`.
pub(super) fn put(value: i128, scale: u8, out: &mut Vec<u8>) {
    let magnitude = value.unsigned_abs();
    let unit = 10_u128.checked_pow(u32::from(scale)).unwrap_or(u128::MAX);
    let (whole, fraction) = (magnitude / unit, magnitude % unit);

    // 39 decimal digits in at most 11 groups, least significant first.
    let mut digits = [0_i16; 12];
    let mut count = 0;
    let mut push = |digit: u128| {
        if let Some(slot) = digits.get_mut(count) {
            *slot = i16::try_from(digit).unwrap_or(0);
            count += 1;
        }
    };

    let mut rest = fraction;
    let mut groups = scale.div_ceil(4);
    let ragged = u32::from(scale % 4);
    if ragged != 0 {
        // The last group is filled up with zeros on its right.
        let part = 10_u128.pow(ragged);
        push(rest % part * 10_u128.pow(4 - ragged));
        rest /= part;
        groups -= 1;
    }
    for _ in 0..groups {
        push(rest % 10_000);
        rest /= 10_000;
    }
    let mut weight = -1_i16;
    let mut rest = whole;
    while rest != 0 {
        push(rest % 10_000);
        rest /= 10_000;
        weight += 1;
    }

    let sign: u16 = if value < 0 { 0x4000 } else { 0 };
    out.extend_from_slice(&i16::try_from(count).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign.to_be_bytes());
    out.extend_from_slice(&u16::from(scale).to_be_bytes());
    for digit in digits.iter().take(count).rev() {
        out.extend_from_slice(&digit.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(value: i128, scale: u8) -> Vec<i16> {
        let mut out = Vec::new();
        put(value, scale, &mut out);
        out.chunks(2)
            .map(|c| i16::from_be_bytes([c[0], c[1]]))
            .collect()
    }

    #[test]
    fn digits_align_at_the_point() {
        assert_eq!(words(0, 0), [0, -1, 0, 0]);
        assert_eq!(words(12_345, 0), [2, 1, 0, 0, 1, 2345]);
        assert_eq!(words(-12_345, 2), [2, 0, 0x4000, 2, 123, 4500]);
        assert_eq!(words(5, 5), [2, -1, 0, 5, 0, 5000]);
        assert_eq!(words(99_999, 4), [2, 0, 0, 4, 9, 9999]);
    }

    #[test]
    fn no_digit_of_the_longest_is_lost() {
        let most = 10_i128.pow(38) - 1;
        assert_eq!(words(most, 0).len(), 4 + 10);
        for scale in 0..=38 {
            let w = words(most, scale);
            assert_eq!(w[0] as usize, w.len() - 4, "scale {scale}");
            let nines: u32 = w[4..]
                .iter()
                .map(|d| (*d as u16).to_string().matches('9').count() as u32)
                .sum();
            assert_eq!(nines, 38, "scale {scale}");
        }
    }
}
