//! `undeclared` and `exemptions`: the manifest as the register of its source's columns.
//! An exemption ends on a day, and names who answers for it.

use chrono::NaiveDate;
use serde_json::json;

use super::columns::UNTIL;
use crate::block::{Block, Reader, short};
use crate::declare::{Section, section, words};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Own, Text};
use crate::span::{Span, Spanned};

words! {
    /// What `check --connect` does about columns of the source that the manifest does not mention.
    pub enum Undeclared {
        /// It names them.
        Warn = "warn",
        /// It names them and fails.
        Refuse = "refuse",
    }
}

/// Why a column is neither declared personal nor masked, although something speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// The column: a declared one, or one of the source that the manifest does not declare.
    pub column: Spanned<String>,
    /// Who answers for it.
    pub owner: Spanned<String>,
    /// Why.
    pub reason: Spanned<String>,
    /// The last day on which it holds.
    pub until: Spanned<NaiveDate>,
}

section! {
    /// Says that a column is known, and not personal or not declared with intent.
    struct ExemptionKeys("Exemption"): "an exemption",
        "- { column: label, owner: dpo@example.org, reason: names of products, until: 2027-01-31 }"
    {
        /// The column: a declared one that is not personal, or one of the source that is not declared.
        column: Option<Spanned<String>> => asked, Text, "column: label";
        /// Who is responsible for it.
        owner: Option<Spanned<String>> => asked, Text, "owner: who answers for it";
        /// Why it is exempt.
        reason: Option<Spanned<String>> => asked, Text, "reason: names of products, not of people";
        /// The last day on which it is; after that the manifest is refused.
        until: Option<Spanned<NaiveDate>> => asked, UNTIL, "until: 2027-01-31";
    }
    hints {
        "by" => "write `owner:`",
        "expires" => "write `until:`",
        "name" => "write `column:`",
    }
    settle Exemption: exemption;
}

fn exemption(keys: ExemptionKeys, _: &mut Reader<'_>, _: &Block<'_>) -> Option<Exemption> {
    // What is missing has been said.
    Some(Exemption {
        column: keys.column?,
        owner: keys.owner?,
        reason: keys.reason?,
        until: keys.until?,
    })
}

/// The manifest's `exemptions:`.
pub(super) const EXEMPTIONS: Own<Vec<Exemption>> = Own {
    read: |reader, at| {
        let items = reader.list(at.node, at.key, &at.example)?;
        let mut exemptions: Vec<Exemption> = Vec::with_capacity(items.len());
        for item in items {
            let head: Span = item.first_key();
            let Some(exemption) = ExemptionKeys::read(reader, item, head) else {
                continue;
            };
            let column = &exemption.column;
            if let Some(first) = exemptions.iter().find(|e| e.column.value == column.value) {
                let problem = format!("`{}` is exempt twice", short(&column.value));
                reader.say(
                    Diagnostic::error(column.span.clone(), problem)
                        .label("again here")
                        .context(first.column.span.clone(), "first here")
                        .help("delete one of them"),
                );
            }
            exemptions.push(exemption);
        }
        Some(Spanned::new(exemptions, at.node.span.clone()))
    },
    words: "list",
    schema: |schema| json!({ "type": "array", "items": schema.section::<ExemptionKeys>() }),
};
