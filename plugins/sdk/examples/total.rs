//! Adds the product of two numbers; it is null where one of them is.
use glovebox_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Total {}

impl Transformer for Total {
    type Config = Self;
    const ABOUT: About = About::new("total", "1.0.0", "Multiplies two numbers.");

    fn open(config: Self, fields: &[Field], adds: &[Field]) -> Result<Self, ConfigError> {
        let number = |t| t == DataType::Float64;
        expect_types(fields, "float64", number)?;
        expect_types(adds, "float64", number)?;
        match (fields, adds) {
            ([_, _], [_]) => Ok(config),
            _ => Err(ConfigError::new(
                "",
                "write two columns in `reads` and one in `adds`",
            )),
        }
    }

    fn apply(&self, batch: &Batch<'_>) -> Transformed {
        let column = |i| batch.column(i).and_then(|c| c.float64());
        let total = match (column(0), column(1)) {
            (Some(a), Some(b)) => {
                let product = |(a, b): (Option<f64>, Option<f64>)| Some(a? * b?);
                NewColumn::float64(a.iter().zip(b.iter()).map(product))
            }
            _ => NewColumn::float64((0..batch.rows()).map(|_| None)),
        };
        Transformed::columns(vec![total])
    }
}

export!(transformer Total);
