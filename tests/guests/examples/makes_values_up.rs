//! Orders values made of pieces that no host should make, or dates moved by an entity that is not
//! there, when it sees the poison: a list of megabytes, a million pieces or digits, another list than it
//! gave before the first row, or a token, which it had not ordered before. The host must refuse, and make no value of it.

use glovebox_guests::{
    Action, Batch, Grant, Keyed, Masked, Masker, Method, Piece, Shift, Target, has_poison,
    text_cells,
};

struct Act;

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let honest = || Method::Pick(vec![Piece::Choice("Ada\nGrace".into())]);
        let method = match has_poison(&batch) {
            true if grant.says("list") => Method::Pick(vec![Piece::Choice("x\n".repeat(1 << 20))]),
            true if grant.says("text") => Method::Pick(vec![Piece::Text("x".repeat(1 << 20))]),
            true if grant.says("pieces") => Method::Pick(vec![Piece::Luhn; 1 << 16]),
            true if grant.says("digits") => Method::Pick(vec![Piece::Digits(u32::MAX)]),
            true if grant.says("entity") => Method::Shift(Shift {
                entity: u32::MAX,
                days: 1,
            }),
            true if grant.says("other-list") => Method::Pick(vec![Piece::Choice(
                batch.columns.iter().flat_map(text_cells).collect(),
            )]),
            true if grant.says("token") => Method::Token,
            _ if grant.says("token-at-once") => Method::Token,
            _ => honest(),
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
