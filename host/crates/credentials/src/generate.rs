//! Generates a secret from the operating system's randomness.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use glovebox_core::Secret;
use zeroize::Zeroizing;

/// How many random bytes a generated secret holds: as many as HMAC-SHA-256 can use.
pub const BYTES: usize = 32;

/// The system has no randomness to give.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system provided no random bytes ({0}); nothing was stored")]
pub struct RandomnessError(String);

/// A secret of [`BYTES`] random bytes, as URL-safe base64 so that it is text wherever it is
/// kept.
///
/// # Errors
/// When the system's random source does not answer.
pub fn generate() -> Result<Secret, RandomnessError> {
    let mut random = Zeroizing::new([0u8; BYTES]);
    getrandom::fill(random.as_mut_slice()).map_err(|e| RandomnessError(e.to_string()))?;
    // Into a buffer of its final size: a growing one would leave copies behind unwiped.
    let mut text = vec![0; BYTES.div_ceil(3) * 4];
    URL_SAFE
        .encode_slice(random.as_slice(), &mut text)
        .map_err(|e| RandomnessError(e.to_string()))?;
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_generated_secrets_are_text_and_differ() {
        let (one, two) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.expose_str().unwrap().len(), 44);
        assert_ne!(one.expose(), two.expose());
        assert_eq!(URL_SAFE.decode(one.expose()).unwrap().len(), BYTES);
    }
}
