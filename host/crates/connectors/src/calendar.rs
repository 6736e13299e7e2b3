//! Days of the proleptic Gregorian calendar, and times of day, as ISO 8601 writes them.

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Days since 1970-01-01; `days_from_civil` of Howard Hinnant's "chrono-Compatible Low-Level Date
/// Algorithms".
pub(crate) fn days(year: u32, month: u32, day: u32) -> Option<i32> {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * i64::from((month + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).ok()
}

/// Year, month and day; `civil_from_days` of the same.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `YYYY-MM-DD`; years outside 0000 to 9999 with a sign and at least six digits, as ISO 8601 has
/// it.
pub(crate) fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    if (0..=9999).contains(&year) {
        write_digits(year, 4, out);
    } else {
        out.push(if year < 0 { b'-' } else { b'+' });
        write_digits(year.abs(), 6, out);
    }
    out.push(b'-');
    write_digits(month, 2, out);
    out.push(b'-');
    write_digits(day, 2, out);
}

/// RFC 3339 in UTC, with six digits of a second if it has a fraction.
pub(crate) fn write_timestamp(micros: i64, out: &mut Vec<u8>) {
    write_date(micros.div_euclid(MICROS_PER_DAY), out);
    let rest = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    for (mark, value) in [
        (b'T', seconds / 3600),
        (b':', seconds / 60 % 60),
        (b':', seconds % 60),
    ] {
        out.push(mark);
        write_digits(value, 2, out);
    }
    if fraction != 0 {
        out.push(b'.');
        write_digits(fraction, 6, out);
    }
    out.push(b'Z');
}

/// `value` with leading zeros up to `width`.
fn write_digits(value: i64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value);
    out.extend(std::iter::repeat_n(
        b'0',
        width.saturating_sub(digits.len()),
    ));
    out.extend_from_slice(digits.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(days: i64) -> String {
        let mut out = Vec::new();
        write_date(days, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn timestamp(micros: i64) -> String {
        let mut out = Vec::new();
        write_timestamp(micros, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        let first = days(1600, 1, 1).unwrap();
        let last = days(2000, 12, 31).unwrap();
        assert_eq!(last - first + 1, 400 * 365 + 97 + 366);
        for day in first..=last {
            let (y, m, d) = civil(i64::from(day));
            let back = days(y as u32, m as u32, d as u32);
            assert_eq!(back, Some(day));
        }
    }

    #[test]
    fn dates_are_written_as_iso_8601() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(-719_528), "0000-01-01");
        assert_eq!(date(-719_529), "-000001-12-31");
        assert_eq!(date(2_932_897), "+010000-01-01");
    }

    #[test]
    fn timestamps_are_written_as_rfc_3339() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(timestamp(1_500_000), "1970-01-01T00:00:01.500000Z");
    }
}
