//! Adds the length of a text as a column. A null has no length: the new cell is null too.

use glovebox_sdk::prelude::*;

/// The step's `with:` block; these comments become its JSON Schema.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Options {
    /// What is counted.
    #[serde(default)]
    count: Count,
}

/// What a length counts.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Count {
    /// Unicode scalar values.
    #[default]
    Characters,
    /// Bytes of UTF-8.
    Bytes,
}

struct Length {
    count: Count,
}

impl Transformer for Length {
    type Config = Options;
    const ABOUT: About = About::new(
        env!("CARGO_PKG_NAME"),
        env!("CARGO_PKG_VERSION"),
        "Adds the length of a text.",
    );

    fn open(options: Options, fields: &[Field], adds: &[Field]) -> Result<Self, ConfigError> {
        if fields.len() != 1 || adds.len() != 1 {
            let message = "write one column in `reads` and one in `adds`";
            return Err(ConfigError::new("", message));
        }
        expect_types(fields, "text", |data_type| data_type == DataType::Text)?;
        expect_types(adds, "int64", |data_type| data_type == DataType::Int64)?;
        let count = options.count;
        Ok(Length { count })
    }

    fn apply(&self, batch: &Batch<'_>) -> Transformed {
        let length = |cell: &str| {
            let length = match self.count {
                Count::Characters => cell.chars().count(),
                Count::Bytes => cell.len(),
            };
            i64::try_from(length).ok()
        };
        let lengths = match batch.column(0).and_then(|column| column.text()) {
            Some(text) => NewColumn::int64(text.iter().map(|cell| cell.and_then(length))),
            None => NewColumn::int64((0..batch.rows()).map(|_| None)),
        };
        Transformed::columns(vec![lengths])
    }
}

export!(transformer Length);

#[cfg(test)]
mod tests {
    use glovebox_sdk::DataType;
    use glovebox_sdk::testing::{Table, field, transform};

    use super::Length;

    #[test]
    fn lengths_are_in_characters() {
        let table = Table::new().text("name", [Some("Zoë"), None]);
        let adds = [field("length", DataType::Int64)];
        let table = transform::<Length>("{}", &adds, &table).unwrap();
        assert_eq!(table.get_int64("length"), [Some(3), None]);
    }
}
