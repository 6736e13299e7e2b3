//! Signed webhooks, as <https://www.standardwebhooks.com> has them: libraries of many languages verify
//! them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use glovebox_monitor::Alert;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{NotTaken, post, time};
use crate::https::{Address, Client, HeaderMap, HeaderValue};

/// What a key begins with that is written in base64.
const PREFIX: &str = "whsec_";
/// The shortest key, in bytes, by the specification.
const MIN_KEY_LEN: usize = 24;

/// The key cannot sign.
#[derive(Debug, thiserror::Error)]
#[error(
    "a webhook's key is `whsec_` and base64 of 24 bytes or more; make one: echo \"whsec_$(openssl rand -base64 32)\""
)]
pub struct KeyError;

/// Where a webhook is sent, and how it is signed.
pub struct Webhook {
    address: Address,
    client: Client,
    key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook(…)")
    }
}

impl Webhook {
    /// A webhook at that address, signed with a key as its receiver has it.
    ///
    /// # Errors
    /// When the key is not one.
    pub fn new(address: Address, client: Client, key: &[u8]) -> Result<Self, KeyError> {
        let text = std::str::from_utf8(key.trim_ascii()).map_err(|_| KeyError)?;
        let text = text.strip_prefix(PREFIX).ok_or(KeyError)?;
        let key = Zeroizing::new(STANDARD.decode(text).map_err(|_| KeyError)?);
        if key.len() < MIN_KEY_LEN {
            return Err(KeyError);
        }
        Ok(Webhook {
            address,
            client,
            key,
        })
    }

    pub(super) async fn send(&self, alert: &Alert) -> Result<(), NotTaken> {
        let labels: serde_json::Map<_, _> = alert
            .subject
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
            .collect();
        let body = json!({
            "type": "glovebox.alert",
            "timestamp": time(alert),
            "data": {
                "rule": alert.rule.word(),
                "severity": alert.rule.severity(),
                "summary": alert.summary,
                "why": alert.rule.why(),
                "next": alert.rule.next(),
                "runbook": alert.runbook,
                "labels": labels,
                "repeated": alert.repeated,
            },
        });
        let body = body.to_string();
        // The same alert has the same id however often it is sent, so that a receiver knows it again.
        let id = format!("msg_{}", hex(&Sha256::digest(body.as_bytes())));
        let now = chrono::Utc::now().timestamp();
        let headers = self.headers(&id, now, &body);
        post(&self.client, &self.address, headers, body).await
    }

    fn headers(&self, id: &str, now: i64, body: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let signature = signature(&self.key, id, now, body);
        for (name, value) in [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", now.to_string()),
            ("webhook-signature", signature),
        ] {
            // Hexadecimal, decimal and base64.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

/// What the specification signs.
pub(super) fn signature(key: &[u8], id: &str, now: i64, body: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return String::new();
    };
    mac.update(format!("{id}.{now}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    glovebox_core::hex(bytes.get(..16).unwrap_or(bytes))
}
