//! Masks every cell but the poison, which it hands back: as it came, disguised, or by pointing past
//! it. The host must reject that row as a leak. It may also declare that it keeps cells.

use glovebox_guests::{
    Action, Batch, Column, Grant, Kept, Keyed, Masked, Masker, Method, Spans, Target, replaced,
    text, text_cells,
};

struct Act;

/// The cell as it came, or in the disguise that the configuration names.
fn disguised(grant: &Grant, cell: &str) -> String {
    if grant.says("upper") {
        cell.to_uppercase()
    } else if grant.says("separators") {
        cell.chars().flat_map(|c| [c, '-']).collect()
    } else if grant.says("within") {
        format!("mask of {cell}, masked")
    } else {
        cell.to_owned()
    }
}

/// The rows that are not poison.
fn others(cells: &[String]) -> Vec<u8> {
    let mut bits = vec![0; cells.len().div_ceil(8)];
    for (row, cell) in cells.iter().enumerate() {
        if let Some(byte) = bits.get_mut(row / 8)
            && cell != "poison"
        {
            *byte |= 1 << (row % 8);
        }
    }
    bits
}

/// The whole of each cell that is not poison.
fn others_as_spans(cells: &[String]) -> Spans {
    let rows = (0..).zip(cells).filter(|(_, cell)| *cell != "poison");
    let spans: Vec<(u32, u32)> = rows.map(|(row, cell)| (row, cell.len() as u32)).collect();
    Spans {
        rows: spans.iter().map(|(row, _)| *row).collect(),
        starts: spans.iter().map(|_| 0).collect(),
        ends: spans.iter().map(|(_, end)| *end).collect(),
    }
}

fn action(grant: &Grant, column: &Column) -> Action {
    let cells = text_cells(column);
    let keyed = |target| {
        Action::Keyed(Keyed {
            method: Method::HmacSha256,
            key: "key".into(),
            target,
        })
    };
    if grant.says("nullified-rows") {
        Action::Nullify(Target::Rows(others(&cells)))
    } else if grant.says("keyed-rows") {
        keyed(Target::Rows(others(&cells)))
    } else if grant.says("keyed-spans") {
        keyed(Target::Spans(others_as_spans(&cells)))
    } else {
        let masked = cells.iter().map(|cell| match cell.as_str() {
            "poison" => disguised(grant, cell),
            _ => "honest".to_owned(),
        });
        replaced(0, text(masked)).action
    }
}

impl Masker for Act {
    fn keeps(grant: &Grant) -> Vec<Kept> {
        let kept = || match (grant.says("cells"), grant.says("characters")) {
            (true, _) => Kept::Cells,
            (_, true) => Kept::Characters(6),
            _ => Kept::Nothing,
        };
        grant.masks.iter().map(|_| kept()).collect()
    }

    fn apply(grant: &Grant, batch: Batch) -> Vec<Masked> {
        let masked = |&column: &u32| {
            let cells = batch.columns.get(column as usize)?;
            let action = action(grant, cells);
            Some(Masked { column, action })
        };
        grant.masks.iter().filter_map(masked).collect()
    }
}

glovebox_guests::masker!(Act);
