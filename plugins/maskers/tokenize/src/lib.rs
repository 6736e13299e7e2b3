//! The masker `tokenize`: has the host replace whole cells by tokens, and keep the cells for two
//! officers.

use glovebox_sdk::prelude::*;

/// Options of `tokenize`: none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {}

/// The masker.
#[derive(Debug)]
pub struct Tokenize;

impl Masker for Tokenize {
    type Config = Config;
    const ABOUT: About = About::new(
        "tokenize",
        env!("CARGO_PKG_VERSION"),
        "Replaces cells by tokens, which only two officers together can undo.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(_config: Config, masks: &[Field], _fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(masks, "text, bytes or int64", |data_type| {
            matches!(
                data_type,
                DataType::Text | DataType::Bytes | DataType::Int64
            )
        })?;
        Ok(Self)
    }

    fn field(&self, masked: &Field) -> Field {
        Method::Token.field(masked)
    }

    fn mask(&self, _column: &Column<'_>) -> Action {
        Action::keyed(Method::Token, "tokenize")
    }
}

export!(masker Tokenize);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, field, mask};

    use super::*;

    #[test]
    fn the_host_is_told_to_make_tokens_of_no_rows_too() {
        let order = Action::keyed(Method::Token, "tokenize");
        for rows in [&["ann@example.org"][..], &[]] {
            let table = Table::new().text("email", rows.iter().copied().map(Some));
            let masked = mask::<Tokenize>("{}", &["email"], &table).unwrap();
            assert_eq!(masked.actions[0].1, order);
        }
    }

    #[test]
    fn tokens_are_text_that_may_be_null() {
        let after = Tokenize.field(&field("id", DataType::Int64));
        assert_eq!((after.data_type, after.nullable), (DataType::Text, true));
        let numbers = Table::new().float64("x", [0.5]);
        assert!(mask::<Tokenize>("{}", &["x"], &numbers).is_err());
        let table = Table::new().text("email", ["ann"]);
        assert!(mask::<Tokenize>(r#"{"method": "aes-siv"}"#, &["email"], &table).is_err());
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
