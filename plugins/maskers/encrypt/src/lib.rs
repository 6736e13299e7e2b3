//! The masker `encrypt`: has the host encrypt whole cells, so that the owner of the key can decrypt
//! them.

use glovebox_sdk::prelude::*;

/// Options of `encrypt`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// How the host encrypts.
    method: MethodName,
}

/// The methods on offer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// AES-SIV (RFC 5297): equal cells give equal text, so tables still join.
    AesSiv,
    /// A plain Fernet token, which many languages can open; another one each time.
    Fernet,
    /// To the public key of a recipient (HPKE or RSA-OAEP): only their private key opens it.
    Seal,
}

/// The method, fit to be handed to the host.
#[derive(Debug)]
pub struct Encrypt {
    method: Method,
}

impl Masker for Encrypt {
    type Config = Config;
    const ABOUT: About = About::new(
        "encrypt",
        env!("CARGO_PKG_VERSION"),
        "Encrypts cells, so that the key's owner can decrypt them.",
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
        let method = match config.method {
            MethodName::AesSiv => Method::AesSiv,
            MethodName::Fernet => Method::Fernet,
            MethodName::Seal => Method::Seal,
        };
        Ok(Self { method })
    }

    fn field(&self, masked: &Field) -> Field {
        self.method.field(masked)
    }

    fn mask(&self, _column: &Column<'_>) -> Action {
        Action::keyed(self.method.clone(), "encrypt")
    }
}

export!(masker Encrypt);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, field, mask};

    use super::*;

    fn action(config: &str, rows: &[&str]) -> Result<Action, ConfigError> {
        let table = Table::new().text("email", rows.iter().copied().map(Some));
        let masked = mask::<Encrypt>(config, &["email"], &table)?;
        Ok(masked.actions[0].1.clone())
    }

    #[test]
    fn the_host_is_told_the_method_and_the_key_by_name_of_no_rows_too() {
        for (config, method) in [
            (r#"{"method": "aes-siv"}"#, Method::AesSiv),
            (r#"{"method": "fernet"}"#, Method::Fernet),
            (r#"{"method": "seal"}"#, Method::Seal),
        ] {
            let order = Action::Keyed(Keyed {
                method,
                key: "encrypt".to_owned(),
                target: Target::Cells,
            });
            assert_eq!(action(config, &["ann@example.org"]), Ok(order.clone()));
            assert_eq!(action(config, &[]), Ok(order));
        }
    }

    #[test]
    fn the_method_must_be_one_of_these() {
        assert_eq!(
            action(r#"{"method": "rot13"}"#, &[]).unwrap_err().path,
            "/method"
        );
        assert!(action("{}", &[]).is_err());
    }

    #[test]
    fn encrypted_cells_are_text_that_may_be_null() {
        let encrypt = Encrypt {
            method: Method::AesSiv,
        };
        let after = encrypt.field(&field("id", DataType::Int64));
        assert_eq!((after.data_type, after.nullable), (DataType::Text, true));
        let config = r#"{"method": "aes-siv"}"#;
        let dates = Table::new().float64("x", [0.5]);
        assert!(mask::<Encrypt>(config, &["x"], &dates).is_err());
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
