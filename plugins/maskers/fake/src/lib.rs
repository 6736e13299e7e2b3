//! The masker `fake`: has the host make up names, addresses and numbers that look real. What could reach
//! somebody comes from ranges that are reserved, so that no mail, call or parcel does.

mod lists;

use glovebox_sdk::prelude::*;

use lists::Lists;

/// Options of `fake`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What a cell is replaced by.
    kind: Kind,
    /// Of which language and country.
    #[serde(default)]
    locale: Locale,
}

/// What can be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A given name.
    FirstName,
    /// A family name.
    LastName,
    /// Both, in the order of the locale.
    FullName,
    /// An address at example.org, .com or .net.
    Email,
    /// A number that is reserved for fiction.
    Phone,
    /// A street with a number.
    Street,
    /// A town that does not exist.
    City,
    /// A code that no place has.
    Postcode,
    /// A firm.
    Company,
    /// A name for a login.
    UserName,
    /// An address that is reserved for documentation.
    Ipv4,
    /// Sixteen digits with a right check digit, of no issuer.
    Card,
}

/// Languages and their countries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Locale {
    /// English, USA.
    #[default]
    En,
    /// German, Germany.
    De,
    /// French, France.
    Fr,
    /// Spanish, Spain.
    Es,
    /// Japanese, Japan.
    Ja,
}

/// The method with the pieces of a value, fit to be handed to the host.
#[derive(Debug)]
pub struct Fake {
    method: Method,
}

impl Masker for Fake {
    type Config = Config;
    const ABOUT: About = About::new(
        "fake",
        env!("CARGO_PKG_VERSION"),
        "Replaces cells by values that look real and are made up.",
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
        Ok(Self {
            method: Method::Pick(pieces(config.kind, config.locale)),
        })
    }

    fn field(&self, masked: &Field) -> Field {
        self.method.field(masked)
    }

    fn mask(&self, _column: &Column<'_>) -> Action {
        Action::keyed(self.method.clone(), "fake")
    }
}

fn text(text: &str) -> Piece {
    Piece::Text(text.to_owned())
}

fn choice(lines: impl Into<String>) -> Piece {
    Piece::Choice(lines.into())
}

/// The numbers from 1 on.
fn up_to(last: u32) -> Piece {
    choice((1..=last).map(|n| format!("{n}\n")).collect::<String>())
}

fn pieces(kind: Kind, locale: Locale) -> Vec<Piece> {
    let lists = Lists::of(locale);
    match kind {
        Kind::FirstName => vec![choice(lists.first)],
        Kind::LastName => vec![choice(lists.last)],
        Kind::FullName => match locale {
            Locale::Ja => vec![choice(lists.last), text(" "), choice(lists.first)],
            // Two family names, the father's and the mother's.
            Locale::Es => vec![
                choice(lists.first),
                text(" "),
                choice(lists.last),
                text(" "),
                choice(lists.last),
            ],
            Locale::En | Locale::De | Locale::Fr => {
                vec![choice(lists.first), text(" "), choice(lists.last)]
            }
        },
        Kind::Email => vec![
            choice(lists::plain(lists.first_latin)),
            text("."),
            choice(lists::plain(lists.last_latin)),
            Piece::Digits(3),
            text("@example."),
            // RFC 2606.
            choice("org\ncom\nnet"),
        ],
        Kind::UserName => vec![choice(lists::plain(lists.first_latin)), Piece::Digits(4)],
        Kind::Phone => phone(locale),
        Kind::Street => match locale {
            Locale::En | Locale::Fr => vec![up_to(199), text(" "), choice(lists.street)],
            Locale::De => vec![choice(lists.street), text(" "), up_to(199)],
            Locale::Es => vec![choice(lists.street), text(", "), up_to(199)],
            Locale::Ja => vec![choice(lists.street), up_to(9), text("-"), up_to(29)],
        },
        Kind::City => vec![choice(lists.city)],
        // Below the lowest code of each country.
        Kind::Postcode => match locale {
            Locale::En => vec![text("000"), Piece::Digits(2)],
            Locale::De | Locale::Fr | Locale::Es => vec![text("00"), Piece::Digits(3)],
            Locale::Ja => vec![text("000-"), Piece::Digits(4)],
        },
        Kind::Company => match locale {
            Locale::Ja => vec![text("株式会社"), choice(lists.company), choice(lists.trade)],
            _ => vec![
                choice(lists.company),
                text(" "),
                choice(lists.trade),
                text(lists.form),
            ],
        },
        // RFC 5737.
        Kind::Ipv4 => vec![choice("192.0.2.\n198.51.100.\n203.0.113."), up_to(254)],
        // ISO/IEC 7812: 9 is for national assignment, and no scheme's.
        Kind::Card => vec![text("999999"), Piece::Digits(9), Piece::Luhn],
    }
}

/// Numbers that are reserved for fiction: by ATIS for North America, by the Bundesnetzagentur, by
/// ARCEP. Spain and Japan have none, so they get those of North America.
fn phone(locale: Locale) -> Vec<Piece> {
    match locale {
        Locale::De => vec![
            choice("+49 30 23125\n+49 69 90009\n+49 40 66969\n+49 221 4710\n+49 89 99998\n"),
            Piece::Digits(3),
        ],
        Locale::Fr => vec![
            choice(
                "+33 1 99 00 \n+33 2 61 91 \n+33 3 53 01 \n+33 4 65 71 \n+33 5 36 49 \n+33 6 39 98 \n",
            ),
            Piece::Digits(2),
            text(" "),
            Piece::Digits(2),
        ],
        Locale::En | Locale::Es | Locale::Ja => vec![
            text("+1 "),
            choice("202\n212\n213\n305\n312\n404\n415\n503\n512\n602\n617\n702\n713\n808\n907\n"),
            text("-555-01"),
            Piece::Digits(2),
        ],
    }
}

export!(masker Fake);

#[cfg(test)]
mod tests {
    use glovebox_sdk::testing::{Table, mask};

    use super::*;

    const KINDS: [&str; 12] = [
        "first-name",
        "last-name",
        "full-name",
        "email",
        "phone",
        "street",
        "city",
        "postcode",
        "company",
        "user-name",
        "ipv4",
        "card",
    ];

    fn order(config: &str, rows: &[&str]) -> Result<Keyed, ConfigError> {
        let table = Table::new().text("name", rows.iter().copied().map(Some));
        let masked = mask::<Fake>(config, &["name"], &table)?;
        match masked.actions[0].1.clone() {
            Action::Keyed(keyed) => Ok(keyed),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_kind_of_every_locale_has_something_to_choose_and_stays_within_the_contract() {
        for kind in KINDS {
            for locale in ["en", "de", "fr", "es", "ja"] {
                let config = format!(r#"{{"kind": "{kind}", "locale": "{locale}"}}"#);
                let keyed = order(&config, &["Ann"]).unwrap();
                assert_eq!(keyed, order(&config, &[]).unwrap(), "of no rows the same");
                assert_eq!(keyed.key, "fake");
                let Method::Pick(pieces) = keyed.method else {
                    panic!("another method");
                };
                let chosen = pieces.iter().any(|piece| match piece {
                    Piece::Choice(lines) => {
                        assert!(lines.len() <= 1 << 20);
                        assert!(
                            lines.lines().all(|line| !line.trim().is_empty()),
                            "{config}"
                        );
                        true
                    }
                    Piece::Digits(digits) => *digits <= 64,
                    Piece::Text(text) => text.len() > 1024,
                    Piece::Luhn => false,
                });
                assert!(chosen && pieces.len() <= 64, "{config}");
            }
        }
    }

    #[test]
    fn english_is_the_default_and_a_kind_must_be_named() {
        let english = order(r#"{"kind": "city", "locale": "en"}"#, &[]);
        assert_eq!(order(r#"{"kind": "city"}"#, &[]), english);
        assert_eq!(order(r#"{"kind": "iban"}"#, &[]).unwrap_err().path, "/kind");
        assert_eq!(
            order(r#"{"kind": "city", "locale": "xx"}"#, &[])
                .unwrap_err()
                .path,
            "/locale"
        );
        assert!(order("{}", &[]).is_err());
    }

    #[test]
    fn numbers_and_dates_with_no_likeness_are_refused() {
        let table = Table::new().float64("x", [0.5]);
        assert!(mask::<Fake>(r#"{"kind": "city"}"#, &["x"], &table).is_err());
    }

    #[test]
    fn the_schema_is_that_of_the_options() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
        glovebox_sdk::testing::check_schema::<Config>(path);
    }
}
