//! Against servers of the tests' own: what is asked for and signed, who the program is, what is said of
//! failures. The answers have the shapes of AWS's references: GetSecretValue and CommonErrors of the
//! Secrets Manager API (2017-10-17), AssumeRoleWithWebIdentity of the STS API (2011-06-15), the
//! container credential provider of the SDKs' reference, and IMDSv2 of the EC2 user guide.

use std::collections::HashMap;
use std::net::TcpListener;

use glovebox_core::CredentialStore;
use glovebox_tests::outside::{Answer, Asked, Outside};
use tempfile::TempDir;

use super::*;
use crate::remote::Remote;

const SECRET: &str = "canary-secret-1f60";
const KEY: &str = "canary-key-8d22";
const SAID: &str = "canary-server-said-77b0";

fn name(name: &str) -> SecretName {
    SecretName::parse(name).unwrap()
}

fn setting(server: &Outside, variables: &[(&str, &str)]) -> (Options, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &server.ca).unwrap();
    let variables: HashMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let options = Options {
        region: "eu-central-1".into(),
        prefix: None,
        field: None,
        endpoint: Some(format!("https://{}", server.address)),
        ca: Some(folder.path().join("ca.pem")),
        patience: Patience {
            request: std::time::Duration::from_secs(20),
            pause: std::time::Duration::from_millis(1),
        },
        variables: Arc::new(move |name| variables.get(name).cloned()),
    };
    (options, folder)
}

const KEYS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", KEY),
];

fn ask(options: Options, secret: &str) -> Result<Option<String>, String> {
    let found = Remote::new(Aws::new(options)).get(&name(secret));
    let found = found.map_err(|error| {
        for canary in [SECRET, KEY, SAID] {
            assert!(!format!("{error} {error:?}").contains(canary), "{error}");
        }
        let error = error.to_string();
        error.split_once(": ").unwrap().1.to_owned()
    })?;
    Ok(found.map(|secret| secret.expose_str().unwrap().to_owned()))
}

fn value(member: &str, secret: &str) -> Answer {
    let body = json!({
        "ARN": SAID, "CreatedDate": 1.523477145713E9, "Name": SAID,
        member: secret, "VersionId": SAID, "VersionStages": ["AWSCURRENT"],
    });
    Answer::ok(body.to_string())
}

fn error(status: u16, kind: &str) -> Answer {
    let body = json!({ "__type": kind, "Message": SAID, "message": SAID });
    Answer::Reply(status, Vec::new(), body.to_string().into())
}

#[test]
fn a_secret_is_asked_for_by_name_in_a_signed_request() {
    let server = Outside::start(|_| value("SecretString", SECRET));
    let (mut options, _folder) = setting(&server, &KEYS);
    options.prefix = Some("glovebox".into());
    assert_eq!(ask(options, "sales/key@3").unwrap().unwrap(), SECRET);
    let asked = server.asked().remove(0);
    assert_eq!(
        (asked.method.as_str(), asked.target.as_str()),
        ("POST", "/")
    );
    assert_eq!(asked.body, br#"{"SecretId":"glovebox/sales/key@3"}"#);
    assert_eq!(asked.header("x-amz-target"), Some(super::GET));
    assert_eq!(
        asked.header("content-type"),
        Some("application/x-amz-json-1.1")
    );
    assert!(signed_by(&asked, KEY));
    assert!(!signed_by(&asked, "another key"));
}

/// Whether the signature that came is that of the request that came.
fn signed_by(asked: &Asked, key: &str) -> bool {
    let given = asked.header("authorization").unwrap();
    let names = given.split("SignedHeaders=").nth(1).unwrap();
    let names = names.split(',').next().unwrap();
    let headers: Vec<(&str, &str)> = names
        .split(';')
        .map(|name| (name, asked.header(name).unwrap()))
        .collect();
    let request = signature::Request {
        method: &asked.method,
        path: &asked.target,
        headers: &headers,
        body: &asked.body,
    };
    let scope = signature::Scope {
        region: "eu-central-1",
        service: "secretsmanager",
        time: asked.header("x-amz-date").unwrap(),
    };
    let access = given.split(['=', '/']).nth(1).unwrap();
    let secret = Secret::new(key.into());
    given == signature::authorization(&request, &scope, access, &secret)
}

#[test]
fn a_secret_is_text_or_bytes_or_a_member_of_an_object() {
    let object = json!({ "username": SAID, "password": SECRET, "port": 5432 }).to_string();
    for (answer, field, expected) in [
        (value("SecretString", SECRET), None, Ok(SECRET)),
        (
            value("SecretBinary", &STANDARD.encode(SECRET)),
            None,
            Ok(SECRET),
        ),
        (value("SecretString", &object), Some("password"), Ok(SECRET)),
        (
            value("SecretString", &object),
            Some("port"),
            Err("it is not a JSON object with the text `port`"),
        ),
        (
            value("SecretString", SECRET),
            Some("password"),
            Err("it is not a JSON object with the text `password`"),
        ),
        (
            value("SecretBinary", "?"),
            None,
            Err("its bytes are not valid Base64"),
        ),
        (
            value("Other", SECRET),
            None,
            Err("it has neither text nor bytes"),
        ),
    ] {
        let server = Outside::start(move |_| answer.clone());
        let (mut options, _folder) = setting(&server, &KEYS);
        options.field = field.map(ToOwned::to_owned);
        let found = ask(options, "sales/db").map(Option::unwrap);
        assert_eq!(found.as_deref().map_err(String::as_str), expected);
    }
}

#[test]
fn failures_have_sentences_of_our_own() {
    for (answer, sentence) in [
        (
            error(400, "com.amazonaws.secretsmanager#AccessDeniedException"),
            "access is denied; allow secretsmanager:GetSecretValue on \
             arn:aws:secretsmanager:eu-central-1:ACCOUNT:secret:sales/key-*",
        ),
        (
            error(400, "InvalidRequestException"),
            "it is scheduled for deletion, or another service's; restore it with: aws \
             secretsmanager restore-secret --secret-id sales/key",
        ),
        (
            error(400, "UnrecognizedClientException"),
            "it does not accept the program's AWS keys (400); have they expired, and is the clock \
             right?",
        ),
        (
            error(400, "ThrottlingException"),
            "it limits the rate of requests",
        ),
        (
            error(500, "InternalServiceError"),
            "it answered 500; try again later",
        ),
        (
            error(400, SAID),
            "it answered 400; are region and endpoint right?",
        ),
        (
            Answer::HangUp,
            "it did not answer with valid HTTP/1.1, or closed the connection",
        ),
    ] {
        let server = Outside::start(move |_| answer.clone());
        let (options, _folder) = setting(&server, &KEYS);
        assert_eq!(ask(options, "sales/key"), Err(sentence.to_owned()));
    }
    let server = Outside::start(|_| error(400, "ResourceNotFoundException"));
    let (options, _folder) = setting(&server, &KEYS);
    assert_eq!(ask(options, "sales/key"), Ok(None));
}

#[test]
fn a_pods_token_is_exchanged_for_a_roles_keys_and_again_when_they_expire() {
    let expired = Arc::new(Mutex::new(false));
    let once = Arc::clone(&expired);
    let server = Outside::start(move |asked| match asked.header("x-amz-target") {
        None => Answer::ok(format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>\
             <SessionToken>session</SessionToken><SecretAccessKey>{KEY}</SecretAccessKey>\
             <Expiration>2099-10-24T23:00:23Z</Expiration><AccessKeyId>ASIAEXAMPLE</AccessKeyId>\
             </Credentials><Provider>{SAID}</Provider></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        )),
        Some(_) if std::mem::take(&mut *once.lock().unwrap()) => {
            error(400, "ExpiredTokenException")
        }
        Some(_) => value("SecretString", SECRET),
    });
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "the.pods/token\n").unwrap();
    let url = format!("https://{}", server.address);
    let (options, _folder) = setting(
        &server,
        &[
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/glovebox"),
            ("AWS_ENDPOINT_URL_STS", &url),
        ],
    );
    let store = Aws::new(options);
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    for expires in [false, false, true] {
        *expired.lock().unwrap() = expires;
        let found = runtime.block_on(store.fetch(&name("sales/key"))).unwrap();
        assert_eq!(found.unwrap().secret.expose(), SECRET.as_bytes());
    }
    let asked = server.asked();
    let exchanges: Vec<_> = asked
        .iter()
        .filter(|asked| asked.header("x-amz-target").is_none())
        .collect();
    assert_eq!((exchanges.len(), asked.len()), (2, 6));
    assert_eq!(
        String::from_utf8_lossy(&exchanges[0].body),
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A\
         123456789012%3Arole%2Fglovebox&RoleSessionName=glovebox&WebIdentityToken=the.pods%2Ftoken"
    );
    assert_eq!(asked[1].header("x-amz-security-token"), Some("session"));
    assert!(signed_by(&asked[1], KEY));
}

#[test]
fn a_container_and_a_machine_have_keys_too() {
    let keys = json!({
        "Code": "Success", "AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": KEY,
        "Token": "session", "Expiration": "2099-10-24T23:00:23Z",
    });
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let body = keys.to_string();
    let container = Outside::plain(listener(), move |asked| {
        match asked.header("authorization") {
            Some("the pod's") => Answer::ok(body.clone()),
            _ => Answer::Reply(403, Vec::new(), SAID.into()),
        }
    });
    let body = keys.to_string();
    let machine = Outside::plain(listener(), move |asked| {
        let token = asked.header("x-aws-ec2-metadata-token");
        match (asked.method.as_str(), asked.target.as_str(), token) {
            ("PUT", "/latest/api/token", None) => Answer::ok("a-token"),
            ("GET", "/latest/meta-data/iam/security-credentials/", Some("a-token")) => {
                Answer::ok("glovebox")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/glovebox", Some("a-token")) => {
                Answer::ok(body.clone())
            }
            _ => Answer::Reply(401, Vec::new(), SAID.into()),
        }
    });
    let server = Outside::start(|_| value("SecretString", SECRET));
    let full = format!("http://{}/v1/credentials", container.address);
    let metadata = format!("http://{}", machine.address);
    let by_container = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", full.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the pod's"),
    ];
    let by_machine = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.as_str())];
    for variables in [&by_container[..], &by_machine] {
        let (options, _folder) = setting(&server, variables);
        assert_eq!(ask(options, "sales/key").unwrap().unwrap(), SECRET);
        assert!(signed_by(server.asked().last().unwrap(), KEY));
    }
    let (options, _folder) = setting(&server, &by_container[..1]);
    assert_eq!(
        ask(options, "sales/key"),
        Err("the program's AWS keys are not to be had (403): the container's role".into())
    );
    let elsewhere = [(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://metadata.example/keys",
    )];
    let (options, _folder) = setting(&server, &elsewhere);
    assert_eq!(
        ask(options, "sales/key"),
        Err(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI: plain http can be read and changed in transit"
                .into()
        )
    );
}

#[test]
fn of_a_containers_two_variables_the_relative_one_counts() {
    let server = Outside::start(|_| error(500, SAID));
    let both = [
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://127.0.0.1:1/keys",
        ),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@elsewhere/keys"),
    ];
    let (options, _folder) = setting(&server, &both);
    assert_eq!(
        ask(options, "sales/key"),
        Err(
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: it has user information before the host, which \
             may include a password"
                .into()
        )
    );
}

#[test]
fn half_of_an_identity_is_not_replaced_by_the_machines() {
    let server = Outside::start(|_| error(500, SAID));
    for (first, second) in [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    ] {
        let (options, _folder) = setting(&server, &[(first, "x")]);
        assert_eq!(
            ask(options, "sales/key"),
            Err(format!(
                "{first} is set, but {second} is not; set both or neither"
            ))
        );
    }
}
