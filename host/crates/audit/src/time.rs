//! Time as records have it: microseconds of UTC, in a text whose order is time's order.
//! No other notation is accepted, since verification compares texts.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

const FORM: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// Microseconds since 1970 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Time(i64);

impl Time {
    pub(crate) fn now() -> Time {
        Time(Utc::now().timestamp_micros())
    }

    pub(crate) fn text(self) -> String {
        DateTime::from_timestamp_micros(self.0)
            .unwrap_or_default()
            .format(FORM)
            .to_string()
    }

    pub(crate) fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    pub(crate) fn micros(self) -> i64 {
        self.0
    }

    /// Reads what [`Time::text`] writes, and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Time> {
        let time = NaiveDateTime::parse_from_str(text, FORM).ok()?;
        let time = Time(time.and_utc().timestamp_micros());
        (time.text() == text).then_some(time)
    }

    /// How long before `later` this was; nothing if it was not.
    pub(crate) fn until(self, later: Time) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_and_has_one_form() {
        let now = Time::now();
        assert_eq!(Time::parse(&now.text()), Some(now));
        assert_eq!(Time(0).text(), "1970-01-01T00:00:00.000000Z");
        for other in [
            "1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00.000000+00:00",
            "1970-01-01 00:00:00.000000Z",
            "1970-01-01T00:00:00.0000000Z",
            "",
        ] {
            assert_eq!(Time::parse(other), None, "{other}");
        }
    }
}
