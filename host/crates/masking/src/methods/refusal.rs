//! What methods refuse.

use glovebox_core::KeyError;

/// Why a cell is not masked, or not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The cell's length gives fewer values than FF1 may permute.
    #[error(
        "too short: FF1 needs at least 1,000,000 possible values for the part that is not kept"
    )]
    Domain,
    /// A letter or digit that would stand readable in the mask.
    #[error("a letter or digit is not in the alphabet, and would stay readable")]
    Alphabet,
    /// A check digit that could not be given back, since it is computed anew.
    #[error("the check digit is wrong, so that it could not be given back")]
    CheckDigit,
    /// Longer than the method takes.
    #[error("longer than the method takes")]
    Length,
    /// One refusal for a wrong key, a wrong domain, an altered and an expired value, so that
    /// nobody learns which of them it is.
    #[error("does not open: another key or domain, altered, or expired")]
    Closed,
    /// A date or time that would leave its type's range.
    #[error("the shifted date is out of range")]
    Range,
}

impl Refusal {
    /// The name of the rule that a rejected cell is listed under.
    pub fn rule(self) -> &'static str {
        match self {
            Refusal::Domain => "ff1-domain",
            Refusal::Alphabet => "ff1-alphabet",
            Refusal::CheckDigit => "check-digit",
            Refusal::Length => "method-length",
            Refusal::Closed => "not-opened",
            Refusal::Range => "shift-range",
        }
    }
}

/// A key or a parameter that a method does not take, in words for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// A key of another length.
    #[error("{method} takes a key of {takes}; make one with `glovebox secret set --generate`")]
    KeyLength {
        /// The method.
        method: &'static str,
        /// The lengths that it takes, in words.
        takes: &'static str,
    },
    /// A radix that FF1 does not have.
    #[error("FF1 takes a radix of 2 to 65536")]
    Radix,
    /// An alphabet of too few or too many signs.
    #[error("an alphabet has 2 to 65536 signs")]
    AlphabetLength,
    /// An alphabet with a sign twice.
    #[error("a sign stands twice in the alphabet; name each once")]
    AlphabetTwice,
    /// A check digit in another alphabet than that of digits.
    #[error("a Luhn check digit needs the alphabet 0123456789")]
    LuhnAlphabet,
}

impl From<ParameterError> for KeyError {
    fn from(error: ParameterError) -> Self {
        KeyError::Parameters(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_short_printable_names_of_their_own() {
        let all = [
            Refusal::Domain,
            Refusal::Alphabet,
            Refusal::CheckDigit,
            Refusal::Length,
            Refusal::Closed,
            Refusal::Range,
        ];
        let names: std::collections::HashSet<_> = all.map(Refusal::rule).into();
        assert_eq!(names.len(), all.len());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(names.iter().all(|name| name.chars().all(plain)));
    }

    #[test]
    fn an_unfit_parameter_reaches_operators_in_its_words() {
        let error = ParameterError::KeyLength {
            method: "aes-siv",
            takes: "32 or 64 bytes",
        };
        assert_eq!(
            KeyError::from(error).to_string(),
            "aes-siv takes a key of 32 or 64 bytes; make one with `glovebox secret set --generate`"
        );
    }
}
