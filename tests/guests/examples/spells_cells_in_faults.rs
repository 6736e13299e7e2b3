//! Spells a cell by how it fails, a letter a row: by the function in which it traps, which bears
//! the letter in its name, by the kind of its fault, and by which of the many rules of the contract
//! it breaks. The host may say of a row no more than the kind.
#![allow(unsafe_code)]

use glovebox_guests::{
    Action, Batch, DataType, Grant, Keyed, Masked, Masker, Method, Spans, Target, column, replaced,
    text, text_cells,
};

struct Act;

/// Each does something of its own, or the compiler would make one function of them.
macro_rules! letters {
    ($($name:ident)*) => { $(
        #[inline(never)]
        fn $name() -> ! {
            std::hint::black_box(stringify!($name));
            std::process::abort()
        }
    )* };
}

letters!(letter_a letter_b letter_c letter_d);

#[inline(never)]
fn letter_deep(n: u64) -> u64 {
    let frame = std::hint::black_box([n; 64]);
    frame.iter().map(|&m| letter_deep(m + 1)).sum()
}

fn data_type(grant: &Grant) -> &DataType {
    let first = grant.fields.first().map(|field| &field.data_type);
    first.unwrap_or(&DataType::Text)
}

/// The ways to say a letter, of which there are as many as the contract has rules.
fn said(letter: u8, grant: &Grant, batch: &Batch) -> Vec<Masked> {
    let honest = || replaced(0, column(data_type(grant), batch.rows));
    let spans = |starts: Vec<u32>, ends: Vec<u32>, rows: Vec<u32>| Masked {
        column: 0,
        action: Action::Keyed(Keyed {
            method: Method::HmacSha256,
            key: "key".into(),
            target: Target::Spans(Spans { rows, starts, ends }),
        }),
    };
    match letter {
        b'a' => letter_a(),
        b'b' => letter_b(),
        b'c' => letter_c(),
        b'd' => letter_d(),
        b'e' => std::process::exit(7),
        b'f' => vec![replaced(
            0,
            text([char::from(std::hint::black_box(letter_deep(1) as u8)).to_string()]),
        )],
        b'g' => {
            let place: *const u64 = std::ptr::without_provenance(0xf000_4711);
            // SAFETY: none; that is the act.
            vec![replaced(
                0,
                text([unsafe { place.read_volatile() }.to_string()]),
            )]
        }
        b'h' => vec![replaced(0, text(vec![vec![0; 1 << 20]; 1 << 10]))],
        b'i' => vec![honest(), honest()],
        b'j' => vec![replaced(1, text(["x"]))],
        b'k' => vec![replaced(0, text(["x", "y"]))],
        b'l' => vec![replaced(0, text::<&str>([]))],
        b'm' => vec![replaced(0, text([b"\xff"]))],
        b'n' => vec![spans(vec![0], vec![0], vec![0])],
        b'o' => vec![spans(vec![0], vec![99], vec![0])],
        b'p' => vec![spans(vec![0], vec![1], vec![99])],
        b'q' => vec![spans(vec![0], vec![1, 2], vec![0])],
        b'r' => vec![Masked {
            column: 0,
            action: Action::Nullify(Target::Rows(vec![])),
        }],
        b's' => vec![Masked {
            column: 9,
            action: Action::Nullify(Target::Cells),
        }],
        _ => Vec::new(),
    }
}

impl Masker for Act {
    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let cells = batch.columns.first().map(text_cells).unwrap_or_default();
        match cells.as_slice() {
            [cell] => said(cell.bytes().next().unwrap_or_default(), grant, &batch),
            // A batch without rows is tried before the first row.
            [] => vec![replaced(0, column(data_type(grant), 0))],
            // Until each row is alone.
            _ => letter_a(),
        }
    }
}

glovebox_guests::masker!(Act);
