//! The keys of one step, under the plugin's names for them.
//!
//! Owns the keys until the step ends, wiped then, and what each method does with them; refuses
//! empty keys, names that were not granted, and to be printed with more than the names.
//!
//! HMAC is computed for every cell anew. PBKDF2, which costs a hundred thousand times as much,
//! is computed once for each distinct value of a run; how the new ones of a batch are shared
//! among the cores and their lanes stands in `share`. What the other methods need of a key is made
//! ready once a column, in `cipher`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glovebox_core::{
    Computed, DataType, KeyError, KeyRing, Masking, Method, Refusal, Revealing, Secret, StepKeys,
};

use crate::Mask;
use crate::cipher::{Cipher, Opened};
use crate::hmac::Keyed;
use crate::memo::{Digest, MEMO_ENTRIES, Memo};
use crate::text::{Cells, MASK_WIDTH, type_of, write_mask};
use crate::{column, lanes, pbkdf2, share};

/// What goes before a domain where a key is made one of that domain's.
const DOMAIN: &[u8] = b"glovebox domain\0";

/// The key ring of a step, shared by its workers.
pub struct Ring {
    keys: Vec<(String, Key)>,
    domain: Option<Arc<str>>,
    memo: Memo,
    ciphers: Mutex<HashMap<Use, Arc<Cipher>>>,
}

/// A method of a key for a column: its place in the ring, the column's name, its type.
type Use = (u64, Method, String, DataType);

struct Key {
    /// Its place in the ring.
    number: u64,
    /// Its versions, the newest first.
    versions: Vec<(u32, Secret)>,
    /// The newest, of the step's domain if it has one.
    secret: Secret,
    keyed: Keyed,
}

impl Ring {
    /// A ring of these keys.
    ///
    /// # Errors
    /// When a key is empty, or a name stands twice.
    ///
    /// ```
    /// use glovebox_core::{KeyRing, Secret, StepKey, StepKeys};
    /// use glovebox_masking::Ring;
    ///
    /// let of = |key: &[u8]| StepKeys {
    ///     keys: vec![StepKey::new("pseudonym", Secret::new(key.to_vec()))],
    ///     domain: None,
    /// };
    /// assert!(Ring::new(of(b"salt")).unwrap().has("pseudonym"));
    /// assert!(Ring::new(of(b"")).is_err());
    /// ```
    pub fn new(keys: StepKeys) -> Result<Self, KeyError> {
        Ring::with_memo(keys, MEMO_ENTRIES)
    }

    /// The same, remembering at most so many results of slow methods.
    ///
    /// # Errors
    /// As [`Ring::new`].
    pub fn with_memo(keys: StepKeys, entries: usize) -> Result<Self, KeyError> {
        let StepKeys { keys, domain } = keys;
        let mut names = HashSet::new();
        let keys = keys
            .into_iter()
            .zip(0..)
            .map(|(key, number)| {
                let name = key.name;
                if !names.insert(name.clone()) {
                    return Err(KeyError::Parameters(format!("key `{name}` stands twice")));
                }
                let key = Key::new(&name, number, key.versions, domain.as_deref())?;
                Ok((name, key))
            })
            .collect::<Result<_, _>>()?;
        Ok(Ring {
            keys,
            domain,
            memo: Memo::new(entries),
            ciphers: Mutex::default(),
        })
    }

    fn key(&self, name: &str) -> Result<&Key, KeyError> {
        self.keys
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, key)| key)
            .ok_or_else(|| KeyError::NotGranted(name.into()))
    }

    /// What a method needs of a key for a column of this name and type, made ready when first asked for.
    fn cipher(
        &self,
        key: &str,
        method: &Method,
        name: &str,
        cells: DataType,
    ) -> Result<Arc<Cipher>, KeyError> {
        let granted = self.key(key)?;
        let domain = self.domain.as_deref().unwrap_or(name);
        let wanted = (granted.number, method.clone(), domain.to_owned(), cells);
        let mut ciphers = self.ciphers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cipher) = ciphers.get(&wanted) {
            return Ok(Arc::clone(cipher));
        }
        let cipher = Cipher::new(method, &granted.versions, domain, cells)
            .map_err(|problem| KeyError::Key(format!("key `{key}`: {problem}")))?;
        let cipher = Arc::new(cipher);
        ciphers.insert(wanted, Arc::clone(&cipher));
        Ok(cipher)
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
    fn new(
        name: &str,
        number: u64,
        versions: Vec<(u32, Secret)>,
        domain: Option<&str>,
    ) -> Result<Self, KeyError> {
        let newest = match versions.first() {
            Some((_, newest)) if versions.iter().all(|(_, secret)| !secret.is_empty()) => newest,
            _ => {
                return Err(KeyError::Parameters(format!(
                    "key `{name}` is empty, which would mask nothing; set its secret"
                )));
            }
        };
        let secret = match domain {
            None => newest.clone(),
            Some(domain) => {
                let keyed = Keyed::new(newest.expose())?;
                Secret::new(keyed.mask_parts(&[DOMAIN, domain.as_bytes()]).to_vec())
            }
        };
        Ok(Key {
            number,
            keyed: Keyed::new(secret.expose())?,
            secret,
            versions,
        })
    }

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

    fn mask(&self, masking: &Masking<'_>) -> Result<Computed, KeyError> {
        let Masking {
            method,
            target,
            column,
            ..
        } = *masking;
        let key = self.key(masking.key)?;
        let cells = type_of(column)?;
        if method.output(cells).is_none() {
            let method = method.name();
            return Err(KeyError::Type { method, cells });
        }
        match method {
            Method::HmacSha256 => {
                let cells = Cells::read(column)?;
                cells.check(target)?;
                cells.masked(target, MASK_WIDTH, |value, out| {
                    write_mask(&key.keyed.mask(value), out);
                    Ok(())
                })
            }
            Method::Pbkdf2Sha256 { iterations } => {
                pbkdf2::check(*iterations)?;
                let cells = Cells::read(column)?;
                cells.check(target)?;
                let derived = self.derived(key, *iterations, cells.values(target));
                cells.masked(target, MASK_WIDTH, |value, out| {
                    let mask = derived.get(value).copied().unwrap_or_else(|| {
                        lanes::derive_one(value, key.secret.expose(), *iterations)
                    });
                    write_mask(&mask, out);
                    Ok(())
                })
            }
            Method::Shift { .. } => {
                let (entities, name) = masking.entity.ok_or_else(|| {
                    KeyError::Parameters("there is no column of entities to shift by".into())
                })?;
                match &*self.cipher(masking.key, method, name, cells)? {
                    Cipher::Shift(shift) => column::shifted(shift, target, column, entities),
                    _ => Err(KeyError::Parameters("this is no shift".into())),
                }
            }
            Method::AesSiv | Method::Ff1(_) | Method::Fernet | Method::Seal | Method::Pick(_) => {
                let cipher = self.cipher(masking.key, method, masking.name, cells)?;
                match method.output(cells) {
                    Some(DataType::Int64) => column::numbers(&cipher, target, column),
                    _ => column::texts(&cipher, target, column),
                }
            }
        }
    }

    fn reveal(
        &self,
        revealing: &Revealing<'_>,
        values: &[&str],
    ) -> Result<Vec<Result<Secret, Refusal>>, KeyError> {
        let Revealing {
            key,
            method,
            name,
            cells,
        } = *revealing;
        if !method.is_undone() {
            return Err(KeyError::OneWay(method.name()));
        }
        // Looks at the key's length, too.
        let _ = self.cipher(key, method, name, cells)?;
        if matches!(method, Method::Ff1(_)) && self.key(key)?.versions.len() > 1 {
            return Err(KeyError::Key(format!(
                "key `{key}` has several versions, and an ff1 value does not say which of them has made \
                 it; the run's time tells: name it with --key-version"
            )));
        }
        let versions = &self.key(key)?.versions;
        let domain = self.domain.as_deref().unwrap_or(name);
        let opened = Opened::new(method, versions, domain, cells);
        Ok(values.iter().map(|value| opened.reveal(value)).collect())
    }

    fn cost_of_one(&self, method: &Method) -> Option<Duration> {
        match method {
            Method::Pbkdf2Sha256 { iterations } => Some(pbkdf2::cost(*iterations)),
            Method::HmacSha256
            | Method::AesSiv
            | Method::Ff1(_)
            | Method::Fernet
            | Method::Seal
            | Method::Pick(_)
            | Method::Shift { .. } => None,
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
