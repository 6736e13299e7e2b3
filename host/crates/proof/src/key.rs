//! The keys of packs: P-256 for Sigstore bundles, Ed25519 for plain envelopes. The secret half of either is
//! 32 bytes as base64, as `glovebox secret set --generate` makes them; the public half is PEM.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use glovebox_core::{Secret, hex};
use p256::elliptic_curve::sec1::ToEncodedPoint;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::ProofError;

/// SubjectPublicKeyInfo (RFC 5480) of an uncompressed point on P-256, up to the point.
const P256_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P256_POINT: usize = 65;
/// SubjectPublicKeyInfo (RFC 8410) of an Ed25519 key, up to the key.
const ED25519_HEAD: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const ED25519_KEY: usize = 32;
const PEM_HEAD: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_FOOT: &str = "-----END PUBLIC KEY-----";

/// The form of a pack, with which goes the kind of its key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackFormat {
    /// A Sigstore bundle v0.3, signed by ECDSA over P-256.
    #[default]
    Sigstore,
    /// A plain DSSE envelope, signed by Ed25519.
    Dsse,
}

impl PackFormat {
    pub(crate) fn says(self) -> &'static str {
        match self {
            PackFormat::Sigstore => "a Sigstore bundle (P-256)",
            PackFormat::Dsse => "a plain DSSE envelope (Ed25519)",
        }
    }
}

/// Signs packs.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    P256(Box<EcdsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// The key in a secret: 32 random bytes as base64.
    ///
    /// # Errors
    /// When it is something else, without repeating it.
    pub fn from_secret(secret: &Secret, format: PackFormat) -> Result<Self, ProofError> {
        let bytes = secret.expose();
        let seed = URL_SAFE.decode(bytes).or_else(|_| STANDARD.decode(bytes));
        let seed = Secret::new(seed.map_err(|_| ProofError::Key)?);
        match format {
            PackFormat::Sigstore => SigningKey::p256(&seed),
            PackFormat::Dsse => SigningKey::ed25519(&seed),
        }
    }

    fn p256(seed: &Secret) -> Result<Self, ProofError> {
        // ring signs, but has no way to the point of a key that it did not make.
        let scalar = p256::SecretKey::from_slice(seed.expose()).map_err(|_| ProofError::Key)?;
        let point = scalar.public_key().to_encoded_point(false);
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            seed.expose(),
            point.as_bytes(),
            &SystemRandom::new(),
        );
        Ok(SigningKey {
            pair: Pair::P256(Box::new(pair.map_err(|_| ProofError::Key)?)),
            public: PublicKey {
                format: PackFormat::Sigstore,
                spki: [P256_HEAD, point.as_bytes()].concat(),
            },
        })
    }

    fn ed25519(seed: &Secret) -> Result<Self, ProofError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose());
        let pair = pair.map_err(|_| ProofError::Key)?;
        let spki = [ED25519_HEAD, pair.public_key().as_ref()].concat();
        Ok(SigningKey {
            pair: Pair::Ed25519(pair),
            public: PublicKey {
                format: PackFormat::Dsse,
                spki,
            },
        })
    }

    /// The half that everybody may have.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProofError> {
        match &self.pair {
            Pair::P256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| ProofError::Signing),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(…, public: {})", self.public.id())
    }
}

/// Verifies packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    format: PackFormat,
    /// DER, as it stands between the lines of PEM.
    spki: Vec<u8>,
}

impl PublicKey {
    /// A key as PEM.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_pem(text: &str) -> Result<Self, ProofError> {
        let body = text.trim().strip_prefix(PEM_HEAD);
        let body = body.and_then(|body| body.strip_suffix(PEM_FOOT));
        let base64: String = body
            .ok_or(ProofError::PublicKey)?
            .split_ascii_whitespace()
            .collect();
        let spki = STANDARD.decode(base64).map_err(|_| ProofError::PublicKey)?;
        let key = |head: &[u8]| spki.strip_prefix(head).map(<[u8]>::len);
        let format = match (key(P256_HEAD), key(ED25519_HEAD)) {
            (Some(P256_POINT), _) => PackFormat::Sigstore,
            (_, Some(ED25519_KEY)) => PackFormat::Dsse,
            _ => return Err(ProofError::PublicKey),
        };
        Ok(PublicKey { format, spki })
    }

    /// The key as PEM, with the end of its last line.
    pub fn to_pem(&self) -> String {
        let mut pem = format!("{PEM_HEAD}\n");
        let mut rest = &*STANDARD.encode(&self.spki);
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = more;
        }
        pem + PEM_FOOT + "\n"
    }

    /// The form of the packs that its other half signs.
    pub fn format(&self) -> PackFormat {
        self.format
    }

    /// SHA-256 of its DER in hexadecimal, by which packs name it.
    pub fn id(&self) -> String {
        hex(Sha256::digest(&self.spki))
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.format {
            PackFormat::Sigstore => {
                let point = self.spki.strip_prefix(P256_HEAD).unwrap_or_default();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature)
            }
            PackFormat::Dsse => {
                let key = self.spki.strip_prefix(ED25519_HEAD).unwrap_or_default();
                UnparsedPublicKey::new(&ED25519, key).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032, section 7.1, test 2.
    const SEED: &str = "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs=";

    fn key(secret: &str, format: PackFormat) -> Result<SigningKey, ProofError> {
        SigningKey::from_secret(&Secret::new(secret.into()), format)
    }

    #[test]
    fn ed25519_is_that_of_the_standard() {
        let key = key(SEED, PackFormat::Dsse).unwrap();
        assert_eq!(
            hex(&key.public().spki[ED25519_HEAD.len()..]),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        assert_eq!(
            hex(key.sign(b"r").unwrap()),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
    }

    /// RFC 6979, appendix A.2.5: the key pair, and its signature of `sample` by SHA-256.
    #[test]
    fn p256_is_that_of_the_standard() {
        let x = [
            0xC9, 0xAF, 0xA9, 0xD8, 0x45, 0xBA, 0x75, 0x16, 0x6B, 0x5C, 0x21, 0x57, 0x67, 0xB1,
            0xD6, 0x93, 0x4E, 0x50, 0xC3, 0xDB, 0x36, 0xE8, 0x9B, 0x12, 0x7B, 0x8A, 0x62, 0x2B,
            0x12, 0x0F, 0x67, 0x21,
        ];
        let key = key(&URL_SAFE.encode(x), PackFormat::Sigstore).unwrap();
        assert_eq!(
            hex(&key.public().spki[P256_HEAD.len()..]),
            "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
             7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
        );
        let half = |digits: &str| -> Vec<u8> {
            let digits = digits
                .as_bytes()
                .chunks(2)
                .map(|d| std::str::from_utf8(d).unwrap());
            digits.map(|d| u8::from_str_radix(d, 16).unwrap()).collect()
        };
        let r = half("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716");
        let s = half("F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
        let der = [&[0x30, 0x46, 2, 33, 0], &*r, &[2, 33, 0], &*s].concat();
        assert!(key.public().verifies(b"sample", &der));
        let own = key.sign(b"sample").unwrap();
        assert!(key.public().verifies(b"sample", &own));
        assert!(!key.public().verifies(b"samples", &own));
    }

    #[test]
    fn a_public_key_is_read_as_it_is_written() {
        for format in [PackFormat::Sigstore, PackFormat::Dsse] {
            let public = key(SEED, format).unwrap().public().clone();
            assert_eq!(PublicKey::from_pem(&public.to_pem()).as_ref(), Ok(&public));
            assert_eq!((public.format(), public.id().len()), (format, 64));
        }
        for other in [
            "",
            PEM_HEAD,
            "-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----",
        ] {
            assert_eq!(PublicKey::from_pem(other), Err(ProofError::PublicKey));
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let zero = URL_SAFE.encode([0; 32]);
        for canary in ["canary-5e1c", "", "Y2FuYXJ5LTVlMWM=", &SEED[..40], &zero] {
            let told = key(canary, PackFormat::Sigstore).unwrap_err();
            assert!(!told.to_string().contains("canary"), "{told}");
        }
        let shown = format!("{:?}", key(SEED, PackFormat::Dsse).unwrap());
        assert!(!shown.contains(SEED), "{shown}");
    }
}
