//! A key that stays on a server. It is asked for each distinct value of a run once, as long as there is
//! room to remember the answers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use glovebox_core::{KeyError, RemoteKey, Secret};

use crate::Mask;
use crate::hmac::Keyed;
use crate::memo::{Claimed, Digest, Memo};

/// Bytes of the key under which values are remembered.
const DIGEST_KEY: usize = 32;

/// A mask that is missing would be another value's.
fn fewer(asked: usize, given: usize) -> KeyError {
    KeyError::Remote(format!(
        "the server that has the key was asked for {asked} codes and gave {given}"
    ))
}

/// The key of a step, on its server.
pub(crate) struct Remote {
    key: Arc<dyn RemoteKey>,
    /// The probe's code, by which another key is noticed.
    check: Mask,
    /// Values are remembered by digests under a key of this process.
    digests: Keyed,
}

impl Remote {
    /// A key under the plugin's name for it. The server is asked for the code of a probe, and so whether it
    /// may be used.
    pub(crate) fn new(
        name: &str,
        key: Arc<dyn RemoteKey>,
        domain: Option<&str>,
        probe: &[u8],
    ) -> Result<Self, KeyError> {
        if domain.is_some() {
            return Err(KeyError::Key(format!(
                "key `{name}` stays on its server, where none of a domain can be derived from it; delete \
                 `domain:`, and give each domain a key of its own"
            )));
        }
        let mut random = [0; DIGEST_KEY];
        getrandom::fill(&mut random)
            .map_err(|_| KeyError::Key("the system gives no randomness".into()))?;
        let random = Secret::new(random.to_vec());
        let mut checked = key.hmac_sha256(&[probe])?.into_iter();
        Ok(Remote {
            check: checked.next().ok_or_else(|| fewer(1, 0))?,
            digests: Keyed::new(random.expose())?,
            key,
        })
    }

    /// The probe's code.
    pub(crate) fn check(&self) -> Mask {
        self.check
    }

    /// The masks of these values; those that are longer than the server takes have none.
    pub(crate) fn masks<'v>(
        &self,
        memo: &Memo,
        values: impl Iterator<Item = &'v [u8]>,
    ) -> Result<HashMap<&'v [u8], Mask>, KeyError> {
        let longest = self.key.longest();
        let distinct: HashSet<_> = values.filter(|value| value.len() <= longest).collect();
        let mut masks = HashMap::with_capacity(distinct.len());
        let (mut new, mut digests) = (Vec::new(), Vec::new());
        for value in distinct {
            let digest = self.digest(value);
            match memo.peek(digest) {
                Some(mask) => drop(masks.insert(value, mask)),
                None => {
                    new.push(value);
                    digests.push(digest);
                }
            }
        }
        if new.is_empty() {
            return Ok(masks);
        }
        // Nobody waits for what another worker asks: two questions cost less than one that hangs.
        let computed = self.key.hmac_sha256(&new)?;
        if computed.len() != new.len() {
            return Err(fewer(new.len(), computed.len()));
        }
        for ((value, digest), mask) in new.into_iter().zip(digests).zip(computed) {
            if let Claimed::Mine(Some(claim)) = memo.claim(digest) {
                claim.fulfil(mask);
            }
            masks.insert(value, mask);
        }
        Ok(masks)
    }

    fn digest(&self, value: &[u8]) -> Digest {
        let mut digest = Digest::default();
        for (to, from) in digest.iter_mut().zip(self.digests.mask(value)) {
            *to = from;
        }
        digest
    }
}
