//! Finds odd numbers. Nulls are none of its business: `required` finds those.
use glovebox_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {}

struct Even {
    rules: Vec<Rule>,
}

impl Validator for Even {
    type Config = Options;
    const ABOUT: About = About::new("even", "1.0.0", "Finds odd numbers.");

    fn open(_: Options, fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(fields, "int64", |t| t == DataType::Int64)?;
        let rule = |(column, field): (usize, &Field)| {
            Rule::of_column("even", column, format!("`{}` is odd", field.name))
        };
        let rules = fields.iter().enumerate().map(rule).collect();
        Ok(Even { rules })
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings) {
        for (rule, column) in batch.columns().enumerate() {
            let Some(numbers) = column.int64() else {
                findings.add_all(rule, batch);
                continue;
            };
            for (row, number) in numbers.iter().enumerate() {
                if number.is_some_and(|n| n % 2 != 0) {
                    findings.add(rule, row);
                }
            }
        }
    }
}

export!(validator Even);

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_sdk::testing::{Table, validate};

    #[test]
    fn odd_numbers_are_found_and_nulls_are_not() {
        let table = Table::new().int64("n", [Some(2), Some(3), None]);
        let validated = validate::<Even>("{}", &table).unwrap();
        assert_eq!(validated.violations(), [(1, "`n` is odd")]);
    }
}
