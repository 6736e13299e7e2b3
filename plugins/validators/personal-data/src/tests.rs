//! Cells of each kind, and what looks like them and is none.

use glovebox_sdk::testing::{Table, validate};

use super::PersonalData;
use super::kinds::KINDS;

/// The kinds that are found in a cell.
fn found(cell: &str) -> Vec<&'static str> {
    let cell = super::Cell::new(cell).unwrap();
    let kinds = KINDS.iter().filter(|kind| (kind.is)(&cell));
    kinds.map(|kind| kind.name).collect()
}

#[test]
fn cells_are_of_their_kinds() {
    for (cell, kind) in [
        ("ann@example.org", "email"),
        ("j.o'neil+x@mail.example.co.uk", "email"),
        ("+45 12 34 56 78", "phone"),
        ("(201) 555-0123", "phone"),
        ("001-201-555-0123x99", "phone"),
        ("0171 2345678", "phone"),
        ("612 345 678", "phone-digits"),
        ("192.0.2.77", "ip"),
        ("2001:db8::1", "ip"),
        ("1.2.3.4", "ip-quad"),
        ("00:1b:44:11:3a:b7", "mac"),
        ("4111 1111 1111 1111", "card"),
        ("378282246310005", "card"),
        ("GB82 WEST 1234 5698 7654 32", "iban"),
        ("111000025", "aba"),
        ("US0378331005", "isin"),
        ("1M8GDM9AXKP042788", "vin"),
        ("219-09-9998", "us-ssn"),
        ("219099998", "us-ssn-digits"),
        ("912-70-1234", "us-itin"),
        ("943 476 5919", "phone-digits"),
        ("401 023 2137", "nhs"),
        ("AB 12 34 56 C", "nino"),
        ("2341 2341 2346", "aadhaar"),
        ("36574261809", "steuer-id"),
        ("T220001293", "personalausweis"),
        ("12345678Z", "dni"),
        ("X1234567L", "nie"),
        ("255081416802538", "nir"),
        ("44051401359", "pesel"),
        ("1980-02-29", "birth-date"),
        ("29/2/1980", "birth-date"),
        ("1980-02-28 00:00:00", "birth-date"),
        ("SW1A 1AA", "postcode"),
        ("1234 AB", "postcode"),
        ("10115", "postcode-digits"),
        ("Ann Smith", "person-name"),
        ("García López, María", "person-name"),
        ("Dr. Unheard Of", "person-name"),
        ("Jürgen", "person-name"),
        ("Bakery Smith Ltd.", "organisation"),
        ("New Michaelton", "place"),
        ("12 High Street", "address"),
        ("Hauptstraße 5a", "address"),
        ("ul. Długa 7/2", "address"),
        ("please ask <ann@example.co.uk>.", "free-text"),
        ("call +45 12 34 56 78 after six", "free-text"),
        ("pay to GB82 WEST 1234 5698 7654 32 soon", "free-text"),
        ("spoke with Ann Smith about it", "free-text"),
    ] {
        assert!(found(cell).contains(&kind), "{cell}: {:?}", found(cell));
    }
}

#[test]
fn what_looks_like_personal_data_is_none() {
    for cell in [
        "a@b",
        "@home",
        "4111 1111 1111 1112",
        "GB82 WEST 1234 5698 7654 33",
        "2026-11-27T10:00:00Z",
        "2026-11-27",
        "12:30:45",
        "v1.2.3",
        "550e8400-e29b-41d4-a716-446655440000",
        "19.99",
        "1,234.50",
        "AB-1234-X",
        "the parcel came on Tuesday, 3 of 4 boxes were wet",
        "d41d8cd98f00b204e9800998ecf8427e",
        "978-0-306-40615-7",
        "delivered",
        "x",
    ] {
        let mut kinds = found(cell);
        kinds.retain(|kind| !kind.ends_with("-digits"));
        assert!(kinds.is_empty(), "{cell}: {kinds:?}");
    }
    assert!(!found("1.2.3.4").contains(&"ip"));
    assert!(!found("New Michael").contains(&"person-name"));
    assert!(!found("Brown, Smith and Jones").contains(&"person-name"));
    assert!(!found("Müller GmbH & Co. KG").contains(&"person-name"));
}

#[test]
fn a_finding_names_the_column_and_what_it_has() {
    let table = Table::new().text("note", [Some("ann@example.org"), None, Some("")]);
    let validated = validate::<PersonalData>(r#"{"kinds": ["email", "card"]}"#, &table).unwrap();
    assert_eq!(
        validated.violations(),
        [(0, "`note` has an e-mail address")]
    );
}

#[test]
fn cells_of_any_length_are_looked_at_no_further_than_their_start() {
    let long = format!("{}ann@example.org", "é ".repeat(super::MAX_LEN));
    assert!(!found(&long).contains(&"free-text"));
    let near = format!("{}ann@example.org", "é ".repeat(100));
    assert!(found(&near).contains(&"free-text"));
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let table = Table::new().text("n", ["1"]);
    let error = |config| validate::<PersonalData>(config, &table).unwrap_err();
    assert_eq!(error(r#"{"kinds": ["mail"]}"#).path, "/kinds/0");
    assert_eq!(error(r#"{"kinds": []}"#).path, "/kinds");
    assert_eq!(error(r#"{"kinds": ["email", "email"]}"#).path, "/kinds");
    assert_eq!(error("{}").message, "missing field `kinds`");
    let numbers = Table::new().int64("n", [18]);
    let error = validate::<PersonalData>(r#"{"kinds": ["email"]}"#, &numbers).unwrap_err();
    assert!(error.message.starts_with("column `n` is int64"), "{error}");
}

#[test]
fn the_manual_has_each_kind_as_it_is_declared() {
    let table: String = KINDS
        .iter()
        .map(|kind| format!("| `{}` | {} |\n", kind.name, kind.what))
        .collect();
    let manual = include_str!("../DOCS.md");
    assert!(manual.contains(&table), "write into DOCS.md:\n{table}");
}

#[test]
fn the_schema_is_that_of_the_options() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.json");
    glovebox_sdk::testing::check_schema::<super::Config>(path);
}
