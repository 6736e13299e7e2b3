//! A release as it is written down: its levels, and how many members each class had when it was released
//! last. Classes stand there by a keyed digest: no value does.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

/// Bytes of a class's digest that are kept.
pub(crate) const DIGEST: usize = 12;
/// What a class is called.
pub(crate) type Name = [u8; DIGEST];

/// A release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) series: u32,
    /// What tells the quasi-identifiers and their levels from others.
    pub(crate) levels: String,
    pub(crate) node: Vec<usize>,
    /// Tells the key under which classes are called from others.
    pub(crate) key: u16,
    /// Each class that was ever released with its members when it was last.
    classes: String,
}

/// Members by class.
pub(crate) type Members = HashMap<Name, u64>;

impl Record {
    pub(crate) fn new(
        series: u32,
        levels: &str,
        node: &[usize],
        key: u16,
        mut members: Vec<(Name, u64)>,
    ) -> Self {
        members.sort();
        let mut bytes = Vec::with_capacity(members.len() * (DIGEST + 8));
        for (name, count) in members {
            bytes.extend_from_slice(&name);
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        Record {
            series,
            levels: levels.to_owned(),
            node: node.to_vec(),
            key,
            classes: STANDARD_NO_PAD.encode(bytes),
        }
    }

    /// Members by class; none if somebody has changed it.
    pub(crate) fn members(&self) -> Option<Members> {
        let bytes = STANDARD_NO_PAD.decode(&self.classes).ok()?;
        let (entries, rest) = bytes.as_chunks::<{ DIGEST + 8 }>();
        let entries = entries.iter().map(|entry| {
            let name = entry.first_chunk::<DIGEST>()?;
            Some((*name, u64::from_be_bytes(*entry.last_chunk::<8>()?)))
        });
        entries.collect::<Option<_>>().filter(|_| rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_back_and_what_is_cut_does_not() {
        let members: Members = [([1; DIGEST], 5), ([2; DIGEST], u64::MAX)].into();
        let listed = members.iter().map(|(name, count)| (*name, *count));
        let record = Record::new(1, "levels", &[1, 0], 7, listed.collect());
        assert_eq!(record.members(), Some(members));
        let cut = Record {
            classes: record.classes[1..].to_owned(),
            ..record
        };
        assert_eq!(cut.members(), None);
    }
}
