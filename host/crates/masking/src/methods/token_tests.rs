use std::collections::BTreeSet;

use glovebox_core::{StoredToken, TokenTerms};

use super::*;

const FIRST: [u8; 32] = [1; 32];
const SECOND: [u8; 32] = [2; 32];

fn sealer(private: &[u8]) -> Sealer {
    Sealer::new(&Opener::new(private).unwrap().public_key()).unwrap()
}

fn terms() -> TokenTerms {
    TokenTerms {
        officers: [String::new(), String::new()],
        expires: None,
        uses: Some(3),
    }
}

fn tokenizer(key: &[u8], domain: &str) -> Tokenizer {
    let officers = [sealer(&FIRST), sealer(&SECOND)];
    Tokenizer::new(2, key, domain, officers, &terms()).unwrap()
}

fn stored(batch: &TokenBatch) -> Vec<StoredToken> {
    let tokens = batch.tokens.iter();
    tokens
        .map(|new| StoredToken {
            token: new.token,
            sealed: new.sealed.clone(),
            key: batch.key.clone(),
            expired: false,
            used_up: false,
        })
        .collect()
}

fn made(key: &[u8], domain: &str, values: &[&str]) -> (Vec<String>, TokenBatch) {
    let tokenizer = tokenizer(key, domain);
    let mut session = tokenizer.session().unwrap();
    let mut texts = Vec::new();
    for value in values {
        let mut out = Vec::new();
        session.mask(value.as_bytes(), &mut out).unwrap();
        texts.push(String::from_utf8(out).unwrap());
    }
    (texts, session.into_batch().unwrap())
}

/// By Python's `hmac`, with `h = lambda k, m: hmac.digest(k, m, 'sha256')`:
/// `m = h(b'glovebox token', b'k' * 32)`, and `h(h(m, b'token\0email'), b'ann@example.org')[:16]`.
#[test]
fn tokens_are_those_of_pythons_hmac() {
    let (texts, batch) = made(&[b'k'; 32], "email", &["ann@example.org"]);
    assert_eq!(texts, [TOKEN_TEXT]);
    assert_eq!(batch.tokens[0].token.to_string(), TOKEN_TEXT);
    assert_eq!((batch.version, batch.uses), (2, Some(3)));
}

const TOKEN_TEXT: &str = "tok_9a594602d1453030b05b6635851a3148";

#[test]
fn equal_values_have_one_token_and_others_differ_by_value_key_and_domain() {
    let (texts, batch) = made(b"key", "email", &["a", "b", "a"]);
    assert_eq!(texts[0], texts[2]);
    assert_eq!(batch.tokens.len(), 2);
    let others = [
        texts[1].clone(),
        made(b"other", "email", &["a"]).0.remove(0),
        made(b"key", "mail", &["a"]).0.remove(0),
        texts[0].clone(),
    ];
    assert_eq!(BTreeSet::from(others).len(), 4);
    // Encrypted anew each time, so that what is stored does not say which values are equal.
    let (again, other) = made(b"key", "email", &["a"]);
    assert_eq!(again[0], texts[0]);
    assert_ne!(other.tokens[0].sealed, batch.tokens[0].sealed);
    assert_ne!(other.key, batch.key);
}

#[test]
fn two_officers_open_what_was_stored_in_either_order() {
    let (_, batch) = made(b"key", "email", &["Ann", "Bob"]);
    for (one, two) in [(FIRST, SECOND), (SECOND, FIRST)] {
        let (mut one, mut two) = (Officer::new(&one).unwrap(), Officer::new(&two).unwrap());
        let to_two = Sealer::new(&two.public_key()).unwrap();
        let mut context = to_two.context(&mut Random::new().unwrap()).unwrap();
        for (token, value) in stored(&batch).iter().zip(["Ann", "Bob"]) {
            let half = one.half("email", token).unwrap();
            let mut share = Vec::new();
            half.share(&mut context, "email", token.token, &mut share)
                .unwrap();
            let theirs = two.shared("email", token.token, &share).unwrap();
            let half = two.half("email", token).unwrap();
            let opened = open(token, &[theirs, half]).unwrap();
            assert_eq!(opened.expose_str(), Some(value));
        }
    }
}

/// A share is of one token, for one officer.
#[test]
fn a_share_says_nothing_of_other_tokens_nor_to_others() {
    let (_, batch) = made(b"key", "email", &["Ann", "Bob"]);
    let [ann, bob]: [StoredToken; 2] = stored(&batch).try_into().unwrap();
    let (mut one, mut two) = (
        Officer::new(&FIRST).unwrap(),
        Officer::new(&SECOND).unwrap(),
    );
    let mut random = Random::new().unwrap();
    let mut context = sealer(&SECOND).context(&mut random).unwrap();
    let mut share = Vec::new();
    let half = one.half("email", &ann).unwrap();
    half.share(&mut context, "email", ann.token, &mut share)
        .unwrap();
    assert!(two.shared("email", ann.token, &share).is_ok());
    assert!(two.shared("email", bob.token, &share).is_err());
    assert!(two.shared("mail", ann.token, &share).is_err());
    assert!(one.shared("email", ann.token, &share).is_err());
    let theirs = two.shared("email", ann.token, &share).unwrap();
    let own = two.half("email", &bob).unwrap();
    assert!(open(&bob, &[theirs, own]).is_err());
}

#[test]
fn nobody_opens_with_one_key_another_domain_or_anything_altered() {
    let (_, batch) = made(b"key", "email", &["Ann"]);
    let [token]: [StoredToken; 1] = stored(&batch).try_into().unwrap();
    let mut one = Officer::new(&FIRST).unwrap();
    let mut two = Officer::new(&SECOND).unwrap();
    let half = |officer: &mut Officer, domain: &str, token: &StoredToken| {
        officer.half(domain, token).unwrap()
    };
    let twice = [
        half(&mut one, "email", &token),
        half(&mut one, "email", &token),
    ];
    assert!(open(&token, &twice).is_err());
    let domains = [
        half(&mut one, "mail", &token),
        half(&mut two, "mail", &token),
    ];
    assert!(open(&token, &domains).is_err());
    let both = [
        half(&mut one, "email", &token),
        half(&mut two, "email", &token),
    ];
    assert!(open(&token, &both).is_ok());
    for at in 0..token.sealed.len() {
        let mut altered = token.clone();
        altered.sealed[at] ^= 1;
        assert!(open(&altered, &both).is_err(), "byte {at}");
    }
    assert!(
        Officer::new(&[3; 32])
            .unwrap()
            .half("email", &token)
            .is_err()
    );
    let mut altered = token.clone();
    altered.key.halves.swap(0, 1);
    assert!(
        Officer::new(&FIRST)
            .unwrap()
            .half("email", &altered)
            .is_err()
    );
}

/// Half of the key is an independent uniform pad of it, whatever the other half is: by arithmetic, not
/// by a rule that someone keeps. Here: the same ciphertext has a half for every plaintext's key.
#[test]
fn the_key_is_the_exclusive_or_of_its_halves() {
    let (a, b) = (Half([0x5a; 32].into()), Half([0x3c; 32].into()));
    let (c, d) = (Half([0x66; 32].into()), Half([0; 32].into()));
    let sealed = |halves: &[Half; 2]| {
        let mut text = b"value".to_vec();
        let tag = cipher(halves)
            .encrypt_inout_detached(&[0; 12].into(), b"", text.as_mut_slice().into())
            .unwrap();
        (text, tag)
    };
    assert_eq!(sealed(&[a, b]), sealed(&[c, d]));
}

#[test]
fn two_officers_are_two() {
    let officers = || [sealer(&FIRST), sealer(&FIRST)];
    let refused = Tokenizer::new(0, b"key", "email", officers(), &terms());
    assert_eq!(refused.err(), Some(ParameterError::Officers));
}
