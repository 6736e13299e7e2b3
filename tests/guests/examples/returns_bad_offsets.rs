//! Returns text whose offsets are wrong in one way for the poison. The host must use none.

use glovebox_guests::{
    Batch, Column, Grant, Masked, Masker, Values, VariableWidth, has_poison, replaced, text,
};

struct Act;

fn lie(grant: &Grant, rows: i32) -> VariableWidth {
    let data = vec![b'x'; rows as usize];
    let mut offsets: Vec<i32> = (0..=rows).collect();
    let last = offsets.len() - 1;
    if grant.says("not-from-0") {
        offsets.iter_mut().take(last).for_each(|o| *o = 1);
    } else if grant.says("negative") {
        offsets.iter_mut().take(last).for_each(|o| *o = -1);
    } else if grant.says("falling") {
        offsets
            .iter_mut()
            .take(last)
            .skip(1)
            .for_each(|o| *o = rows + 1);
    } else if grant.says("past-the-data") {
        offsets.iter_mut().skip(last).for_each(|o| *o = i32::MAX);
    } else if grant.says("short-of-the-data") {
        offsets.iter_mut().for_each(|o| *o = 0);
    } else if grant.says("none") {
        offsets.clear();
    } else {
        offsets.push(rows);
    }
    VariableWidth { offsets, data }
}

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let rows = batch.rows as i32;
        let column = match has_poison(&batch) {
            true => Column {
                values: Values::Text(lie(grant, rows)),
                validity: None,
            },
            false => text(vec!["honest"; rows as usize]),
        };
        let masked = |&m: &u32| replaced(m, column.clone());
        grant.masks.iter().map(masked).collect()
    }
}

glovebox_guests::masker!(Act);
