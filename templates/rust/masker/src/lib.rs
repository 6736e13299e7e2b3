//! Keeps the last characters of a text and hides the others. A text that is no longer than what
//! may stay is hidden as a whole.

use glovebox_sdk::prelude::*;

/// The step's `with:` block; these comments become its JSON Schema.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Options {
    /// How many characters stay at the end.
    #[serde(default = "four")]
    keep: u32,
}

fn four() -> u32 {
    4
}

struct KeepLast {
    keep: usize,
}

impl Masker for KeepLast {
    type Config = Options;
    const ABOUT: About = About::new(
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        "Keeps the last characters of a text and hides the others.",
    );

    fn open(options: Options, masks: &[Field], _fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(masks, "text", |data_type| data_type == DataType::Text)?;
        let keep = options.keep as usize;
        Ok(KeepLast { keep })
    }

    /// Of `(1234)` all letters and digits stay; the host's leak guard rejects longer ones.
    fn keeps(&self, _masked: &Field) -> Kept {
        Kept::Characters(u32::try_from(self.keep).unwrap_or(u32::MAX))
    }

    fn mask(&self, column: &Column<'_>) -> Action {
        let Some(text) = column.text() else {
            return Action::Nullify(Target::Cells);
        };
        let mut masked = TextBuilder::with_capacity(column.rows(), text.data_len());
        for cell in text.iter() {
            let Some(cell) = cell else {
                masked.push_null();
                continue;
            };
            let hidden = match cell.chars().count() {
                length if length > self.keep => length - self.keep,
                length => length,
            };
            masked.write_repeated("*", hidden);
            for character in cell.chars().skip(hidden) {
                masked.write(character.encode_utf8(&mut [0; 4]));
            }
            masked.end_cell();
        }
        Action::Replace(masked.finish())
    }
}

export!(masker KeepLast);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, mask};

    use super::KeepLast;

    #[test]
    fn the_last_characters_stay() {
        let table = Table::new().text("card", [Some("4111-1111"), Some("12"), None]);
        let masked = mask::<KeepLast>(r#"{"keep": 4}"#, &["card"], &table).unwrap();
        let cells = masked.table.get_text("card");
        assert_eq!(cells, [Some("*****1111"), Some("**"), None]);
    }
}
