//! Against a server of the tests' own that speaks the API over TLS: what is asked for, how one logs
//! in, and what is said of servers that fail.

#[path = "tests/away.rs"]
mod away;

use std::sync::Arc;

use glovebox_core::{CredentialError, CredentialStore};
use glovebox_tests::vault::{ROLE_ID, SAID, Vault as Fake, errors};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::Chain;
use crate::remote::{Patience, Remote};

const SECRET: &str = "canary-secret-91b7";
const PROOF: &str = "canary-proof-3c0a";
/// Everything that may be in no message.
const CANARIES: [&str; 4] = [SECRET, PROOF, SAID, "canary-token"];

fn name(name: &str) -> SecretName {
    SecretName::parse(name).unwrap()
}

/// A store in front of this server, by AppRole, and the folder with its authority.
struct Setting {
    fake: Fake,
    folder: TempDir,
}

impl Setting {
    fn new() -> Setting {
        Setting::with(Fake::start())
    }

    fn with(fake: Fake) -> Setting {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), &fake.outside.ca).unwrap();
        fake.prove("auth/approle/login", PROOF);
        fake.write("sales/key", SECRET);
        Setting { fake, folder }
    }

    fn options(&self) -> Options {
        Options {
            access: self.access(),
            mount: "secret".into(),
            prefix: None,
            field: "value".into(),
        }
    }

    fn access(&self) -> Access {
        Access {
            address: self.fake.url(),
            namespace: None,
            ca: Some(self.folder.path().join("ca.pem")),
            login: app_role(),
            patience: quick(),
            lookup: Arc::new(|_| Ok(Secret::new(PROOF.into()))),
        }
    }

    fn vault(&self) -> Vault {
        Vault::new(self.options())
    }
}

fn app_role() -> Login {
    Login::AppRole {
        role_id: ROLE_ID.into(),
        secret_id: name("vault/secret-id"),
        mount: "approle".into(),
    }
}

fn quick() -> Patience {
    Patience {
        request: Duration::from_secs(20),
        pause: Duration::from_millis(1),
    }
}

/// As a chain asks; what is in memory is not asked again.
fn ask(vault: Vault, secret: &str) -> Result<Option<String>, CredentialError> {
    let found = Remote::new(vault).get(&name(secret))?;
    Ok(found.map(|secret| secret.expose_str().unwrap().to_owned()))
}

/// As the store asks, each time anew.
fn fetch(vault: &Vault, secret: &str) -> Result<Option<String>, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let found = runtime.block_on(vault.fetch(&name(secret)))?;
    Ok(found.map(|found| found.secret.expose_str().unwrap().to_owned()))
}

/// The sentence of a failure, in which there is nothing but ours.
#[track_caller]
fn told(vault: Vault, secret: &str) -> String {
    let error = ask(vault, secret).unwrap_err();
    for canary in CANARIES {
        assert!(!format!("{error} {error:?}").contains(canary), "{error}");
    }
    let error = error.to_string();
    let (_, problem) = error.split_once(": ").unwrap();
    problem.to_owned()
}

#[test]
fn a_name_is_an_entrys_path_and_its_version() {
    let setting = Setting::new();
    setting.fake.write("sales/key", "the second");
    setting.fake.write("glovebox/sales/key", "below a prefix");
    setting.fake.write_entry(
        "db",
        json!({ "password": "of another field", "value": "no" }),
    );
    let vault = setting.vault();
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), "the second");
    assert_eq!(fetch(&vault, "sales/key@1").unwrap().unwrap(), SECRET);
    assert_eq!(fetch(&vault, "sales/key@2").unwrap().unwrap(), "the second");
    // Else an older key of another store would be used.
    assert_eq!(
        told(setting.vault(), "sales/key@3"),
        "it has other versions than this one, which was dropped (max-versions) or not written yet"
    );
    assert_eq!(fetch(&vault, "sales/other@3").unwrap(), None);
    assert_eq!(fetch(&vault, "sales").unwrap(), None);
    let mut options = setting.options();
    options.prefix = Some("glovebox".into());
    let found = ask(Vault::new(options), "sales/key").unwrap();
    assert_eq!(found.unwrap(), "below a prefix");
    let mut options = setting.options();
    options.field = "password".into();
    let found = ask(Vault::new(options), "db").unwrap();
    assert_eq!(found.unwrap(), "of another field");
}

#[test]
fn a_secret_that_is_nowhere_names_the_place_and_how_it_gets_there() {
    let setting = Setting::new();
    let mut options = setting.options();
    options.prefix = Some("glovebox".into());
    options.access.namespace = Some("sales".into());
    setting.fake.state().namespace = Some("sales".into());
    let chain = Chain::new(vec![Box::new(Remote::new(Vault::new(options)))]);
    assert_eq!(
        chain.get(&name("app/key@3")).unwrap_err().to_string(),
        format!(
            "no secret `app/key@3`; looked in:\
             \n  - Vault {}, namespace sales, secret/data/glovebox/app/key, version 3, field value\
             \n`vault kv put -mount=secret glovebox/app/key value=…` writes it to Vault",
            setting.fake.url()
        )
    );
}

#[test]
fn one_logs_in_once_and_by_any_method() {
    let setting = Setting::new();
    let token_file = setting.folder.path().join("token");
    std::fs::write(&token_file, format!("{PROOF}\n")).unwrap();
    let kubernetes = Login::Kubernetes {
        role: "glovebox".into(),
        token_file,
        mount: "cluster".into(),
    };
    setting.fake.prove("auth/cluster/login", PROOF);
    for (login, logins) in [(app_role(), 1), (kubernetes, 2)] {
        let mut options = setting.options();
        options.access.login = login;
        let vault = Vault::new(options);
        for _ in 0..3 {
            assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
        }
        assert_eq!(setting.fake.logins(), logins);
    }
    setting.fake.allow("canary-token-of-somebody");
    let mut options = setting.options();
    options.access.login = Login::Token(name("vault/token"));
    options.access.lookup = Arc::new(|_| Ok(Secret::new("canary-token-of-somebody\n".into())));
    assert_eq!(
        ask(Vault::new(options), "sales/key").unwrap().unwrap(),
        SECRET
    );
    assert_eq!(setting.fake.logins(), 2);
}

#[test]
fn a_certificate_logs_in_where_it_is_trusted() {
    let pair = || generate_simple_self_signed(["client".to_owned()]).unwrap();
    let CertifiedKey { cert, signing_key } = pair();
    let setting = Setting::with(Fake::start_for(&cert.pem()));
    setting.fake.prove("auth/cert/login", "");
    let (certificate, key) = (
        setting.folder.path().join("client.pem"),
        setting.folder.path().join("client.key"),
    );
    std::fs::write(&certificate, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let vault = || {
        let mut options = setting.options();
        options.access.login = Login::Certificate {
            certificate: certificate.clone(),
            key: key.clone(),
            role: Some("glovebox".into()),
            mount: "cert".into(),
        };
        Vault::new(options)
    };
    assert_eq!(ask(vault(), "sales/key").unwrap().unwrap(), SECRET);
    let asked = setting.fake.outside.asked();
    assert_eq!(asked[0].target, "/v1/auth/cert/login");
    assert_eq!(asked[0].body, br#"{"name":"glovebox"}"#);

    std::fs::write(&key, pair().signing_key.serialize_pem()).unwrap();
    assert_eq!(
        told(vault(), "sales/key"),
        "the client's certificate and key are not a pair that can be read; both must be PEM"
    );
    let other = pair();
    std::fs::write(&certificate, other.cert.pem()).unwrap();
    std::fs::write(&key, other.signing_key.serialize_pem()).unwrap();
    assert_eq!(
        told(vault(), "sales/key"),
        "it did not answer with valid HTTP/1.1, or closed the connection"
    );
    assert_eq!(setting.fake.logins(), 1);
}

#[test]
fn requests_say_who_asks_and_in_which_namespace() {
    let setting = Setting::new();
    setting.fake.state().namespace = Some("sales/eu".into());
    let mut options = setting.options();
    options.access.namespace = Some("sales/eu".into());
    assert_eq!(
        ask(Vault::new(options), "sales/key").unwrap().unwrap(),
        SECRET
    );
    let asked = setting.fake.outside.asked();
    let [login, read] = asked.as_slice() else {
        panic!("{} requests", asked.len());
    };
    assert_eq!(login.header("x-vault-token"), None);
    assert_eq!(read.header("x-vault-token"), Some("canary-token-1"));
    for asked in [login, read] {
        assert_eq!(asked.header("x-vault-namespace"), Some("sales/eu"));
        assert_eq!(asked.header("x-vault-request"), Some("true"));
    }
    assert_eq!(
        told(setting.vault(), "sales/key"),
        "it refuses the login at `auth/approle/login` (404), by AppRole; check `role-id`, and \
         whether the secret ID has expired or been used up"
    );
}

#[test]
fn a_token_is_renewed_late_in_its_time_and_replaced_when_that_ends() {
    let setting = Setting::new();
    let vault = setting.vault();
    let renewals = || setting.fake.times("auth/token/renew-self");
    fetch(&vault, "sales/key").unwrap();
    vault.sessions.age(Duration::from_secs(1200 / 2));
    fetch(&vault, "sales/key").unwrap();
    assert_eq!((renewals(), setting.fake.logins()), (0, 1));
    vault.sessions.age(Duration::from_secs(1200 / 4));
    fetch(&vault, "sales/key").unwrap();
    assert_eq!((renewals(), setting.fake.logins()), (1, 1));
    fetch(&vault, "sales/key").unwrap();
    assert_eq!((renewals(), setting.fake.logins()), (1, 1));
    // Its time cannot be made longer much further.
    setting.fake.state().renewed = 60;
    vault.sessions.age(Duration::from_secs(1199));
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
    assert_eq!((renewals(), setting.fake.logins()), (2, 2));
    // One that is over is no use for a renewal either.
    vault.sessions.age(Duration::from_secs(1300));
    setting.fake.revoke();
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
    assert_eq!((renewals(), setting.fake.logins()), (3, 3));
    setting.fake.state().grants = (1200, false);
    setting.fake.revoke();
    fetch(&vault, "sales/key").unwrap();
    vault.sessions.age(Duration::from_secs(1199));
    fetch(&vault, "sales/key").unwrap();
    assert_eq!((renewals(), setting.fake.logins()), (3, 5));
}

#[test]
fn a_token_that_expired_early_is_replaced_once() {
    let setting = Setting::new();
    let vault = setting.vault();
    fetch(&vault, "sales/key").unwrap();
    setting.fake.revoke();
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
    assert_eq!(setting.fake.logins(), 2);
}

#[test]
fn secrets_that_are_denied_cost_one_login_in_all() {
    let setting = Setting::new();
    setting.fake.state().denied = ["secret/data/"].into();
    let vault = setting.vault();
    for secret in ["sales/key", "sales/other", "db/loader"] {
        let denied = fetch(&vault, secret).unwrap_err();
        assert!(denied.to_string().contains("(403)"), "{denied}");
    }
    assert_eq!(setting.fake.logins(), 1);
    // What was granted meanwhile comes with the next login, which is not made for each question.
    vault.sessions.age(crate::remote::KEPT);
    assert!(fetch(&vault, "sales/key").is_err());
    assert!(fetch(&vault, "sales/other").is_err());
    assert_eq!(setting.fake.logins(), 2);
    setting.fake.state().denied = Vec::new();
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
    assert_eq!(setting.fake.logins(), 2);
}

#[test]
fn a_denial_names_the_line_of_a_policy_that_would_allow_it() {
    let setting = Setting::new();
    setting.fake.allow("canary-token-of-somebody");
    let mut options = setting.options();
    options.access.login = Login::Token(name("vault/token"));
    let denied = "it denies reading `secret/data/sales/key` (403); a policy of the login needs: \
                  path \"secret/data/sales/key\" { capabilities = [\"read\"] }; or the token is none, \
                  has expired or was revoked: it may not even look itself up";
    // The token is none: the server knows of another.
    assert_eq!(told(Vault::new(options), "sales/key"), denied);
    assert_eq!(setting.fake.times("auth/token/lookup-self"), 1);
}

#[test]
fn a_secret_that_was_changed_is_read_anew() {
    let setting = Setting::new();
    let vault = setting.vault();
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
    setting.fake.write("sales/key", "rotated");
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), "rotated");
}

#[test]
fn a_version_that_was_deleted_is_no_absence() {
    let setting = Setting::new();
    let mut state = setting.fake.state();
    state.entries.insert("sales/key".into(), vec![None]);
    drop(state);
    assert_eq!(
        told(setting.vault(), "sales/key"),
        "this version of it has been deleted; restore it with: vault kv undelete -mount=secret \
         -versions=… sales/key, or name another version, like sales/key@2"
    );
}

#[test]
fn what_is_no_entry_is_said() {
    let setting = Setting::new();
    setting.fake.write_entry("number", json!({ "value": 5 }));
    setting
        .fake
        .write_entry("other", json!({ "password": SECRET }));
    assert_eq!(
        told(setting.vault(), "number"),
        "the field `value` of `secret/data/number` is not text"
    );
    assert_eq!(
        told(setting.vault(), "other"),
        "`secret/data/other` has no field `value`; write it: vault kv put -mount=secret other \
         value=…"
    );
    let mut options = setting.options();
    options.mount = "kv".into();
    assert_eq!(
        told(Vault::new(options), "sales/key"),
        "nothing answers there (404): is a KV engine, version 2, mounted at `kv`, and is the \
         namespace right?"
    );
}
