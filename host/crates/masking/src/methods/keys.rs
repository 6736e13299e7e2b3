//! The forms in which a key may be passed: bytes of a length that the method takes, which are always
//! the key itself, or URL-safe base64 of 32 or 64 bytes, as `glovebox secret set --generate` writes it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use zeroize::Zeroizing;

use super::ParameterError;

/// The bytes of a key, if the method takes as many, or else of the key whose text they are.
pub(super) fn key_bytes(
    key: &[u8],
    takes: &[usize],
    error: ParameterError,
) -> Result<Zeroizing<Vec<u8>>, ParameterError> {
    if takes.contains(&key.len()) {
        return Ok(key.to_vec().into());
    }
    if !matches!(key.len(), 44 | 88) {
        return Err(error);
    }
    let mut bytes = Zeroizing::new(vec![0; 66]);
    let length = URL_SAFE.decode_slice(key, bytes.as_mut_slice());
    let length = length.map_err(|_| error)?;
    bytes.truncate(length);
    if takes.contains(&length) {
        return Ok(bytes);
    }
    Err(error)
}

/// A key of 32 bytes, or the text of one.
pub(super) fn key_of_32(
    key: &[u8],
    error: ParameterError,
) -> Result<Zeroizing<[u8; 32]>, ParameterError> {
    let bytes = key_bytes(key, &[32], error)?;
    let mut key = Zeroizing::new([0; 32]);
    key.copy_from_slice(&bytes);
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_right_length_are_the_key_and_others_its_text() {
        let error = ParameterError::Radix;
        let text = |length: usize| URL_SAFE.encode(vec![0xfb; length]);
        let key = |key: &[u8]| key_bytes(key, &[24, 32, 44, 64], error).map(|key| key.to_vec());
        assert_eq!(key(&[1; 32]), Ok(vec![1; 32]));
        assert_eq!(key(text(32).as_bytes()), Ok(text(32).into_bytes()));
        assert_eq!(key(text(64).as_bytes()), Ok(vec![0xfb; 64]));
        let only = |key: &[u8]| key_of_32(key, error).map(|key| *key);
        assert_eq!(only(text(32).as_bytes()), Ok([0xfb; 32]));
        let standard = text(32).replace('-', "+").replace('_', "/");
        let long = text(33);
        let unpadded = text(32).replace('=', "");
        for bad in ["", "short", &text(64), &standard, &long, &unpadded] {
            assert_eq!(only(bad.as_bytes()), Err(error), "{bad}");
        }
    }
}
