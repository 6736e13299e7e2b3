//! The keys of one step, under the plugin's names for them. HMAC is computed for every cell.
//! PBKDF2, which costs a hundred thousand times as much, is computed once for each distinct value
//! of a run; `share` distributes the new ones of a batch among cores and lanes.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use arrow_array::ArrayRef;
use glovebox_core::{KeyError, KeyRing, Method, Secret, Target};

use crate::Mask;
use crate::hmac::Keyed;
use crate::memo::{Digest, MEMO_ENTRIES, Memo};
use crate::text::Cells;
use crate::{lanes, pbkdf2, share};

/// The key ring of a step, shared by its workers.
pub struct Ring {
    keys: Vec<(String, Key)>,
    memo: Memo,
}

struct Key {
    /// Its place in the ring.
    number: u64,
    secret: Secret,
    keyed: Keyed,
}

impl Ring {
    /// A ring of these keys, under the plugin's names for them.
    ///
    /// # Errors
    /// When a key is empty, or a name stands twice.
    ///
    /// ```
    /// use glovebox_core::{KeyRing, Secret};
    /// use glovebox_masking::Ring;
    ///
    /// let ring = Ring::new(vec![("pseudonym".into(), Secret::new(b"salt".into()))]).unwrap();
    /// assert!(ring.has("pseudonym"));
    /// assert!(Ring::new(vec![("pseudonym".into(), Secret::new(vec![]))]).is_err());
    /// ```
    pub fn new(keys: Vec<(String, Secret)>) -> Result<Self, KeyError> {
        Ring::with_memo(keys, MEMO_ENTRIES)
    }

    /// The same, remembering at most so many results of slow methods.
    ///
    /// # Errors
    /// As [`Ring::new`].
    pub fn with_memo(keys: Vec<(String, Secret)>, entries: usize) -> Result<Self, KeyError> {
        let mut names = HashSet::new();
        let keys = keys
            .into_iter()
            .zip(0..)
            .map(|((name, secret), number)| {
                if secret.is_empty() {
                    return Err(KeyError::Parameters(format!(
                        "key `{name}` is empty, which would mask nothing; set its secret"
                    )));
                }
                if !names.insert(name.clone()) {
                    return Err(KeyError::Parameters(format!("key `{name}` is named twice")));
                }
                let keyed = Keyed::new(secret.expose())?;
                let key = Key {
                    number,
                    secret,
                    keyed,
                };
                Ok((name, key))
            })
            .collect::<Result<_, _>>()?;
        Ok(Ring {
            keys,
            memo: Memo::new(entries),
        })
    }

    fn key(&self, name: &str) -> Result<&Key, KeyError> {
        self.keys
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, key)| key)
            .ok_or_else(|| KeyError::NotGranted(name.into()))
    }

    /// The masks of the distinct values, each computed once a run.
    fn derived<'a>(
        &self,
        key: &Key,
        iterations: u32,
        values: impl Iterator<Item = &'a [u8]>,
    ) -> HashMap<&'a [u8], Mask> {
        let distinct: HashSet<_> = values.collect();
        let salt = key.secret.expose();
        share::masks(
            &self.memo,
            distinct.into_iter().collect(),
            |value| key.digest(iterations, value),
            |values| lanes::derive(values, salt, iterations),
        )
    }
}

impl Key {
    /// What stands for a value in the memo: half an HMAC of method, key, iterations and value.
    /// The key's number is in it because HMAC takes some keys for the same that PBKDF2 does not.
    fn digest(&self, iterations: u32, value: &[u8]) -> Digest {
        let code = self.keyed.mask_parts(&[
            b"pbkdf2-sha256",
            &self.number.to_be_bytes(),
            &iterations.to_be_bytes(),
            value,
        ]);
        let mut digest = Digest::default();
        for (to, from) in digest.iter_mut().zip(code) {
            *to = from;
        }
        digest
    }
}

impl KeyRing for Ring {
    fn has(&self, key: &str) -> bool {
        self.key(key).is_ok()
    }

    fn mask(
        &self,
        key: &str,
        method: &Method,
        target: &Target,
        column: &ArrayRef,
    ) -> Result<ArrayRef, KeyError> {
        let key = self.key(key)?;
        let cells = Cells::read(column)?;
        cells.check(target)?;
        match method {
            Method::HmacSha256 => cells.masked(target, |value| key.keyed.mask(value)),
            Method::Pbkdf2Sha256 { iterations } => {
                pbkdf2::check(*iterations)?;
                let derived = self.derived(key, *iterations, cells.values(target));
                cells.masked(target, |value| match derived.get(value) {
                    Some(mask) => *mask,
                    None => lanes::derive_one(value, key.secret.expose(), *iterations),
                })
            }
            Method::AesSiv => Err(KeyError::NotBuiltIn("aes-siv")),
            Method::Ff1 { .. } => Err(KeyError::NotBuiltIn("ff1")),
        }
    }

    fn cost_of_one(&self, method: &Method) -> Option<Duration> {
        match method {
            Method::Pbkdf2Sha256 { iterations } => Some(pbkdf2::cost(*iterations)),
            Method::HmacSha256 | Method::AesSiv | Method::Ff1 { .. } => None,
        }
    }

    fn check_value(&self) -> u16 {
        self.keys.iter().fold(0, |check: u16, (name, key)| {
            let code = key.keyed.mask_parts(&[b"check-value", name.as_bytes()]);
            let bits = code
                .iter()
                .take(4)
                .fold(0, |bits: u16, c| bits.rotate_left(4) ^ u16::from(*c));
            check.rotate_left(5) ^ bits
        })
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.keys.iter().map(|(name, _)| name).collect();
        f.debug_struct("Ring").field("keys", &names).finish()
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
