//! Names of users, and sets of roles.

use std::collections::BTreeSet;
use std::fmt;

use crate::{Error, Result};

const NAME: &str = "a user's name is 1 to 64 letters, digits, `.`, `_`, `@`, `+`, `-`, and begins with a letter or digit";
const ROLE: &str = "a role is 1 to 32 lower-case letters, digits and `-`, and begins with a letter";

/// The name of a user, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// A sentence that says what a name may look like.
    pub fn parse(text: &str) -> Result<Self> {
        let good = (1..=64).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b));
        if good {
            Ok(Name(text.to_ascii_lowercase()))
        } else {
            Err(Error::Malformed(NAME))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Roles, in alphabetical order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles(BTreeSet<String>);

impl Roles {
    /// Checks the names of roles; at least one.
    ///
    /// # Errors
    /// A sentence that says what a role may look like.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut roles = BTreeSet::new();
        for name in names {
            let good = (1..=32).contains(&name.len())
                && name.starts_with(|c: char| c.is_ascii_lowercase())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            if !good {
                return Err(Error::Malformed(ROLE));
            }
            roles.insert(name.to_owned());
        }
        if roles.is_empty() || roles.len() > 16 {
            return Err(Error::Malformed("give 1 to 16 roles"));
        }
        Ok(Roles(roles))
    }

    /// As [`Roles::stored`] wrote them; what is no role is left out.
    pub(crate) fn read(text: &str) -> Self {
        Roles(
            text.split(',')
                .filter(|r| !r.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// With commas between them.
    pub(crate) fn stored(&self) -> String {
        self.0.iter().cloned().collect::<Vec<_>>().join(",")
    }

    /// The names.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether a role is among them.
    pub fn contains(&self, role: &str) -> bool {
        self.0.contains(role)
    }

    /// Those that are in both.
    #[must_use]
    pub fn within(&self, others: &Roles) -> Roles {
        Roles(self.0.intersection(&others.0).cloned().collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stored())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        assert_eq!(
            Name::parse("Ada@x.org").unwrap(),
            Name::parse("ada@x.org").unwrap()
        );
        for bad in ["", "-a", "a b", "ä", "a\0", "a,b", "a/b", &"a".repeat(65)] {
            assert!(Name::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn roles_are_a_set_that_reads_back() {
        let roles = Roles::parse(["operator", "analyst", "operator"]).unwrap();
        assert_eq!(roles.to_string(), "analyst,operator");
        assert_eq!(Roles::read(&roles.stored()), roles);
        for bad in [&[""][..], &["A"], &["a,b"], &["1"], &[]] {
            assert!(Roles::parse(bad.iter().copied()).is_err(), "{bad:?}");
        }
        let narrow = roles.within(&Roles::parse(["analyst", "auditor"]).unwrap());
        assert_eq!(narrow.to_string(), "analyst");
    }
}
