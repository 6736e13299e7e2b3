//! The plugins that are measured, each as a step on the benchmark's file.

use glovebox_core::DataType;

use super::case::Case;
use super::native;

/// The file's columns, in their order.
pub(super) const COLUMNS: [(&str, DataType); 7] = [
    ("id", DataType::Int64),
    ("first", DataType::Text),
    ("last", DataType::Text),
    ("email", DataType::Text),
    ("ssn", DataType::Text),
    ("amount", DataType::Float64),
    ("joined", DataType::Date),
];

/// What masks of the host's are made with, in base64.
pub(super) const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Validators first, as whoever writes a manifest would have them.
pub(super) const CASES: &[Case] = &[
    Case {
        name: "required",
        step: "validate: required, reads: [id, email]",
        with: "{}",
        reads: &["id", "email"],
        masks: false,
        adds: &[],
        native: native::validator::<plugin_required::Required>,
    },
    Case {
        name: "length",
        step: "validate: length, reads: [last], with: { max: 80 }",
        with: r#"{"max": 80}"#,
        reads: &["last"],
        masks: false,
        adds: &[],
        native: native::validator::<plugin_length::Length>,
    },
    Case {
        name: "range",
        step: "validate: range, reads: [amount], with: { min: 0, max: 100000 }",
        with: r#"{"min": 0, "max": 100000}"#,
        reads: &["amount"],
        masks: false,
        adds: &[],
        native: native::validator::<plugin_range::Range>,
    },
    Case {
        name: "pattern",
        step: r#"validate: pattern, reads: [ssn], with: { regex: "[0-9]{3}-[0-9]{2}-[0-9]{4}" }"#,
        with: r#"{"regex": "[0-9]{3}-[0-9]{2}-[0-9]{4}"}"#,
        reads: &["ssn"],
        masks: false,
        adds: &[],
        native: native::validator::<plugin_pattern::Pattern>,
    },
    Case {
        name: "allowed-values",
        step: "validate: allowed-values, reads: [last], with: { values: [Abara, Brown, Castellano, Dubois, Evans, \
               Fischer, Gonzalez, Haddad] }",
        with: r#"{"values": ["Abara", "Brown", "Castellano", "Dubois", "Evans", "Fischer", "Gonzalez", "Haddad"]}"#,
        reads: &["last"],
        masks: false,
        adds: &[],
        native: native::validator::<plugin_allowed_values::AllowedValues>,
    },
    // Finds one row in nine hundred.
    Case {
        name: "checksum",
        step: "validate: checksum, reads: [ssn], with: { kind: us-ssn }",
        with: r#"{"kind": "us-ssn"}"#,
        reads: &["ssn"],
        masks: false,
        adds: &[],
        native: native::validator::<plugin_checksum::Checksum>,
    },
    Case {
        name: "personal-data",
        step: "validate: personal-data, reads: [last], with: { kinds: [email, phone, card] }",
        with: r#"{"kinds": ["email", "phone", "card"]}"#,
        reads: &["last"],
        masks: false,
        adds: &[],
        native: native::validator::<plugin_personal_data::PersonalData>,
    },
    Case {
        name: "keep",
        step: "transform: keep, reads: [amount], with: { column: amount, at-least: 0 }",
        with: r#"{"column": "amount", "at-least": 0}"#,
        reads: &["amount"],
        masks: false,
        adds: &[],
        native: native::transformer::<plugin_keep::Keep>,
    },
    Case {
        name: "row-id",
        step: "transform: row-id, adds: { number: { type: int64 } }",
        with: "{}",
        reads: &[],
        masks: false,
        adds: &["number"],
        native: native::transformer::<plugin_row_id::RowId>,
    },
    Case {
        name: "partial",
        step: "mask: partial, masks: [ssn], with: { mask-last: 4 }",
        with: r#"{"mask-last": 4}"#,
        reads: &["ssn"],
        masks: true,
        adds: &[],
        native: native::masker::<plugin_partial::Partial>,
    },
    Case {
        name: "redact",
        step: "mask: redact, masks: [email]",
        with: "{}",
        reads: &["email"],
        masks: true,
        adds: &[],
        native: native::masker::<plugin_redact::Redact>,
    },
    Case {
        name: "generalize",
        step: "mask: generalize, masks: [joined], with: { to: year }",
        with: r#"{"to": "year"}"#,
        reads: &["joined"],
        masks: true,
        adds: &[],
        native: native::masker::<plugin_generalize::Generalize>,
    },
    // From here on the host computes the masks.
    Case {
        name: "pseudonym",
        step: "mask: pseudonym, masks: [first], with: { method: hmac-sha256 }, keys: { pseudonym: key }",
        with: r#"{"method": "hmac-sha256"}"#,
        reads: &["first"],
        masks: true,
        adds: &[],
        native: native::masker::<plugin_pseudonym::Pseudonym>,
    },
    Case {
        name: "encrypt",
        step: "mask: encrypt, masks: [id], with: { method: aes-siv }, keys: { encrypt: key }",
        with: r#"{"method": "aes-siv"}"#,
        reads: &["id"],
        masks: true,
        adds: &[],
        native: native::masker::<plugin_encrypt::Encrypt>,
    },
    Case {
        name: "fake",
        step: "mask: fake, masks: [last], with: { kind: last-name }, keys: { fake: key }",
        with: r#"{"kind": "last-name"}"#,
        reads: &["last"],
        masks: true,
        adds: &[],
        native: native::masker::<plugin_fake::Fake>,
    },
];

/// A manifest with these steps, in which each is named by its place.
pub(super) fn manifest(steps: &[&str]) -> String {
    let mut text =
        "name: people\nsource: { csv: { path: people.csv } }\ncredentials: [env]\ncolumns:\n"
            .to_owned();
    for (name, data_type) in COLUMNS {
        text.push_str(&format!("  {name}: {{ type: {data_type} }}\n"));
    }
    text.push_str("steps:\n");
    for (place, step) in steps.iter().enumerate() {
        text.push_str(&format!("  - {{ name: s{place}, {step} }}\n"));
    }
    text.push_str("sink: { csv: { path: out.csv, mode: replace } }\nrejects: { path: rejects.jsonl, at-most: 1% }\n");
    text
}
