//! Tries to carry its cells out in what a validator may return: as the number of a rule, as numbers
//! of rows, or, of rows that are there, as the pattern of those that it finds, or how often and in
//! which order it finds them. The host must repeat none, and find nothing but rows, each once.

use glovebox_guests::{
    Batch, Finding, Grant, Rule, Validator, Values, has_poison, poisoned, text_cells,
};

struct Act;

impl Validator for Act {
    fn rules(_: &Grant) -> Vec<Rule> {
        let rule = |id: &str| Rule {
            id: id.into(),
            column: None,
            message: "was found".into(),
        };
        vec![rule("zero"), rule("one")]
    }

    fn apply(grant: &Grant, batch: Batch) -> Vec<Finding> {
        if !has_poison(&batch) {
            return Vec::new();
        }
        let numbers = batch.columns.iter().find_map(|c| match &c.values {
            Values::Int64(numbers) => numbers.first().copied(),
            _ => None,
        });
        let low = numbers.unwrap_or(4711) as u32;
        let (rule, rows) = if grant.says("rule") {
            (low, vec![0])
        } else if grant.says("rows") {
            (0, vec![low])
        } else if grant.says("often") {
            // The bits of a cell, as an order of two rules.
            let cell: Vec<String> = batch.columns.iter().flat_map(text_cells).collect();
            let bits = cell.concat().into_bytes();
            let bits = bits
                .iter()
                .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1));
            let rows = poisoned(&batch);
            let finding = |bit: u8| Finding {
                rule: bit.into(),
                rows: rows.clone(),
            };
            return bits.take(500).map(finding).collect();
        } else {
            let cells: String = batch.columns.iter().flat_map(text_cells).collect();
            let bit = |row: &u32| {
                cells
                    .as_bytes()
                    .get(*row as usize)
                    .is_some_and(|b| b & 1 == 1)
            };
            (0, (0..batch.rows).filter(bit).collect())
        };
        vec![Finding { rule, rows }]
    }
}

glovebox_guests::validator!(Act);
