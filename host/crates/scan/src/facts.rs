//! What is known of each kind that the standard plugin `personal-data` recognises: how often it is
//! found where it is not meant, and how often where it is.

use crate::subject::Subject;

/// The facts of a rule.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) rule: &'static str,
    pub(crate) subject: Option<Subject>,
    /// The share of cells that pass by chance where they have the form: 10 % with Luhn's, the ABA's
    /// or Verhoeff's check digit, 1 % with MOD 97-10, 89 % of nine digits under the SSN's rules.
    pub(crate) chance: f64,
    /// The share that columns of the kind reach as a rule: little where text has it within, and where a
    /// few cells are too many.
    pub(crate) typical: f64,
    /// The confidence that cells alone can give: how much else looks the same, every cell of it.
    pub(crate) alone: f64,
    /// Rules of which it is no such thing where they are found as well.
    pub(crate) told_from: &'static [&'static str],
    /// Whether it is personal; what is not is looked for to tell others from it.
    pub(crate) is_personal: bool,
}

const fn facts(
    rule: &'static str,
    subject: Subject,
    chance: f64,
    typical: f64,
    alone: f64,
) -> Facts {
    Facts {
        rule,
        subject: Some(subject),
        chance,
        typical,
        alone,
        told_from: &[],
        is_personal: true,
    }
}

const fn other(rule: &'static str) -> Facts {
    Facts {
        rule,
        subject: None,
        chance: 0.0,
        typical: 1.0,
        alone: 0.0,
        told_from: &[],
        is_personal: false,
    }
}

/// Of one's own recognisers nothing is known: what they find counts as it is.
pub(crate) const OWN: Facts = Facts {
    rule: "",
    subject: None,
    chance: 0.0,
    typical: 0.6,
    alone: 1.0,
    told_from: &[],
    is_personal: true,
};

/// All kinds, of two that are as sure the first one is meant.
#[rustfmt::skip] // a row a kind
pub(crate) static KINDS: [Facts; 31] = [
    facts("email",           Subject::Email,      0.0,  0.05, 1.0),
    facts("iban",            Subject::Account,    0.01, 0.05, 1.0),
    facts("mac",             Subject::Network,    0.0,  0.6,  1.0),
    facts("ip",              Subject::Network,    0.01, 0.6,  0.97),
    facts("ip-quad",         Subject::Network,    0.0,  0.9,  0.29),
    facts("card",            Subject::Card,       0.1,  0.6,  0.97),
    facts("nir",             Subject::Identifier, 0.01, 0.6,  0.99),
    facts("us-ssn",          Subject::Identifier, 0.89, 0.97, 0.97),
    facts("us-itin",         Subject::Identifier, 0.1,  0.8,  0.97),
    facts("nino",            Subject::Identifier, 0.1,  0.8,  0.97),
    facts("aadhaar",         Subject::Identifier, 0.1,  0.8,  0.95),
    facts("steuer-id",       Subject::Identifier, 0.1,  0.8,  0.97),
    facts("personalausweis", Subject::Identifier, 0.1,  0.8,  0.95),
    facts("dni",             Subject::Identifier, 0.05, 0.8,  0.97),
    facts("nie",             Subject::Identifier, 0.05, 0.8,  0.97),
    facts("pesel",           Subject::Identifier, 0.1,  0.8,  0.97),
    facts("nhs",             Subject::Identifier, 0.1,  0.6,  0.9),
    facts("vin",             Subject::Vehicle,    0.1,  0.8,  0.95),
    facts("aba",             Subject::Account,    0.1,  0.9,  0.9),
    facts("isin",            Subject::Account,    0.1,  0.9,  0.9),
    facts("phone",           Subject::Phone,      0.01, 0.3,  0.97),
    facts("phone-digits",    Subject::Phone,      0.5,  0.95, 0.29),
    facts("us-ssn-digits",   Subject::Identifier, 0.89, 0.97, 0.29),
    facts("birth-date",      Subject::Birth,      0.3,  0.9,  0.85),
    facts("postcode",        Subject::Postcode,   0.02, 0.4,  0.9),
    facts("postcode-digits", Subject::Postcode,   0.5,  0.95, 0.29),
    facts("address",         Subject::Address,    0.05, 0.35, 0.95),
    Facts {
        told_from: &["organisation", "place"],
        ..facts("person-name",   Subject::Name,       0.04, 0.2,  0.92)
    },
    facts("free-text",       Subject::Note,       0.01, 0.05, 0.97),
    other("place"),
    other("organisation"),
];

/// What the standard plugin is told.
pub fn config() -> String {
    let kinds: Vec<String> = KINDS
        .iter()
        .map(|kind| format!("\"{}\"", kind.rule))
        .collect();
    format!("{{\"kinds\":[{}]}}", kinds.join(","))
}
