//! Where the declared columns are in a file, and as which type they are read. Duplicate names are
//! refused, and types that the `parquet` crate would not read exactly are marked: INT96 is read as
//! its twelve bytes, and UUIDs are distinguished from other bytes.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::FieldRef;
use glovebox_core::{DataType, Field, Schema, SourceError};
use parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema_by_columns,
};
use parquet::basic::{LogicalType, Type as Physical};
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use super::columns::fits;
use super::marks::{INT96, UUID};
use super::nested::has_spelling;
use super::single::natural;
use crate::names::{Place, nearest, told};

/// Parts of the path to a leaf.
const MAX_DEPTH: usize = 64;

/// How the declared columns are read.
pub(super) struct Columns {
    /// For each declared column, its place among those that are read, and its type in the file.
    pub(super) declared: Vec<(usize, FieldRef)>,
    /// Its leaves, in the file's order.
    pub(super) leaves: Vec<usize>,
    /// All that is read, as the crate reads it.
    pub(super) levels: FieldLevels,
}

/// Finds the declared columns.
pub(super) fn columns(
    metadata: &ParquetMetaData,
    schema: &Schema,
    place: &str,
) -> Result<Columns, SourceError> {
    let described = metadata.file_metadata().schema_descr();
    let roots = described.root_schema().get_fields();
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for field in &schema.fields {
        let name = &*field.name;
        let mut there = roots.iter().enumerate().filter(|(_, r)| r.name() == name);
        match (there.next(), there.next()) {
            (None, _) => missing.push(name),
            (Some((at, root)), None) if is_unambiguous(root) => found.push(at),
            (Some(_), None) => {
                let problem = format!(
                    "the values of `{name}` have two fields with the same name, so the name is \
                    ambiguous; rename one in the file, or remove `{name}` from `columns`"
                );
                return Err(SourceError::shape(place, &problem));
            }
            (Some(_), Some(_)) => {
                let problem = format!(
                    "it has two columns named `{name}`, so the name is ambiguous; rename one in \
                    the file"
                );
                return Err(SourceError::shape(place, &problem));
            }
        }
    }
    if !missing.is_empty() {
        let there: Vec<&str> = roots.iter().map(|root| root.name()).collect();
        return Err(SourceError::shape(place, lacking(&missing, &there, schema)));
    }
    let mut sorted = found.clone();
    sorted.sort_unstable();
    let leaves: Vec<usize> = (0..described.num_columns())
        .filter(|leaf| {
            sorted
                .binary_search(&described.get_column_root_idx(*leaf))
                .is_ok()
        })
        .collect();
    let deep = |leaf: &usize| described.column(*leaf).path().parts().len() > MAX_DEPTH;
    if leaves.iter().any(deep) {
        let problem = format!("its values are nested deeper than {MAX_DEPTH} levels");
        return Err(SourceError::shape(place, &problem));
    }
    let unreadable = |_| SourceError::shape(place, "the types of its columns cannot be read");
    let marked = marked(described.root_schema_ptr()).map_err(unreadable)?;
    let marked = SchemaDescriptor::new(marked);
    let mask = || ProjectionMask::leaves(&marked, leaves.iter().copied());
    // Without the Arrow schema that a file may carry: what counts is how its values are stored.
    let types = parquet_to_arrow_schema_by_columns(&marked, mask(), None).map_err(unreadable)?;
    let (mut declared, mut misfits) = (Vec::new(), Vec::new());
    for (field, root) in schema.fields.iter().zip(&found) {
        let at = sorted.partition_point(|other| other < root);
        let Some(there) = types.fields().get(at) else {
            return Err(SourceError::shape(
                place,
                "the types of its columns cannot be read",
            ));
        };
        if let Err(advice) = fits(there, field.data_type) {
            misfits.push(format!("`{}` {advice}", field.name));
        }
        declared.push((at, Arc::clone(there)));
    }
    if !misfits.is_empty() {
        return Err(SourceError::shape(place, misfits.join("; ")));
    }
    let levels = parquet_to_arrow_field_levels(&marked, mask(), None).map_err(unreadable)?;
    Ok(Columns {
        declared,
        leaves,
        levels,
    })
}

/// The columns that a manifest can declare, in the types that they have, and how many there are
/// beside them: of types that are not read, or under names that it does not take.
pub(super) fn declarable(metadata: &ParquetMetaData) -> Option<(Vec<Field>, usize)> {
    let described = metadata.file_metadata().schema_descr();
    let marked = SchemaDescriptor::new(marked(described.root_schema_ptr()).ok()?);
    let types = parquet_to_arrow_schema_by_columns(&marked, ProjectionMask::all(), None).ok()?;
    let mut seen = BTreeSet::new();
    let fields: Vec<Field> = types
        .fields()
        .iter()
        .filter_map(|found| {
            let name = found.name();
            let sound = (1..=63).contains(&name.len())
                && name.trim() == name
                && !name.chars().any(char::is_control);
            let text = || has_spelling(found).then_some(DataType::Text);
            let data_type = natural(found).or_else(text)?;
            (sound && seen.insert(name.to_lowercase()))
                .then(|| Field::new(name.as_str(), data_type))
        })
        .collect();
    let left_out = types.fields().len() - fields.len();
    Some((fields, left_out))
}

fn lacking(missing: &[&str], there: &[&str], schema: &Schema) -> String {
    let declared: Vec<&str> = schema.fields.iter().map(|f| &*f.name).collect();
    let list: Vec<String> = missing
        .iter()
        .map(|name| match nearest(name, there) {
            Some(near) => format!("`{name}` (did you mean `{near}`?)"),
            None => format!("`{name}`"),
        })
        .collect();
    format!(
        "it has no column {}; it has {}; correct the name in `columns`, or remove it",
        list.join(", "),
        told(&declared, there, Place::Schema)
    )
}

/// Whether no two fields of a structure in it have one name.
fn is_unambiguous(of: &Type) -> bool {
    if !of.is_group() {
        return true;
    }
    let mut names: Vec<&str> = of.get_fields().iter().map(|f| f.name()).collect();
    names.sort_unstable();
    let twice = names.windows(2).any(|pair| pair.first() == pair.last());
    !twice && of.get_fields().iter().all(|f| is_unambiguous(f))
}

/// The schema with its INT96 as twelve bytes, and marks on these and on UUIDs.
fn marked(of: TypePtr) -> parquet::errors::Result<TypePtr> {
    let info = of.get_basic_info();
    if of.is_primitive() {
        let (mark, length) = match (of.get_physical_type(), info.logical_type_ref()) {
            (Physical::INT96, _) => (INT96, 12),
            (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)) => (UUID, 16),
            _ => return Ok(of),
        };
        let bytes = Type::primitive_type_builder(info.name(), Physical::FIXED_LEN_BYTE_ARRAY)
            .with_repetition(info.repetition())
            .with_length(length)
            .with_id(Some(mark));
        return Ok(Arc::new(bytes.build()?));
    }
    let fields = of.get_fields().iter().map(|f| marked(Arc::clone(f)));
    let fields = fields.collect::<parquet::errors::Result<Vec<_>>>()?;
    let same = |(new, old): (&TypePtr, &TypePtr)| Arc::ptr_eq(new, old);
    if fields.iter().zip(of.get_fields()).all(same) {
        return Ok(of);
    }
    let mut group = Type::group_type_builder(info.name())
        .with_fields(fields)
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_id(info.has_id().then(|| info.id()));
    if info.has_repetition() {
        group = group.with_repetition(info.repetition());
    }
    Ok(Arc::new(group.build()?))
}
