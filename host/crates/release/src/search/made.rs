//! The classes of the node that is found, made of those of its slices.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::cells::Cells;
use super::groups::Groups;
use super::keys::Keys;
use super::packing::Packing;
use super::rest::{Rest, mixed};
use super::survey::Slice;
use super::told::Told;
use super::{Node, Over};
use crate::classes::{Class, Classes, Shares};
use crate::histogram::Histogram;

/// Bytes that an entity of a class takes while it is told apart.
const AN_ENTITY: usize = 56;

/// The classes of a slice, in the order of their cells.
pub(super) struct Made {
    first: (u32, u64),
    classes: Vec<(u64, Class)>,
    /// The groups of each, where its cell does not tell them.
    keys: Vec<u32>,
    shares: Vec<Shares>,
}

impl Made {
    pub(super) fn of(
        slice: &Slice<'_>,
        groups: &Groups<'_>,
        rest: &Rest,
        (sensitive, hashed): (usize, Option<&Keys>),
    ) -> io::Result<Option<Self>> {
        let order = groups.in_order();
        let keys = match hashed {
            Some(hashed) => hashed.of_classes(slice, groups, &order)?,
            None => Some(Vec::new()),
        };
        let Some(keys) = keys else {
            return Ok(None);
        };
        let members = members(slice, groups, rest)?;
        let class = |(cell, place): &(u64, usize)| {
            let at = |counts: &[u64]| counts.get(*place).copied().unwrap_or_default();
            let rows = at(groups.rows());
            let members = members.as_deref().map_or(rows, at);
            (*cell, Class { rows, members })
        };
        let of_column = |column: usize| {
            let values = groups.values(column);
            let mut of_place = vec![&[][..]; groups.len()];
            for of_class in values.chunk_by(|a, b| a.0 == b.0) {
                let place = of_class.first().map_or(0, |(place, _, _)| *place as usize);
                if let Some(at) = of_place.get_mut(place) {
                    *at = of_class;
                }
            }
            let mut shares = Shares::default();
            for (_, place) in &order {
                let values = of_place.get(*place).copied().unwrap_or_default();
                shares.push(values.iter().map(|(_, value, count)| (*value, *count)));
            }
            shares
        };
        Ok(Some(Made {
            first: slice.first(),
            shares: (0..sensitive).map(of_column).collect(),
            classes: order.iter().map(class).collect(),
            keys,
        }))
    }
}

/// How many entities each class has, by its place. They are told apart some at a time, however many there are.
fn members(slice: &Slice<'_>, groups: &Groups<'_>, rest: &Rest) -> io::Result<Option<Vec<u64>>> {
    if !rest.has_entity() {
        return Ok(None);
    }
    let most = (slice.room / AN_ENTITY).max(1) as u64;
    let times = groups.rows().iter().sum::<u64>().div_ceil(most).max(1);
    let mut members = vec![0; groups.len()];
    let mut told = Told::default();
    for time in 0..times {
        told.clear();
        slice.each(&mut |cell, entry| {
            let entity = rest.entity(slice.beside(entry)).unwrap_or_default();
            let pair = mixed(cell.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ mixed(entity ^ slice.seed));
            if pair % times == time && told.insert(pair) {
                let place = groups.place(cell);
                if let Some(members) = place.and_then(|place| members.get_mut(place)) {
                    *members += 1;
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(Some(members))
}

/// The classes of all slices.
pub(super) fn classes(
    mut made: Vec<Made>,
    over: &Over<'_>,
    (packing, cells): (&Packing<'_>, &Cells),
    node: &Node,
) -> Classes {
    made.sort_by_key(|made| made.first);
    let count = made.iter().map(|made| made.classes.len()).sum();
    let mut keys = Histogram::with_room(over.quasi.len(), count);
    let mut classes = Vec::with_capacity(count);
    let columns = 0..over.sensitive.len();
    let of = |column: usize| made.iter().filter_map(move |made| made.shares.get(column));
    let mut shares: Vec<Shares> = columns
        .map(|column| Shares::with_room(of(column)))
        .collect();
    let mut key = Vec::new();
    for slice in made {
        let mut hashed = slice.keys.chunks_exact(over.quasi.len().max(1));
        for (cell, counted) in slice.classes {
            match hashed.next().filter(|_| cells.are_hashed()) {
                Some(key) => keys.add_new(key, counted.rows),
                None => {
                    packing.key_in(cells, cell, node, &mut key);
                    keys.add_new(&key, counted.rows);
                }
            }
            classes.push(counted);
        }
        for (all, of_slice) in shares.iter_mut().zip(slice.shares) {
            all.append(of_slice);
        }
    }
    Classes::made(Arc::new(keys), classes, shares)
}
