//! Where an issuer publishes its keys: at an address, or where its discovery document says (OpenID
//! Connect Discovery 1.0, section 4).

use std::time::Duration;

use glovebox_outbound::https::{Address, Client, Limits, Plain};
use poem::http::header::{CACHE_CONTROL, HeaderMap};
use serde_json::Value;

use super::keyset::KeySet;
use super::remote::{Loaded, Loader};
use crate::config::{self, KeySource};

/// How much a document or a key set may take.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(5),
    size: 256 << 10,
};

/// An issuer that can be asked for its keys.
pub(crate) struct Published {
    issuer: String,
    place: KeySource,
    client: Client,
}

impl Published {
    pub(crate) fn new(config: &config::Issuer, client: Client) -> Self {
        Published {
            issuer: config.url.clone(),
            place: config.keys.clone(),
            client,
        }
    }

    async fn body(&self, address: &Address) -> Result<(HeaderMap, Vec<u8>), String> {
        match self.client.get(address, LIMITS).await {
            Ok(reply) => Ok((reply.headers, reply.body.into())),
            Err(failure) => Err(format!("{address}: {failure}")),
        }
    }

    /// Where its discovery document says that the keys are.
    async fn discover(&self, address: &Address) -> Result<Address, String> {
        let (_, body) = self.body(address).await?;
        let document: Value = serde_json::from_slice(&body)
            .map_err(|_| format!("{address}: it is not a discovery document"))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(&self.issuer) {
            return Err(format!(
                "{address}: it is for another issuer; `url` must equal its `issuer` exactly"
            ));
        }
        let keys = text("jwks_uri").ok_or_else(|| format!("{address}: it names no `jwks_uri`"))?;
        Address::parse(keys, Plain::Never)
            .map_err(|problem| format!("{address}: its `jwks_uri` is not used: {problem}"))
    }
}

impl Loader for Published {
    async fn load(&self) -> Result<Loaded, String> {
        let found;
        let address = match &self.place {
            KeySource::Address(address) => address,
            KeySource::Discovery(document) => {
                found = self.discover(document).await?;
                &found
            }
            KeySource::File(file) => return Err(format!("{} is a file", file.display())),
        };
        let (headers, body) = self.body(address).await?;
        let keys = KeySet::parse(&body).map_err(|problem| format!("{address}: {problem}"))?;
        Ok(Loaded {
            keys,
            max_age: max_age(&headers),
        })
    }
}

/// For how long an answer may be kept (RFC 9111, section 5.2.2); none if it does not say.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all(CACHE_CONTROL).iter();
    let words = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    let mut age = None;
    for word in words.map(str::trim) {
        if ["no-store", "no-cache"]
            .iter()
            .any(|w| word.eq_ignore_ascii_case(w))
        {
            return Some(Duration::ZERO);
        }
        if let Some((name, seconds)) = word.split_once('=')
            && name.eq_ignore_ascii_case("max-age")
        {
            let seconds = seconds.trim_matches('"').parse().ok()?;
            age = Some(Duration::from_secs(seconds));
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_for_how_long_it_is_good() {
        let age = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, text.parse().unwrap());
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(age("public, max-age=3600, must-revalidate"), Some(3600));
        assert_eq!(age("Max-Age=\"60\""), Some(60));
        assert_eq!(age("max-age=60, no-store"), Some(0));
        assert_eq!(age("public"), None);
        assert_eq!(age("max-age=soon"), None);
        assert_eq!(age("max-age=-1"), None);
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
