//! The calendar behind dates and timestamps: proleptic Gregorian, in UTC. Text with days that do
//! not exist, or years of more than four digits, is not accepted.

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// A day as people write it. Fields may be read and set; [`days`](Self::days) counts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The year; 0 is 1 BC.
    pub year: i64,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month, 1 to 31.
    pub day: u8,
}

impl Civil {
    /// The day that is `days` days after 1970-01-01.
    ///
    /// Counts in eras of 400 years that start on a 1st of March, as Howard Hinnant's
    /// `chrono`-compatible algorithms do (<https://howardhinnant.github.io/date_algorithms.html>).
    #[must_use]
    pub fn from_days(days: i32) -> Self {
        let days = i64::from(days) + 719_468;
        let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = year + era * 400 + i64::from(month <= 2);
        Self {
            year,
            month: month as u8,
            day: day as u8,
        }
    }

    /// The days from 1970-01-01 to this day; `None` when they are too many to be a date.
    #[must_use]
    pub fn days(self) -> Option<i32> {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = self.year.checked_sub(i64::from(month <= 2))?;
        let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
        let month = if month > 2 { month - 3 } else { month + 9 };
        let day = year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5 + day - 1;
        i32::try_from(era.checked_mul(146_097)?.checked_add(day - 719_468)?).ok()
    }
}

/// Reads `2026-11-21` as days since 1970-01-01.
#[must_use]
pub fn parse_date(text: &str) -> Option<i32> {
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text.as_bytes() else {
        return None;
    };
    let (year, month, day) = (
        number([y0, y1, y2, y3])?,
        number([m0, m1])?,
        number([d0, d1])?,
    );
    let civil = Civil {
        year,
        month: month as u8,
        day: day as u8,
    };
    // A day that is in no calendar, such as the 30th of February, comes back as another.
    civil.days().filter(|days| Civil::from_days(*days) == civil)
}

/// Reads `2026-11-21T22:30:00Z`, with up to six digits of a second's fraction, as microseconds
/// since 1970-01-01T00:00:00Z. A date alone is its midnight. `Z` may be left out; other offsets
/// are refused, as is a leap second.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00:00"));
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let &[h0, h1, b':', m0, m1, b':', s0, s1] = time.as_bytes() else {
        return None;
    };
    let (hour, minute, second) = (number([h0, h1])?, number([m0, m1])?, number([s0, s1])?);
    if hour > 23 || minute > 59 || second > 59 || !(1..=6).contains(&fraction.len()) {
        return None;
    }
    let mut digits = [b'0'; 6];
    digits
        .iter_mut()
        .zip(fraction.bytes())
        .for_each(|(digit, byte)| *digit = byte);
    let seconds = hour * 3_600 + minute * 60 + second;
    Some(i64::from(parse_date(date)?) * DAY + seconds * 1_000_000 + number(digits)?)
}

fn number<const N: usize>(digits: [u8; N]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_both_ways() {
        let ordinary = (-1_000_000..1_000_000).step_by(97);
        for days in ordinary.chain([i32::MIN, i32::MAX, -1, 0, 59, 60]) {
            assert_eq!(Civil::from_days(days).days(), Some(days));
        }
        assert_eq!(
            Civil {
                year: i64::MAX,
                month: 1,
                day: 1
            }
            .days(),
            None
        );
    }

    #[test]
    fn dates_are_read() {
        assert_eq!(parse_date("1970-01-01"), Some(0));
        assert_eq!(parse_date("1969-12-31"), Some(-1));
        assert_eq!(parse_date("2000-02-29"), Some(11_016));
        for text in [
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-1-01",
            "x026-01-01",
            "",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn timestamps_are_read() {
        assert_eq!(parse_timestamp("1970-01-01T00:00:01.5Z"), Some(1_500_000));
        assert_eq!(parse_timestamp("1970-01-01 00:00:00.000001"), Some(1));
        assert_eq!(parse_timestamp("1969-12-31"), Some(-DAY));
        for text in [
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "1970-01-01T00:00",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
        assert_eq!(parse_timestamp("1970-01-01T00:00:00.1234567Z"), None);
    }
}
