//! The masker `partial`: masks a part of a text's characters. It refuses to let a short text
//! through: one of which no letter or digit would be masked is masked as a whole.

use std::ops::Range;

use glovebox_sdk::prelude::*;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};
use unicode_segmentation::UnicodeSegmentation as _;

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
    /// Whether spaces and punctuation in the masked part stay as they are.
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
        // How much is kept depends on the cell; of its letters and digits never all. A cell of
        // separators only may stay as it is.
        if self.skip_separators {
            Kept::Characters(0)
        } else {
            Kept::Nothing
        }
    }

    fn mask(&self, column: &Column<'_>) -> Action {
        let Some(text) = column.text() else {
            return Action::Nullify(Target::Cells);
        };
        if !self.skip_separators
            && text.is_ascii()
            && text
                .iter()
                .flatten()
                .all(|cell| self.part.hides_ascii(cell.as_bytes()))
            && let Some(masked) = text.overwritten(&self.mask, |length| self.part.of_ascii(length))
        {
            return Action::Replace(masked);
        }
        let bytes = text.data_len().saturating_mul(self.mask.len());
        let mut masked = TextBuilder::with_capacity(column.rows(), bytes);
        for cell in text.iter() {
            let Some(cell) = cell else {
                masked.push_null();
                continue;
            };
            let (before, hidden, after) = self.split(cell);
            masked.write(before);
            self.hide(hidden, &mut masked);
            masked.push(after);
        }
        Action::Replace(masked.finish())
    }
}

impl Partial {
    /// Whether what is masked of a cell has a letter or digit, if the cell has one.
    fn hides(&self, cell: &str) -> bool {
        let hidden = cell.get(self.part.range(cell)).unwrap_or_default();
        has_content(hidden) || !has_content(cell)
    }

    /// A cell as what is before the masked part, the part, and what is after it.
    fn split<'a>(&self, cell: &'a str) -> (&'a str, &'a str, &'a str) {
        let range = match self.hides(cell) {
            true => self.part.range(cell),
            false => 0..cell.len(),
        };
        let parts = cell.split_at_checked(range.end).and_then(|(cell, after)| {
            let (before, hidden) = cell.split_at_checked(range.start)?;
            Some((before, hidden, after))
        });
        parts.unwrap_or(("", cell, ""))
    }

    fn hide(&self, hidden: &str, masked: &mut TextBuilder) {
        if !self.skip_separators {
            return masked.write_repeated(&self.mask, count(hidden));
        }
        for character in characters(hidden) {
            if character.chars().all(is_separator) {
                masked.write(character);
            } else {
                masked.write(&self.mask);
            }
        }
    }
}

impl Part {
    /// The bytes of an ASCII cell of that length that are masked.
    fn of_ascii(self, length: usize) -> Range<usize> {
        match self {
            Self::First(count) => 0..count.min(length),
            Self::Last(count) => length.saturating_sub(count)..length,
            Self::Between(first, last) => match length.saturating_sub(last) {
                end if first < end => first..end,
                _ => 0..length,
            },
        }
    }

    /// As [`Partial::hides`], of a cell that is ASCII.
    fn hides_ascii(self, cell: &[u8]) -> bool {
        let hidden = cell.get(self.of_ascii(cell.len())).unwrap_or_default();
        hidden.iter().any(u8::is_ascii_alphanumeric) || !cell.iter().any(u8::is_ascii_alphanumeric)
    }

    /// The bytes of a cell that are masked.
    fn range(self, cell: &str) -> Range<usize> {
        if cell.is_ascii() {
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
}

fn has_content(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// A space, or punctuation; of ASCII every sign, as in `+45` and `a=b`.
fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || character.is_ascii_punctuation()
        || matches!(
            character.general_category_group(),
            GeneralCategoryGroup::Punctuation | GeneralCategoryGroup::Separator
        )
}

/// What a reader takes for characters: a letter with its accents and tone marks is one. Within
/// ASCII each byte is one, a line break of two bytes as well.
fn characters(text: &str) -> impl Iterator<Item = &str> {
    let split = text.is_ascii();
    let pieces = text.graphemes(true);
    pieces.flat_map(move |piece| {
        let (first, second) = match piece.split_at_checked(1) {
            Some((first, second)) if split => (first, second),
            _ => (piece, ""),
        };
        std::iter::once(first).chain(Some(second).filter(|s| !s.is_empty()))
    })
}

/// The number of characters.
fn count(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.graphemes(true).count()
    }
}

/// The byte behind the first `count` characters of a text beyond ASCII, or the end.
fn place(text: &str, count: usize) -> usize {
    text.grapheme_indices(true)
        .nth(count)
        .map_or(text.len(), |(place, _)| place)
}

/// The byte before the last `count` characters of a text beyond ASCII, or the start.
fn place_from_end(text: &str, count: usize) -> usize {
    match count.checked_sub(1) {
        None => text.len(),
        Some(skip) => text
            .grapheme_indices(true)
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
    fn of_the_letters_and_digits_of_a_cell_never_all_are_kept() {
        for (config, cell, mask) in [
            (r#"{"keep-last": 4}"#, "--1234", "XXXXXX"),
            (r#"{"keep-last": 4}"#, "-01234", "XX1234"),
            (r#"{"keep-last": 5}"#, "(1234)", "XXXXXX"),
            (r#"{"mask-first": 2}"#, "--1234", "XXXXXX"),
            (r#"{"mask-last": 1}"#, "1234)", "XXXXX"),
            (r#"{"keep-first": 1, "keep-last": 1}"#, "é-ü", "XXX"),
            (r#"{"mask-first": 1}"#, "---", "X--"),
        ] {
            assert_eq!(masked(config, cell), mask, "{config} {cell}");
        }
        let skip = r#"{"mask-first": 2, "skip-separators": true}"#;
        assert_eq!(masked(skip, "--12-34"), "--XX-XX");
        assert_eq!(masked(skip, "---"), "---");
        let keeps = |config| {
            let table = Table::new().text("cell", ["--1234"]);
            mask::<Partial>(config, &["cell"], &table).unwrap().keeps
        };
        assert_eq!(keeps(r#"{"keep-last": 4}"#), [Kept::Nothing]);
        assert_eq!(keeps(r#"{"mask-last": 4}"#), [Kept::Nothing]);
        assert_eq!(keeps(skip), [Kept::Characters(0)]);
    }

    #[test]
    fn a_character_is_what_a_reader_takes_for_one() {
        // A letter and its accent, a consonant with vowel and tone mark, a family, a flag.
        let accent = "e\u{301}";
        let thai = "\u{e17}\u{e35}\u{e48}";
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        let flag = "\u{1f1e9}\u{1f1f0}";
        for one in [accent, thai, family, flag] {
            let cell = format!("{one}ab{one}");
            assert_eq!(masked(r#"{"keep-first": 1}"#, &cell), format!("{one}XXX"));
            assert_eq!(masked(r#"{"keep-last": 1}"#, &cell), format!("XXX{one}"));
            assert_eq!(masked(r#"{"mask-last": 2}"#, &cell), format!("{one}aXX"));
        }
        assert_eq!(masked(r#"{"mask-first": 9}"#, "a\r\nb"), "XXXX");
        assert_eq!(masked(r#"{"mask-first": 9}"#, "é\r\nb"), "XXX");
    }

    #[test]
    fn nothing_but_spaces_and_punctuation_is_a_separator() {
        let config = r#"{"mask-first": 99, "skip-separators": true}"#;
        for (cell, mask) in [
            ("Zoe\u{301} D\u{2019}Arc", "XXX X\u{2019}XXX"),
            ("\u{e17}\u{e35}\u{e48} 5", "X X"),
            ("a\u{1f600}b", "XXX"),
            ("5 \u{20ac}", "X X"),
            ("-\u{301}x", "XX"),
            ("\u{660}\u{661}\u{3001}\u{a0}a", "XX\u{3001}\u{a0}X"),
            ("+45 (0)1", "+XX (X)X"),
            ("\u{200d}a", "XX"),
        ] {
            assert_eq!(masked(config, cell), mask, "{cell}");
        }
    }

    #[test]
    fn some_characters_are_kept() {
        assert_eq!(masked(r#"{"keep-first": 1}"#, "Zoë"), "ZXX");
        assert_eq!(masked(r#"{"keep-last": 2}"#, "Zoë"), "Xoë");
        assert_eq!(masked(r#"{"keep-first": 1, "keep-last": 1}"#, "Zoë"), "ZXë");
        assert_eq!(masked(r#"{"keep-first": 1}"#, "Zoe\u{308}"), "ZXX");
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
            "column `n` is int64, but this takes only text"
        );
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
