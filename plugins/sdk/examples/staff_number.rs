//! A recogniser for `glovebox scan --recogniser`: finds texts that hold a staff number, `S-` and six
//! digits of which the last is the sum of the others, modulo 10. A rule is a kind of data, and its
//! findings are the cells that have it.
use glovebox_sdk::prelude::*;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {}

struct StaffNumber {
    rules: Vec<Rule>,
}

impl Validator for StaffNumber {
    type Config = Options;
    const ABOUT: About = About::new("staff-number", "1.0.0", "Finds staff numbers.");

    fn open(_: Options, fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(fields, "text", |t| t == DataType::Text)?;
        let rule = |(column, field): (usize, &Field)| {
            let message = format!("`{}` has a staff number", field.name);
            Rule::of_column("staff-number", column, message)
        };
        let rules = fields.iter().enumerate().map(rule).collect();
        Ok(StaffNumber { rules })
    }

    fn rules(&self) -> Vec<Rule> {
        self.rules.clone()
    }

    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings) {
        for (rule, column) in batch.columns().enumerate() {
            let Some(text) = column.text() else {
                findings.add_all(rule, batch);
                continue;
            };
            for (row, cell) in text.iter().enumerate() {
                if cell.is_some_and(is_staff_number) {
                    findings.add(rule, row);
                }
            }
        }
    }
}

fn is_staff_number(cell: &str) -> bool {
    let digits: Option<Vec<u32>> = cell
        .strip_prefix("S-")
        .map(|digits| digits.chars().filter_map(|c| c.to_digit(10)).collect());
    let Some([digits @ .., check]) = digits.as_deref() else {
        return false;
    };
    digits.len() == 5 && cell.len() == 8 && digits.iter().sum::<u32>() % 10 == *check
}

export!(validator StaffNumber);

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_sdk::testing::{Table, validate};

    #[test]
    fn staff_numbers_are_found_by_their_check_digit() {
        let cells = ["S-123455", "S-123456", "123455", "S-12345x", "S-1234556"];
        let table = Table::new().text("n", cells);
        let validated = validate::<StaffNumber>("{}", &table).unwrap();
        assert_eq!(validated.violations(), [(0, "`n` has a staff number")]);
    }
}
