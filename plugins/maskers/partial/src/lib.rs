//! The masker `partial`: masks a part of a text's characters. It refuses to let a short text
//! through: one that is no longer than what is to be kept is masked as a whole.

use glovebox_sdk::prelude::*;

/// Options of `partial`: one of `mask-first` and `mask-last`, or one or both of `keep-first` and
/// `keep-last`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// How many characters stay at the start.
    keep_first: Option<u32>,
    /// How many characters stay at the end.
    keep_last: Option<u32>,
    /// How many characters are masked at the start.
    mask_first: Option<u32>,
    /// How many characters are masked at the end.
    mask_last: Option<u32>,
    /// What stands for each masked character.
    #[serde(default = "x")]
    character: char,
    /// Whether masked characters that are neither letters nor digits stay as they are.
    #[serde(default)]
    skip_separators: bool,
}

fn x() -> char {
    'X'
}

/// Which part is masked, and by what.
#[derive(Debug)]
pub struct Partial {
    part: Part,
    mask: String,
    skip_separators: bool,
}

#[derive(Clone, Copy, Debug)]
enum Part {
    First(usize),
    Last(usize),
    /// All between the first and the last so many.
    Between(usize, usize),
}

impl Masker for Partial {
    type Config = Config;
    const ABOUT: About = About::new(
        "partial",
        env!("CARGO_PKG_VERSION"),
        "Masks a part of a text's characters.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, masks: &[Field], _fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(masks, "text", |data_type| data_type == DataType::Text)?;
        let Config {
            keep_first,
            keep_last,
            mask_first,
            mask_last,
            ..
        } = config;
        let part = match (keep_first, keep_last, mask_first, mask_last) {
            (None, None, Some(0), None) | (None, None, None, Some(0)) => {
                let path = if mask_first.is_some() {
                    "/mask-first"
                } else {
                    "/mask-last"
                };
                return Err(ConfigError::new(
                    path,
                    "0 characters would be masked; write 1 or more",
                ));
            }
            (None, None, Some(count), None) => Part::First(count as usize),
            (None, None, None, Some(count)) => Part::Last(count as usize),
            (None, None, _, _) | (_, _, Some(_), _) | (_, _, _, Some(_)) => {
                return Err(ConfigError::new(
                    "",
                    "write `mask-first` or `mask-last`, or else `keep-first`, `keep-last` or both",
                ));
            }
            (first, last, None, None) => {
                Part::Between(first.unwrap_or(0) as usize, last.unwrap_or(0) as usize)
            }
        };
        let mask = config.character.to_string();
        Ok(Self {
            part,
            mask,
            skip_separators: config.skip_separators,
        })
    }

    fn keeps(&self, _masked: &Field) -> Kept {
        match self.part {
            // `(1234)` has no more letters and digits than are to be kept.
            Part::Between(first, last) => {
                Kept::Characters(u32::try_from(first.saturating_add(last)).unwrap_or(u32::MAX))
            }
            // A cell of separators only stays as it is.
            _ if self.skip_separators => Kept::Characters(0),
            // How much is kept depends on the cell; never all of it.
            Part::First(_) | Part::Last(_) => Kept::Nothing,
        }
    }

    fn mask(&self, column: &Column<'_>) -> Action {
        let Some(text) = column.text() else {
            return Action::Nullify(Target::Cells);
        };
        if !self.skip_separators
            && let Some(masked) = text.overwritten(&self.mask, |length| self.part.of_ascii(length))
        {
            return Action::Replace(masked);
        }
        let ascii = text.is_ascii();
        let bytes = text.data_len().saturating_mul(self.mask.len());
        let mut masked = TextBuilder::with_capacity(column.rows(), bytes);
        for cell in text.iter() {
            let Some(cell) = cell else {
                masked.push_null();
                continue;
            };
            let (before, hidden, after) = self.part.split(cell, ascii);
            masked.write(before);
            self.hide(hidden, ascii, &mut masked);
            masked.push(after);
        }
        Action::Replace(masked.finish())
    }
}

impl Partial {
    fn hide(&self, hidden: &str, ascii: bool, masked: &mut TextBuilder) {
        if !self.skip_separators {
            return masked.write_repeated(&self.mask, count(hidden, ascii));
        }
        for piece in hidden.split_inclusive(|character: char| !character.is_alphanumeric()) {
            let separator = piece.char_indices().next_back();
            let separator = separator.filter(|(_, character)| !character.is_alphanumeric());
            let end = separator.map_or(piece.len(), |(start, _)| start);
            let (letters, separator) = piece.split_at_checked(end).unwrap_or((piece, ""));
            masked.write_repeated(&self.mask, count(letters, ascii));
            masked.write(separator);
        }
    }
}

impl Part {
    /// The bytes of an ASCII cell of that length that are masked.
    fn of_ascii(self, length: usize) -> std::ops::Range<usize> {
        match self {
            Self::First(count) => 0..count.min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
            Self::Between(first, last) => match length.saturating_sub(last) {
                end if first < end => first..end,
                _ => 0..length,
            },
        }
    }

    /// The bytes of a cell, `ascii` or perhaps not, that are masked.
    fn range(self, cell: &str, ascii: bool) -> std::ops::Range<usize> {
        if ascii {
            return self.of_ascii(cell.len());
        }
        match self {
            Self::First(count) => 0..place(cell, count),
            Self::Last(count) => place_from_end(cell, count)..cell.len(),
            Self::Between(first, last) => {
                let range = place(cell, first)..place_from_end(cell, last);
                if range.is_empty() {
                    0..cell.len()
                } else {
                    range
                }
            }
        }
    }

    /// A cell as what is before the part, the part, and what is after it.
    fn split(self, cell: &str, ascii: bool) -> (&str, &str, &str) {
        let range = self.range(cell, ascii);
        let parts = cell.split_at_checked(range.end).and_then(|(cell, after)| {
            let (before, hidden) = cell.split_at_checked(range.start)?;
            Some((before, hidden, after))
        });
        parts.unwrap_or(("", cell, ""))
    }
}

/// The number of characters.
fn count(text: &str, ascii: bool) -> usize {
    if ascii {
        text.len()
    } else {
        text.chars().count()
    }
}

/// The byte behind the first `count` characters, or the end.
fn place(text: &str, count: usize) -> usize {
    text.char_indices()
        .nth(count)
        .map_or(text.len(), |(place, _)| place)
}

/// The byte before the last `count` characters, or the start.
fn place_from_end(text: &str, count: usize) -> usize {
    match count.checked_sub(1) {
        None => text.len(),
        Some(skip) => text
            .char_indices()
            .rev()
            .nth(skip)
            .map_or(0, |(place, _)| place),
    }
}

export!(masker Partial);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, mask};

    use super::{Kept, Partial};

    fn masked(config: &str, cell: &str) -> String {
        let table = Table::new().text("cell", [Some(cell), None]);
        let masked = mask::<Partial>(config, &["cell"], &table).unwrap();
        let cells = masked.table.get_text("cell");
        assert_eq!(cells[1], None);
        cells[0].unwrap().to_owned()
    }

    #[test]
    fn the_last_characters_are_masked() {
        let config = r#"{"mask-last": 4}"#;
        assert_eq!(masked(config, "123-45-6789"), "123-45-XXXX");
        assert_eq!(masked(config, "678"), "XXX");
        assert_eq!(masked(config, ""), "");
        assert_eq!(masked(config, "Zoë Ærø"), "ZoëXXXX");
    }

    #[test]
    fn the_first_characters_are_masked() {
        let config = r#"{"mask-first": 3, "character": "•"}"#;
        assert_eq!(masked(config, "Ærøskøbing"), "•••skøbing");
        assert_eq!(masked(config, "ab"), "••");
    }

    #[test]
    fn what_is_kept_may_be_all_that_a_cell_has() {
        let keeps = |config| {
            let table = Table::new().text("cell", ["--1234"]);
            mask::<Partial>(config, &["cell"], &table).unwrap().keeps
        };
        assert_eq!(keeps(r#"{"keep-last": 4}"#), [Kept::Characters(4)]);
        let both = r#"{"keep-first": 1, "keep-last": 2}"#;
        assert_eq!(keeps(both), [Kept::Characters(3)]);
        let most = r#"{"keep-first": 4294967295, "keep-last": 2}"#;
        assert_eq!(keeps(most), [Kept::Characters(u32::MAX)]);
        assert_eq!(keeps(r#"{"mask-last": 4}"#), [Kept::Nothing]);
        let separators = r#"{"mask-first": 4, "skip-separators": true}"#;
        assert_eq!(keeps(separators), [Kept::Characters(0)]);
    }

    #[test]
    fn some_characters_are_kept() {
        assert_eq!(masked(r#"{"keep-first": 1}"#, "Zoë"), "ZXX");
        assert_eq!(masked(r#"{"keep-last": 2}"#, "Zoë"), "Xoë");
        assert_eq!(masked(r#"{"keep-first": 1, "keep-last": 1}"#, "Zoë"), "ZXë");
        assert_eq!(masked(r#"{"keep-first": 0}"#, "abc"), "XXX");
        assert_eq!(masked(r#"{"keep-last": 0}"#, "née"), "XXX");
    }

    #[test]
    fn a_text_that_would_be_kept_whole_is_masked_whole() {
        for cell in ["ab", "a", "øå"] {
            let all = "X".repeat(cell.chars().count());
            assert_eq!(masked(r#"{"keep-first": 1, "keep-last": 1}"#, cell), all);
            assert_eq!(masked(r#"{"keep-last": 2}"#, cell), all);
        }
        assert_eq!(
            masked(
                r#"{"keep-first": 4294967295, "keep-last": 4294967295}"#,
                "abc"
            ),
            "XXX"
        );
    }

    #[test]
    fn separators_may_stay() {
        let config = r#"{"keep-last": 4, "skip-separators": true}"#;
        assert_eq!(masked(config, "123-45-6789"), "XXX-XX-6789");
        assert_eq!(masked(config, "+45 é·12 3456"), "+XX X·XX 3456");
    }

    #[test]
    fn an_empty_batch_stays_empty() {
        let table = Table::new().text("cell", [] as [&str; 0]);
        let masked = mask::<Partial>(r#"{"mask-last": 4}"#, &["cell"], &table).unwrap();
        assert_eq!(masked.table.get_text("cell"), []);
    }

    #[test]
    fn one_mode_must_be_chosen() {
        let table = Table::new().text("cell", ["a"]).int64("n", [1]);
        let path = |config| mask::<Partial>(config, &["cell"], &table).unwrap_err().path;
        assert_eq!(path("{}"), "");
        assert_eq!(path(r#"{"mask-first": 1, "mask-last": 1}"#), "");
        assert_eq!(path(r#"{"mask-first": 1, "keep-last": 1}"#), "");
        assert_eq!(path(r#"{"mask-last": 0}"#), "/mask-last");
        assert_eq!(path(r#"{"mask-first": 0}"#), "/mask-first");
        assert_eq!(path(r#"{"mask-last": 1, "character": "XX"}"#), "/character");
        assert_eq!(path(r#"{"mask-last": -1}"#), "/mask-last");
        let error = mask::<Partial>(r#"{"mask-last": 1}"#, &["n"], &table).unwrap_err();
        assert_eq!(
            error.message,
            "column `n` is int64, and this takes text only"
        );
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
