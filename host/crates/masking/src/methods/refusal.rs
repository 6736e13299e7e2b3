//! Keys and parameters that methods do not take. Why a cell is not masked stands in
//! [`glovebox_core::Refusal`]. Neither carries any part of a cell or of a key.

use glovebox_core::KeyError;

/// A key or a parameter that a method does not take, in words for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// A key of another length.
    #[error(
        "{method} takes a key of {takes}, or the URL-safe base64 that \
         `glovebox secret set --generate` makes"
    )]
    KeyLength {
        /// The method.
        method: &'static str,
        /// The lengths that it takes, in words.
        takes: &'static str,
    },
    /// A public key that is none, or one that nobody could be sealed to.
    #[error("{method} takes {takes}")]
    PublicKey {
        /// The method.
        method: &'static str,
        /// The keys that it takes, in words.
        takes: &'static str,
    },
    /// The system gave no random bytes.
    #[error(
        "the operating system provided no random bytes, without which nothing can be \
            encrypted"
    )]
    Randomness,
    /// Officers that are the same, of whom one alone could open tokens.
    #[error("the two officers of tokens need different keys")]
    Officers,
    /// A shift of no days, or of too many.
    #[error("dates are shifted by 1 to 36525 days")]
    Days,
    /// A radix that FF1 does not have.
    #[error("FF1 takes a radix of 2 to 65536")]
    Radix,
    /// An alphabet of too few or too many signs.
    #[error("an alphabet has 2 to 65536 characters")]
    AlphabetLength,
    /// An alphabet with a sign twice.
    #[error("a character is listed twice in the alphabet; name each once")]
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
    fn an_unfit_parameter_reaches_operators_in_its_words() {
        let error = ParameterError::KeyLength {
            method: "aes-siv",
            takes: "32 or 64 bytes",
        };
        assert_eq!(
            KeyError::from(error).to_string(),
            "aes-siv takes a key of 32 or 64 bytes, or the URL-safe base64 that `glovebox secret \
             set --generate` makes"
        );
    }
}
