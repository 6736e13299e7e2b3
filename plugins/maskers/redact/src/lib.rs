//! The masker `redact`: replaces cells by one text, or by null. It refuses to keep anything of a
//! cell, but for whether there was one.

use glovebox_sdk::prelude::*;

/// The most bytes of a constant that the contract takes.
const MAX_CONSTANT_LEN: usize = 1_024;

/// Options of `redact`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What text cells become; `[redacted]` unless given.
    text: Option<String>,
    /// Whether text cells become null, as those of other types always do.
    #[serde(default)]
    to_null: bool,
}

/// The text that stands for all cells, or `None` for null.
#[derive(Debug)]
pub struct Redact {
    text: Option<String>,
}

impl Masker for Redact {
    type Config = Config;
    const ABOUT: About = About::new(
        "redact",
        env!("CARGO_PKG_VERSION"),
        "Replaces cells with one text, or with null.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, _masks: &[Field], _fields: &[Field]) -> Result<Self, ConfigError> {
        let text = match (config.text, config.to_null) {
            (Some(_), true) => {
                return Err(ConfigError::new(
                    "/to-null",
                    "choose `text` or `to-null`, not both",
                ));
            }
            (None, true) => None,
            (text, false) => Some(text.unwrap_or_else(|| "[redacted]".to_owned())),
        };
        Ok(Self { text })
    }

    fn field(&self, masked: &Field) -> Field {
        let nullable = masked.nullable || self.text_for(masked).is_none();
        Field {
            nullable,
            ..masked.clone()
        }
    }

    fn keeps(&self, masked: &Field) -> Kept {
        self.text_for(masked)
            .filter(|text| text.len() <= MAX_CONSTANT_LEN)
            .map_or(Kept::Nothing, |text| Kept::Constant(text.to_owned()))
    }

    fn mask(&self, column: &Column<'_>) -> Action {
        let Some(text) = self.text_for(column.field()) else {
            return Action::Nullify(Target::Cells);
        };
        let cells = (0..column.rows()).map(|row| column.is_present(row).then_some(text));
        Action::Replace(NewColumn::text(cells))
    }
}

impl Redact {
    fn text_for(&self, field: &Field) -> Option<&str> {
        self.text
            .as_deref()
            .filter(|_| field.data_type == DataType::Text)
    }
}

export!(masker Redact);

#[cfg(test)]
mod tests {
    use glovebox_sdk::prelude::{Action, Kept};
    use glovebox_sdk::testing::{Table, mask};

    use super::Redact;

    fn people() -> Table {
        Table::new()
            .text("name", [Some("Zoë"), None, Some("")])
            .int64("age", [Some(1), None, None])
    }

    #[test]
    fn texts_become_one_text_and_nulls_stay() {
        let masked = mask::<Redact>("{}", &["name"], &people()).unwrap();
        let redacted = [Some("[redacted]"), None, Some("[redacted]")];
        assert_eq!(masked.table.get_text("name"), redacted);
        let masked = mask::<Redact>(r#"{"text": "█"}"#, &["name"], &people()).unwrap();
        assert_eq!(masked.table.get_text("name"), [Some("█"), None, Some("█")]);
    }

    #[test]
    fn to_null_leaves_nothing() {
        let masked = mask::<Redact>(r#"{"to-null": true}"#, &["name"], &people()).unwrap();
        assert_eq!(masked.table.get_text("name"), [None; 3]);
    }

    #[test]
    fn other_types_become_null() {
        let masked = mask::<Redact>("", &["age", "name"], &people()).unwrap();
        assert_eq!(masked.table.get_int64("age"), [None; 3]);
        assert!(matches!(
            masked.actions.as_slice(),
            [(_, Action::Replace(_)), (_, Action::Nullify(_))]
        ));
    }

    #[test]
    fn nothing_is_kept_but_the_text_that_was_chosen() {
        let keeps = |config| {
            mask::<Redact>(config, &["name", "age"], &people())
                .unwrap()
                .keeps
        };
        let constant = Kept::Constant("[redacted]".to_owned());
        assert_eq!(keeps(""), [constant, Kept::Nothing]);
        assert_eq!(
            keeps(r#"{"to-null": true}"#),
            [Kept::Nothing, Kept::Nothing]
        );
        let long = format!(r#"{{"text": "{}"}}"#, "x".repeat(1_025));
        assert_eq!(keeps(&long), [Kept::Nothing, Kept::Nothing]);
    }

    #[test]
    fn an_empty_batch_stays_empty() {
        let table = Table::new().text("name", [] as [&str; 0]);
        assert_eq!(
            mask::<Redact>("", &["name"], &table).unwrap().table.rows(),
            0
        );
    }

    #[test]
    fn contradictions_and_unknown_options_are_refused() {
        let open = |config| {
            mask::<Redact>(config, &["name"], &people())
                .unwrap_err()
                .path
        };
        assert_eq!(open(r#"{"text": "x", "to-null": true}"#), "/to-null");
        assert_eq!(open(r#"{"text": 1}"#), "/text");
        assert_eq!(open(r#"{"txt": "x"}"#), "/txt");
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<super::Config>(path);
    }
}
