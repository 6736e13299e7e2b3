//! When a pipeline is run by itself: five fields of cron, and a time zone.

use cronexpr::{Crontab, FallbackTimezoneOption, MakeTimestamp, ParseOptions};
use glovebox_catalog::RunMode;
use glovebox_manifest::declare::{json, words};
use glovebox_manifest::kinds::Own;
use glovebox_manifest::model::Spanned;

use super::values::wrong;

/// The times of a schedule.
#[derive(Debug, Clone)]
pub(super) struct Times {
    text: String,
    cron: Crontab,
}

impl Times {
    /// What says whether a time is one of them.
    pub(super) fn into_cron(self) -> Crontab {
        self.cron
    }
}

impl PartialEq for Times {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// When a pipeline is run, and how.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    times: Crontab,
    pub(crate) mode: RunMode,
}

impl Schedule {
    pub(super) fn new(Times { cron: times, .. }: Times, mode: ScheduleMode) -> Self {
        let mode = match mode {
            ScheduleMode::Fresh => RunMode::Fresh,
            ScheduleMode::Again => RunMode::Again,
            ScheduleMode::OnlyNew => RunMode::OnlyNew,
        };
        Schedule { times, mode }
    }

    /// Its last time after one and up to another, in seconds since 1970.
    pub(crate) fn last_between(&self, after: i64, up_to: i64) -> Option<i64> {
        let mut last = None;
        let mut after = after;
        while let Some(next) = next(&self.times, after).filter(|next| *next <= up_to) {
            last = Some(next);
            after = next;
        }
        last
    }
}

words! {
    /// How the runs of a schedule begin.
    pub(super) enum ScheduleMode {
        /// The same input is not added twice.
        Fresh = "fresh",
        /// It begins anew, whatever was added before.
        Again = "again",
        /// It passes over the rows that were added before.
        OnlyNew = "only-new",
    }
}

fn next(times: &Crontab, after: i64) -> Option<i64> {
    let next = times
        .find_next(MakeTimestamp::from_second(after).ok()?)
        .ok()?;
    Some(next.timestamp().as_second())
}

fn parsed(text: &str) -> Result<Times, String> {
    let mut options = ParseOptions::default();
    options.fallback_timezone_option = FallbackTimezoneOption::UTC;
    let cron = cronexpr::parse_crontab_with(text, options).map_err(|error| {
        let error = error.to_string();
        // Before it stands what was written, with a mark below.
        let reason = error.rsplit_once("^ ").map_or(error.as_str(), |(_, r)| r);
        let reason = reason.split(';').next().unwrap_or_default();
        format!("this is not a schedule: {reason}")
    })?;
    match next(&cron, 0) {
        Some(_) => Ok(Times {
            text: text.to_owned(),
            cron,
        }),
        None => Err("this time never comes".into()),
    }
}

/// A schedule as crontab(5) has it, with a time zone behind it if it is not UTC.
pub(super) const TIMES: Own<Times> = Own {
    read: |reader, at| {
        let text = reader.text(at.node, at.key, &at.example)?;
        match parsed(&text.value) {
            Ok(times) => Some(Spanned::new(times, text.span)),
            Err(problem) => {
                let help = "write minute, hour, day, month, weekday, and a time zone unless it is \
                            UTC: \"0 3 * * *\" or \"30 6 * * MON-FRI Europe/Berlin\"";
                wrong(reader, &text.span, problem, help);
                None
            }
        }
    },
    words: "schedule",
    schema: |_| json!({ "type": "string", "minLength": 9 }),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_times_that_passed_the_last_counts() {
        let nightly = Schedule::new(parsed("0 3 * * *").unwrap(), ScheduleMode::Fresh);
        let day = 24 * 60 * 60;
        let three = 3 * 60 * 60;
        assert_eq!(nightly.last_between(0, three - 1), None);
        assert_eq!(nightly.last_between(0, three), Some(three));
        assert_eq!(nightly.last_between(three, day), None);
        assert_eq!(nightly.last_between(0, 9 * day), Some(8 * day + three));
    }

    #[test]
    fn a_time_zone_has_its_summer() {
        let berlin = parsed("0 3 * * * Europe/Berlin").unwrap().cron;
        // 2026-01-01 and 2026-07-01, midnight in UTC.
        for (midnight, hour) in [(1_767_225_600, 2), (1_782_864_000, 1)] {
            assert_eq!(next(&berlin, midnight), Some(midnight + hour * 3600));
        }
    }

    #[test]
    fn what_is_no_schedule_is_said() {
        for (text, problem) in [
            ("0 3 * *", "missing days of week"),
            ("60 3 * * *", "must be in range 0..=59"),
            ("0 3 * * * Mars/Olympus", "failed to find timezone"),
            ("0 0 31 2 *", "this time never comes"),
            ("@daily", ""),
        ] {
            let said = parsed(text).unwrap_err();
            assert!(said.contains(problem), "{said}");
            assert!(!said.contains('\n'), "{said}");
        }
    }
}
