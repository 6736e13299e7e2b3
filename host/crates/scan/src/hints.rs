//! What a column's name says of it, in the languages in which columns are named.

use crate::subject::Subject;

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// The column holds that.
    Of(Subject),
    /// It holds what is of no person.
    Thing,
}

/// What stands anywhere in a name, without signs, says of its column.
#[rustfmt::skip] // a row a subject
const PARTS: [(Subject, &str); 12] = [
    (Subject::Birth, "birth geburt naissance nacimiento nascita nascimento urodzenia fodelsedatum fodselsdato geboortedatum"),
    (Subject::Email, "email emailaddress correo posteelettronica courriel"),
    (Subject::Identifier, "socialsecurity sozialversicherung nationalid nationalinsurance taxid taxnumber steuerid steuernummer passport \
        driverslicen driverlicen personnummer personalausweis ausweisnummer identitycard codicefiscale numerosecu rijksregister"),
    (Subject::Phone, "phone telefon telephone telefoon mobilenumber celular handynummer"),
    (Subject::Account, "iban bankaccount accountnumber accountno kontonummer routingnumber numerocompte"),
    (Subject::Card, "creditcard debitcard cardnumber cardno kreditkarte cartedecredit tarjeta kartennummer cartadicredito"),
    (Subject::Secret, "password passwort apikey contrasena motdepasse"),
    (Subject::Postcode, "postcode postalcode zipcode postleitzahl codepostal codigopostal kodpocztowy postnummer postnr pincode"),
    (Subject::Network, "ipaddr macaddr adresseip"),
    (Subject::Login, "username"),
    (Subject::Vehicle, "vinnumber chassisnumber fahrgestell vehicleid"),
    (Subject::Name, "firstname lastname surname givenname middlename fullname displayname imienazwisko"),
];

/// What a word of a name says of its column.
#[rustfmt::skip] // a row a subject
const WORDS: [(Subject, &str); 15] = [
    (Subject::Email, "mail mails epost"),
    (Subject::Phone, "tel mobile cell cellphone fax handy msisdn whatsapp movil portable telefono telefone komorka mobil"),
    (Subject::Card, "card pan cc"),
    (Subject::Account, "aba isin rib"),
    (Subject::Vehicle, "vin fin"),
    (Subject::Identifier, "ssn nin nino sin cpf pesel bsn nif dni nie cpr tin ahv aadhaar curp nhs itin nir insee idnr ausweis"),
    (Subject::Birth, "dob born bday nascita fodt"),
    (Subject::Network, "ip ipv4 ipv6 mac imei imsi"),
    (Subject::Address, "address addr street adresse strasse stra\u{df}e rue direccion indirizzo hausnummer adres ulica endereco adress gata straat"),
    (Subject::Postcode, "zip plz cep pin postcodes"),
    (Subject::Login, "login nickname nick"),
    (Subject::Secret, "passwd pwd secret token cvv cvc"),
    (Subject::Trait, "gender sex religion ethnicity race nationality diagnosis disease disability marital salary income geschlecht"),
    (Subject::Location, "lat latitude lon lng longitude gps"),
    (Subject::Name, "vorname nachname familienname prenom pr\u{e9}nom nom nombre apellido apellidos cognome nome imie nazwisko voornaam \
        achternaam efternamn fornamn efternavn fornavn sobrenome forename fullname cardholder"),
];

/// Free text, unless something else is named beside it.
const NOTES: &str = "note notes comment comments remark remarks message notiz bemerkung nota notas uwagi opmerking kommentar";

/// People, whose column holds their names, or whose `name` it is.
const PEOPLE: &str = "author client contact customer employee guest holder kunde member owner patient payee payer person \
    recipient sender student user first full last family";

/// What makes another thing's name of a `name`, and what is of no person.
const THINGS: &str = "\
amount app article artikel asset azienda barcode batch bedrijf bestellung brand branch build category checksum cidade \
citta city ciudad code colour color commit company count country created currency device domain duration ean empresa entreprise event \
file firm firma foretag guid hash host invoice isbn lot menge miasto model modified order organisation \
organization ort plaats plan preis price product produkt project quantity rechnung ref reference region release revision serial \
session shop size sku societe stad stadt status store supplier table ticket timestamp total town tracking transaction updated url \
uuid vendor version ville virksomhed warehouse weight";

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

/// What a column's name says of it; none if it says nothing.
pub fn hint(name: &str) -> Option<Hint> {
    let words = words(name);
    let among = |all: &str| {
        let mut all = all.split_whitespace();
        all.any(|other| words.iter().any(|word| word == other))
    };
    let joined = words.concat();
    let part = PARTS
        .iter()
        .find(|(_, parts)| parts.split_whitespace().any(|part| joined.contains(part)));
    let word = || WORDS.iter().find(|(_, all)| among(all));
    if let Some((subject, _)) = part.or_else(word) {
        return Some(Hint::Of(*subject));
    }
    if among(NOTES) {
        return Some(Hint::Of(Subject::Note));
    }
    let (person, thing) = (among(PEOPLE), among(THINGS));
    if among("name") && (person || !thing) || person && words.len() == 1 {
        return Some(Hint::Of(Subject::Name));
    }
    thing.then_some(Hint::Thing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(name: &str) -> Option<Subject> {
        match hint(name) {
            Some(Hint::Of(subject)) => Some(subject),
            Some(Hint::Thing) | None => None,
        }
    }

    #[test]
    fn names_say_what_columns_hold() {
        for (name, expected) in [
            ("email", Some(Subject::Email)),
            ("customerEMail_2", Some(Subject::Email)),
            ("E-Mail", Some(Subject::Email)),
            ("Phone number", Some(Subject::Phone)),
            ("IBAN", Some(Subject::Account)),
            ("date_of_birth", Some(Subject::Birth)),
            ("Geburtsdatum", Some(Subject::Birth)),
            ("name", Some(Subject::Name)),
            ("first name", Some(Subject::Name)),
            ("CustomerName", Some(Subject::Name)),
            ("customer", Some(Subject::Name)),
            ("ip_address", Some(Subject::Network)),
            ("street_address", Some(Subject::Address)),
            ("zip", Some(Subject::Postcode)),
            ("SSN", Some(Subject::Identifier)),
            ("gender", Some(Subject::Trait)),
            ("notes", Some(Subject::Note)),
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
            assert_eq!(subject(name), expected, "{name}");
        }
    }

    #[test]
    fn names_of_things_speak_against_people() {
        for name in [
            "product_name",
            "order_no",
            "city",
            "firmware version",
            "bestellung_nr",
        ] {
            assert_eq!(hint(name), Some(Hint::Thing), "{name}");
        }
        assert_eq!(hint("x1"), None);
        assert_eq!(hint("kod_pocztowy"), Some(Hint::Of(Subject::Postcode)));
    }
}
