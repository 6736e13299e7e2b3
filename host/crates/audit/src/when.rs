//! A time as a user types it: RFC 3339, a date, or an age.
//! Words such as `yesterday` are not accepted, since their meaning depends on place and day.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::time::Time;

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct When(Time);

/// What may be written.
const FORMS: &str = "write a date in UTC (2026-11-22), a time in UTC (2026-11-22T10:30), RFC 3339 \
                     (2026-11-22T10:30:00+01:00), or an age (30min, 2h, 7d)";

impl When {
    /// The moment that a text means.
    ///
    /// # Errors
    /// Which forms there are.
    pub fn parse(text: &str) -> Result<When, String> {
        When::read(text, Time::now()).ok_or_else(|| FORMS.to_owned())
    }

    fn read(text: &str, now: Time) -> Option<When> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Some(When(Time::from_micros(time.timestamp_micros())));
        }
        if let Some(micros) = length(text) {
            return Some(When(Time::from_micros(now.micros().checked_sub(micros)?)));
        }
        let text = text.strip_suffix('Z').unwrap_or(text);
        // Formats fill in no minutes, so that an hour is given them.
        let hour = format!("{text}:00");
        let forms = [
            (text, "%Y-%m-%dT%H:%M:%S%.f"),
            (text, "%Y-%m-%dT%H:%M"),
            (hour.as_str(), "%Y-%m-%dT%H:%M"),
        ];
        let time = forms
            .iter()
            .find_map(|(text, form)| NaiveDateTime::parse_from_str(text, form).ok());
        let time = time.or_else(|| midnight(text))?;
        Some(When(Time::from_micros(time.and_utc().timestamp_micros())))
    }

    pub(crate) fn text(self) -> String {
        self.0.text()
    }
}

/// The beginning of a day, of a month (2026-11) or of a year (2026).
fn midnight(text: &str) -> Option<NaiveDateTime> {
    let day = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    NaiveDate::parse_from_str(&day, "%Y-%m-%d")
        .ok()?
        .and_hms_opt(0, 0, 0)
}

/// A length of time, such as `2h`, in microseconds.
fn length(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let seconds = match unit.trim_start() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return None,
    };
    let number: i64 = number.parse().ok()?;
    number.checked_mul(seconds)?.checked_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_a_time_and_so_long_ago_are_moments() {
        let now = Time::parse("2026-11-22T10:30:00.000000Z").unwrap();
        for (text, means) in [
            ("2026", "2026-01-01T00:00:00.000000Z"),
            ("2026-11", "2026-11-01T00:00:00.000000Z"),
            ("2026-11-20", "2026-11-20T00:00:00.000000Z"),
            ("2026-11-20T07", "2026-11-20T07:00:00.000000Z"),
            ("2026-11-20T07:15", "2026-11-20T07:15:00.000000Z"),
            ("2026-11-20T07:15:09", "2026-11-20T07:15:09.000000Z"),
            ("2026-11-20T07:15:09.25", "2026-11-20T07:15:09.250000Z"),
            ("2026-11-20T07:15:09.25Z", "2026-11-20T07:15:09.250000Z"),
            ("2026-11-20T07:15:09+02:00", "2026-11-20T05:15:09.000000Z"),
            ("2h", "2026-11-22T08:30:00.000000Z"),
            ("90 min", "2026-11-22T09:00:00.000000Z"),
            ("1w", "2026-11-15T10:30:00.000000Z"),
            ("0s", "2026-11-22T10:30:00.000000Z"),
        ] {
            let when = When::read(text, now).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(when.text(), means, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_the_forms() {
        for text in [
            "yesterday",
            "",
            "202",
            "2026-13",
            "2026-13-01",
            "2026-11-31",
            "22.11.2026",
            "2h ago",
            "h",
            "-2h",
            "99999999999999999999h",
            "9223372036854775807w",
            "2026-11-20T25",
        ] {
            let told = When::parse(text).unwrap_err();
            assert!(
                told.contains("2h") && told.contains("RFC 3339"),
                "{text}: {told}"
            );
        }
    }
}
