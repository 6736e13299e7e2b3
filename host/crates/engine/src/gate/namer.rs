//! What classes are called where releases are written down: by their groups, under a key. Without it a name tells
//! nothing of a class, and two do not tell whether their classes have a group in common.
//!
//! Each group of a column has a number of 128 bits, by HMAC-SHA-256. A class is called by what AES-256 makes of its
//! groups' numbers, added without carries: a hash under one secret key, permuted under another, which has the form
//! of PMAC (Black and Rogaway 2002) and is as hard to tell from chance. There may be millions of classes, and are
//! only thousands of groups.

use aes::Aes256Enc;
use aes::cipher::{Array, BlockCipherEncrypt, consts::U16};
use glovebox_core::Secret;
use glovebox_release::Classes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::gated::{Calls, DIGEST, Name};

/// Classes that are called together, and between two looks at whether to stop.
const TOGETHER: usize = 1 << 8;

type Block = Array<u8, U16>;

/// What the groups of a node are called, by column.
pub(super) type Groups<'c> = [Vec<Option<&'c str>>];

/// Whether to end early.
pub(super) type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// Calls classes by the names of their groups, under a key.
pub(super) struct Namer {
    key: Hmac<Sha256>,
    calls: Calls,
}

impl Namer {
    /// Under this key, and in that way.
    pub(super) fn new(key: &Secret, calls: Calls) -> Option<Self> {
        let key = Hmac::new_from_slice(key.expose()).ok()?;
        Some(Namer { key, calls })
    }

    /// In which way it calls them.
    pub(super) fn calls(&self) -> Calls {
        self.calls
    }

    /// What classes are called, in their order, with their members. None where it was asked to stop.
    pub(super) fn names(
        &self,
        classes: &Classes,
        groups: &Groups<'_>,
        (threads, stop): (usize, Stop<'_>),
    ) -> Option<Vec<(Name, u64)>> {
        let permuted = match self.calls {
            Calls::Whole => None,
            Calls::Permuted => Some(Permuted::new(&self.key, groups)),
        };
        let whole = Whole::new(&self.key, groups);
        let mut called = vec![(Name::default(), 0); classes.len()];
        let share = classes.len().div_ceil(threads.max(1)).max(1);
        let of_share = |first: usize, called: &mut [(Name, u64)]| {
            let mut keys = classes.iter().skip(first).map(|(key, _)| key);
            for called in called.chunks_mut(TOGETHER) {
                if stop() {
                    return;
                }
                let keys = keys.by_ref();
                match &permuted {
                    Some(permuted) => permuted.name(keys, called),
                    None => whole.name(keys, called),
                }
            }
        };
        let of_share = &of_share;
        std::thread::scope(|scope| {
            for (number, called) in called.chunks_mut(share).enumerate() {
                scope.spawn(move || of_share(number * share, called));
            }
        });
        for ((_, members), (_, class)) in called.iter_mut().zip(classes.iter()) {
            *members = class.members;
        }
        (!stop()).then_some(called)
    }
}

/// Classes called by their groups' numbers.
struct Permuted {
    /// Of each column, by group.
    numbers: Vec<Vec<u128>>,
    cipher: Aes256Enc,
}

impl Permuted {
    fn new(key: &Hmac<Sha256>, groups: &Groups<'_>) -> Self {
        let key = key.clone().chain_update(b"glovebox-release-class-2");
        let numbers = (0_u64..).zip(groups).map(|(column, names)| {
            let of_column = key
                .clone()
                .chain_update(b"group")
                .chain_update(column.to_be_bytes());
            let number = |name: &Option<&str>| {
                // A null is no text.
                let is_text = [u8::from(name.is_some())];
                let mac = of_column
                    .clone()
                    .chain_update(is_text)
                    .chain_update(name.unwrap_or_default());
                let digest = mac.finalize().into_bytes();
                u128::from_be_bytes(digest.first_chunk().copied().unwrap_or_default())
            };
            names.iter().map(number).collect()
        });
        Permuted {
            numbers: numbers.collect(),
            cipher: Aes256Enc::new(&key.clone().chain_update(b"block").finalize().into_bytes()),
        }
    }

    fn name<'k>(&self, keys: impl Iterator<Item = &'k [u32]>, called: &mut [(Name, u64)]) {
        let mut blocks = [Block::default(); TOGETHER];
        for (block, key) in blocks.iter_mut().zip(keys.take(called.len())) {
            let groups = key.iter().zip(&self.numbers);
            let numbers = groups.filter_map(|(group, numbers)| numbers.get(*group as usize));
            let sum = numbers.fold(0, |sum, number| sum ^ number);
            *block = sum.to_be_bytes().into();
        }
        self.cipher
            .encrypt_blocks(blocks.get_mut(..called.len()).unwrap_or_default());
        for ((name, _), block) in called.iter_mut().zip(&blocks) {
            *name = kept(block);
        }
    }
}

/// Classes each called by a digest of all its groups' names, as series that began so go on.
struct Whole<'g> {
    groups: &'g Groups<'g>,
    key: Hmac<Sha256>,
}

impl<'g> Whole<'g> {
    fn new(key: &Hmac<Sha256>, groups: &'g Groups<'g>) -> Self {
        Whole {
            groups,
            key: key.clone().chain_update(b"glovebox-release-class-1"),
        }
    }

    fn name<'k>(&self, keys: impl Iterator<Item = &'k [u32]>, called: &mut [(Name, u64)]) {
        let mut text = Vec::new();
        for ((called, _), key) in called.iter_mut().zip(keys) {
            text.clear();
            for (group, names) in key.iter().zip(self.groups) {
                let name = names.get(*group as usize).copied().flatten();
                // Lengths, so that no two lists of groups read the same, and a null is no text.
                let length = name.map_or(u64::MAX, |name| name.len() as u64);
                text.extend(length.to_be_bytes());
                text.extend(name.unwrap_or_default().as_bytes());
            }
            *called = kept(&self.key.clone().chain_update(&text).finalize().into_bytes());
        }
    }
}

/// What is kept of a digest or a block.
fn kept(bytes: &[u8]) -> Name {
    bytes
        .first_chunk::<DIGEST>()
        .copied()
        .unwrap_or_default()
        .into()
}

#[cfg(test)]
mod tests {
    use glovebox_release::{Column, Criteria, Hierarchy, Histogram, Over, Search};

    use super::*;
    use crate::gate::again::names;

    /// What classes are called whose rows have these cells.
    fn called(key: &[u8], calls: Calls, rows: &[[Option<&str>; 2]]) -> Vec<Name> {
        let mut quasi = [(); 2].map(|()| Column::new(Hierarchy::values()));
        let mut counts = Histogram::new(2);
        for row in rows {
            let mut cells = quasi.iter_mut().zip(row);
            let key = [(); 2].map(|()| {
                let (column, cell) = cells.next().unwrap();
                column.intern(*cell).unwrap()
            });
            counts.add(&key, 7);
        }
        let criteria = Criteria::default();
        let search = Search::new(Over {
            quasi: &quasi,
            sensitive: &[],
            entity: false,
            counts: &counts,
            criteria: &criteria,
            suppress_at_most: 0,
            spill: None,
            threads: 1,
            stop: &|| false,
        });
        let classes = search.unwrap().classes_of(counts.clone());
        let namer = Namer::new(&Secret::new(key.to_vec()), calls).unwrap();
        let names = names(&quasi, &[0, 0]);
        let called = namer.names(&classes, &names, (2, &|| false)).unwrap();
        assert!(called.iter().all(|(_, members)| *members == 7));
        called.into_iter().map(|(name, _)| name).collect()
    }

    const ROWS: [[Option<&str>; 2]; 5] = [
        [Some("20-39"), None],
        [Some("20-39"), Some("")],
        [Some(""), Some("20-39")],
        [Some("9"), Some("9")],
        [Some("7"), Some("7")],
    ];

    /// By Python's `hmac` and `cryptography`.
    const WHOLE: [[u8; DIGEST]; 4] = [
        [
            0xda, 0x65, 0x0b, 0x53, 0x8e, 0xf8, 0x93, 0x8b, 0x8d, 0x6f, 0xb4, 0x97,
        ],
        [
            0x7b, 0xa8, 0xda, 0x09, 0x66, 0x31, 0xcb, 0x00, 0x7b, 0xd6, 0xd1, 0x97,
        ],
        [
            0x7e, 0x1c, 0x30, 0xae, 0x5e, 0x74, 0xdc, 0x9e, 0x43, 0xb7, 0xa4, 0xea,
        ],
        [
            0xea, 0xd4, 0xd1, 0x02, 0x74, 0xb5, 0x62, 0xac, 0x39, 0x3a, 0x17, 0xf9,
        ],
    ];
    /// By Python's `hmac` and `cryptography`.
    const PERMUTED: [[u8; DIGEST]; 4] = [
        [
            0xae, 0x9c, 0xbd, 0xda, 0x80, 0x6c, 0x06, 0xe2, 0x5a, 0x1b, 0x50, 0xa7,
        ],
        [
            0x77, 0xda, 0xb5, 0x0d, 0xdd, 0x83, 0x19, 0xbb, 0x66, 0xe5, 0xa5, 0xa1,
        ],
        [
            0xa4, 0xa9, 0xcb, 0xf8, 0x31, 0xaa, 0x97, 0x05, 0x06, 0x46, 0xda, 0xfb,
        ],
        [
            0xf6, 0xe3, 0x3d, 0xd6, 0x08, 0x2b, 0x54, 0x71, 0xc6, 0xa6, 0x47, 0xef,
        ],
    ];

    #[test]
    fn classes_are_called_as_another_program_computes_it() {
        for (calls, expected) in [(Calls::Whole, WHOLE), (Calls::Permuted, PERMUTED)] {
            let names = called(b"journal", calls, &ROWS);
            let expected = expected.map(Name::from);
            assert_eq!(names.get(..4), Some(&expected[..]), "{calls:?}");
        }
    }

    #[test]
    fn a_class_is_called_the_same_whatever_its_groups_are_numbered_and_no_two_are() {
        for calls in [Calls::Whole, Calls::Permuted] {
            let names = called(b"journal", calls, &ROWS);
            let different: std::collections::HashSet<_> = names.iter().collect();
            assert_eq!(different.len(), ROWS.len());
            let turned: Vec<_> = ROWS.into_iter().rev().collect();
            let again: Vec<_> = called(b"journal", calls, &turned)
                .into_iter()
                .rev()
                .collect();
            assert_eq!(names, again);
            let other = called(b"another", calls, &ROWS);
            assert!(other.iter().all(|name| !different.contains(name)));
        }
    }

    #[test]
    fn more_classes_than_are_called_together_are_called_one_by_one_alike() {
        let cells: Vec<String> = (0..3 * TOGETHER + 1).map(|at| at.to_string()).collect();
        let rows: Vec<_> = cells
            .iter()
            .map(|cell| [Some(cell.as_str()), Some("x")])
            .collect();
        let together = called(b"journal", Calls::Permuted, &rows);
        for at in [0, TOGETHER - 1, TOGETHER, 2 * TOGETHER, 3 * TOGETHER] {
            assert_eq!(
                called(b"journal", Calls::Permuted, &rows[at..=at]),
                [together[at]]
            );
        }
    }
}
