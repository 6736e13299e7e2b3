//! Signature Version 4 of AWS, for a request whose body is known:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.

use glovebox_core::{Secret, hex};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What is signed.
pub(super) struct Request<'r> {
    pub(super) method: &'r str,
    pub(super) path: &'r str,
    /// Names in lower case with their values, in the order of the names.
    pub(super) headers: &'r [(&'r str, &'r str)],
    pub(super) body: &'r [u8],
}

/// For which service, where and when.
pub(super) struct Scope<'s> {
    pub(super) region: &'s str,
    pub(super) service: &'s str,
    /// Like `20150830T123600Z`.
    pub(super) time: &'s str,
}

impl Scope<'_> {
    fn date(&self) -> &str {
        self.time.get(..8).unwrap_or(self.time)
    }

    fn text(&self) -> String {
        let Scope {
            region, service, ..
        } = self;
        format!("{}/{region}/{service}/aws4_request", self.date())
    }
}

/// The value of the header `Authorization`.
pub(super) fn authorization(
    request: &Request<'_>,
    scope: &Scope<'_>,
    access: &str,
    secret: &Secret,
) -> String {
    let names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let digest = hex(Sha256::digest(canonical(request, &names)));
    let to_sign = format!("{ALGORITHM}\n{}\n{}\n{digest}", scope.time, scope.text());
    let signature = hex(hmac(key(secret, scope).as_slice(), to_sign.as_bytes()).as_slice());
    format!(
        "{ALGORITHM} Credential={access}/{}, SignedHeaders={names}, Signature={signature}",
        scope.text()
    )
}

fn canonical(request: &Request<'_>, names: &str) -> String {
    let headers = request.headers.iter();
    let headers: String = headers.map(|(n, value)| format!("{n}:{value}\n")).collect();
    let (method, path) = (request.method, request.path);
    let body = hex(Sha256::digest(request.body));
    format!("{method}\n{path}\n\n{headers}\n{names}\n{body}")
}

fn key(secret: &Secret, scope: &Scope<'_>) -> Zeroizing<[u8; 32]> {
    let first = Zeroizing::new([b"AWS4", secret.expose()].concat());
    let mut key = hmac(&first, scope.date().as_bytes());
    for part in [scope.region, scope.service, "aws4_request"] {
        key = hmac(key.as_slice(), part.as_bytes());
    }
    key
}

fn hmac(key: &[u8], text: &[u8]) -> Zeroizing<[u8; 32]> {
    // A key of any length will do, says RFC 2104; the error is for other MACs.
    let mut digest = Zeroizing::new([0; 32]);
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(text);
        digest.copy_from_slice(&mac.finalize().into_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of AWS's documentation; nobody's.
    const ACCESS: &str = "AKIDEXAMPLE";
    const SECRET: &[u8] = b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const TIME: &str = "20150830T123600Z";

    fn signature(method: &str) -> String {
        let request = Request {
            method,
            path: "/",
            headers: &[("host", "example.amazonaws.com"), ("x-amz-date", TIME)],
            body: b"",
        };
        let scope = Scope {
            region: "us-east-1",
            service: "service",
            time: TIME,
        };
        authorization(&request, &scope, ACCESS, &Secret::new(SECRET.to_vec()))
    }

    /// `get-vanilla` and `post-vanilla` of the Signature Version 4 test suite that AWS published.
    #[test]
    fn signatures_are_those_of_awss_test_suite() {
        let credential = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/\
                          aws4_request, SignedHeaders=host;x-amz-date, Signature=";
        for (method, expected) in [
            (
                "GET",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "POST",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ] {
            assert_eq!(signature(method), format!("{credential}{expected}"));
        }
    }

    /// The signing key of "Deriving the signing key" in AWS's General Reference.
    #[test]
    fn a_signing_key_is_that_of_awss_example() {
        let scope = Scope {
            region: "us-east-1",
            service: "iam",
            time: TIME,
        };
        let key = key(&Secret::new(SECRET.to_vec()), &scope);
        assert_eq!(
            hex(key.as_slice()),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
    }
}
