//! Estimates how long slow masking will take.

use std::time::Duration;

/// The time for so many distinct values at the cost of one each, shared evenly by the cores.
pub fn estimate(distinct: u64, one: Duration, cores: usize) -> Duration {
    let cores = u64::try_from(cores).unwrap_or(u64::MAX).max(1);
    let nanos = one
        .as_nanos()
        .saturating_mul(distinct.div_ceil(cores).into());
    match u64::try_from(nanos / 1_000_000_000) {
        Ok(seconds) => {
            let rest = u32::try_from(nanos % 1_000_000_000).unwrap_or_default();
            Duration::new(seconds, rest)
        }
        Err(_) => Duration::MAX,
    }
}

/// A duration in words, two units at most: `about 3 h 20 min`.
pub fn spell(time: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;

    let seconds = time.as_secs();
    let two = |big: u64, unit: &str, small: u64, lesser: &str| match small {
        0 => format!("about {big} {unit}"),
        _ => format!("about {big} {unit} {small} {lesser}"),
    };
    match seconds {
        0 => "less than a second".into(),
        s if s < 2 * MINUTE => format!("about {s} s"),
        s if s < HOUR => format!("about {} min", s / MINUTE),
        s if s < DAY => two(s / HOUR, "h", s % HOUR / MINUTE, "min"),
        s if s < 1000 * DAY => two(s / DAY, "d", s % DAY / HOUR, "h"),
        _ => "years".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_values_of_12_ms_on_two_cores_are_hours() {
        let time = estimate(1_000_000, Duration::from_millis(12), 2);
        assert_eq!(time, Duration::from_secs(6_000));
        assert_eq!(spell(time), "about 1 h 40 min");
    }

    #[test]
    fn the_last_uneven_share_counts_and_nothing_overflows() {
        let one = Duration::from_secs(1);
        assert_eq!(estimate(3, one, 2), Duration::from_secs(2));
        assert_eq!(estimate(3, one, 0), Duration::from_secs(3));
        assert_eq!(estimate(0, one, 2), Duration::ZERO);
        assert_eq!(estimate(u64::MAX, Duration::MAX, 1), Duration::MAX);
        assert_eq!(
            estimate(3, Duration::from_nanos(700_000_000), 1),
            Duration::from_millis(2_100)
        );
    }

    #[test]
    fn durations_are_spelt_in_two_units_at_most() {
        for (seconds, words) in [
            (0, "less than a second"),
            (1, "about 1 s"),
            (119, "about 119 s"),
            (120, "about 2 min"),
            (3_599, "about 59 min"),
            (3_600, "about 1 h"),
            (12_000, "about 3 h 20 min"),
            (86_400, "about 1 d"),
            (100_000, "about 1 d 3 h"),
            (u64::MAX, "years"),
        ] {
            assert_eq!(spell(Duration::from_secs(seconds)), words);
        }
    }
}
