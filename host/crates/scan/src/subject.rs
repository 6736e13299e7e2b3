//! What personal data may be about, what is said of it, and what is done with it until somebody
//! decides.

use glovebox_core::DataType;

/// What a column seems to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Bank accounts, and banks and securities by number.
    Account,
    /// Streets and numbers.
    Address,
    /// Dates of birth.
    Birth,
    /// Payment cards.
    Card,
    /// E-mail addresses.
    Email,
    /// Numbers that states give to people.
    Identifier,
    /// Coordinates.
    Location,
    /// Names of accounts.
    Login,
    /// Names of people.
    Name,
    /// Addresses of devices.
    Network,
    /// Free text.
    Note,
    /// Phone numbers.
    Phone,
    /// Postcodes.
    Postcode,
    /// Passwords and the like.
    Secret,
    /// What a person is like.
    Trait,
    /// Vehicles.
    Vehicle,
}

/// What a step does with a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Treatment {
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

impl Subject {
    /// What it is, in the plural.
    pub fn what(self) -> &'static str {
        match self {
            Subject::Account => "bank accounts",
            Subject::Address => "addresses",
            Subject::Birth => "dates of birth",
            Subject::Card => "card numbers",
            Subject::Email => "e-mail addresses",
            Subject::Identifier => "official ID numbers",
            Subject::Location => "coordinates",
            Subject::Login => "logins",
            Subject::Name => "names of people",
            Subject::Network => "device addresses",
            Subject::Note => "free text, which may name people",
            Subject::Phone => "phone numbers",
            Subject::Postcode => "postcodes",
            Subject::Secret => "secrets",
            Subject::Trait => "personal traits",
            Subject::Vehicle => "vehicle numbers",
        }
    }

    /// What a table and JSON call it.
    pub fn id(self) -> &'static str {
        match self {
            Subject::Account => "account",
            Subject::Address => "address",
            Subject::Birth => "birth-date",
            Subject::Card => "card",
            Subject::Email => "email",
            Subject::Identifier => "official-id",
            Subject::Location => "location",
            Subject::Login => "login",
            Subject::Name => "person-name",
            Subject::Network => "device",
            Subject::Note => "free-text",
            Subject::Phone => "phone",
            Subject::Postcode => "postcode",
            Subject::Secret => "secret",
            Subject::Trait => "trait",
            Subject::Vehicle => "vehicle",
        }
    }

    /// Whether its cells are signs, even where all of them are digits.
    pub fn is_code(self) -> bool {
        use Subject::{Account, Card, Identifier, Phone, Postcode, Vehicle};
        matches!(
            self,
            Account | Card | Identifier | Phone | Postcode | Vehicle
        )
    }

    /// Whether cells show it, so that a name that they contradict says little.
    pub(crate) fn is_recognised(self) -> bool {
        use Subject::{Identifier, Location, Login, Secret, Trait};
        // Of official numbers only some have a form that is known here.
        !matches!(self, Identifier | Location | Login | Secret | Trait)
    }

    /// What is done with a column of that type.
    pub fn treatment(self, data_type: DataType) -> Treatment {
        match (self, data_type) {
            (Subject::Account | Subject::Card, DataType::Text) => Treatment::LastFour,
            (Subject::Phone, DataType::Text) => Treatment::AllButSix,
            (Subject::Postcode, DataType::Text) => Treatment::FirstTwo,
            (Subject::Birth, DataType::Date | DataType::Timestamp) => Treatment::Year,
            _ => Treatment::Redact,
        }
    }
}
