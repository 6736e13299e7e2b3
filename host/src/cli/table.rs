//! Rows as a table of text, for people.

use std::fmt;

use glovebox_core::shown;
use unicode_width::UnicodeWidthStr;

/// Columns wider than this are cut.
const WIDEST: usize = 60;

/// A table in the making.
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: impl IntoIterator<Item = String>) -> Self {
        Table {
            head: head.into_iter().map(|name| printable(&name)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of our own words, which are not cut.
    pub(super) fn words(&mut self, row: impl IntoIterator<Item = String>) {
        let row = row.into_iter().map(|words| shown::printable(&words));
        self.rows.push(row.collect());
    }

    /// Adds a row; a cell of none is null.
    pub(super) fn row(&mut self, cells: Vec<Option<String>>) {
        let shown = |cell: Option<String>| cell.map_or_else(|| "null".into(), |c| printable(&c));
        self.rows.push(cells.into_iter().map(shown).collect());
    }
}

fn printable(text: &str) -> String {
    let cut: String = text.chars().take(WIDEST).collect();
    let mut cut = shown::printable(&cut);
    if text.chars().nth(WIDEST).is_some() {
        cut.push('…');
    }
    cut
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let mut widths = vec![0; self.head.len()];
        for line in lines() {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = cell.width().max(*width);
            }
        }
        for (i, line) in lines().enumerate() {
            let cells: Vec<String> = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| cell.clone() + &" ".repeat(width.saturating_sub(cell.width())))
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
            if i == 0 {
                let rules: Vec<String> = widths.iter().map(|w| "─".repeat(*w)).collect();
                writeln!(f, "{}", rules.join("  "))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_align_where_signs_are_two_places_wide() {
        let mut table = Table::new(["name".to_owned(), "n".to_owned()]);
        table.row(vec![Some("山田太郎".into()), Some("1".into())]);
        table.row(vec![Some("Zoe\u{308}".into()), Some("2".into())]);
        assert_eq!(
            table.to_string(),
            "name      n\n────────  ─\n山田太郎  1\nZoe\u{308}       2\n"
        );
    }

    #[test]
    fn columns_align_and_control_characters_do_not_pass() {
        let mut table = Table::new(["a".to_owned(), "name".to_owned()]);
        table.row(vec![Some("1".into()), Some("x\u{1b}[31m\u{202e}".into())]);
        table.row(vec![None, Some("y".into())]);
        assert_eq!(
            table.to_string(),
            "a     name\n────  ───────\n1     x\u{fffd}[31m\u{fffd}\nnull  y\n"
        );
    }
}
