//! Orders the host, when it sees the poison, to compute what takes hours or cannot be computed:
//! four thousand million iterations, none, a method with an alphabet that is a cell. The host must
//! refuse, and repeat no cell.

use glovebox_guests::{
    Action, Batch, Form, Grant, Keyed, Masked, Masker, Method, Target, has_poison, text_cells,
};

struct Act;

fn ff1(alphabet: String) -> Method {
    Method::Ff1(Form {
        alphabet,
        keep_first: 0,
        keep_last: 0,
        luhn: false,
    })
}

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let method = match has_poison(&batch) {
            true if grant.says("hours") => Method::Pbkdf2Sha256(u32::MAX),
            true if grant.says("nothing") => Method::Pbkdf2Sha256(0),
            true if grant.says("alphabet") => {
                ff1(batch.columns.iter().flat_map(text_cells).collect())
            }
            true => ff1("x".repeat(1 << 20)),
            false => Method::HmacSha256,
        };
        let keyed = |&column: &u32| Masked {
            column,
            action: Action::Keyed(Keyed {
                method: method.clone(),
                key: "key".into(),
                target: Target::Cells,
            }),
        };
        grant.masks.iter().map(keyed).collect()
    }
}

glovebox_guests::masker!(Act);
