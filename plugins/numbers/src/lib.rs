//! The numbers that people, accounts, securities, vehicles and goods are given: their check digits and
//! their forms. Plugins that validate them and plugins that recognise them share what is here.

mod digits;
mod finance;
mod goods;
mod iban;
mod people;

/// A kind of number.
#[derive(Debug)]
pub struct Kind {
    /// What `kind:` and the rule are called.
    pub name: &'static str,
    /// What a cell is that passes.
    pub what: &'static str,
    /// Who publishes the formula, and where.
    pub source: &'static str,
    /// Judges a text without separators, with capitals.
    pub check: fn(&[u8]) -> bool,
}

const fn kind(
    name: &'static str,
    what: &'static str,
    source: &'static str,
    check: fn(&[u8]) -> bool,
) -> Kind {
    Kind {
        name,
        what,
        source,
        check,
    }
}

/// All kinds.
#[rustfmt::skip] // a row a kind
pub static KINDS: [Kind; 22] = [
    kind("luhn", "a number with Luhn's check digit", "ISO/IEC 7812-1, annex B", digits::luhn),
    kind("mod-97", "a number with the check digits of MOD 97-10", "ISO/IEC 7064", digits::mod_97),
    kind("verhoeff", "a number with Verhoeff's check digit", "J. Verhoeff, Error Detecting Decimal Codes, 1969", digits::verhoeff),
    kind("card", "a payment card's number", "ISO/IEC 7812-1, with the lengths of American Express, Mastercard and Visa", finance::card),
    kind("iban", "an IBAN", "ISO 13616 and SWIFT's registry, release 101; national check digits of BE, ES, ME and NO", iban::iban),
    kind("aba", "a routing number of the ABA", "American Bankers Association, Routing Number Policy", finance::aba),
    kind("isin", "an ISIN", "ISO 6166", finance::isin),
    kind("ean", "a GTIN of 8, 12, 13 or 14 digits", "GS1 General Specifications, section 7.9", goods::ean),
    kind("isbn", "an ISBN of 10 or 13 digits", "ISO 2108 and the ISBN Users' Manual", goods::isbn),
    kind("imei", "an IMEI of 15 digits", "3GPP TS 23.003, annex B", goods::imei),
    kind("vin", "a vehicle identification number of North America", "49 CFR 565.15", goods::vin),
    kind("us-ssn", "a social security number of the United States", "Social Security Administration, POMS RM 10201.035; it has no check digit", people::us_ssn),
    kind("us-itin", "an ITIN of the United States", "IRS, Internal Revenue Manual 3.21.263; it has no check digit", people::us_itin),
    kind("nhs", "an NHS number", "NHS Data Model and Dictionary, NHS NUMBER", people::nhs),
    kind("nino", "a national insurance number of the United Kingdom", "HMRC, NIM39110; it has no check digit", people::nino),
    kind("aadhaar", "an Aadhaar number", "UIDAI, A UID Numbering Scheme", people::aadhaar),
    kind("steuer-id", "a German tax identification number", "Bundeszentralamt für Steuern; ISO/IEC 7064, MOD 11,10", people::steuer_id),
    kind("personalausweis", "the number of a German identity card with its check digit", "Verordnung über Personalausweise, annex 3; ICAO Doc 9303", people::personalausweis),
    kind("nir", "a French NIR with its key", "INSEE, Numéro d'inscription au répertoire", people::nir),
    kind("dni", "a Spanish DNI", "Ministerio del Interior, Cálculo del dígito de control", people::dni),
    kind("nie", "a Spanish NIE", "Ministerio del Interior, Cálculo del dígito de control", people::nie),
    kind("pesel", "a Polish PESEL", "Ministerstwo Cyfryzacji, Czym jest numer PESEL", people::pesel),
];

/// The kind of that name.
pub fn kind_named(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}
