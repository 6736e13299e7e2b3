//! Against a server of the tests' own: what is asked of the engine and how it is told when it fails. What
//! a key that is here makes of the same cells is compared by the program's tests.

use std::time::Duration;

use glovebox_tests::outside::Answer as Fault;
use glovebox_tests::vault::{ROLE_ID, SAID, Vault as Fake, errors};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tempfile::TempDir;

use super::super::Login;
use super::*;
use crate::Chain;
use crate::remote::Patience;

const PROOF: &str = "canary-proof-3c0a";
const CELL: &str = "canary-cell-19ee";

struct Setting {
    fake: Fake,
    folder: TempDir,
}

impl Setting {
    fn new() -> Setting {
        let (fake, folder) = (Fake::start(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("ca.pem"), &fake.outside.ca).unwrap();
        fake.prove("auth/approle/login", PROOF);
        fake.make_key("sales-key", b"the first key");
        fake.make_key("sales-key", b"the second key");
        Setting { fake, folder }
    }

    fn options(&self) -> Options {
        Options {
            access: Access {
                address: self.fake.url(),
                namespace: None,
                ca: Some(self.folder.path().join("ca.pem")),
                login: Login::AppRole {
                    role_id: ROLE_ID.into(),
                    secret_id: SecretName::parse("vault/secret-id").unwrap(),
                    mount: "approle".into(),
                },
                patience: Patience {
                    request: Duration::from_secs(20),
                    pause: Duration::from_millis(1),
                },
                lookup: Arc::new(|_| Ok(Secret::new(PROOF.into()))),
            },
            mount: "transit".into(),
            prefix: None,
            values: VALUES,
        }
    }

    fn transit(&self) -> Transit {
        Transit::new(self.options())
    }

    fn key(&self, name: &str) -> Arc<dyn RemoteKey> {
        found(&self.transit(), name).unwrap().unwrap()
    }

    /// The engine's requests for masks.
    fn times(&self) -> usize {
        self.fake.times("transit/hmac/sales-key/sha2-256")
    }
}

fn found(transit: &Transit, name: &str) -> Result<Option<Arc<dyn RemoteKey>>, String> {
    let name = SecretName::parse(name).unwrap();
    let found = transit.key(&name).map_err(|error| {
        let error = error.to_string();
        assert!(!error.contains(SAID) && !error.contains(PROOF), "{error}");
        error
    })?;
    Ok(found.map(|key| match key {
        Key::Remote(key) => key,
        Key::Secret(_) => panic!("a key came out of Transit"),
    }))
}

/// The sentence of a mask that is not had.
#[track_caller]
fn told(key: &dyn RemoteKey) -> String {
    let error = key.hmac_sha256(&[CELL.as_bytes()]).unwrap_err();
    let text = format!("{error} {error:?}");
    for canary in [SAID, PROOF, CELL, "canary-token"] {
        assert!(!text.contains(canary), "{text}");
    }
    let text = error.to_string();
    assert!(
        text.starts_with("cannot mask with Vault https://"),
        "{text}"
    );
    text.split_once(": ").unwrap().1.to_owned()
}

fn code(key: &[u8], value: &[u8]) -> [u8; 32] {
    let mut code = Hmac::<Sha256>::new_from_slice(key).unwrap();
    code.update(value);
    code.finalize().into_bytes().into()
}

#[test]
fn the_latest_version_masks_and_stays_in_use_when_there_is_a_newer_one() {
    let setting = Setting::new();
    let key = setting.key("sales/key");
    assert_eq!(key.version(), 2);
    let values: [&[u8]; 3] = [b"ann", b"", b"\xff\x00"];
    let expected = |key: &[u8]| values.map(|value| code(key, value)).to_vec();
    assert_eq!(key.hmac_sha256(&values), Ok(expected(b"the second key")));
    setting.fake.make_key("sales-key", b"the third key");
    assert_eq!(key.hmac_sha256(&values), Ok(expected(b"the second key")));
    assert_eq!(setting.key("sales/key").version(), 3);
    let first = setting.key("sales/key@1");
    assert_eq!(first.version(), 1);
    assert_eq!(first.hmac_sha256(&values), Ok(expected(b"the first key")));
    assert_eq!(format!("{first:?}"), "TransitKey(sales/key@1)");
}

#[test]
fn many_values_go_in_requests_of_limited_size_and_keep_their_order() {
    let setting = Setting::new();
    let key = setting.key("sales/key");
    let before = setting.times();
    let values: Vec<Vec<u8>> = (0..=VALUES).map(|n| n.to_string().into_bytes()).collect();
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let masks = key.hmac_sha256(&values).unwrap();
    let second = |value: &&[u8]| code(b"the second key", value);
    assert_eq!(masks, values.iter().map(second).collect::<Vec<_>>());
    assert_eq!(setting.times(), before + 2);
    let long = vec![b'x'; MAX_VALUE];
    let values = [long.as_slice(); 3];
    let masks = key.hmac_sha256(&values).unwrap();
    assert_eq!(masks, values.iter().map(second).collect::<Vec<_>>());
    assert_eq!(setting.times(), before + 4);
    assert_eq!(key.longest(), MAX_VALUE);
    assert_eq!(key.hmac_sha256(&[]), Ok(Vec::new()));
}

#[test]
fn a_key_that_is_nowhere_lets_other_stores_be_asked_and_one_that_may_not_be_used_does_not() {
    let setting = Setting::new();
    let transit = setting.transit();
    assert!(found(&transit, "sales/other").unwrap().is_none());
    let secret = transit.get(&SecretName::parse("sales/key").unwrap());
    assert!(secret.unwrap().is_none());
    let newer = found(&transit, "sales/key@3").unwrap_err();
    assert!(newer.contains("its latest is 2; was it deleted"), "{newer}");
    setting.fake.state().keys.get_mut("sales-key").unwrap().1 = 2;
    let older = found(&transit, "sales/key@1").unwrap_err();
    assert!(
        older.contains("not this version of it for masks (400)"),
        "{older}"
    );
    setting.fake.state().denied = ["transit/keys/"].into();
    let unknown = found(&transit, "sales/other").unwrap_err();
    assert!(
        unknown.contains("path \"transit/keys/sales-other\" { capabilities = [\"read\"] }"),
        "{unknown}"
    );
    setting.fake.state().denied = ["transit/"].into();
    let denied = found(&transit, "sales/key").unwrap_err();
    assert!(
        denied.contains("path \"transit/hmac/sales-key/sha2-256\" { capabilities = [\"update\"] }"),
        "{denied}"
    );
    assert_eq!(setting.fake.logins(), 1);
    setting.fake.state().denied = Vec::new();
    let chain = Chain::new(vec![Box::new(setting.transit())]);
    let missing = chain.key(&SecretName::parse("app/none@2").unwrap());
    let missing = missing.unwrap_err().to_string();
    assert!(
        missing.contains(", Transit key transit/app-none, version 2\n`vault write -f transit/keys/app-none type=hmac"),
        "{missing}"
    );
}

#[test]
fn a_server_that_fails_in_the_middle_is_asked_a_few_times_and_then_told() {
    let setting = Setting::new();
    let key = setting.key("sales/key");
    for (fault, sentence) in [
        (
            errors(503, &["Vault is sealed", SAID]),
            "it is sealed or in maintenance (503)",
        ),
        (
            errors(429, &[SAID]),
            "it is a standby, or limits the rate of requests (429)",
        ),
        (errors(473, &[SAID]), "it is a standby (473)"),
        (Fault::HangUp, "closed the connection"),
    ] {
        setting.fake.state().faults = vec![fault.clone(); 3].into();
        assert!(key.hmac_sha256(&[b"ann"]).is_ok(), "{sentence}");
        setting.fake.state().broken = Some(fault);
        let told = told(key.as_ref());
        assert!(told.contains(sentence), "{told}");
        setting.fake.state().broken = None;
        assert!(key.hmac_sha256(&[b"ann"]).is_ok(), "{sentence}");
    }
    assert_eq!(setting.fake.logins(), 1);
    setting.fake.revoke();
    assert!(key.hmac_sha256(&[b"ann"]).is_ok());
    assert_eq!(setting.fake.logins(), 2);
    setting.fake.state().keys.clear();
    assert!(told(key.as_ref()).contains("deleted or disallowed meanwhile, or is `batch`"));
}

#[test]
fn workers_whose_token_ends_log_in_once() {
    let setting = Setting::new();
    let key = setting.key("sales/key");
    setting.fake.revoke();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(key.hmac_sha256(&[b"ann"]).is_ok()));
        }
    });
    assert_eq!(setting.fake.logins(), 2);
}

#[test]
fn each_worker_keeps_its_connection_from_one_request_to_the_next() {
    let setting = Setting::new();
    let key = setting.key("sales/key");
    let before = setting.fake.outside.accepted();
    for _ in 0..50 {
        assert!(key.hmac_sha256(&[b"ann"]).is_ok());
    }
    // That of the question for the key's version.
    assert_eq!(setting.fake.outside.accepted(), before);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    assert!(key.hmac_sha256(&[b"ann"]).is_ok());
                }
            });
        }
    });
    let made = setting.fake.outside.accepted() - before;
    assert!(made <= 3, "{made}");
    assert_eq!(setting.times(), 251);
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced_at_once() {
    let setting = Setting::new();
    let key = setting.key("sales/key");
    for _ in 0..20 {
        let before = setting.fake.outside.accepted();
        setting.fake.outside.hang_up();
        assert!(key.hmac_sha256(&[b"ann"]).is_ok());
        assert_eq!(setting.fake.outside.accepted(), before + 1);
    }
    // Closed by a server that has read the request, and may have heard it.
    let (asked, before) = (setting.times(), setting.fake.outside.accepted());
    setting.fake.state().faults = [Fault::HangUp].into();
    assert!(key.hmac_sha256(&[b"ann"]).is_ok());
    assert_eq!(setting.fake.outside.accepted(), before + 1);
    assert_eq!(setting.times(), asked + 2);
}

#[test]
fn answers_that_are_not_the_masks_of_all_values_are_refused() {
    let setting = Setting::new();
    let key = setting.key("sales/key");
    let good = format!("vault:v2:{}", STANDARD.encode([7; 32]));
    let short = format!("vault:v2:{}", STANDARD.encode([7; 31]));
    let other = good.replace("v2", "v1");
    for results in [
        json!([]),
        json!([{ "hmac": good }, { "hmac": good }]),
        json!([{ "hmac": short }]),
        json!([{ "hmac": other }]),
        json!([{ "hmac": good.replace("vault:", "") }]),
        json!([{ "error": SAID }]),
        json!(SAID),
    ] {
        let body = json!({ "data": { "batch_results": results } }).to_string();
        setting.fake.state().faults = [Fault::ok(body)].into();
        assert_eq!(
            told(key.as_ref()),
            "it did not answer with an HMAC-SHA-256 by this version of the key for each value"
        );
    }
    let body = json!({ "data": { "batch_results": [{ "hmac": good }] } }).to_string();
    setting.fake.state().faults = [Fault::ok(body)].into();
    assert_eq!(key.hmac_sha256(&[b"ann"]), Ok(vec![[7; 32]]));
}

#[test]
fn a_server_that_is_away_is_waited_for_once_by_all_keys() {
    let setting = Setting::new();
    let transit = setting.transit();
    setting.fake.state().broken = Some(errors(503, &[SAID]));
    assert!(found(&transit, "sales/key").is_err());
    let before = setting.fake.outside.asked().len();
    assert!(found(&transit, "sales/other").is_err());
    assert_eq!(setting.fake.outside.asked().len(), before);
}
