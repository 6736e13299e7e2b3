//! Replaces mail addresses within texts by pseudonyms: it points at them, and the host masks them.
use glovebox_sdk::prelude::*;
use std::ops::Range;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Which of the step's `keys` the pseudonyms are made with.
    key: String,
}

struct MailAddresses {
    key: String,
}

impl Masker for MailAddresses {
    type Config = Options;
    const ABOUT: About = About::new("mail-addresses", "1.0.0", "Masks addresses within texts.");

    fn open(options: Options, masks: &[Field], _: &[Field]) -> Result<Self, ConfigError> {
        expect_types(masks, "text", |t| t == DataType::Text)?;
        Ok(MailAddresses { key: options.key })
    }

    fn field(&self, masked: &Field) -> Field {
        Field {
            nullable: true,
            ..masked.clone()
        }
    }

    /// A note without an address stays as it is.
    fn keeps(&self, _masked: &Field) -> Kept {
        Kept::Cells
    }

    fn mask(&self, column: &Column<'_>) -> Action {
        let Some(text) = column.text() else {
            return Action::Nullify(Target::Cells);
        };
        let mut spans = Spans::new();
        for (row, cell) in text.iter().enumerate() {
            for address in addresses(cell.unwrap_or_default()) {
                spans.push(row, address);
            }
        }
        // Also without a span: what is not ordered of a batch without rows is refused later.
        Action::Keyed(Keyed {
            method: Method::HmacSha256,
            key: self.key.clone(),
            target: Target::Spans(spans),
        })
    }
}

/// The bytes of each address in a text: name, `@`, and a domain with a dot in it.
fn addresses(text: &str) -> Vec<Range<usize>> {
    let name = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let host = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let mut found: Vec<Range<usize>> = Vec::new();
    for (at, _) in text.match_indices('@') {
        let (before, after) = text.split_at(at);
        let start = before.trim_end_matches(name).len();
        let after = after.strip_prefix('@').unwrap_or(after);
        let domain = after.strip_suffix(after.trim_start_matches(host));
        let domain = domain.unwrap_or_default().trim_end_matches(['.', '-']);
        let free = found.last().is_none_or(|last| last.end <= start);
        if start < at && domain.contains('.') && free {
            found.push(start..at + 1 + domain.len());
        }
    }
    found
}

export!(masker MailAddresses);

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_sdk::testing::{Table, mask};

    #[test]
    fn addresses_are_found_within_a_text() {
        let table = Table::new().text("note", [Some("Zoë: a@b.org, c@d.org."), None, Some("@x")]);
        let masked = mask::<MailAddresses>(r#"{"key": "k"}"#, &["note"], &table).unwrap();
        let [(column, Action::Keyed(keyed))] = &masked.actions[..] else {
            panic!("one order for one column");
        };
        let Target::Spans(spans) = &keyed.target else {
            panic!("spans");
        };
        assert_eq!((column.as_str(), keyed.key.as_str()), ("note", "k"));
        assert_eq!(spans.iter().collect::<Vec<_>>(), [(0, 6, 13), (0, 15, 22)]);
    }
}
