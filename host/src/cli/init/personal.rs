//! Which columns may hold personal data, by their names and by the shape of their cells, and what
//! is done with them until somebody decides.
//!
//! Errs on the side of caution: a column that is masked for nothing costs a line of a manifest.

use std::net::IpAddr;

use glovebox_core::DataType;

/// What a column seems to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Account,
    Address,
    Birth,
    Card,
    Email,
    Identifier,
    Location,
    Login,
    Name,
    Network,
    Note,
    Phone,
    Postcode,
    Secret,
    Trait,
    Unknown,
}

/// What a step does with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Treatment {
    /// Nothing of it is stored.
    Redact,
    /// The last four characters stay.
    LastFour,
    /// All but the last six stay, such as the codes of country and area.
    AllButSix,
    /// The first two characters stay.
    FirstTwo,
    /// The year stays.
    Year,
}

impl Kind {
    /// What it is, in the plural.
    pub(super) fn what(self) -> &'static str {
        match self {
            Kind::Account => "bank accounts",
            Kind::Address => "addresses",
            Kind::Birth => "dates of birth",
            Kind::Card => "card numbers",
            Kind::Email => "e-mail addresses",
            Kind::Identifier => "official ID numbers",
            Kind::Location => "coordinates",
            Kind::Login => "logins",
            Kind::Name => "names of people",
            Kind::Network => "device addresses",
            Kind::Note => "free text, which may name people",
            Kind::Phone => "phone numbers",
            Kind::Postcode => "postcodes",
            Kind::Secret => "secrets",
            Kind::Trait => "personal traits",
            Kind::Unknown => "text with a name that says nothing about it",
        }
    }

    /// Whether its cells are signs, even where all of them are digits.
    pub(super) fn is_code(self) -> bool {
        matches!(
            self,
            Kind::Account | Kind::Card | Kind::Identifier | Kind::Phone | Kind::Postcode
        )
    }

    /// What is done with a column of that type.
    pub(super) fn treatment(self, data_type: DataType) -> Treatment {
        match (self, data_type) {
            (Kind::Account | Kind::Card, DataType::Text) => Treatment::LastFour,
            (Kind::Phone, DataType::Text) => Treatment::AllButSix,
            (Kind::Postcode, DataType::Text) => Treatment::FirstTwo,
            (Kind::Birth, DataType::Date | DataType::Timestamp) => Treatment::Year,
            _ => Treatment::Redact,
        }
    }
}

/// Parts of a name, in lower case: `customerEMail_2` has `customer`, `e`, `mail` and `2`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for sign in name.chars() {
        let border = !sign.is_alphanumeric()
            || (sign.is_uppercase() && before.is_lowercase())
            || (sign.is_numeric() != before.is_numeric());
        if border && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| sign.is_alphanumeric()) {
            word.extend(sign.to_lowercase());
        }
        before = sign;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What stands anywhere in a name, without signs, says of its column.
const PARTS: [(&str, Kind); 37] = [
    ("birth", Kind::Birth),
    ("geburt", Kind::Birth),
    ("naissance", Kind::Birth),
    ("nacimiento", Kind::Birth),
    ("email", Kind::Email),
    ("phone", Kind::Phone),
    ("telefon", Kind::Phone),
    ("iban", Kind::Account),
    ("bankaccount", Kind::Account),
    ("accountnumber", Kind::Account),
    ("accountno", Kind::Account),
    ("kontonummer", Kind::Account),
    ("creditcard", Kind::Card),
    ("cardnumber", Kind::Card),
    ("cardno", Kind::Card),
    ("kreditkarte", Kind::Card),
    ("socialsecurity", Kind::Identifier),
    ("sozialversicherung", Kind::Identifier),
    ("nationalid", Kind::Identifier),
    ("taxid", Kind::Identifier),
    ("steuerid", Kind::Identifier),
    ("passport", Kind::Identifier),
    ("driverslicen", Kind::Identifier),
    ("driverlicen", Kind::Identifier),
    ("personnummer", Kind::Identifier),
    ("password", Kind::Secret),
    ("passwort", Kind::Secret),
    ("apikey", Kind::Secret),
    ("postcode", Kind::Postcode),
    ("postalcode", Kind::Postcode),
    ("zipcode", Kind::Postcode),
    ("postleitzahl", Kind::Postcode),
    ("ipaddr", Kind::Network),
    ("username", Kind::Login),
    ("firstname", Kind::Name),
    ("lastname", Kind::Name),
    ("surname", Kind::Name),
];

/// What a word of a name says of its column.
const WORDS: [(Kind, &[&str]); 14] = [
    (Kind::Email, &["mail", "mails"]),
    (
        Kind::Phone,
        &[
            "tel",
            "mobile",
            "cell",
            "cellphone",
            "fax",
            "handy",
            "msisdn",
            "whatsapp",
        ],
    ),
    (Kind::Card, &["card", "pan", "cc"]),
    (
        Kind::Identifier,
        &[
            "ssn", "nin", "nino", "sin", "cpf", "pesel", "bsn", "nif", "dni", "nie", "cpr", "tin",
            "ahv", "aadhaar", "curp", "nhs",
        ],
    ),
    (Kind::Birth, &["dob", "born", "bday"]),
    (
        Kind::Network,
        &["ip", "ipv4", "ipv6", "mac", "imei", "imsi"],
    ),
    (
        Kind::Address,
        &[
            "address",
            "addr",
            "street",
            "adresse",
            "strasse",
            "stra\u{df}e",
            "rue",
            "direccion",
            "indirizzo",
            "hausnummer",
        ],
    ),
    (Kind::Postcode, &["zip", "plz"]),
    (Kind::Login, &["login", "nickname", "nick"]),
    (
        Kind::Secret,
        &["passwd", "pwd", "secret", "token", "pin", "cvv", "cvc"],
    ),
    (
        Kind::Trait,
        &[
            "gender",
            "sex",
            "religion",
            "ethnicity",
            "race",
            "nationality",
            "diagnosis",
            "disease",
            "disability",
            "marital",
            "salary",
            "income",
            "geschlecht",
        ],
    ),
    (
        Kind::Location,
        &["lat", "latitude", "lon", "lng", "longitude", "gps"],
    ),
    (
        Kind::Name,
        &[
            "vorname",
            "nachname",
            "familienname",
            "prenom",
            "pr\u{e9}nom",
            "nom",
            "nombre",
            "apellido",
            "apellidos",
            "cognome",
            "forename",
            "fullname",
            "cardholder",
        ],
    ),
    (
        Kind::Note,
        &[
            "note",
            "notes",
            "comment",
            "comments",
            "remark",
            "remarks",
            "message",
            "notiz",
            "bemerkung",
        ],
    ),
];

/// People, whose column holds their names, or whose `name` it is.
const PEOPLE: [&str; 22] = [
    "author",
    "client",
    "contact",
    "customer",
    "employee",
    "guest",
    "holder",
    "kunde",
    "member",
    "owner",
    "patient",
    "payee",
    "payer",
    "person",
    "recipient",
    "sender",
    "student",
    "user",
    "first",
    "full",
    "last",
    "family",
];
/// What makes another thing's name of a `name`.
const THINGS: [&str; 16] = [
    "app", "brand", "category", "city", "company", "country", "domain", "event", "file", "host",
    "item", "plan", "product", "project", "region", "table",
];

/// What a column's name says of it.
pub(super) fn by_name(name: &str) -> Option<Kind> {
    let words = words(name);
    let has = |word: &str| words.iter().any(|w| w == word);
    let joined = words.concat();
    let part = PARTS.iter().find(|(part, _)| joined.contains(part));
    let word = || {
        WORDS
            .iter()
            .find(|(_, all)| all.iter().any(|word| has(word)))
    };
    if let Some(kind) = part
        .map(|(_, kind)| *kind)
        .or_else(|| word().map(|(kind, _)| *kind))
    {
        return Some(kind);
    }
    let person = PEOPLE.iter().any(|word| has(word));
    let named = has("name") && (person || !THINGS.iter().any(|word| has(word)));
    (named || (person && words.len() == 1)).then_some(Kind::Name)
}

/// Whether a cell has it.
type Shape = fn(&str) -> bool;

/// What the shapes of a column's cells say of it. Shapes that little else has need a few cells, the
/// others most.
pub(super) fn by_values(cells: &[&str], data_type: DataType) -> Option<Kind> {
    let share = |is: Shape, least: usize| {
        let found = cells.iter().filter(|cell| is(cell)).count();
        found > 0 && found * 100 >= cells.len() * least
    };
    const FEW: usize = 5;
    const MIN_SHARE: usize = 60;
    let digits_only = data_type == DataType::Int64;
    if data_type != DataType::Text && !digits_only {
        return None;
    }
    if digits_only {
        return share(is_card, MIN_SHARE).then_some(Kind::Card);
    }
    let shapes: [(Shape, usize, Kind); 6] = [
        (has_email, FEW, Kind::Email),
        (is_iban, FEW, Kind::Account),
        (is_social_security, FEW, Kind::Identifier),
        (is_card, MIN_SHARE, Kind::Card),
        (is_network, MIN_SHARE, Kind::Network),
        (is_phone, MIN_SHARE, Kind::Phone),
    ];
    let found = shapes.iter().find(|(is, least, _)| share(*is, *least));
    found.map(|(_, _, kind)| *kind)
}

/// An e-mail address, with whatever around it.
fn has_email(cell: &str) -> bool {
    cell.match_indices('@').any(|(at, _)| {
        let local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
        let before = cell.get(..at).and_then(|text| text.chars().next_back());
        let after = cell.get(at + 1..).unwrap_or_default();
        let end = after
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')))
            .unwrap_or(after.len());
        let domain = after.get(..end).unwrap_or_default().trim_end_matches('.');
        let top = domain.rsplit_once('.').filter(|(host, _)| !host.is_empty());
        before.is_some_and(local) && top.is_some_and(|(_, top)| top.len() >= 2)
    })
}

/// Two letters, two digits, and a remainder of 1 modulo 97 (ISO 13616).
fn is_iban(cell: &str) -> bool {
    let plain: Vec<u8> = cell.bytes().filter(|b| *b != b' ').collect();
    let Some((head, rest)) = plain.split_at_checked(4) else {
        return false;
    };
    let shaped = matches!(head, [a, b, c, d]
        if a.is_ascii_uppercase() && b.is_ascii_uppercase() && c.is_ascii_digit() && d.is_ascii_digit());
    let value = |b: &u8| {
        char::from(*b)
            .to_digit(36)
            .filter(|_| !b.is_ascii_lowercase())
    };
    let mut remainder = 0;
    for sign in rest.iter().chain(head) {
        let Some(value) = value(sign) else {
            return false;
        };
        let places = if value > 9 { 100 } else { 10 };
        remainder = (remainder * places + value) % 97;
    }
    shaped && (15..=34).contains(&plain.len()) && remainder == 1
}

/// `NNN-NN-NNNN`.
fn is_social_security(cell: &str) -> bool {
    cell.len() == 11
        && cell.bytes().enumerate().all(|(i, b)| match i {
            3 | 6 => b == b'-',
            _ => b.is_ascii_digit(),
        })
}

/// 13 to 19 digits, with spaces or dashes between them, whose check digit is right (ISO 7812).
fn is_card(cell: &str) -> bool {
    let signs = cell.bytes().filter(|b| !matches!(b, b' ' | b'-'));
    let digits: Option<Vec<u32>> = signs.map(|b| char::from(b).to_digit(10)).collect();
    let Some(digits) = digits.filter(|d| (13..=19).contains(&d.len())) else {
        return false;
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| match (i % 2, digit * 2) {
            (0, _) => *digit,
            (_, doubled) => doubled / 10 + doubled % 10,
        })
        .sum();
    sum.is_multiple_of(10) && matches!(digits.first(), Some(3..=6))
}

fn is_network(cell: &str) -> bool {
    cell.parse::<IpAddr>().is_ok()
}

/// 8 to 15 digits (ITU-T E.164 has 15 at most) with signs that phone numbers have.
fn is_phone(cell: &str) -> bool {
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let signs = |b: u8| b.is_ascii_digit() || b" +()-./".contains(&b);
    let marked = cell.starts_with(['+', '(', '0']) || cell.contains([' ', '-', '/']);
    (8..=15).contains(&digits) && cell.bytes().all(signs) && marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_columns_hold() {
        for (name, kind) in [
            ("email", Some(Kind::Email)),
            ("customerEMail_2", Some(Kind::Email)),
            ("E-Mail", Some(Kind::Email)),
            ("Phone number", Some(Kind::Phone)),
            ("IBAN", Some(Kind::Account)),
            ("date_of_birth", Some(Kind::Birth)),
            ("Geburtsdatum", Some(Kind::Birth)),
            ("name", Some(Kind::Name)),
            ("first name", Some(Kind::Name)),
            ("CustomerName", Some(Kind::Name)),
            ("customer", Some(Kind::Name)),
            ("ip_address", Some(Kind::Network)),
            ("street_address", Some(Kind::Address)),
            ("zip", Some(Kind::Postcode)),
            ("SSN", Some(Kind::Identifier)),
            ("gender", Some(Kind::Trait)),
            ("notes", Some(Kind::Note)),
            ("product_name", None),
            ("company name", None),
            ("customer_id", None),
            ("id", None),
            ("price", None),
            ("shipping", None),
            ("description", None),
            ("mailing_list", None),
            ("single", None),
        ] {
            assert_eq!(by_name(name), kind, "{name}");
        }
    }

    #[test]
    fn shapes_say_what_columns_hold() {
        for (cells, kind) in [
            (&["ann@example.org", "x"][..], Some(Kind::Email)),
            (&["please ask <ann@example.co.uk>."], Some(Kind::Email)),
            (&["GB82 WEST 1234 5698 7654 32"], Some(Kind::Account)),
            (&["GB82 WEST 1234 5698 7654 33"], None),
            (&["4111 1111 1111 1111"], Some(Kind::Card)),
            (&["4111-1111-1111-1112"], None),
            (&["078-05-1120"], Some(Kind::Identifier)),
            (&["+45 12 34 56 78", "+47 87654321"], Some(Kind::Phone)),
            (&["192.0.2.7", "2001:db8::1"], Some(Kind::Network)),
            (&["12345678"], None),
            (&["a@b", "@home"], None),
            (&["Oslo", "Rome"], None),
            (&[], None),
        ] {
            assert_eq!(by_values(cells, DataType::Text), kind, "{cells:?}");
        }
        let cards = ["4111111111111111", "5500005555555559"];
        assert_eq!(by_values(&cards, DataType::Int64), Some(Kind::Card));
        assert_eq!(by_values(&["1", "2"], DataType::Int64), None);
        assert_eq!(by_values(&cards, DataType::Float64), None);
    }
}
