//! What is remembered of a class's members and values until it has enough: the first few themselves, or as bits, and
//! otherwise how many it lacks, with what was told apart in a set that all classes share.

use super::rest::{Rest, mixed};
use super::told::Told;
use crate::column::Column;

/// So few members are remembered themselves.
const FEW: u64 = 8;

/// What is counted of a class.
#[derive(Default)]
pub(super) struct Asked {
    /// So many members are told apart.
    pub(super) members: u64,
    /// So many different values of each sensitive column.
    pub(super) values: Vec<u64>,
    /// Whether the rows of each value are counted, of each sensitive column.
    pub(super) counts: Vec<bool>,
}

/// Where of a class what is remembered.
pub(super) struct Marks {
    members: Members,
    values: Vec<Values>,
    /// What a class begins with.
    first: Vec<u32>,
}

enum Members {
    /// They are its rows.
    Rows(u64),
    /// So many places from the first on, of which none is free once there are enough.
    Few(usize),
    /// The first tells how many it lacks.
    Lacking,
}

/// Of a sensitive column.
enum Values {
    /// There tells a bit of each whether it was seen, of which so many are enough.
    Bits(usize, u32),
    /// There tells how many it lacks.
    Lacking(usize),
    /// None is asked.
    Any,
}

impl Marks {
    /// Of values of these columns.
    pub(super) fn new(asked: &Asked, entity: bool, columns: &[Column]) -> Self {
        // More than that are not counted before the classes of the node that is found are.
        let most = |asked: u64| u32::try_from(asked).unwrap_or(u32::MAX);
        let mut first = Vec::new();
        let members = match asked.members {
            members if !entity => Members::Rows(members),
            members @ ..=FEW => {
                first.resize(usize::try_from(members).unwrap_or(0), 0);
                Members::Few(first.len())
            }
            members => {
                first.push(most(members));
                Members::Lacking
            }
        };
        let values = asked.values.iter().zip(columns).map(|(asked, column)| {
            let at = first.len();
            match *asked {
                0 => Values::Any,
                asked if column.values() <= 32 => {
                    first.push(0);
                    Values::Bits(at, most(asked))
                }
                asked => {
                    first.push(most(asked));
                    Values::Lacking(at)
                }
            }
        });
        Marks {
            values: values.collect(),
            members,
            first,
        }
    }

    /// What a class begins with.
    pub(super) fn first(&self) -> &[u32] {
        &self.first
    }

    /// Remembers an entry, of a class that is told from others by a number.
    pub(super) fn add(
        &self,
        marks: &mut [u32],
        (class, entry): (u64, &[u64]),
        rest: &Rest,
        told: &mut Told,
    ) {
        if let Some(entity) = rest.entity(entry) {
            match self.members {
                Members::Rows(_) => {}
                Members::Few(few) => remember(marks.get_mut(..few).unwrap_or_default(), entity),
                Members::Lacking => {
                    if let Some(lacks) = marks.first_mut().filter(|lacks| **lacks > 0) {
                        *lacks -= u32::from(told.insert(mixed(class ^ mixed(entity))));
                    }
                }
            }
        }
        let values = self.values.iter().zip(rest.values(entry)).zip(1_u64..);
        for ((values, value), column) in values {
            match *values {
                Values::Any => {}
                Values::Bits(at, _) => {
                    if let Some(bits) = marks.get_mut(at) {
                        *bits |= 1 << (value % 32);
                    }
                }
                Values::Lacking(at) => {
                    if let Some(lacks) = marks.get_mut(at).filter(|lacks| **lacks > 0) {
                        // An entity has not all of 64 bits.
                        let what = !(column << 32 | u64::from(value));
                        *lacks -= u32::from(told.insert(mixed(class ^ mixed(what))));
                    }
                }
            }
        }
    }

    /// Whether a class of so many rows has all that was asked.
    pub(super) fn enough(&self, marks: &[u32], rows: u64) -> bool {
        let at = |at: usize| marks.get(at).copied().unwrap_or_default();
        let members = match self.members {
            Members::Rows(least) => rows >= least,
            Members::Few(few) => few == 0 || at(few - 1) != 0,
            Members::Lacking => at(0) == 0,
        };
        members
            && self.values.iter().all(|values| match *values {
                Values::Any => true,
                Values::Bits(place, least) => at(place).count_ones() >= least,
                Values::Lacking(place) => at(place) == 0,
            })
    }
}

/// Puts a member into the first free place, if it is not there. Two of which these bits are alike count as one.
fn remember(few: &mut [u32], entity: u64) {
    #[expect(clippy::cast_possible_truncation, reason = "the bits are mixed")]
    let short = (mixed(entity) as u32).max(1);
    for place in few {
        if *place == short {
            return;
        }
        if *place == 0 {
            *place = short;
            return;
        }
    }
}
