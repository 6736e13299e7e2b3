//! Vault as a store of secrets: where it is, where in it the secrets are, and how one logs in.
//! What one logs in by is a secret of another store or a file, never a text of the manifest.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::SecretName;
use serde_json::json;

use super::misplaced::Misplaced;
use super::postgres::Tls;
use crate::block::{Block, Reader};
use crate::declare::{At, Section, Take, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{File, Own, Secret, Text, Time, Whole, nested};
use crate::span::Spanned;

section! {
    /// A server of HashiCorp Vault's HTTP API, such as Vault or OpenBao: secrets of its KV engine,
    /// version 2. TLS is always verified.
    #[derive(Eq)]
    pub struct Vault("Vault"): "the Vault store",
        "vault: { address: https://vault.internal:8200, auth: { app-role: { role-id: …, secret-id: { secret: vault/secret-id } } } }"
    {
        /// The server's URL, which begins with `https://`.
        address: String => needed, ADDRESS, "address: https://vault.internal:8200";
        /// Where the KV engine is mounted.
        mount: String => default "secret", PATH, "mount: secret";
        /// What stands before the names of secrets in their paths.
        prefix: Option<String> => optional, PATH, "prefix: glovebox";
        /// The field of an entry that holds the secret.
        field: String => default "value", Text, "field: value";
        /// The namespace of logins and secrets.
        namespace: Option<String> => optional, PATH, "namespace: sales";
        /// Certificates to trust for it, instead of the built-in ones.
        ca = "tls": Option<PathBuf> => empty, nested::<Tls>();
        /// [How one logs in](#vault).
        auth: VaultLogin => needed, nested::<LoginKeys>();
        /// How long one request may take; it is tried up to four times.
        timeout: Duration
            => default "10s", Time(Duration::from_millis(100)..=Duration::from_secs(300));
    }
    hints {
        "url" => "write `address:`",
        "path" => "write `mount:` for the engine's mount, `prefix:` for what stands before the names",
        "token" => "put it under `auth`: auth: { token: { secret: vault/token } }",
        "role" => "put it under the method: auth: { kubernetes: { role: glovebox } }",
        "skip-verify" => "delete it: the server is always verified; name its certificate authority with tls: { ca: FILE }",
        "ca" => "write tls: { ca: FILE }",
    }
}

section! {
    /// Keys of masks in Vault's Transit engine, which computes with them and never gives them away. TLS
    /// is always verified.
    #[derive(Eq)]
    pub struct Transit("Transit"): "the Transit store",
        "transit: { address: https://vault.internal:8200, auth: { app-role: { role-id: …, secret-id: { secret: vault/secret-id } } } }"
    {
        /// The server's URL, which begins with `https://`.
        address: String => needed, ADDRESS, "address: https://vault.internal:8200";
        /// Where the Transit engine is mounted.
        mount: String => default "transit", PATH, "mount: transit";
        /// What stands before the names of keys, and a `-`.
        prefix: Option<String> => optional, KEY_PREFIX, "prefix: glovebox";
        /// The namespace of logins and keys.
        namespace: Option<String> => optional, PATH, "namespace: sales";
        /// Certificates to trust for it, instead of the built-in ones.
        ca = "tls": Option<PathBuf> => empty, nested::<Tls>();
        /// [How one logs in](#vault).
        auth: VaultLogin => needed, nested::<LoginKeys>();
        /// The most values of one request. OpenBao takes 499 unless its `max_request_json_strings` is
        /// raised, Vault more than these.
        batch: u32 => default "480", Whole(1..=4096u32);
        /// How long one request may take; it is tried up to four times.
        timeout: Duration
            => default "10s", Time(Duration::from_millis(100)..=Duration::from_secs(300));
    }
    hints {
        "url" => "write `address:`",
        "path" => "write `mount:` for the engine's mount, `prefix:` for what stands before the names",
        "field" => "delete it: a key of Transit has no fields",
        "token" => "put it under `auth`: auth: { token: { secret: vault/token } }",
        "role" => "put it under the method: auth: { kubernetes: { role: glovebox } }",
        "skip-verify" => "delete it: the server is always verified; name its certificate authority with tls: { ca: FILE }",
        "ca" => "write tls: { ca: FILE }",
    }
}

impl Take<Tls> for Option<PathBuf> {
    fn take(tls: Spanned<Tls>) -> Self {
        tls.value.ca.map(|ca| ca.value)
    }
}

/// How one logs in to Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultLogin {
    /// By the token in a secret.
    Token(SecretName),
    /// As an application.
    AppRole(AppRole),
    /// As a pod's service account.
    Kubernetes(KubernetesLogin),
    /// By a TLS certificate.
    Certificate(CertificateLogin),
}

impl VaultLogin {
    /// The secret that it needs of another store.
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            VaultLogin::Token(secret) => Some(secret),
            VaultLogin::AppRole(role) => Some(&role.secret_id),
            VaultLogin::Kubernetes(_) | VaultLogin::Certificate(_) => None,
        }
    }
}

section! {
    /// How one logs in: exactly one of `token`, `app-role`, `kubernetes` and `certificate`.
    pub(crate) struct LoginKeys("VaultLogin"): "the login", "auth: { token: { secret: vault/token } }" {
        /// The secret that holds a token.
        token: Option<SecretName> => optional, BY_NAME, "token: { secret: vault/token }";
        /// AppRole.
        app_role: Option<AppRole> => optional, nested::<AppRole>();
        /// A pod's service account.
        kubernetes: Option<KubernetesLogin> => optional, nested::<KubernetesLogin>();
        /// A TLS certificate.
        certificate: Option<CertificateLogin> => optional, nested::<CertificateLogin>();
    }
    hints {
        "approle" => "write `app-role:`",
        "cert" => "write `certificate:`",
        "tls" => "write `certificate:`",
        "k8s" => "write `kubernetes:`",
    }
    rules {
        "oneOf": [
            { "required": ["token"] },
            { "required": ["app-role"] },
            { "required": ["kubernetes"] },
            { "required": ["certificate"] },
        ]
    }
    settle VaultLogin: login;
}

section! {
    /// A login by AppRole.
    #[derive(Eq)]
    pub struct AppRole("AppRole"): "the login by AppRole",
        "app-role: { role-id: 59d6d1ca-…, secret-id: { secret: vault/secret-id } }"
    {
        /// The role's id, which is no secret.
        role_id: String => needed, Text, "role-id: 59d6d1ca-47bb-4e7e-a40b-8be3bc5a0ba8";
        /// The secret that holds the secret ID.
        secret_id: SecretName => needed, BY_NAME, "secret-id: { secret: vault/secret-id }";
        /// Where the method is mounted.
        mount: String => default "approle", PATH, "mount: approle";
    }
}

section! {
    /// A login as a Kubernetes service account.
    #[derive(Eq)]
    pub struct KubernetesLogin("KubernetesLogin"): "the login by Kubernetes", "kubernetes: { role: glovebox }" {
        /// The role in Vault.
        role: String => needed, Text, "role: glovebox";
        /// The file with the service account's token, read anew at each login.
        token_file: PathBuf => default "/var/run/secrets/kubernetes.io/serviceaccount/token", File,
            "token-file: /var/run/secrets/tokens/vault";
        /// Where the method is mounted.
        mount: String => default "kubernetes", PATH, "mount: kubernetes";
    }
}

section! {
    /// A login by a TLS certificate.
    #[derive(Eq)]
    pub struct CertificateLogin("CertificateLogin"): "the login by certificate",
        "certificate: { certificate: client.pem, key: client.key }"
    {
        /// The certificate, with any intermediate certificates, as a PEM file, read anew at each login.
        certificate: PathBuf => needed, File, "certificate: client.pem";
        /// The certificate's private key, as a PEM file.
        key: PathBuf => needed, File, "key: client.key";
        /// The role in Vault.
        role: Option<String> => optional "any that fits", Text, "role: glovebox";
        /// Where the method is mounted.
        mount: String => default "cert", PATH, "mount: cert";
    }
}

fn login(keys: LoginKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<VaultLogin> {
    let names: Vec<&'static str> = LoginKeys::fields().iter().map(|f| f.key).collect();
    let present = block.present(&names);
    if let Some(other) = present.get(1) {
        let place = block.get(other).map_or(0..0, |(_, span)| span);
        reader.say(
            Diagnostic::error(place, "there can be only one way to log in")
                .help("keep one of them"),
        );
        return None;
    }
    if present.is_empty() && !block.has_strangers() {
        reader.say(
            Diagnostic::error(block.head.clone(), "the login has no method").help(format!(
                "add one of: {}; like {}",
                names.join(", "),
                LoginKeys::EXAMPLE
            )),
        );
    }
    let token = keys.token.map(VaultLogin::Token);
    let role = keys.app_role.map(VaultLogin::AppRole);
    let kubernetes = keys.kubernetes.map(VaultLogin::Kubernetes);
    let certificate = keys.certificate.map(VaultLogin::Certificate);
    token.or(role).or(kubernetes).or(certificate)
}

section! {
    /// What one logs in by, by the name of the secret that holds it.
    struct ByName("LoginSecret"): "the login's secret", "{ secret: vault/token }" {
        /// The secret, in one of the other stores of the list.
        secret: SecretName => needed, Secret, "secret: vault/token";
    }
}

/// The place of what one logs in by. The thing itself is refused, and neither message nor excerpt
/// shows it.
pub(super) const BY_NAME: Own<SecretName> = Own {
    read: |reader, at| {
        let named = Misplaced {
            what: "what one logs in by",
            help: format!(
                "name the secret that holds it: {}, and keep that in one of the other stores",
                at.example
            ),
            note: "if this is real, treat it as compromised and revoke it",
        };
        named.refuse(reader, at)?;
        let block = ByName::read(reader, at.node, at.head.clone())?;
        Some(Spanned::new(block.secret, at.head.clone()))
    },
    words: "`{ secret: NAME }`",
    schema: |schema| schema.section::<ByName>(),
};

/// The URL of a server that is only asked over TLS.
pub(super) const ADDRESS: Own<String> = Own {
    read: address,
    words: "URL",
    schema: |_| json!({ "type": "string", "pattern": "^https://[!-~]+$", "maxLength": 2048 }),
};

fn address(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let url = reader.text(at.node, at.key, &at.example)?;
    let problem = if url.value.starts_with("http://") {
        "plain http can be read and changed in transit"
    } else if !url.value.starts_with("https://") {
        "this is not the URL of a server"
    } else if url.value.contains('@') {
        "user information in a URL may include a password"
    } else if url.value.contains(['?', '#']) || !url.value.bytes().all(|b| b.is_ascii_graphic()) {
        "this is not the URL of a server"
    } else {
        return Some(url);
    };
    let help = format!(
        "write: {}; a private authority goes into tls: {{ ca: FILE }}",
        at.example
    );
    reader.say(Diagnostic::error(url.span, problem).help(help));
    None
}

/// The beginning of a key's name, which has no parts.
const KEY_PREFIX: Own<String> = Own {
    read: |reader, at| {
        let prefix = path(reader, at)?;
        if !prefix.value.contains('/') {
            return Some(prefix);
        }
        let problem = "keys of Transit have no `/` in their names";
        reader.say(Diagnostic::error(prefix.span, problem).help(format!("write: {}", at.example)));
        None
    },
    words: "text",
    schema: |_| json!({ "type": "string", "maxLength": 512, "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*$" }),
};

/// A path in Vault.
pub(super) const PATH: Own<String> = Own {
    read: path,
    words: "text",
    schema: |_| {
        json!({
            "type": "string", "maxLength": 512,
            "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$",
        })
    },
};

fn path(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
    let path = reader.text(at.node, at.key, &at.example)?;
    let fits = |part: &str| {
        !part.starts_with(['.', '-'])
            && !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if path.value.len() <= 512 && path.value.split('/').all(fits) {
        return Some(path);
    }
    let problem = format!("`{}` is not a path in Vault", at.key);
    reader.say(Diagnostic::error(path.span, problem).help(format!(
        "write letters, digits, `.`, `_` and `-`, in parts joined by `/`, without one at either \
         end: {}",
        at.example
    )));
    None
}
