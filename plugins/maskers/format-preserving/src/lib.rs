//! The masker `format-preserving`: has the host encrypt the characters of an alphabet, so that a
//! card number stays a card number. Characters that are in no word of ours stay where they are.

use glovebox_sdk::prelude::*;

/// Options of `format-preserving`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The characters that are encrypted; for text columns.
    alphabet: Option<AlphabetName>,
    /// The characters that are encrypted, each once, instead of an `alphabet`.
    characters: Option<String>,
    /// How many characters of the alphabet stay at the start.
    #[serde(default)]
    keep_first: u32,
    /// How many characters of the alphabet stay at the end.
    #[serde(default)]
    keep_last: u32,
    /// Whether the last digit is a check digit by Luhn's formula, and is right again afterwards.
    #[serde(default)]
    luhn: bool,
}

/// Alphabets that have a name.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlphabetName {
    /// 0 to 9.
    Digits,
    /// a to z.
    Lowercase,
    /// A to Z.
    Uppercase,
    /// a to z and A to Z.
    Letters,
    /// Digits and letters.
    Alphanumeric,
}

impl AlphabetName {
    fn characters(self) -> &'static str {
        match self {
            Self::Digits => "0123456789",
            Self::Lowercase => "abcdefghijklmnopqrstuvwxyz",
            Self::Uppercase => "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Self::Letters => "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
            Self::Alphanumeric => "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        }
    }
}

/// The method with its form, fit to be handed to the host.
#[derive(Debug)]
pub struct FormatPreserving {
    method: Method,
}

impl Masker for FormatPreserving {
    type Config = Config;
    const ABOUT: About = About::new(
        "format-preserving",
        env!("CARGO_PKG_VERSION"),
        "Encrypts cells so that they keep their form.",
    )
    .documentation(include_str!("../DOCS.md"))
    .config_schema(include_str!("../schema.json"));

    fn open(config: Config, masks: &[Field], _fields: &[Field]) -> Result<Self, ConfigError> {
        expect_types(masks, "text or int64", |data_type| {
            matches!(data_type, DataType::Text | DataType::Int64)
        })?;
        let numbers = masks.iter().find(|f| f.data_type == DataType::Int64);
        let for_text = config.alphabet.is_some()
            || config.characters.is_some()
            || config.keep_first > 0
            || config.keep_last > 0
            || config.luhn;
        if let Some(field) = numbers.filter(|_| for_text) {
            return Err(ConfigError::new(
                "",
                format!(
                    "column `{}` is int64, which has no options; mask text columns in another step",
                    field.name
                ),
            ));
        }
        let alphabet = match (config.alphabet, config.characters) {
            (Some(_), Some(_)) => {
                return Err(ConfigError::new(
                    "/characters",
                    "write either `alphabet` or `characters`",
                ));
            }
            (_, Some(characters)) => checked(characters)?,
            (name, None) => name.unwrap_or(AlphabetName::Digits).characters().to_owned(),
        };
        if config.luhn && alphabet != AlphabetName::Digits.characters() {
            return Err(ConfigError::new("/luhn", "`luhn` needs `alphabet: digits`"));
        }
        Ok(Self {
            method: Method::Ff1(Form {
                alphabet,
                keep_first: config.keep_first,
                keep_last: config.keep_last,
                luhn: config.luhn,
            }),
        })
    }

    fn field(&self, masked: &Field) -> Field {
        self.method.field(masked)
    }

    fn mask(&self, _column: &Column<'_>) -> Action {
        Action::keyed(self.method.clone(), "encrypt")
    }
}

fn checked(characters: String) -> Result<String, ConfigError> {
    let mut seen = std::collections::BTreeSet::new();
    let twice = characters.chars().any(|c| !seen.insert(c));
    if twice || seen.len() < 2 || characters.len() > 1024 {
        return Err(ConfigError::new(
            "/characters",
            "write 2 or more characters, each once, in at most 1,024 bytes",
        ));
    }
    Ok(characters)
}

export!(masker FormatPreserving);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, mask};

    use super::*;

    fn form(config: &str) -> Result<Form, ConfigError> {
        let table = Table::new().text("ssn", [] as [&str; 0]);
        let masked = mask::<FormatPreserving>(config, &["ssn"], &table)?;
        let Action::Keyed(Keyed {
            method: Method::Ff1(form),
            key,
            target: Target::Cells,
        }) = masked.actions[0].1.clone()
        else {
            panic!("another action");
        };
        assert_eq!(key, "encrypt");
        Ok(form)
    }

    #[test]
    fn the_host_is_told_the_form() {
        let digits = Form {
            alphabet: "0123456789".to_owned(),
            ..Form::default()
        };
        assert_eq!(form("{}"), Ok(digits.clone()));
        let card = Form {
            keep_first: 6,
            luhn: true,
            ..digits
        };
        assert_eq!(form(r#"{"keep-first": 6, "luhn": true}"#), Ok(card));
        let hex = Form {
            alphabet: "0123456789abcdef".to_owned(),
            keep_last: 1,
            ..Form::default()
        };
        let config = r#"{"characters": "0123456789abcdef", "keep-last": 1}"#;
        assert_eq!(form(config), Ok(hex));
        for (name, length) in [
            ("digits", 10),
            ("lowercase", 26),
            ("uppercase", 26),
            ("letters", 52),
            ("alphanumeric", 62),
        ] {
            let form = form(&format!(r#"{{"alphabet": "{name}"}}"#)).unwrap();
            assert_eq!(form.alphabet.len(), length);
            assert!(checked(form.alphabet).is_ok());
        }
    }

    #[test]
    fn options_that_do_not_fit_are_told_where() {
        for (config, path) in [
            (r#"{"alphabet": "greek"}"#, "/alphabet"),
            (r#"{"characters": "aa"}"#, "/characters"),
            (r#"{"characters": "a"}"#, "/characters"),
            (
                r#"{"characters": "ab", "alphabet": "digits"}"#,
                "/characters",
            ),
            (r#"{"luhn": true, "alphabet": "letters"}"#, "/luhn"),
            (r#"{"keep-first": -1}"#, "/keep-first"),
        ] {
            assert_eq!(form(config).unwrap_err().path, path, "{config}");
        }
    }

    #[test]
    fn numbers_stay_numbers_and_have_no_options() {
        let table = Table::new().int64("id", [1]);
        assert!(mask::<FormatPreserving>("{}", &["id"], &table).is_ok());
        let config = r#"{"keep-last": 2}"#;
        let error = mask::<FormatPreserving>(config, &["id"], &table).unwrap_err();
        assert!(error.message.contains("`id` is int64"), "{error}");
        let table = Table::new().float64("x", [0.5]);
        assert!(mask::<FormatPreserving>("{}", &["x"], &table).is_err());
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
