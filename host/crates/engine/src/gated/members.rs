//! How many members classes had in a release, by what they are called: packed, since there may be millions, and in the
//! order of names.

use std::fmt::Display;
use std::sync::Arc;

use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Bytes of a class's digest that are kept.
pub(crate) const DIGEST: usize = 12;
/// Bytes of a name and a number of members.
const ENTRY: usize = DIGEST + 8;
/// A class as it is packed: so that entries are in the order of their bytes.
type Entry = [u8; ENTRY];
/// Names are looked for among those that begin with the same so many bits.
const FIRST_BITS: u32 = 16;

/// What a class is called. In the order of its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name {
    first: u64,
    rest: u32,
}

impl From<[u8; DIGEST]> for Name {
    fn from(bytes: [u8; DIGEST]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Name {
            first: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            rest: u32::from_be_bytes([i, j, k, l]),
        }
    }
}

impl Name {
    fn bytes(self) -> impl Iterator<Item = u8> {
        let first = self.first.to_be_bytes().into_iter();
        first.chain(self.rest.to_be_bytes())
    }

    fn begins(self) -> usize {
        usize::try_from(self.first >> (64 - FIRST_BITS)).unwrap_or(0)
    }
}

/// Members by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Members(Arc<Vec<u8>>);

/// Members in which classes are looked for.
pub(crate) struct Index<'m> {
    members: &'m Members,
    /// Where the names begin that begin with each number, and where all end.
    starts: Vec<usize>,
}

impl Members {
    /// Of classes in any order, each of which is there once.
    pub(crate) fn of(classes: &[(Name, u64)]) -> Self {
        let mut bytes = vec![0; classes.len() * ENTRY];
        let (entries, _) = bytes.as_chunks_mut();
        // Names are as good as random, so that few begin alike.
        let mut places = starts(classes.iter().map(|(name, _)| *name));
        for (name, members) in classes {
            let place = places.get_mut(name.begins());
            let place = place.map(|place| std::mem::replace(place, *place + 1));
            if let Some(entry) = place.and_then(|place| entries.get_mut(place)) {
                *entry = packed(*name, *members);
            }
        }
        // Each place is now where those end that begin so.
        let mut from = 0;
        for to in places {
            let alike = entries.get_mut(from..to);
            alike.into_iter().for_each(<[Entry]>::sort_unstable);
            from = to;
        }
        Members(Arc::new(bytes))
    }

    /// The text in which they are written down.
    pub(crate) fn text(&self) -> impl Display {
        Base64Display::new(&self.0, &STANDARD_NO_PAD)
    }

    /// Out of that text; none if it is another one.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let members = Members(Arc::new(STANDARD_NO_PAD.decode(text).ok()?));
        let whole = members.0.len().is_multiple_of(ENTRY);
        let in_order = members.iter().is_sorted_by(|(a, _), (b, _)| a < b);
        (whole && in_order).then_some(members)
    }

    /// The classes with their members, in the order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Name, u64)> {
        self.entries().iter().map(entry)
    }

    fn entries(&self) -> &[Entry] {
        self.0.as_chunks().0
    }

    /// These, and what others have of classes that are not among them.
    #[must_use]
    pub(crate) fn or(&self, others: &Members) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len().max(others.0.len()));
        let mut rest = others.entries().iter().peekable();
        for own in self.entries() {
            let name = entry(own).0;
            while let Some(other) = rest.next_if(|other| entry(other).0 < name) {
                bytes.extend_from_slice(other);
            }
            rest.next_if(|other| entry(other).0 == name);
            bytes.extend_from_slice(own);
        }
        rest.for_each(|other| bytes.extend_from_slice(other));
        Members(Arc::new(bytes))
    }

    /// In which classes are found.
    pub(crate) fn index(&self) -> Index<'_> {
        Index {
            members: self,
            starts: starts(self.iter().map(|(name, _)| name)),
        }
    }
}

/// Where names begin that begin with each number, and where all end, if they are in order.
fn starts(names: impl Iterator<Item = Name>) -> Vec<usize> {
    let mut starts = vec![0; (1 << FIRST_BITS) + 1];
    for name in names {
        if let Some(start) = starts.get_mut(name.begins() + 1) {
            *start += 1;
        }
    }
    let mut sum = 0;
    for start in &mut starts {
        sum += *start;
        *start = sum;
    }
    starts
}

fn packed(name: Name, members: u64) -> Entry {
    let mut bytes = [0; ENTRY];
    let all = name.bytes().chain(members.to_be_bytes());
    bytes.iter_mut().zip(all).for_each(|(to, byte)| *to = byte);
    bytes
}

fn entry(bytes: &Entry) -> (Name, u64) {
    let name = bytes.first_chunk::<DIGEST>();
    let members = bytes.last_chunk::<8>();
    (
        Name::from(name.copied().unwrap_or_default()),
        u64::from_be_bytes(members.copied().unwrap_or_default()),
    )
}

impl Index<'_> {
    /// The members of a class.
    pub(crate) fn get(&self, name: Name) -> Option<u64> {
        let start = *self.starts.get(name.begins())?;
        let end = *self.starts.get(name.begins() + 1)?;
        let alike = self.members.entries().get(start..end)?;
        let at = alike.binary_search_by(|other| entry(other).0.cmp(&name));
        at.ok()
            .and_then(|at| alike.get(at))
            .map(|found| entry(found).1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn name(number: u16) -> Name {
        let mut bytes = [0; DIGEST];
        // So that some begin alike.
        bytes[1] = u8::try_from(number % 5).unwrap();
        bytes[0] = u8::try_from(number % 3).unwrap() * 127;
        bytes[9..11].copy_from_slice(&number.to_be_bytes());
        Name::from(bytes)
    }

    proptest! {
        #[test]
        fn members_are_found_and_joined_as_those_of_a_map(
            ours in prop::collection::btree_map(0_u16..300, 0_u64..9, 0..90),
            others in prop::collection::btree_map(0_u16..300, 0_u64..9, 0..90),
        ) {
            let of = |map: &BTreeMap<u16, u64>| {
                let classes = map.iter().map(|(at, members)| (name(*at), *members));
                Members::of(&classes.rev().collect::<Vec<_>>())
            };
            let joined = of(&ours).or(&of(&others));
            let index = joined.index();
            for at in 0..300 {
                let expected = ours.get(&at).or_else(|| others.get(&at));
                prop_assert_eq!(index.get(name(at)), expected.copied());
            }
            prop_assert_eq!(Members::from_text(&joined.text().to_string()), Some(joined.clone()));
        }
    }
}
