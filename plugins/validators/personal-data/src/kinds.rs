//! The table of kinds, from which the options, their schema and the manual are made: a kind is added
//! here.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::cell::Cell;
use crate::{address, contact, date, name, number, postcode, text};

/// A kind of personal data, or of what is easily taken for it.
pub(crate) struct Kind {
    /// What the option and the rule are called.
    pub(crate) name: &'static str,
    /// What a cell has that is of it.
    pub(crate) what: &'static str,
    pub(crate) is: fn(&Cell<'_>) -> bool,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

const fn kind(name: &'static str, what: &'static str, is: fn(&Cell<'_>) -> bool) -> Kind {
    Kind { name, what, is }
}

/// All kinds.
#[rustfmt::skip] // a row a kind
pub(crate) static KINDS: [Kind; 31] = [
    kind("email", "an e-mail address", contact::email),
    kind("phone", "a phone number", contact::phone),
    kind("phone-digits", "digits that may be a phone number", contact::phone_digits),
    kind("ip", "an IP address", contact::ip),
    kind("ip-quad", "four numbers that may be an IP address or a version", contact::ip_quad),
    kind("mac", "the address of a network card", contact::mac),
    kind("card", "a payment card's number", number::card),
    kind("iban", "an IBAN", number::iban),
    kind("aba", "a routing number of the ABA", number::aba),
    kind("isin", "an ISIN", number::isin),
    kind("vin", "a vehicle identification number", number::vin),
    kind("us-ssn", "a social security number of the United States", number::us_ssn),
    kind("us-ssn-digits", "nine digits that may be a social security number", number::us_ssn_digits),
    kind("us-itin", "an ITIN of the United States", number::us_itin),
    kind("nhs", "an NHS number", number::nhs),
    kind("nino", "a national insurance number of the United Kingdom", number::nino),
    kind("aadhaar", "an Aadhaar number", number::aadhaar),
    kind("steuer-id", "a German tax identification number", number::steuer_id),
    kind("personalausweis", "the number of a German identity card", number::personalausweis),
    kind("dni", "a Spanish DNI", number::dni),
    kind("nie", "a Spanish NIE", number::nie),
    kind("nir", "a French NIR", number::nir),
    kind("pesel", "a Polish PESEL", number::pesel),
    kind("birth-date", "a day on which people of today were born", date::birth_date),
    kind("postcode", "a postcode", postcode::postcode),
    kind("postcode-digits", "digits that may be a postcode", postcode::postcode_digits),
    kind("person-name", "a person's name", name::person),
    kind("place", "a place's name", name::place),
    kind("organisation", "an organisation's name", name::organisation),
    kind("address", "a street with a number", address::address),
    kind("free-text", "text with personal data in it", text::free_text),
];

/// A kind, by its name.
#[derive(Debug)]
pub(crate) struct KindName(pub(crate) &'static Kind);

impl<'de> Deserialize<'de> for KindName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<str>::deserialize(deserializer)?;
        let found = KINDS.iter().find(|kind| kind.name == name);
        found.map(KindName).ok_or_else(|| {
            let names = KINDS.each_ref().map(|kind| format!("`{}`", kind.name));
            D::Error::custom(format!("unknown kind; write some of {}", names.join(", ")))
        })
    }
}

impl JsonSchema for KindName {
    fn schema_name() -> Cow<'static, str> {
        "Kind".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let kinds = KINDS.each_ref().map(
            |kind| json_schema!({ "const": kind.name, "description": kind.what, "type": "string" }),
        );
        json_schema!({ "description": "A kind of personal data.", "oneOf": kinds })
    }
}
