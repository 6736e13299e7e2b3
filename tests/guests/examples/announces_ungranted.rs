//! Announces other columns than its grant: one more, one less, one twice, of another type, with
//! nulls where none are due, a decimal that cannot be. The host must refuse it before the first
//! row.

use glovebox_guests::{DataType, DecimalType, Field, Grant, Transformer};

struct Act;

impl Transformer for Act {
    fn fields(grant: &Grant) -> Vec<Field> {
        let mut fields = grant.adds.clone();
        let Some(first) = fields.first().cloned() else {
            return fields;
        };
        if grant.says("more") {
            fields.push(Field {
                name: "stowaway".into(),
                ..first
            });
        } else if grant.says("less") {
            fields.clear();
        } else if grant.says("twice") {
            fields.push(first);
        } else if grant.says("type") {
            fields
                .iter_mut()
                .for_each(|f| f.data_type = DataType::Bytes);
        } else if grant.says("nulls") {
            fields.iter_mut().for_each(|f| f.nullable = true);
        } else {
            let precision = if grant.says("wide") { 39 } else { 3 };
            let never = DataType::Decimal(DecimalType {
                precision,
                scale: 4,
            });
            fields.iter_mut().for_each(|f| f.data_type = never);
        }
        fields
    }
}

glovebox_guests::transformer!(Act);
