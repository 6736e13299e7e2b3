//! Values of every method that can be undone, there and back, under one key version and several.

use base64::engine::general_purpose::URL_SAFE;
use glovebox_core::{Form, Piece};

use super::*;
use crate::methods::Opener;

fn secret(byte: u8) -> Secret {
    Secret::new(vec![byte; 32])
}

fn digits() -> Method {
    Method::Ff1(Form {
        alphabet: "0123456789".into(),
        keep_first: 0,
        keep_last: 0,
        luhn: false,
    })
}

fn masked(method: &Method, versions: &[(u32, Secret)], domain: &str, cell: &str) -> String {
    let cipher = Cipher::new(method, versions, domain, DataType::Text, None).unwrap();
    let mut out = Vec::new();
    let mut session = cipher.session().unwrap();
    session.mask(cell.as_bytes(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn revealed(
    method: &Method,
    versions: &[(u32, Secret)],
    domain: &str,
    value: &str,
) -> Result<String, Refusal> {
    let opened = Opened::new(method, versions, domain, DataType::Text);
    let cell = opened.reveal(value)?;
    Ok(String::from_utf8(cell.expose().to_vec()).unwrap())
}

fn sealed_to(public: &[u8]) -> Vec<u8> {
    format!("{PUBLIC_KEY}{}", URL_SAFE.encode(public)).into_bytes()
}

/// What masks, and what opens.
fn pairs() -> Vec<(Method, Secret, Secret)> {
    let private = secret(7);
    let public = Opener::new(private.expose()).unwrap().public_key();
    vec![
        (Method::AesSiv, secret(7), secret(7)),
        (Method::Fernet, secret(7), secret(7)),
        (digits(), secret(7), secret(7)),
        (Method::Seal, Secret::new(sealed_to(&public)), private),
    ]
}

#[test]
fn what_was_encrypted_comes_back_and_says_its_keys_version() {
    for (method, masks, opens) in pairs() {
        for version in [0, 3] {
            let value = masked(&method, &[(version, masks.clone())], "d", "123-45-6789");
            let says = matches!(method, Method::AesSiv | Method::Seal) && version == 3;
            assert_eq!(value.starts_with("v3."), says, "{method:?}");
            let back = revealed(&method, &[(version, opens.clone())], "d", &value);
            assert_eq!(back.as_deref(), Ok("123-45-6789"), "{method:?}");
        }
    }
}

#[test]
fn values_of_listed_versions_open_and_of_no_other() {
    for (method, ..) in pairs().into_iter().take(2) {
        let old = masked(&method, &[(1, secret(1))], "d", "cell");
        let both = [(2, secret(2)), (1, secret(1))];
        assert_eq!(revealed(&method, &both, "d", &old).as_deref(), Ok("cell"));
        let new = masked(&method, &both, "d", "cell");
        assert_eq!(
            revealed(&method, &[(2, secret(2))], "d", &new).as_deref(),
            Ok("cell")
        );
        let retired = revealed(&method, &[(2, secret(2))], "d", &old);
        assert_eq!(retired, Err(Refusal::Closed), "{method:?}");
    }
}

#[test]
fn another_key_another_domain_or_another_bit_opens_nothing() {
    for (method, masks, opens) in pairs() {
        if matches!(method, Method::Ff1(_)) {
            // It has nothing to tell by: another number comes out.
            continue;
        }
        let value = masked(&method, &[(1, masks)], "d", "cell");
        let closed = |key: &Secret, domain: &str, value: &str| {
            revealed(&method, &[(1, key.clone())], domain, value) == Err(Refusal::Closed)
        };
        assert!(closed(&secret(8), "d", &value), "{method:?}");
        assert!(!closed(&opens, "d", &value), "{method:?}");
        // Every program that knows Fernet opens a token, so it has no domain.
        assert_eq!(closed(&opens, "e", &value), method != Method::Fernet);
        for at in 0..value.len() {
            let mut bytes = value.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(bytes).unwrap();
            assert!(closed(&opens, "d", &altered), "{method:?} at {at}");
        }
        for cut in [0, 1, value.len() - 1] {
            assert!(closed(&opens, "d", &value[..cut]), "{method:?}");
        }
    }
}

#[test]
fn keys_that_do_not_fit_are_told_in_words_and_without_the_key() {
    let short = [(1, Secret::new(b"canary".to_vec()))];
    for method in [Method::AesSiv, Method::Fernet, digits(), Method::Seal] {
        let told = Cipher::new(&method, &short, "d", DataType::Text, None)
            .err()
            .unwrap();
        assert!(
            told.contains(" bytes") || told.contains("x25519:"),
            "{told}"
        );
        assert!(!told.contains("canary"), "{told}");
    }
    let pick = Method::Pick([Piece::Digits(3)].into());
    assert!(Cipher::new(&pick, &short, "d", DataType::Text, None).is_ok());
}

/// A private key is 32 bytes as a public one is, and what is sealed to it is lost.
#[test]
fn a_private_key_is_not_sealed_to() {
    let key = URL_SAFE.encode([7; 32]).into_bytes();
    for key in [key, vec![7; 32]] {
        let versions = [(1, Secret::new(key))];
        let told = Cipher::new(&Method::Seal, &versions, "d", DataType::Text, None);
        assert!(told.err().unwrap().contains("may be a private key"));
    }
}
