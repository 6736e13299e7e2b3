//! Finds the parts of a manifest that look like secrets, so that no excerpt shows them.
//! It does not rely on a valid manifest, since excerpts are shown when it is invalid.

use std::ops::Range;

use glovebox_core::SecretName;

use super::node::{Kind, Node};
use super::yaml;

/// Names of keys whose value is a secret, should someone write one there.
const ALWAYS: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "pass",
    "token",
    "salt",
    "pepper",
    "api-key",
    "apikey",
    "secret-id",
    "client-secret",
    "access-key",
    "decrypt-with",
    "encrypt-with",
];

/// Name public keys.
const PUBLIC: [&str; 2] = ["officers", "encrypt-to"];

/// The ranges to blank, ascending.
pub(crate) fn spans(text: &str) -> Vec<Range<usize>> {
    let parsed = yaml::parse(text);
    let mut found = Vec::new();
    if let Some(root) = &parsed.root {
        tree(root, Guard::None, &mut found);
    }
    // Where the text is not YAML, the tree ends early: go by lines from there on.
    if parsed.root.is_none() || !parsed.problems.is_empty() {
        lines(text, &mut found);
    }
    addresses(text, &mut found);
    found.sort_by_key(|r| (r.start, r.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
    for range in found {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[derive(Clone, Copy, PartialEq)]
enum Guard {
    None,
    /// A name of a secret is expected: anything else may be the secret itself.
    Name,
    /// A public key is expected: anything else may be the private one.
    PublicKey,
    /// Whatever it is, it is not for showing.
    All,
}

fn tree(node: &Node, guard: Guard, found: &mut Vec<Range<usize>>) {
    match &node.kind {
        Kind::Map(entries) => {
            for entry in entries {
                let guard = match guard {
                    // `{ secret: NAME }` is how a password is to be written.
                    Guard::All if is_secret(&entry.key.value) => Guard::Name,
                    Guard::All => Guard::All,
                    _ => guard_of(&entry.key.value, &entry.value).unwrap_or(guard),
                };
                tree(&entry.value, guard, found);
            }
        }
        Kind::List(items) => {
            for item in items {
                tree(item, guard, found);
            }
        }
        Kind::Null => {}
        Kind::Text(text) if guard == Guard::Name && SecretName::parse(text).is_ok() => {}
        Kind::Text(text)
            if guard == Guard::PublicKey
                && (text.starts_with("x25519:") || is_age_recipient(text)) => {}
        Kind::Text(text) if is_signing_key(text) => found.push(node.span.clone()),
        _ if guard != Guard::None => found.push(node.span.clone()),
        _ => {}
    }
}

/// Whether it is a secret key of minisign's, encrypted or not: its first bytes name the algorithms.
pub(crate) fn is_signing_key(text: &str) -> bool {
    text.len() > 100 && (text.starts_with("RWRTY0Iy") || text.starts_with("RWQAAEIy"))
}

/// Whether it has the form of a public key of age.
pub(crate) fn is_age_recipient(text: &str) -> bool {
    let letters = "023456789acdefghjklmnpqrstuvwxyz";
    let key = text.strip_prefix("age1").unwrap_or_default();
    key.len() == 58 && key.chars().all(|c| letters.contains(c))
}

fn guard_of(key: &str, value: &Node) -> Option<Guard> {
    let key = key.to_ascii_lowercase().replace('_', "-");
    let names = is_secret(&key) || (key == "keys" && matches!(value.kind, Kind::Map(_)));
    if names {
        Some(Guard::Name)
    } else if PUBLIC.contains(&key.as_str()) {
        Some(Guard::PublicKey)
    } else {
        looks_secret(&key).then_some(Guard::All)
    }
}

fn is_secret(key: &str) -> bool {
    key.eq_ignore_ascii_case("secret")
}

fn looks_secret(key: &str) -> bool {
    ALWAYS.iter().any(|name| {
        key == *name
            || key.ends_with(&format!("-{name}"))
            || (name.len() > 5 && strsim::damerau_levenshtein(key, name) <= 2)
    })
}

/// For text that is no YAML: whatever follows a key that looks secret, to the line's end.
fn lines(text: &str, found: &mut Vec<Range<usize>>) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let mut from = 0;
        for (colon, _) in content.match_indices(':') {
            let key = content.get(from..colon).unwrap_or_default();
            let key = key
                .rsplit(['{', ',', ' ', '\t', '"', '\''])
                .find(|part| !part.is_empty())
                .unwrap_or_default()
                .to_ascii_lowercase()
                .replace('_', "-");
            if is_secret(&key)
                || key == "keys"
                || PUBLIC.contains(&key.as_str())
                || looks_secret(&key)
            {
                let rest = content.get(colon + 1..).unwrap_or_default();
                let value = rest.trim_start();
                if !value.is_empty() {
                    let at = start + colon + 1 + (rest.len() - value.len());
                    found.push(at..start + content.len());
                }
                break;
            }
            from = colon + 1;
        }
        start += line.len();
    }
}

/// The `user:password` of addresses like `postgres://user:password@host`, wherever they stand.
fn addresses(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, scheme) in text.match_indices("://") {
        let start = at + scheme.len();
        let rest = text.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let authority = line.split(['/', ' ', '"', '\'']).next().unwrap_or_default();
        // A password may hold an `@` itself: the last one ends it.
        if let Some(end) = authority.rfind('@').filter(|end| *end > 0) {
            found.push(start..start + end);
        }
        // What follows a `?` may be a signature.
        let address = line.split([' ', '"', '\'', ',', ']', '}']).next();
        let address = address.unwrap_or_default();
        if let Some(query) = address.find('?').filter(|at| at + 1 < address.len()) {
            found.push(start + query + 1..start + address.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> Vec<&str> {
        spans(text).into_iter().map(|r| &text[r]).collect()
    }

    #[test]
    fn plain_passwords_are_hidden_and_names_of_secrets_are_not() {
        assert_eq!(
            hidden("sink:\n  postgres: { password: hunter2, user: u }\n"),
            ["hunter2"]
        );
        assert_eq!(
            hidden("pasword: hunter2\nPassWord: 'x y'\n"),
            ["hunter2", "'x y'"]
        );
        assert!(hidden("password: { secret: sales/db }\n").is_empty());
        assert_eq!(hidden("password: { secret: 's3cr3t!' }\n"), ["'s3cr3t!'"]);
        assert_eq!(
            hidden("keys: { pseudonym: sales/salt, b: 'p@ss' }\n"),
            ["'p@ss'"]
        );
        assert_eq!(hidden("with: { salt: pepper, n: 1 }\n"), ["pepper"]);
        assert!(hidden("credentials: [keyring]\ncolumns: { passenger: {} }\n").is_empty());
    }

    #[test]
    fn passwords_in_addresses_are_hidden() {
        assert_eq!(
            hidden("host: postgres://loader:hun@ter2@db/x # a@b\nurl: http://a/b@c\n"),
            ["loader:hun@ter2"]
        );
    }

    #[test]
    fn text_that_is_no_yaml_hides_whole_ends_of_lines() {
        assert_eq!(
            hidden("a: [\n  password: hun\"ter2 }\nb: c\n"),
            ["hun\"ter2 }"]
        );
        assert_eq!(hidden("a: b: c\nx: { password: hunter2\n"), ["hunter2"]);
    }
}
