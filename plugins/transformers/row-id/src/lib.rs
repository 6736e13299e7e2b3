//! The transformer `row-id`: numbers rows by their place in the source. It refuses to count for
//! itself, so that a row's number does not depend on which rows, batches or workers came before.

use glovebox_sdk::prelude::*;

/// Numbers are added to `start`; both stay far from the end of int64.
const MAX_START: u64 = 1 << 62;

/// Options of `row-id`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What goes before the number; for text columns only.
    #[serde(default)]
    prefix: String,
    /// The number of the source's first row.
    #[serde(default)]
    start: u64,
}

/// The numbering, and the type that it is written as.
#[derive(Debug)]
pub struct RowId {
    prefix: String,
    start: u64,
    text: bool,
}

impl Transformer for RowId {
    type Config = Config;
    const ABOUT: About = About::new(
        "row-id",
        env!("CARGO_PKG_VERSION"),
        "Numbers rows by their position in the source.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, _fields: &[Field], adds: &[Field]) -> Result<Self, ConfigError> {
        let [added] = adds else {
            return Err(ConfigError::new(
                "",
                "the step's `adds:` must name exactly one column",
            ));
        };
        expect_types(adds, "text or int64", |data_type| {
            matches!(data_type, DataType::Text | DataType::Int64)
        })?;
        let text = added.data_type == DataType::Text;
        if !text && !config.prefix.is_empty() {
            return Err(ConfigError::new(
                "/prefix",
                format!(
                    "`{}` is int64, which takes no prefix; make it text",
                    added.name
                ),
            ));
        }
        if config.start > MAX_START {
            return Err(ConfigError::new("/start", format!("at most {MAX_START}")));
        }
        Ok(Self {
            prefix: config.prefix,
            start: config.start,
            text,
        })
    }

    fn fields(&self, adds: &[Field]) -> Vec<Field> {
        adds.iter()
            .map(|field| Field {
                nullable: false,
                ..field.clone()
            })
            .collect()
    }

    fn apply(&self, batch: &Batch<'_>) -> Transformed {
        let numbers = batch
            .row_numbers()
            .map(|row| self.start.saturating_add(row));
        let column = if self.text {
            // Twenty digits are as many as a number has; most have fewer.
            let width = self.prefix.len() + 8;
            let mut column = TextBuilder::with_capacity(batch.rows(), batch.rows() * width);
            let mut digits = itoa::Buffer::new();
            for number in numbers {
                column.write(&self.prefix);
                column.push(digits.format(number));
            }
            column.finish()
        } else {
            NewColumn::int64(numbers.map(|number| Some(i64::try_from(number).unwrap_or(i64::MAX))))
        };
        Transformed::columns(vec![column])
    }
}

export!(transformer RowId);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, field, transform};

    use super::*;

    fn ids(config: &str, data_type: DataType, table: &Table) -> Result<Table, ConfigError> {
        transform::<RowId>(config, &[field("id", data_type)], table)
    }

    #[test]
    fn rows_are_numbered_from_the_start_with_a_prefix() {
        let table = Table::new().text("product", ["a", "b"]);
        let numbered = ids(r#"{"prefix": "cust"}"#, DataType::Text, &table).unwrap();
        assert_eq!(numbered.get_text("id"), [Some("cust0"), Some("cust1")]);
        assert!(!numbered.fields()[1].nullable);
        let numbered = ids(r#"{"prefix": "№", "start": 9}"#, DataType::Text, &table).unwrap();
        assert_eq!(numbered.get_text("id"), [Some("№9"), Some("№10")]);
    }

    #[test]
    fn a_number_is_that_of_the_source_whatever_was_rejected() {
        let table = Table::new()
            .text("product", ["a", "b"])
            .at_rows(8_192, Some(&[1, 5]));
        let numbered = ids(r#"{"start": 1}"#, DataType::Int64, &table).unwrap();
        assert_eq!(numbered.get_int64("id"), [Some(8_194), Some(8_198)]);
    }

    #[test]
    fn an_empty_batch_has_no_numbers() {
        let table = Table::new().text("product", [] as [&str; 0]);
        assert_eq!(ids("", DataType::Text, &table).unwrap().get_text("id"), []);
    }

    #[test]
    fn options_must_suit_the_column() {
        let table = Table::new().text("product", ["a"]);
        let wrong = |config, data_type| ids(config, data_type, &table).unwrap_err();
        assert_eq!(wrong(r#"{"prefix": "c"}"#, DataType::Int64).path, "/prefix");
        assert_eq!(wrong(r#"{"start": -1}"#, DataType::Int64).path, "/start");
        assert_eq!(
            wrong(r#"{"start": 18446744073709551615}"#, DataType::Text).path,
            "/start"
        );
        assert_eq!(
            wrong("", DataType::Date).to_string(),
            "column `id` is date, but this takes only text or int64"
        );
        let error = transform::<RowId>("", &[], &table).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the step's `adds:` must name exactly one column"
        );
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
