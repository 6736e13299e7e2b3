//! The masker `date-shift`: has the host move dates by a number of days that each entity has, so that
//! order and spans of time within an entity stay. A date without an entity is not let through.

use glovebox_sdk::prelude::*;

/// More than a long life; more would make dates that nobody believes.
const MAX_DAYS: u32 = 36_525;

/// Options of `date-shift`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The column whose equal cells are moved alike; in `reads` or `masks`.
    entity: String,
    /// The most days that a date is moved, either way: 1 to 36525.
    days: u32,
}

/// The shift, fit to be handed to the host.
#[derive(Debug)]
pub struct DateShift {
    method: Method,
}

impl Masker for DateShift {
    type Config = Config;
    const ABOUT: About = About::new(
        "date-shift",
        env!("CARGO_PKG_VERSION"),
        "Moves dates by a number of days that each entity has.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, masks: &[Field], fields: &[Field]) -> Result<Self, ConfigError> {
        if !(1..=MAX_DAYS).contains(&config.days) {
            return Err(ConfigError::new("/days", "write 1 to 36525 days"));
        }
        let entity = fields.iter().position(|field| field.name == config.entity);
        let Some(entity) = entity else {
            return Err(ConfigError::new(
                "/entity",
                "this is none of the step's columns; name it in `reads:` too",
            ));
        };
        let dates = |data_type| matches!(data_type, DataType::Date | DataType::Timestamp);
        expect_types(masks, "date or timestamp", dates)?;
        let by = fields.get(entity).map(|field| field.data_type);
        if !matches!(by, Some(DataType::Text | DataType::Bytes | DataType::Int64)) {
            return Err(ConfigError::new(
                "/entity",
                "an entity is text, bytes or int64",
            ));
        }
        let days = config.days;
        Ok(Self {
            method: Method::Shift { entity, days },
        })
    }

    fn field(&self, masked: &Field) -> Field {
        self.method.field(masked)
    }

    fn mask(&self, _column: &Column<'_>) -> Action {
        Action::keyed(self.method.clone(), "shift")
    }
}

export!(masker DateShift);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, field, mask};

    use super::*;

    fn table() -> Table {
        Table::new()
            .text("patient", [Some("p1")])
            .date("seen", [20_000])
            .float64("x", [0.5])
    }

    fn path(config: &str, masks: &[&str]) -> String {
        mask::<DateShift>(config, masks, &table()).unwrap_err().path
    }

    #[test]
    fn the_host_is_told_the_entity_and_the_days() {
        let config = r#"{"entity": "patient", "days": 30}"#;
        let masked = mask::<DateShift>(config, &["seen"], &table()).unwrap();
        let method = Method::Shift {
            entity: 0,
            days: 30,
        };
        let order = Action::Keyed(Keyed {
            method,
            key: "shift".to_owned(),
            target: Target::Cells,
        });
        assert_eq!(masked.actions[0].1, order);
        let Action::Keyed(Keyed { method, .. }) = masked.actions[0].1.clone() else {
            panic!("another action");
        };
        let after = DateShift { method }.field(&field("seen", DataType::Date));
        assert_eq!((after.data_type, after.nullable), (DataType::Date, true));
    }

    #[test]
    fn what_does_not_fit_is_told_where() {
        let good = r#"{"entity": "patient", "days": 30}"#;
        assert_eq!(
            path(r#"{"entity": "patient", "days": 0}"#, &["seen"]),
            "/days"
        );
        assert_eq!(
            path(r#"{"entity": "patient", "days": 36526}"#, &["seen"]),
            "/days"
        );
        assert_eq!(
            path(r#"{"entity": "doctor", "days": 1}"#, &["seen"]),
            "/entity"
        );
        assert_eq!(path(r#"{"entity": "x", "days": 1}"#, &["seen"]), "/entity");
        let error = mask::<DateShift>(good, &["x"], &table()).unwrap_err();
        assert!(error.message.contains("date or timestamp"), "{error}");
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
