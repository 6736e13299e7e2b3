//! Returns text that is not UTF-8, as a whole or because an offset cuts a character in two. The
//! host must use none.

use glovebox_guests::{Batch, Grant, Masked, Masker, has_poison, replaced, text};

struct Act;

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let honest: &[u8] = b"honest";
        let mut cells = vec![honest; batch.rows as usize];
        if has_poison(&batch) {
            // U+00E9 is the bytes C3 A9.
            let lies: &[&[u8]] = match grant.says("cut") {
                true => &[b"\xc3", b"\xa9"],
                false => &[b"\xff"],
            };
            cells.iter_mut().zip(lies).for_each(|(c, lie)| *c = lie);
        }
        let masked = |&m: &u32| replaced(m, text(&cells));
        grant.masks.iter().map(masked).collect()
    }
}

glovebox_guests::masker!(Act);
