//! A keyed shift of dates: an offset in days for each entity, the same for all its dates, so that
//! spans and order within an entity hold. It is never 0, so no date stays as it was. Dates that would
//! leave their type's range are refused.

use std::num::NonZeroU64;

use super::{Choice, ParameterError, Refusal};

/// The most days that dates are shifted by: a hundred years.
pub const MAX_SHIFT_DAYS: u32 = 36_525;

const MICROSECONDS: i64 = 86_400_000_000;

/// Offsets under a key, in one domain.
///
/// ```
/// use glovebox_masking::methods::{Offset, Shift};
///
/// let shift = Shift::new(&[7; 32], "patient", 30).unwrap();
/// let offset = shift.offset(b"patient 17");
/// let (admitted, discharged) = (19_000, 19_012);
/// let masked = offset.date(admitted).unwrap();
/// assert_eq!(offset.date(discharged).unwrap() - masked, 12);
/// assert_eq!(offset.reversed().date(masked), Ok(admitted));
/// ```
pub struct Shift {
    choice: Choice,
    days: u32,
    places: NonZeroU64,
}

impl Shift {
    /// Shifts of up to so many days, forward or back.
    ///
    /// # Errors
    /// When the key is empty, or the days are none or more than [`MAX_SHIFT_DAYS`].
    pub fn new(key: &[u8], domain: &str, days: u32) -> Result<Self, ParameterError> {
        if days > MAX_SHIFT_DAYS {
            return Err(ParameterError::Days);
        }
        let places = NonZeroU64::new(2 * u64::from(days)).ok_or(ParameterError::Days)?;
        Ok(Shift {
            choice: Choice::labelled(key, "shift", domain)?,
            days,
            places,
        })
    }

    /// The offset of an entity.
    pub fn offset(&self, entity: &[u8]) -> Offset {
        let days = self.days as i32;
        let place = self.choice.pick(entity, self.places) as i32;
        // −days to −1, then 1 to days.
        Offset(if place < days {
            place - days
        } else {
            place - days + 1
        })
    }
}

/// By how many days an entity's dates are shifted: never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset(i32);

impl Offset {
    /// The days.
    pub fn days(self) -> i32 {
        self.0
    }

    /// The offset that leads back.
    pub fn reversed(self) -> Self {
        Offset(-self.0)
    }

    /// A date, in days since 1970.
    ///
    /// # Errors
    /// When it would leave the range of `i32`.
    pub fn date(self, days: i32) -> Result<i32, Refusal> {
        days.checked_add(self.0).ok_or(Refusal::Range)
    }

    /// A timestamp, in microseconds since 1970. It keeps its time of day.
    ///
    /// # Errors
    /// When it would leave the range of `i64`.
    pub fn timestamp(self, microseconds: i64) -> Result<i64, Refusal> {
        microseconds
            .checked_add(i64::from(self.0) * MICROSECONDS)
            .ok_or(Refusal::Range)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_offset_is_met_but_none() {
        for days in [1, 2, 30] {
            let shift = Shift::new(b"key", "patient", days).unwrap();
            let met: BTreeSet<i32> = (0..5_000_u32)
                .map(|entity| shift.offset(&entity.to_be_bytes()).days())
                .collect();
            let days = days as i32;
            assert_eq!(met, (-days..=days).filter(|offset| *offset != 0).collect());
        }
    }

    #[test]
    fn an_entity_has_one_offset_by_key_and_domain() {
        let offset = |key: &[u8], domain| {
            let shift = Shift::new(key, domain, MAX_SHIFT_DAYS).unwrap();
            shift.offset(b"17")
        };
        assert_eq!(offset(b"key", "patient"), offset(b"key", "patient"));
        assert_ne!(offset(b"key", "patient"), offset(b"key", "visitor"));
        assert_ne!(offset(b"key", "patient"), offset(b"other", "patient"));
    }

    #[test]
    fn the_ends_of_a_range_are_refused_and_not_passed() {
        for offset in [Offset(3), Offset(-3)] {
            let back = offset.reversed();
            for days in [0, i32::MAX - 3, i32::MIN + 3] {
                assert_eq!(offset.date(days).and_then(|d| back.date(d)), Ok(days));
            }
            let span = 3 * MICROSECONDS;
            for time in [0, i64::MAX - span, i64::MIN + span] {
                assert_eq!(
                    offset.timestamp(time).and_then(|t| back.timestamp(t)),
                    Ok(time)
                );
            }
        }
        assert_eq!(Offset(3).date(i32::MAX - 2), Err(Refusal::Range));
        assert_eq!(Offset(-3).date(i32::MIN + 2), Err(Refusal::Range));
        assert_eq!(
            Offset(1).timestamp(i64::MAX - MICROSECONDS + 1),
            Err(Refusal::Range)
        );
        assert_eq!(
            Offset(-1).timestamp(i64::MIN + MICROSECONDS - 1),
            Err(Refusal::Range)
        );
    }

    #[test]
    fn no_days_and_too_many_are_refused() {
        for days in [0, MAX_SHIFT_DAYS + 1, u32::MAX] {
            assert_eq!(
                Shift::new(b"key", "", days).err(),
                Some(ParameterError::Days)
            );
        }
        assert!(Shift::new(b"", "", 1).is_err());
    }
}
