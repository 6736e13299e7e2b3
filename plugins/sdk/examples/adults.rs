//! Keeps those who were of age on a day; of whom it is not known is not kept.
use glovebox_sdk::calendar::{Civil, parse_date};
use glovebox_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The day, such as 2026-11-21.
    on: String,
}

struct Adults {
    /// The last birthday that is early enough, in days since 1970-01-01.
    born_by: i32,
}

impl Transformer for Adults {
    type Config = Options;
    const ABOUT: About = About::new(
        "adults",
        "1.0.0",
        "Keeps those who were of age on a given \
                                    day.",
    );

    fn open(options: Options, fields: &[Field], _adds: &[Field]) -> Result<Self, ConfigError> {
        expect_types(fields, "date", |t| t == DataType::Date)?;
        let day = parse_date(&options.on).map(Civil::from_days);
        let year = |day: Civil| Civil {
            year: day.year - 18,
            ..day
        };
        match day.and_then(|day| year(day).days()) {
            Some(born_by) => Ok(Adults { born_by }),
            None => Err(ConfigError::new("/on", "write a day, such as 2026-11-21")),
        }
    }

    fn apply(&self, batch: &Batch<'_>) -> Transformed {
        let of_age = |born: Option<i32>| born.is_some_and(|day| day <= self.born_by);
        let keep: RowMask = match batch.column(0).and_then(|column| column.date()) {
            Some(born) => born.iter().map(of_age).collect(),
            None => RowMask::all(batch.rows(), false),
        };
        Transformed::keep(keep)
    }
}

export!(transformer Adults);
