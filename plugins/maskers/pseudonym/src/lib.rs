//! The masker `pseudonym`: replaces cells by keyed pseudonyms that the host computes. It refuses
//! to work without a key, because an unkeyed hash of a name or number is undone by trying all.

use glovebox_sdk::prelude::*;

/// The fewest iterations of PBKDF2 that NIST SP 800-132 (section 5.2) allows.
const MIN_ITERATIONS: u32 = 1_000;

/// About two seconds for each distinct value; more is a slip of the hand.
const MAX_ITERATIONS: u32 = 10_000_000;

/// Options of `pseudonym`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// How the host computes a pseudonym.
    method: MethodName,
    /// How often `pbkdf2-sha256` iterates, 1000 to 10000000; needed for it, and for it alone.
    iterations: Option<u32>,
}

/// The methods on offer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// HMAC-SHA-256: fast; good as long as the key stays secret.
    HmacSha256,
    /// PBKDF2-HMAC-SHA-256 with the key as salt: slow on purpose, for each distinct value.
    Pbkdf2Sha256,
}

/// The method, fit to be handed to the host.
#[derive(Debug)]
pub struct Pseudonym {
    method: Method,
}

impl Masker for Pseudonym {
    type Config = Config;
    const ABOUT: About = About::new(
        "pseudonym",
        env!("CARGO_PKG_VERSION"),
        "Replaces cells with keyed pseudonyms.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, masks: &[Field], _fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(masks, "text, bytes or int64", |data_type| {
            matches!(
                data_type,
                DataType::Text | DataType::Bytes | DataType::Int64
            )
        })?;
        let wrong = |message: &str| Err(ConfigError::new("/iterations", message));
        let method = match (config.method, config.iterations) {
            (MethodName::HmacSha256, None) => Method::HmacSha256,
            (MethodName::HmacSha256, Some(_)) => {
                return wrong("`hmac-sha256` has no iterations; remove `iterations`");
            }
            (MethodName::Pbkdf2Sha256, Some(iterations))
                if (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&iterations) =>
            {
                Method::Pbkdf2Sha256 { iterations }
            }
            (MethodName::Pbkdf2Sha256, _) => {
                return wrong("`pbkdf2-sha256` needs `iterations`, from 1000 to 10000000");
            }
        };
        Ok(Self { method })
    }

    fn field(&self, masked: &Field) -> Field {
        self.method.field(masked)
    }

    fn mask(&self, _column: &Column<'_>) -> Action {
        Action::keyed(self.method.clone(), "pseudonym")
    }
}

export!(masker Pseudonym);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, mask};

    use super::*;

    fn action(config: &str) -> Result<Action, ConfigError> {
        let table = Table::new()
            .text("id", [Some("cust0"), None])
            .int64("age", [1, 2]);
        let masked = mask::<Pseudonym>(config, &["id"], &table)?;
        Ok(masked.actions[0].1.clone())
    }

    fn keyed(method: Method) -> Action {
        Action::Keyed(Keyed {
            method,
            key: "pseudonym".to_owned(),
            target: Target::Cells,
        })
    }

    #[test]
    fn the_host_is_told_the_method_and_the_key_by_name() {
        assert_eq!(
            action(r#"{"method": "hmac-sha256"}"#),
            Ok(keyed(Method::HmacSha256))
        );
        assert_eq!(
            action(r#"{"method": "pbkdf2-sha256", "iterations": 100000}"#),
            Ok(keyed(Method::Pbkdf2Sha256 {
                iterations: 100_000
            }))
        );
    }

    #[test]
    fn pseudonyms_are_text_that_may_be_null() {
        let pseudonym = Pseudonym {
            method: Method::HmacSha256,
        };
        let id = Field {
            name: "id".to_owned(),
            data_type: DataType::Int64,
            nullable: false,
        };
        let field = pseudonym.field(&id);
        assert_eq!((field.data_type, field.nullable), (DataType::Text, true));
    }

    #[test]
    fn an_empty_batch_is_pointed_at_too() {
        let table = Table::new().text("id", [] as [&str; 0]);
        let config = r#"{"method": "hmac-sha256"}"#;
        assert_eq!(
            mask::<Pseudonym>(config, &["id"], &table)
                .unwrap()
                .actions
                .len(),
            1
        );
    }

    #[test]
    fn iterations_belong_to_pbkdf2_and_are_not_few() {
        for config in [
            r#"{"method": "pbkdf2-sha256"}"#,
            r#"{"method": "pbkdf2-sha256", "iterations": 999}"#,
            r#"{"method": "pbkdf2-sha256", "iterations": 10000001}"#,
            r#"{"method": "pbkdf2-sha256", "iterations": -1}"#,
            r#"{"method": "hmac-sha256", "iterations": 1000}"#,
        ] {
            assert_eq!(action(config).unwrap_err().path, "/iterations", "{config}");
        }
    }

    #[test]
    fn numbers_with_fractions_have_no_pseudonym() {
        let table = Table::new().float64("x", [0.5]);
        let error = mask::<Pseudonym>(r#"{"method": "hmac-sha256"}"#, &["x"], &table).unwrap_err();
        assert_eq!(
            error.message,
            "column `x` is float64, but this takes only text, bytes or int64"
        );
    }

    #[test]
    fn the_method_must_be_named() {
        assert_eq!(action(r#"{"method": "md5"}"#).unwrap_err().path, "/method");
        assert_eq!(
            action("{}").unwrap_err().to_string(),
            "missing field `method`"
        );
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
