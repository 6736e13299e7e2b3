//! Lists, maps and structures as JSON text, for a column that is declared as text.
//!
//! | in the file | in JSON |
//! |---|---|
//! | a list | an array |
//! | a structure | an object with every field, in the schema's order |
//! | a map with keys of text | an object, in the file's order; a key that is there twice is a flaw |
//! | another map | an array of `{"key":…,"value":…}` |
//! | a single value | as the JSON lines sink writes it |

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, MapArray, StringArray};
use arrow_schema::{DataType as ArrowType, Field as ArrowField};
use glovebox_core::{DataType, Field};

use super::single::{Trouble, convert, natural};
use crate::jsonl::{write_text, write_value};
use crate::rows::{Flaw, Flawed};
use crate::values::Values;

/// Bytes of text that the nested values of one column may have in a batch.
pub(super) const MAX_TEXT_SIZE: usize = 256 << 20;

/// Bytes of one such value.
pub(super) const MAX_CELL_SIZE: usize = 2 * MAX_TEXT_SIZE;

/// Whether a type is nested.
pub(super) fn is_nested(of: &ArrowType) -> bool {
    children(of).is_some()
}

/// Whether every single value in it has a spelling.
pub(super) fn has_spelling(of: &ArrowField) -> bool {
    match children(of.data_type()) {
        Some(fields) => fields.into_iter().all(has_spelling),
        None => natural(of).is_some(),
    }
}

fn children(of: &ArrowType) -> Option<Vec<&ArrowField>> {
    match of {
        ArrowType::List(item) | ArrowType::LargeList(item) | ArrowType::FixedSizeList(item, _) => {
            Some(vec![item])
        }
        ArrowType::Map(entries, _) => Some(vec![entries]),
        ArrowType::Struct(fields) => Some(fields.iter().map(AsRef::as_ref).collect()),
        _ => None,
    }
}

/// The column's values as JSON text, and the rows of which that cannot be told.
pub(super) fn texts(
    column: &ArrayRef,
    found: &ArrowField,
    flawed: &mut Vec<Flawed>,
) -> Result<StringArray, Trouble> {
    let tree = Tree::of(column, found)?;
    let (mut data, mut ends) = (Vec::new(), Vec::with_capacity(column.len()));
    for row in 0..column.len() {
        if !column.is_null(row) {
            let before = data.len();
            if let Err(flaw) = tree.write(row, &mut data) {
                data.truncate(before);
                flawed.push(Flawed { row, flaw });
            }
        }
        if data.len() > MAX_TEXT_SIZE {
            return Err(Trouble::TooMuch);
        }
        ends.push(data.len());
    }
    let mut start = 0;
    let cell = |end: usize| {
        let cell = data.get(start..end).unwrap_or_default();
        start = end;
        std::str::from_utf8(cell).unwrap_or_default()
    };
    let cells: Vec<&str> = ends.into_iter().map(cell).collect();
    let cells = cells.into_iter().enumerate();
    Ok(cells
        .map(|(row, cell)| (!column.is_null(row)).then_some(cell))
        .collect())
}

/// A column with its parts.
enum Tree {
    Single {
        array: ArrayRef,
        data_type: DataType,
        /// Values that have no spelling.
        bad: Vec<Flawed>,
    },
    Many {
        array: ArrayRef,
        item: Box<Tree>,
    },
    Map {
        array: MapArray,
        /// Whether its keys are text.
        object: bool,
        keys: Box<Tree>,
        values: Box<Tree>,
    },
    Fields {
        array: ArrayRef,
        /// What stands before each: `"a":`.
        fields: Vec<(Vec<u8>, Tree)>,
    },
}

impl Tree {
    fn of(array: &ArrayRef, found: &ArrowField) -> Result<Tree, Trouble> {
        let part = |array: &ArrayRef, field: &ArrowField| Tree::of(array, field).map(Box::new);
        Ok(match found.data_type() {
            ArrowType::List(item) => Tree::Many {
                item: part(array.as_list::<i32>().values(), item)?,
                array: array.clone(),
            },
            ArrowType::LargeList(item) => Tree::Many {
                item: part(array.as_list::<i64>().values(), item)?,
                array: array.clone(),
            },
            ArrowType::FixedSizeList(item, _) => Tree::Many {
                item: part(array.as_fixed_size_list().values(), item)?,
                array: array.clone(),
            },
            ArrowType::Map(entries, _) => {
                let map = array.as_map();
                let fields = children(entries.data_type()).unwrap_or_default();
                let [key, value] = fields.as_slice() else {
                    return Err(Trouble::Arrow);
                };
                Tree::Map {
                    object: natural(key) == Some(DataType::Text),
                    keys: part(map.keys(), key)?,
                    values: part(map.values(), value)?,
                    array: map.clone(),
                }
            }
            ArrowType::Struct(fields) => {
                let columns = array.as_struct().columns().iter().zip(fields);
                let fields = columns.map(|(column, field)| {
                    let mut key = Vec::new();
                    write_text(field.name().as_bytes(), field.name(), &mut key);
                    key.push(b':');
                    Ok((key, Tree::of(column, field)?))
                });
                Tree::Fields {
                    fields: fields.collect::<Result<_, Trouble>>()?,
                    array: array.clone(),
                }
            }
            _ => {
                let data_type = natural(found).ok_or(Trouble::Arrow)?;
                let mut bad = Vec::new();
                let field = Field::new(found.name().as_str(), data_type);
                let array = convert(array, &field, &mut bad)?;
                bad.sort_by_key(|f| f.row);
                Tree::Single {
                    array,
                    data_type,
                    bad,
                }
            }
        })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), Flaw> {
        match self {
            Tree::Single {
                array,
                data_type,
                bad,
            } => {
                if let Ok(at) = bad.binary_search_by_key(&row, |f| f.row) {
                    return Err(bad.get(at).map_or(Flaw::Type, |f| f.flaw));
                }
                match Values::column(array.as_ref(), *data_type) {
                    Some(values) if !values.is_null(row) => write_value(&values, row, false, out),
                    _ => out.extend_from_slice(b"null"),
                }
                Ok(())
            }
            Tree::Many { array, .. } if array.is_null(row) => null(out),
            Tree::Many { array, item } => {
                out.push(b'[');
                for (i, at) in items(array, row).enumerate() {
                    separate(i, out)?;
                    item.write(at, out)?;
                }
                out.push(b']');
                Ok(())
            }
            Tree::Map { array, .. } if array.is_null(row) => null(out),
            Tree::Map {
                array,
                object,
                keys,
                values,
            } => {
                let entries = range(array.value_offsets(), row).enumerate();
                let mut seen = HashSet::new();
                out.push(if *object { b'{' } else { b'[' });
                for (i, at) in entries {
                    separate(i, out)?;
                    if *object {
                        let before = out.len();
                        keys.write(at, out)?;
                        let key = out.get(before..).unwrap_or_default();
                        if !key.starts_with(b"\"") {
                            return Err(Flaw::Type);
                        }
                        if !seen.insert(key.to_vec()) {
                            return Err(Flaw::Twice);
                        }
                        out.push(b':');
                        values.write(at, out)?;
                    } else {
                        out.extend_from_slice(b"{\"key\":");
                        keys.write(at, out)?;
                        out.extend_from_slice(b",\"value\":");
                        values.write(at, out)?;
                        out.push(b'}');
                    }
                }
                out.push(if *object { b'}' } else { b']' });
                Ok(())
            }
            Tree::Fields { array, .. } if array.is_null(row) => null(out),
            Tree::Fields { fields, .. } => {
                out.push(b'{');
                for (i, (key, value)) in fields.iter().enumerate() {
                    separate(i, out)?;
                    out.extend_from_slice(key);
                    value.write(row, out)?;
                }
                out.push(b'}');
                Ok(())
            }
        }
    }
}

fn null(out: &mut Vec<u8>) -> Result<(), Flaw> {
    out.extend_from_slice(b"null");
    Ok(())
}

/// A comma before all but the first; and an end of what has none, long before memory ends.
fn separate(i: usize, out: &mut Vec<u8>) -> Result<(), Flaw> {
    if i > 0 {
        out.push(b',');
    }
    if out.len() > MAX_CELL_SIZE {
        return Err(Flaw::TooLong);
    }
    Ok(())
}

/// Where the items of a list are.
fn items(array: &ArrayRef, row: usize) -> std::ops::Range<usize> {
    match array.data_type() {
        ArrowType::List(_) => range(array.as_list::<i32>().value_offsets(), row),
        ArrowType::LargeList(_) => range(array.as_list::<i64>().value_offsets(), row),
        _ => {
            let list = array.as_fixed_size_list();
            let start = usize::try_from(list.value_offset(row)).unwrap_or(0);
            start..start + usize::try_from(list.value_length()).unwrap_or(0)
        }
    }
}

fn range<O: arrow_array::OffsetSizeTrait>(offsets: &[O], row: usize) -> std::ops::Range<usize> {
    let at = |i: usize| offsets.get(i).map_or(0, |o| o.as_usize());
    at(row)..at(row + 1)
}
