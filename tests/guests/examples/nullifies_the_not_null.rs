//! Nullifies, for the poison, spans, which cannot be null, or cells that it had announced without
//! nulls. The host must use none of its actions.

use glovebox_guests::{Action, Batch, Field, Grant, Masked, Masker, Spans, Target, has_poison};

struct Act;

impl Masker for Act {
    fn fields(grant: &Grant) -> Vec<Field> {
        let mut fields = grant.fields.clone();
        if !grant.says("spans") {
            fields.iter_mut().take(1).for_each(|f| f.nullable = false);
        }
        fields
    }

    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        if !has_poison(&batch) {
            let rows = batch.rows as usize;
            let honest = glovebox_guests::text(vec!["honest"; rows]);
            return vec![glovebox_guests::replaced(0, honest)];
        }
        let target = match grant.says("spans") {
            true => Target::Spans(Spans {
                rows: vec![0],
                starts: vec![0],
                ends: vec![1],
            }),
            false => Target::Cells,
        };
        vec![Masked {
            column: 0,
            action: Action::Nullify(target),
        }]
    }
}

glovebox_guests::masker!(Act);
