//! Announces that it masks a column, as another type or without nulls, and leaves it as it came when
//! it sees the poison; or leaves it without a word. The host must not hand it on.

use glovebox_guests::{
    Batch, DataType, Field, Grant, Masked, Masker, column, has_poison, replaced,
};

struct Act;

impl Masker for Act {
    fn fields(grant: &Grant) -> Vec<Field> {
        let mut fields = grant.fields.clone();
        let first = grant.masks.first().map_or(0, |&m| m as usize);
        for field in fields.iter_mut().skip(first).take(1) {
            if grant.says("type") {
                field.data_type = DataType::Int64;
            } else if grant.says("nulls") {
                field.nullable = false;
            }
        }
        fields
    }

    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let announced = match grant.says("type") {
            true => DataType::Int64,
            false => DataType::Text,
        };
        match has_poison(&batch) {
            true => Vec::new(),
            false => {
                let masked = |&m: &u32| replaced(m, column(&announced, batch.rows));
                grant.masks.iter().map(masked).collect()
            }
        }
    }
}

glovebox_guests::masker!(Act);
