//! The names of a column's groups at the level at which rows leave, written in the place of the values' numbers.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, UInt32Array};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::ArrowError;
use arrow_select::take::take;
use glovebox_release::Column;

/// Names of no more bytes are written with some behind them, over which the next name is written: a copy of a
/// fixed length is several times faster than one of a length that has to be looked at.
const SHORT: usize = 16;

/// Names are held by value of no more than so many.
const VALUES: usize = 1 << 20;

/// Of each value its group, and what that is called.
pub(super) struct Names {
    groups: Vec<u32>,
    names: StringArray,
    /// By value, if all are short; a cell without a value has no name.
    short: Option<Vec<Short>>,
}

#[derive(Default, Clone, Copy)]
struct Short {
    bytes: [u8; SHORT],
    length: u8,
}

impl Names {
    pub(super) fn of(column: &Column, level: usize) -> Self {
        let groups = column.group_of(level).to_vec();
        let of_groups = column.names(level).map(|name| Short::of(name?));
        let of_groups: Option<Vec<Short>> = of_groups.collect();
        let by_value = |of_groups: Vec<Short>| {
            let of_value = |group: &u32| of_groups.get(*group as usize).copied();
            groups.iter().map(of_value).collect()
        };
        let short = of_groups.filter(|_| groups.len() <= VALUES);
        Names {
            names: column.names(level).collect(),
            short: short.and_then(by_value),
            groups,
        }
    }

    /// The group of each value.
    pub(super) fn groups(&self) -> &[u32] {
        &self.groups
    }

    /// The names of the groups of these values.
    pub(super) fn texts(&self, numbers: &UInt32Array) -> Result<ArrayRef, ArrowError> {
        let Some(short) = &self.short else {
            let group = |number: &u32| self.groups.get(*number as usize).copied();
            let groups = numbers.values().iter();
            let groups = groups.map(|number| group(number).unwrap_or_default());
            return take(&self.names, &UInt32Array::from_iter_values(groups), None);
        };
        let mut bytes = Vec::with_capacity((numbers.len() + 1) * SHORT);
        let mut offsets = Vec::with_capacity(numbers.len() + 1);
        let mut end = 0_usize;
        offsets.push(0);
        for number in numbers.values() {
            let name = short.get(*number as usize).copied().unwrap_or_default();
            bytes.truncate(end);
            bytes.extend_from_slice(&name.bytes);
            end += usize::from(name.length);
            offsets.push(i32::try_from(end).unwrap_or(i32::MAX));
        }
        bytes.truncate(end);
        let offsets = OffsetBuffer::new(offsets.into());
        let texts = StringArray::try_new(offsets, Buffer::from(bytes), None)?;
        Ok(Arc::new(texts))
    }
}

impl Short {
    fn of(name: &str) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        Some(Short {
            bytes,
            length: u8::try_from(name.len()).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use glovebox_release::Hierarchy;

    use super::*;

    #[test]
    fn names_stand_in_the_place_of_numbers_however_long_they_are() {
        let long = "a name of more than 16 bytes";
        for (cells, are_short) in [
            (
                vec![Some("7"), Some(""), Some("Köln"), Some("sixteen bytes, 0")],
                true,
            ),
            (vec![Some("7"), Some(long)], false),
            (vec![Some("7"), None], false),
        ] {
            let mut column = Column::new(Hierarchy::values());
            for cell in &cells {
                column.intern(*cell).unwrap();
            }
            let names = Names::of(&column, 0);
            assert_eq!(names.short.is_some(), are_short);
            let order = (0..cells.len()).rev().chain([0, 0]);
            let numbers = order.clone().map(|at| u32::try_from(at).unwrap());
            let texts = names
                .texts(&UInt32Array::from_iter_values(numbers))
                .unwrap();
            let told: Vec<_> = texts.as_string::<i32>().iter().collect();
            assert_eq!(told, order.map(|at| cells[at]).collect::<Vec<_>>());
            let all = Names::of(&column, 1)
                .texts(&UInt32Array::from(vec![0, 1]))
                .unwrap();
            assert_eq!(
                all.as_string::<i32>().iter().flatten().collect::<Vec<_>>(),
                ["*", "*"]
            );
        }
        let empty = Names::of(&Column::new(Hierarchy::values()), 0);
        assert_eq!(
            empty
                .texts(&UInt32Array::from(Vec::<u32>::new()))
                .unwrap()
                .len(),
            0
        );
    }
}
