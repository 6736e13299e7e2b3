//! Against servers of the tests' own, whose answers have the shapes of Microsoft's references: Get
//! Secret of Key Vault's REST API (7.4), the client credentials flow of the identity platform (v2.0),
//! and managed identities' tokens of a machine's metadata.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use glovebox_core::CredentialStore;
use glovebox_tests::outside::{Answer, Outside};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::remote::Remote;

const SECRET: &str = "canary-secret-e41a";
const TOKEN: &str = "canary-token-0f6c";
const PROOF: &str = "canary-proof-95d8";
const SAID: &str = "canary-server-said-28ab";

fn name(name: &str) -> SecretName {
    SecretName::parse(name).unwrap()
}

fn setting(
    servers: &[&Outside],
    identity: Identity,
    variables: &[(&str, &str)],
) -> (Options, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let ca: String = servers.iter().map(|server| server.ca.as_str()).collect();
    std::fs::write(folder.path().join("ca.pem"), ca).unwrap();
    let variables: HashMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let options = Options {
        address: format!("https://{}", servers[0].address),
        prefix: Some("glovebox".into()),
        identity,
        ca: Some(folder.path().join("ca.pem")),
        patience: Patience {
            request: Duration::from_secs(20),
            pause: Duration::from_millis(1),
        },
        lookup: Arc::new(|_| Ok(Secret::new(PROOF.into()))),
        variables: Arc::new(move |name| variables.get(name).cloned()),
    };
    (options, folder)
}

fn ask(options: Options, secret: &str) -> Result<Option<String>, String> {
    let found = Remote::new(Azure::new(options)).get(&name(secret));
    let found = found.map_err(|error| {
        for canary in [SECRET, TOKEN, PROOF, SAID] {
            assert!(!format!("{error} {error:?}").contains(canary), "{error}");
        }
        let error = error.to_string();
        error.split_once(": ").unwrap().1.to_owned()
    })?;
    Ok(found.map(|secret| secret.expose_str().unwrap().to_owned()))
}

fn secret() -> Answer {
    let body = json!({ "value": SECRET, "id": SAID, "attributes": {
        "enabled": true, "created": 1493938410, "recoveryLevel": "Recoverable+Purgeable",
    } });
    Answer::ok(body.to_string())
}

fn error(status: u16) -> Answer {
    let body =
        json!({ "error": { "code": SAID, "message": SAID, "innererror": { "code": SAID } } });
    Answer::Reply(status, Vec::new(), body.to_string().into())
}

fn client() -> Identity {
    Identity::Client {
        tenant: "acme.example".into(),
        client_id: "an-application".into(),
        secret: name("azure/client-secret"),
    }
}

/// The directory's server, and what names it.
fn directory() -> (Outside, String) {
    let directory = Outside::start(|_| {
        let body = json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN });
        Answer::ok(body.to_string())
    });
    let url = format!("https://{}", directory.address);
    (directory, url)
}

#[test]
fn an_application_logs_in_and_asks_by_name() {
    let (directory, url) = directory();
    let server = Outside::start(|_| secret());
    let host = [("AZURE_AUTHORITY_HOST", url.as_str())];
    let (options, _folder) = setting(&[&server, &directory], client(), &host);
    assert_eq!(ask(options, "sales/key@3").unwrap().unwrap(), SECRET);
    let asked = server.asked().remove(0);
    assert_eq!(
        asked.target,
        "/secrets/glovebox-sales-key-3/?api-version=7.4"
    );
    let bearer = format!("Bearer {TOKEN}");
    assert_eq!(asked.header("authorization"), Some(bearer.as_str()));
    let login = directory.asked().remove(0);
    assert_eq!(login.target, "/acme.example/oauth2/v2.0/token");
    let scope = format!("https://{}/.default", server.address).replace(':', "%3A");
    assert_eq!(
        String::from_utf8_lossy(&login.body),
        format!(
            "grant_type=client_credentials&client_id=an-application&scope={}&client_secret={PROOF}",
            scope.replace('/', "%2F")
        )
    );
}

#[test]
fn a_directory_that_fails_is_not_taken_for_the_vault() {
    let server = Outside::start(|_| secret());
    let directory = Outside::start(|_| Answer::HangUp);
    let url = format!("https://{}", directory.address);
    let host = [("AZURE_AUTHORITY_HOST", url.as_str())];
    let (options, _folder) = setting(&[&server, &directory], client(), &host);
    assert_eq!(
        ask(options, "sales/key"),
        Err(format!(
            "{}, which says who the program is: it did not answer with valid HTTP/1.1, or closed the \
             connection",
            directory.address
        ))
    );
    assert_eq!(server.asked().len(), 0);
}

#[test]
fn a_pod_and_a_machine_have_identities_too() {
    let (directory, url) = directory();
    let server = Outside::start(|_| secret());
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, PROOF).unwrap();
    let pod = [
        ("AZURE_AUTHORITY_HOST", url.as_str()),
        ("AZURE_TENANT_ID", "acme.example"),
        ("AZURE_CLIENT_ID", "a-pod"),
        ("AZURE_FEDERATED_TOKEN_FILE", token.to_str().unwrap()),
    ];
    let (options, _folder) = setting(&[&server, &directory], Identity::Workload, &pod);
    assert_eq!(ask(options, "sales/key").unwrap().unwrap(), SECRET);
    let login = String::from_utf8(directory.asked().remove(0).body).unwrap();
    assert!(
        login.ends_with(&format!("&client_assertion={PROOF}")),
        "{login}"
    );
    let (options, _folder) = setting(&[&server, &directory], Identity::Workload, &pod[..3]);
    assert_eq!(
        ask(options, "sales/key"),
        Err(
            "AZURE_FEDERATED_TOKEN_FILE is not set; label the pod azure.workload.identity/use: \
             \"true\""
                .into()
        )
    );

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let machine = Outside::plain(listener, |asked| match asked.header("metadata") {
        Some("true") => {
            let body = json!({ "access_token": TOKEN, "expires_in": "3599", "resource": SAID });
            Answer::ok(body.to_string())
        }
        _ => error(400),
    });
    let host = format!("http://{}", machine.address);
    let host = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", host.as_str())];
    let identity = Identity::Managed(Some("one of two".into()));
    let (options, _folder) = setting(&[&server], identity, &host);
    assert_eq!(ask(options, "sales/key").unwrap().unwrap(), SECRET);
    let asked = machine.asked().remove(0).target;
    assert!(
        asked.starts_with("/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https"),
        "{asked}"
    );
    assert!(asked.ends_with("&client_id=one%20of%20two"), "{asked}");
}

#[test]
fn a_token_is_for_the_vaults_domain() {
    let server = Outside::start(|_| Answer::HangUp);
    let (mut options, _folder) = setting(&[&server], client(), &[]);
    options.address = "https://acme.vault.azure.net/".into();
    let resource = Azure::new(options).resource();
    assert_eq!(resource.unwrap(), "https://vault.azure.net");
}

#[test]
fn failures_have_sentences_of_our_own() {
    let (directory, url) = directory();
    let host = [("AZURE_AUTHORITY_HOST", url.as_str())];
    for (status, sentence) in [
        (
            403,
            "access is denied, or the secret is disabled (403); give the identity the role Key Vault \
             Secrets User for glovebox-sales-key",
        ),
        (401, "it does not accept the program's token (401)"),
        (429, "it answered 429; try again later"),
        (418, "it answered 418; is `address` a key vault's?"),
    ] {
        let server = Outside::start(move |_| error(status));
        let (options, _folder) = setting(&[&server, &directory], client(), &host);
        assert_eq!(ask(options, "sales/key"), Err(sentence.to_owned()));
    }
    let server = Outside::start(|_| error(404));
    let (options, _folder) = setting(&[&server, &directory], client(), &host);
    assert_eq!(
        ask(options, "sales/key"),
        Err("nothing answers there (404); is `address` a key vault's?".into())
    );
    let gone = json!({ "error": { "code": "SecretNotFound", "message": SAID } });
    let server = Outside::start(move |_| Answer::Reply(404, Vec::new(), gone.to_string().into()));
    let (options, _folder) = setting(&[&server, &directory], client(), &host);
    assert_eq!(ask(options, "sales/key"), Ok(None));
    let refusing = Outside::start(|_| error(401));
    let url = format!("https://{}", refusing.address);
    let host = [("AZURE_AUTHORITY_HOST", url.as_str())];
    let (options, _folder) = setting(&[&server, &refusing], client(), &host);
    assert_eq!(
        ask(options, "sales/key"),
        Err(
            "no token is to be had of the directory; check tenant, client id, and whether the \
             client's secret has expired (401)"
                .into()
        )
    );
}
