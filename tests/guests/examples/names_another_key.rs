//! Names a key that it was not granted when it sees the poison: another, one of a megabyte, or one
//! whose name is a cell; or, of a batch without rows, one whose name would clear a screen. The host
//! must neither use it nor repeat a cell.

use glovebox_guests::{
    Action, Batch, Grant, Keyed, Masked, Masker, Method, Target, has_poison, text_cells,
};

struct Act;

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let mut key = "key".to_owned();
        if batch.rows == 0 && grant.says("evil") {
            key = "\u{1b}[2Jevil\u{202e}".into();
        }
        if has_poison(&batch) {
            key = if grant.says("another") {
                "another".into()
            } else if grant.says("long") {
                "x".repeat(1 << 20)
            } else {
                batch.columns.iter().flat_map(text_cells).collect()
            };
        }
        let keyed = |&column: &u32| Masked {
            column,
            action: Action::Keyed(Keyed {
                method: Method::HmacSha256,
                key: key.clone(),
                target: Target::Cells,
            }),
        };
        grant.masks.iter().map(keyed).collect()
    }
}

glovebox_guests::masker!(Act);
