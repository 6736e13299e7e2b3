//! Whom the server asks and tells of its own accord: issuers that publish keys, and a collector of
//! traces.
//!
//! Owns where their requests may go; refuses plain text, and what would be sent nowhere.

use glovebox_outbound::https::{Address, Plain};
use poem::http::header::{self, HeaderName};

use super::check::Checker;
use super::{Issuer, KeySource, Otlp, written};

/// Where an issuer's discovery document is, below its `url`.
const DISCOVERY: &str = ".well-known/openid-configuration";
/// Where a collector takes traces, below its address.
const TRACES: &str = "v1/traces";

/// What a request says of itself.
const OURS: [HeaderName; 6] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::TRANSFER_ENCODING,
    header::USER_AGENT,
];

impl Checker<'_> {
    pub(super) fn issuer(&mut self, written: written::Issuer) -> Option<Issuer> {
        self.url(&written.url)?;
        // To the letter, as tokens have it: some end with a slash.
        let url = written.url.value;
        let is_url = |jwks: &str| jwks.contains("://");
        let keys = match &written.jwks {
            Some(jwks) if is_url(&jwks.value) => Address::parse(&jwks.value, Plain::Never)
                .map(KeySource::Address)
                .map_err(|problem| {
                    let help = "write https://… of its key set, or the name of a file";
                    (jwks.span.clone(), problem, help)
                }),
            Some(jwks) => Ok(KeySource::File(self.path(&jwks.value))),
            None => Address::parse(&url, Plain::Never)
                .map(|issuer| KeySource::Discovery(issuer.below(DISCOVERY)))
                .map_err(|problem| {
                    let help = "without `jwks`, keys are found by https; write `jwks`";
                    (written.url.span.clone(), problem, help)
                }),
        };
        let keys = match keys {
            Ok(keys) => keys,
            Err((span, problem, help)) => {
                self.say(
                    span,
                    format!("no keys can be fetched there: {problem}"),
                    help,
                );
                return None;
            }
        };
        if let (KeySource::File(_), Some(tls)) = (&keys, &written.tls) {
            self.say(
                tls.span.clone(),
                "nothing is fetched, as `jwks` is a file",
                "delete `tls`, or leave `jwks` out",
            );
        }
        let roles = written.roles.0.into_iter();
        Some(Issuer {
            url,
            audience: written.audience,
            keys,
            ca: written.tls.map(|tls| self.path(&tls.value.ca)),
            roles_claim: written.roles_claim.unwrap_or_else(|| "roles".into()),
            roles: roles
                .map(|(theirs, ours)| (theirs.value, ours.value))
                .collect(),
        })
    }

    pub(super) fn otlp(&mut self, written: written::Otlp) -> Option<Otlp> {
        let mut headers = Vec::new();
        for (name, value) in &written.headers.0 {
            let parsed = HeaderName::try_from(name.value.as_str()).ok();
            match parsed.filter(|name| !OURS.contains(name)) {
                Some(parsed) => headers.extend(self.secret(&value.secret).map(|s| (parsed, s))),
                None => self.say(
                    name.span.clone(),
                    "this is no header that can be added",
                    "write the one that your collector asks for, as `authorization`",
                ),
            }
        }
        let sample = written.sample_percent.as_ref();
        let sample = sample.and_then(|n| self.within(n, 1..=100)).unwrap_or(100);
        match Address::parse(&written.url.value, Plain::Loopback) {
            Ok(address) => Some(Otlp {
                address: address.below(TRACES),
                headers,
                ca: written.tls.map(|tls| self.path(&tls.ca)),
                sample,
            }),
            Err(problem) => {
                self.say(
                    written.url.span,
                    format!("traces cannot be sent there: {problem}"),
                    "write https://HOST:4318, or http://127.0.0.1:4318 of this machine",
                );
                None
            }
        }
    }
}
