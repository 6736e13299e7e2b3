//! A masker that announces other fields than it was given: renamed, reordered, fewer, more, or a
//! changed type or nullability outside of its grant. The host must refuse it before the first row.

use glovebox_guests::{DataType, Field, Grant, Masker};

struct Act;

impl Masker for Act {
    fn fields(grant: &Grant) -> Vec<Field> {
        let mut fields = grant.fields.clone();
        // The last of its fields is not in its grant.
        let mut last = fields.pop().into_iter().collect::<Vec<_>>();
        if grant.says("renamed") {
            last.iter_mut().for_each(|f| f.name = "stowaway".into());
        } else if grant.says("more") {
            last.extend(last.clone());
        } else if grant.says("fewer") {
            last.clear();
        } else if grant.says("type") {
            last.iter_mut().for_each(|f| f.data_type = DataType::Bytes);
        } else if grant.says("nulls") {
            last.iter_mut().for_each(|f| f.nullable = !f.nullable);
        } else {
            fields.reverse();
            last.append(&mut fields);
        }
        fields.append(&mut last);
        fields
    }
}

glovebox_guests::masker!(Act);
