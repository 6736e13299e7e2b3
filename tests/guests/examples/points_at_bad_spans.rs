//! Points at spans that cannot be when it sees the poison: past the cell, empty, reversed, inside a
//! character, overlapping, out of order, in a row that is not there. The host must mask none of
//! them.

use glovebox_guests::{
    Action, Batch, Grant, Keyed, Masked, Masker, Method, Spans, Target, has_poison,
};

struct Act;

/// Row 0 of a batch with poison is `poison`, six bytes, or has U+00E9 at its start.
fn lie(grant: &Grant, rows: u32) -> Spans {
    let (rows, starts, ends) = if grant.says("past") {
        (vec![0], vec![0], vec![1_000])
    } else if grant.says("far") {
        (vec![0], vec![u32::MAX - 1], vec![u32::MAX])
    } else if grant.says("empty") {
        (vec![0], vec![1], vec![1])
    } else if grant.says("reversed") {
        (vec![0], vec![2], vec![1])
    } else if grant.says("inside-a-character") {
        (vec![0], vec![0], vec![1])
    } else if grant.says("overlapping") {
        (vec![0, 0], vec![0, 2], vec![3, 4])
    } else if grant.says("falling") {
        (vec![0, 0], vec![3, 0], vec![4, 1])
    } else if grant.says("falling-rows") {
        (vec![1, 0], vec![0, 0], vec![1, 1])
    } else if grant.says("no-such-row") {
        (vec![rows], vec![0], vec![1])
    } else {
        (vec![0, 0], vec![0], vec![1, 2])
    };
    Spans { rows, starts, ends }
}

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let spans = match has_poison(&batch) {
            true => lie(grant, batch.rows),
            false => Spans {
                rows: Vec::new(),
                starts: Vec::new(),
                ends: Vec::new(),
            },
        };
        let keyed = |&column: &u32| Masked {
            column,
            action: Action::Keyed(Keyed {
                method: Method::HmacSha256,
                key: "key".into(),
                target: Target::Spans(spans.clone()),
            }),
        };
        grant.masks.iter().map(keyed).collect()
    }
}

glovebox_guests::masker!(Act);
