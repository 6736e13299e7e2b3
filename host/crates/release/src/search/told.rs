//! Numbers that were told apart: a set of them, in places that they tell themselves.

/// Places at first.
const FIRST: usize = 1 << 10;
/// Places that are kept for the next slice, of more.
const KEPT: usize = 1 << 16;

/// Numbers whose bits are mixed already.
#[derive(Default)]
pub(super) struct Told {
    /// Nought where there is none.
    places: Vec<u64>,
    used: usize,
}

impl Told {
    pub(super) fn clear(&mut self) {
        self.places.truncate(KEPT);
        self.places.fill(0);
        self.used = 0;
    }

    /// Whether it was not there yet.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if self.used * 2 >= self.places.len() {
            self.grow();
        }
        let new = put(&mut self.places, number.max(1));
        self.used += usize::from(new);
        new
    }

    fn grow(&mut self) {
        let more = vec![0; (self.places.len() * 2).max(FIRST)];
        let old = std::mem::replace(&mut self.places, more);
        for number in old.into_iter().filter(|number| *number != 0) {
            put(&mut self.places, number);
        }
    }

    /// Bytes that it holds while it grows.
    pub(super) fn size(&self) -> usize {
        self.places.len() * size_of::<u64>() * 3
    }
}

/// The first free place from the one on that it tells, if it is not there. One place in two is free.
fn put(places: &mut [u64], number: u64) -> bool {
    let mask = places.len() - 1;
    #[expect(clippy::cast_possible_truncation, reason = "the lowest bits are meant")]
    let mut at = number as usize & mask;
    while let Some(place) = places.get_mut(at) {
        if *place == number {
            return false;
        }
        if *place == 0 {
            *place = number;
            return true;
        }
        at = (at + 1) & mask;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::rest::mixed;
    use super::*;

    #[test]
    fn each_number_is_new_once() {
        let mut told = Told::default();
        for round in 0..2 {
            for number in 0..5_000_u64 {
                assert_eq!(told.insert(mixed(number)), round == 0, "{number}");
            }
        }
        assert!(told.size() > 5_000 * size_of::<u64>());
        told.clear();
        assert!(told.insert(mixed(7)) && !told.insert(mixed(7)));
    }
}
