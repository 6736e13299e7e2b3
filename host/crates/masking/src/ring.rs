//! The keys of one step, under the plugin's names for them. HMAC is computed for every cell, unless the
//! key is on a server (`remote`).
//! PBKDF2, which costs a hundred thousand times as much, is computed once for each distinct value
//! of a run; `share` distributes the new ones of a batch among cores and lanes. What the other
//! methods need of a key is made ready once a column, in `cipher`.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glovebox_core::{
    Computed, DataType, HeldKey, KeyError, KeyRing, Masking, Method, Refusal, Revealing, Secret,
    StepKeys, Target, Token, TokenTerms,
};

use crate::Mask;
use crate::cipher::{Cipher, Opened};
use crate::hmac::Keyed;
use crate::memo::{Digest, MEMO_ENTRIES, Memo};
use crate::remote::Remote;
use crate::text::{Cells, MASK_WIDTH, type_of, write_mask};
use crate::{column, lanes, pbkdf2, share};

/// By what a key is made one from which those of domains are derived. It is the key of that HMAC and not its
/// message, since a cell is a message under the key itself, and may be chosen by whoever writes rows.
const DOMAIN: &[u8] = b"glovebox domain";

/// What stands before a key's name in the message whose code tells keys apart.
const CHECK_VALUE: &[u8] = b"check-value";

/// The key ring of a step, shared by its workers.
pub struct Ring {
    keys: Vec<(String, Granted)>,
    domain: Option<Arc<str>>,
    tokens: Option<TokenTerms>,
    memo: Memo,
    ciphers: Mutex<HashMap<Use, Arc<Cipher>>>,
}

/// A method of a key for a column: its place in the ring, the column's name, its type.
type Use = (u64, Method, String, DataType);

enum Granted {
    Here(Key),
    Remote(Remote),
}

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
    /// When a key is empty, or a name stands twice; or its server does not compute with a key.
    ///
    /// ```
    /// use glovebox_core::{KeyRing, Secret, StepKey, StepKeys};
    /// use glovebox_masking::Ring;
    ///
    /// let of = |key: &[u8]| StepKeys {
    ///     keys: vec![StepKey::new("pseudonym", Secret::new(key.to_vec()))],
    ///     domain: None,
    ///     tokens: None,
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
        let StepKeys {
            keys,
            domain,
            tokens,
        } = keys;
        let mut names = HashSet::new();
        let keys = keys
            .into_iter()
            .zip(0..)
            .map(|(key, number)| {
                let name = key.name;
                if !names.insert(name.clone()) {
                    return Err(KeyError::Parameters(format!("key `{name}` is named twice")));
                }
                let granted = match key.held {
                    HeldKey::Here(versions) => {
                        Granted::Here(Key::new(&name, number, versions, domain.as_deref())?)
                    }
                    HeldKey::Remote(key) => {
                        let probe = [CHECK_VALUE, name.as_bytes()].concat();
                        Granted::Remote(Remote::new(&name, key, domain.as_deref(), &probe)?)
                    }
                };
                Ok((name, granted))
            })
            .collect::<Result<_, _>>()?;
        Ok(Ring {
            keys,
            domain,
            tokens,
            memo: Memo::new(entries),
            ciphers: Mutex::default(),
        })
    }

    fn granted(&self, name: &str) -> Result<&Granted, KeyError> {
        self.keys
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, key)| key)
            .ok_or_else(|| KeyError::NotGranted(name.into()))
    }

    fn key(&self, name: &str) -> Result<&Key, KeyError> {
        match self.granted(name)? {
            Granted::Here(key) => Ok(key),
            Granted::Remote(_) => Err(KeyError::Key(format!(
                "key `{name}` stays on its server, which masks by hmac-sha256 only; write `method: \
                 hmac-sha256`, or use a key of another store"
            ))),
        }
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
        let cipher = Cipher::new(
            method,
            &granted.versions,
            domain,
            cells,
            self.tokens.as_ref(),
        )
        .map_err(|problem| KeyError::Key(format!("key `{key}`: {problem}")))?;
        let cipher = Arc::new(cipher);
        ciphers.insert(wanted, Arc::clone(&cipher));
        Ok(cipher)
    }

    /// Cells by HMAC-SHA-256.
    fn coded(
        &self,
        granted: &Granted,
        cells: &Cells,
        target: &Target,
    ) -> Result<Computed, KeyError> {
        match granted {
            Granted::Here(key) => cells.masked(target, MASK_WIDTH, |value, out| {
                write_mask(&key.keyed.mask(value), out);
                Ok(())
            }),
            Granted::Remote(key) => {
                let masks = key.masks(&self.memo, cells.values(target))?;
                cells.masked(target, MASK_WIDTH, |value, out| {
                    write_mask(masks.get(value).ok_or(Refusal::Length)?, out);
                    Ok(())
                })
            }
        }
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
                let extracted = Secret::new(Keyed::new(DOMAIN)?.mask(newest.expose()).to_vec());
                let of_domain = Keyed::new(extracted.expose())?.mask(domain.as_bytes());
                Secret::new(of_domain.to_vec())
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
        self.granted(key).is_ok()
    }

    fn mask(&self, masking: &Masking<'_>) -> Result<Computed, KeyError> {
        let Masking {
            method,
            target,
            column,
            ..
        } = *masking;
        let granted = self.granted(masking.key)?;
        let cells = type_of(column)?;
        if method.output(cells).is_none() {
            let method = method.name();
            return Err(KeyError::Type { method, cells });
        }
        match method {
            Method::HmacSha256 => {
                let cells = Cells::read(column)?;
                cells.check(target)?;
                self.coded(granted, &cells, target)
            }
            Method::Pbkdf2Sha256 { iterations } => {
                let key = self.key(masking.key)?;
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
                    KeyError::Parameters("the column of entities to shift by is missing".into())
                })?;
                match &*self.cipher(masking.key, method, name, cells)? {
                    Cipher::Shift(shift) => column::shifted(shift, target, column, entities),
                    _ => Err(KeyError::Parameters("this is not a valid shift".into())),
                }
            }
            Method::AesSiv
            | Method::Ff1(_)
            | Method::Fernet
            | Method::Seal
            | Method::Token
            | Method::Pick(_) => {
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
            version,
            private,
        } = *revealing;
        if !method.is_undone() {
            return Err(KeyError::OneWay(method.name()));
        }
        // Looks at the key's length, too.
        let _ = self.cipher(key, method, name, cells)?;
        let listed = &self.key(key)?.versions;
        let of_version =
            |(listed, _): &&(u32, Secret)| version.is_none_or(|wanted| wanted == *listed);
        let versions: Vec<_> = match (method, private) {
            (Method::Token, _) => {
                return Err(KeyError::Key(
                    "tokens open with the keys of two officers only".into(),
                ));
            }
            (Method::Seal, Some(private)) => vec![(0, private.clone())],
            (Method::Seal, None) => {
                return Err(KeyError::Key(
                    "what was sealed opens with the recipient's private key only".into(),
                ));
            }
            _ => listed.iter().filter(of_version).cloned().collect(),
        };
        if versions.is_empty() {
            return Err(KeyError::Key(format!(
                "key `{key}` has no such version; list it in the step's `keys:`"
            )));
        }
        if matches!(method, Method::Ff1(_)) && versions.len() > 1 {
            return Err(KeyError::Key(format!(
                "key `{key}` has several versions, and an ff1 value does not say which of them has made \
                 it; the report of its run does: name it with --key-version"
            )));
        }
        let domain = self.domain.as_deref().unwrap_or(name);
        let opened = Opened::new(method, &versions, domain, cells);
        Ok(values.iter().map(|value| opened.reveal(value)).collect())
    }

    fn tokens(&self, key: &str, name: &str, cells: &[&str]) -> Result<Vec<Token>, KeyError> {
        let domain = self.domain.as_deref().unwrap_or(name);
        let mut tokens = Vec::new();
        for version in &self.key(key)?.versions {
            let version = std::slice::from_ref(version);
            let terms = self.tokens.as_ref();
            let cipher = Cipher::new(&Method::Token, version, domain, DataType::Text, terms)
                .map_err(|problem| KeyError::Key(format!("key `{key}`: {problem}")))?;
            if let Cipher::Token(tokenizer) = cipher {
                tokens.extend(cells.iter().map(|cell| tokenizer.token(cell.as_bytes())));
            }
        }
        Ok(tokens)
    }

    fn cost_of_one(&self, method: &Method) -> Option<Duration> {
        match method {
            Method::Pbkdf2Sha256 { iterations } => Some(pbkdf2::cost(*iterations)),
            Method::HmacSha256
            | Method::AesSiv
            | Method::Ff1(_)
            | Method::Fernet
            | Method::Seal
            | Method::Token
            | Method::Pick(_)
            | Method::Shift { .. } => None,
        }
    }

    fn check_value(&self) -> u16 {
        self.keys.iter().fold(0, |check: u16, (name, key)| {
            let code = match key {
                Granted::Here(key) => key.keyed.mask_parts(&[CHECK_VALUE, name.as_bytes()]),
                Granted::Remote(key) => key.check(),
            };
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
