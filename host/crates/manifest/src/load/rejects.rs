//! What happens to rejected rows: where they are listed, how many there may be, and for whom their cells
//! are kept.

use std::path::PathBuf;

use glovebox_core::SecretName;
use serde_json::json;

use crate::block::Reader;
use crate::declare::{At, Kind, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Output, Own, Secret};
use crate::model::rejects::{AtMost, Rejects, SealedTo};
use crate::node::Kind as Yaml;
use crate::span::Spanned;
use crate::units;

/// The most who can open the sealed file; each chunk's key is sealed to all.
const MAX_RECIPIENTS: usize = 16;

section! {
    /// What happens to rejected rows.
    pub(crate) struct RejectKeys("Rejects"): "the rejects", "rejects: { path: sales.rejects.jsonl, at-most: 50% }" {
        /// One JSON object per rejected row: row, file (if the source has several), line (if it has
        /// lines), and for each violation step, column, rule and message; never a value.
        path: Option<Spanned<PathBuf>>
            => optional "`NAME.rejects.jsonl`", REJECTS, "path: sales.rejects.jsonl";
        /// `100`, or `2.5%` of the rows read. With more rejects the run ends with code 3. With
        /// `replace` and `upsert` nothing is published then; with `append` the good rows are stored
        /// anyway.
        at_most: Option<Spanned<AtMost>> => optional "any number", AT_MOST;
        /// [Also keep the cells of rejected rows](#sealed-rejects), encrypted so that only the owners of
        /// these public keys can open them: names of secrets that hold `x25519:…`.
        sealed_to: Vec<Spanned<SecretName>> => empty, RECIPIENTS, "sealed-to: [audit/rejects-public]";
        /// Where; only with `sealed-to`.
        sealed: Option<Spanned<PathBuf>>
            => optional "`path` with the ending `.sealed`", SEALED, "sealed: sales.rejects.sealed";
    }
    hints {
        "max" => "write `at-most:`",
        "limit" => "write `at-most:`",
        "file" => "write `path:`",
        "recipients" => "write `sealed-to:`",
        "keys" => "write `sealed-to:`",
    }
}

const REJECTS: Output = Output {
    what: "rejects",
    note: None,
};

const SEALED: Output = Output {
    what: "sealed rejects",
    note: None,
};

pub(super) const AT_MOST: Own<AtMost> = Own {
    read: at_most,
    words: "rows or percentage",
    schema: |_| {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 0 },
            { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *%$" },
        ]})
    },
};

fn at_most(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<AtMost>> {
    let node = at.node;
    let value = match &node.kind {
        Yaml::Broken => return None,
        Yaml::Number(number) => number.as_u64().map(AtMost::Rows),
        Yaml::Text(text) => units::share(text),
        _ => None,
    };
    if value.is_none() {
        reader.say(
            Diagnostic::error(
                reader.first_line(&node.span),
                format!("`{}` is neither a number of rows nor a percentage", at.key),
            )
            .help("write a number of rows, like 100, or a percentage from 0% to 100%, like 2.5%"),
        );
    }
    value.map(|value| Spanned::new(value, node.span.clone()))
}

const RECIPIENTS: Own<Vec<Spanned<SecretName>>> = Own {
    read: recipients,
    words: "list of secrets",
    schema: |schema| {
        json!({
            "type": "array", "minItems": 1, "maxItems": MAX_RECIPIENTS, "uniqueItems": true,
            "items": Kind::schema(&Secret, schema),
        })
    },
};

fn recipients(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<Spanned<SecretName>>>> {
    let items = reader.list(at.node, at.key, &at.example)?;
    let help = || format!("name the secrets that hold the public keys: {}", at.example);
    if items.is_empty() {
        let problem = "`sealed-to` names no key, so nobody could open the rejects";
        reader.say(Diagnostic::error(at.head.clone(), problem).help(help()));
    }
    if items.len() > MAX_RECIPIENTS {
        let problem = format!("`sealed-to` names more than {MAX_RECIPIENTS} keys");
        reader.say(
            Diagnostic::error(at.head.clone(), problem)
                .help("name a key whose private half these people share, or fewer keys"),
        );
    }
    let mut names: Vec<Spanned<SecretName>> = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = reader.secret(item, "each key in `sealed-to`") else {
            continue;
        };
        match names.iter().find(|n| n.value == name.value) {
            Some(before) => {
                let problem = "`sealed-to` names this key twice";
                let problem = Diagnostic::error(name.span.clone(), problem)
                    .context(before.span.clone(), "the same key")
                    .help("name each key once");
                reader.say(problem);
            }
            None => names.push(name),
        }
    }
    Some(Spanned::new(names, at.node.span.clone()))
}

/// What the keys say, and what stands for those that are left out; `beside` is where the list is then.
pub(super) fn rejects(
    reader: &mut Reader<'_>,
    keys: Option<RejectKeys>,
    beside: impl FnOnce() -> Spanned<PathBuf>,
) -> Rejects {
    let (path, at_most, to, sealed) = match keys {
        Some(keys) => (keys.path, keys.at_most, keys.sealed_to, keys.sealed),
        None => (None, None, Vec::new(), None),
    };
    let path = path.unwrap_or_else(beside);
    if let Some(sealed) = sealed.as_ref().filter(|_| to.is_empty()) {
        let problem = "`sealed` says where rejects are sealed, but nothing says to whom";
        reader.say(Diagnostic::error(sealed.span.clone(), problem).help(
            "add the public keys, like sealed-to: [audit/rejects-public], or delete `sealed`",
        ));
    }
    let sealed = (!to.is_empty()).then(|| SealedTo {
        path: sealed.unwrap_or_else(|| Spanned::new(sealed_beside(&path), path.span.clone())),
        recipients: to,
    });
    Rejects {
        path,
        at_most,
        sealed,
    }
}

/// Where rejects are sealed whose list is there.
pub fn sealed_beside(list: &std::path::Path) -> PathBuf {
    list.with_extension("sealed")
}
