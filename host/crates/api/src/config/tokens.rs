//! How tokens are issued, and whose are accepted.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::SecretName;
use glovebox_manifest::declare::{Block, Reader, section};
use glovebox_manifest::kinds::{ListOf, MapOf, Named, Secret, Text, Time, nested};
use glovebox_manifest::model::Spanned;
use glovebox_manifest::shared::Tls;
use glovebox_outbound::https::{Address, Plain};

use super::values::{ISSUER_URL, Roles, known_role, wrong};
use super::{Issuer, KeySource, Tokens};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where an issuer's discovery document is, below its `url`.
const DISCOVERY: &str = ".well-known/openid-configuration";

section! {
    /// How tokens are issued, and whose are accepted.
    pub(super) struct TokenKeys("Tokens"): "the tokens", "tokens: { keys: [api/token-key] }" {
        /// The secrets that hold keys: the first one signs, all of them verify.
        keys: Vec<Spanned<SecretName>> => needed, ListOf(Secret), "keys: [api/token-key]";
        /// The `aud` claim of the tokens that the server issues.
        audience: String => default "glovebox", Text;
        /// Lifetime of an access token.
        lifetime: Duration => default "10min", Time(MINUTE..=Duration::from_secs(3600));
        /// After this time the user must log in again.
        session: Duration => default "12h", Time(Duration::from_secs(600)..=DAY.saturating_mul(30));
        /// How recent a login must be to change users or make keys.
        fresh_login: Duration
            => default "15min", Time(Duration::from_secs(1)..=DAY.saturating_mul(30));
        /// Other issuers whose tokens are accepted.
        issuers: Vec<Spanned<IssuerKeys>>
            => empty, ListOf(nested::<IssuerKeys>()), "issuers: [{ url: https://idp.example.org, audience: glovebox-api }]";
    }
    check some_key[keys];
}

section! {
    /// Another issuer whose tokens are accepted.
    pub(super) struct IssuerKeys("Issuer"): "an issuer",
        "- { url: https://idp.example.org, audience: glovebox-api }"
    {
        /// The exact value of their `iss` claim.
        url: Spanned<String> => needed, ISSUER_URL, "url: https://idp.example.org";
        /// The `aud` claim that their tokens must have.
        audience: String => needed, Text, "audience: glovebox-api";
        /// Their JSON Web Key Set: a URL or a file.
        jwks: Option<Spanned<String>>
            => optional "found by OpenID Connect's discovery below `url`", Text, "jwks: https://idp.example.org/keys";
        /// Certificates to trust for their server, instead of the built-in ones.
        ca = "tls": Option<Spanned<PathBuf>> => empty, nested::<Tls>();
        /// The claim that holds roles.
        roles_claim: String => default "roles", Text;
        /// Their names for roles, each with the role here.
        roles: Named<String>
            => empty, MapOf(Text), "roles: { data-team: analyst }";
    }
}

fn some_key(reader: &mut Reader<'_>, block: &Block<'_>, keys: Option<&Vec<Spanned<SecretName>>>) {
    if let Some((node, _)) = block.get("keys")
        && matches!(&node.kind, glovebox_manifest::declare::Yaml::List(items) if items.is_empty())
        && keys.is_some()
    {
        let help =
            "write keys: [api/token-key] and run: glovebox secret set --generate api/token-key";
        wrong(reader, &node.span, "tokens need a signing key", help);
    }
}

/// How tokens are made; an issuer that is wrong is left out.
pub(super) fn tokens(reader: &mut Reader<'_>, keys: TokenKeys, roles: &Roles) -> Tokens {
    let issuers = keys.issuers.into_iter();
    Tokens {
        keys: keys.keys.into_iter().map(|key| key.value).collect(),
        audience: keys.audience,
        lifetime: keys.lifetime,
        session: keys.session,
        fresh_login: keys.fresh_login,
        issuers: issuers
            .filter_map(|keys| issuer(reader, keys.value, roles))
            .collect(),
    }
}

fn issuer(reader: &mut Reader<'_>, keys: IssuerKeys, roles: &Roles) -> Option<Issuer> {
    for (_, ours) in &keys.roles {
        known_role(reader, ours, roles);
    }
    let found = match &keys.jwks {
        Some(jwks) if jwks.contains("://") => Address::parse(jwks, Plain::Never)
            .map(KeySource::Address)
            .map_err(|problem| {
                let help = "write the https:// URL of its key set, or a file";
                (&jwks.span, problem, help)
            }),
        Some(jwks) => Ok(KeySource::File(reader.beside(jwks))),
        None => Address::parse(&keys.url, Plain::Never)
            .map(|issuer| KeySource::Discovery(issuer.below(DISCOVERY)))
            .map_err(|problem| {
                let help = "without `jwks`, keys are discovered over https only; set `jwks`";
                (&keys.url.span, problem, help)
            }),
    };
    let source = match found {
        Ok(source) => source,
        Err((span, problem, help)) => {
            let problem = format!("no keys can be fetched there: {problem}");
            wrong(reader, span, problem, help);
            return None;
        }
    };
    if let (KeySource::File(_), Some(ca)) = (&source, &keys.ca) {
        let help = "delete `tls`, or leave `jwks` out";
        wrong(
            reader,
            &ca.span,
            "nothing is fetched, since `jwks` is a file",
            help,
        );
    }
    let roles = keys.roles.into_iter();
    Some(Issuer {
        url: keys.url.value,
        audience: keys.audience,
        keys: source,
        ca: keys.ca.map(|ca| ca.value),
        roles_claim: keys.roles_claim,
        roles: roles
            .map(|(theirs, ours)| (theirs.value, ours.value))
            .collect(),
    })
}
