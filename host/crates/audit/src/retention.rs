//! How long segments are kept.

use std::time::Duration;

use crate::segment::Begin;
use crate::time::Time;

/// With which segment the log begins when all that is older than `keep_for` has gone; none if
/// nothing goes.
///
/// A segment's last record is no younger than the next one's first.
pub(crate) fn beginning(begins: &[Begin], keep_for: Duration, now: Time) -> Option<Begin> {
    begins
        .iter()
        .skip(1)
        .take_while(|next| next.time.until(now) > keep_for)
        .last()
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Head;

    #[test]
    fn a_segment_goes_when_the_next_one_began_long_ago() {
        let at = |hour: u32| Time::parse(&format!("2026-11-22T{hour:02}:00:00.000000Z")).unwrap();
        let begins: Vec<_> = (1..=4)
            .map(|n| Begin {
                segment: n,
                sequence: n * 10,
                previous: Head::BEGINNING,
                time: at(u32::try_from(n).unwrap()),
            })
            .collect();
        let keep = Duration::from_secs(3600);
        let first = |hour| beginning(&begins, keep, at(hour)).map(|b| b.segment);
        assert_eq!(first(2), None);
        assert_eq!(first(3), None, "exactly as old as may be");
        assert_eq!(first(4), Some(2));
        assert_eq!(first(5), Some(3));
        assert_eq!(first(23), Some(4), "the last one stays");
        assert_eq!(beginning(&begins[..1], keep, at(23)), None);
    }
}
