//! Tokens: HMACs of values, and the values encrypted so that only two officers together open them.
//!
//! Equal values have equal tokens under a key and domain, so workers need to look nothing up. The
//! value is encrypted under a key of its own, the exclusive or of two halves. A half is an HMAC of token
//! and domain under half of the batch's data key, and that half of the data key is sealed to one officer
//! by HPKE. So an officer who lends the other their half of one token lends nothing of the others.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use glovebox_core::{NewToken, Secret, StoredToken, Token, TokenBatch, TokenKey, TokenTerms};
use zeroize::Zeroizing;

use super::{Opener, ParameterError, Random, Refusal, SealContext, Sealer};
use crate::hmac::Keyed;

/// By what a key is made one from which those of tokens are derived, as for domains: it is the key of that
/// HMAC and not its message.
const TOKEN: &[u8] = b"glovebox token";
/// Begins the associated data of a half of a data key.
const KEY: &[u8] = b"glovebox token key";
/// Begins the associated data of a half of a token's key, sealed to the other officer.
const SHARE: &[u8] = b"glovebox token share";
const TAG: usize = 16;

/// Makes tokens of a domain, for one key and two officers.
pub struct Tokenizer {
    version: u32,
    domain: Arc<str>,
    tokens: Keyed,
    officers: [Sealer; 2],
    expires: Option<Duration>,
    uses: Option<u32>,
}

impl Tokenizer {
    /// Under this version of a key.
    ///
    /// # Errors
    /// When the key is empty, the officers are the same, or nothing can be sealed to one of them.
    pub fn new(
        version: u32,
        key: &[u8],
        domain: &str,
        officers: [Sealer; 2],
        terms: &TokenTerms,
    ) -> Result<Self, ParameterError> {
        let [first, second] = &officers;
        if first.public_key() == second.public_key() {
            return Err(ParameterError::Officers);
        }
        let tokenizer = Tokenizer {
            version,
            domain: domain.into(),
            tokens: derived(key, domain)?,
            officers,
            expires: terms.expires,
            uses: terms.uses,
        };
        // Officers to whom nothing can be sealed are known before the first row.
        tokenizer.session()?;
        Ok(tokenizer)
    }

    /// The token of a value.
    pub fn token(&self, value: &[u8]) -> Token {
        let mut token = Token([0; 16]);
        for (to, from) in token.0.iter_mut().zip(self.tokens.mask(value)) {
            *to = from;
        }
        token
    }

    /// What a batch needs: a new data key, of which each half is sealed to one officer.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn session(&self) -> Result<Tokenizing<'_>, ParameterError> {
        let mut random = Random::new()?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| ParameterError::Randomness)?;
        let mut sealed = |officer: usize, sealer: &Sealer| {
            let mut half = Zeroizing::new([0; 32]);
            getrandom::fill(half.as_mut_slice()).map_err(|_| ParameterError::Randomness)?;
            let mut out = Vec::new();
            let mut context = sealer.context(&mut random)?;
            let written = context.encrypt(&of_key(&id, officer), half.as_slice(), &mut out);
            written.map_err(|_| ParameterError::Officers)?;
            let keyed = Keyed::new(half.as_slice()).map_err(|_| ParameterError::Officers)?;
            Ok::<_, ParameterError>((keyed, out))
        };
        let [first, second] = &self.officers;
        let (first, for_first) = sealed(0, first)?;
        let (second, for_second) = sealed(1, second)?;
        Ok(Tokenizing {
            tokenizer: self,
            key: TokenKey {
                id,
                halves: [for_first, for_second],
            },
            halves: [first, second],
            seen: HashSet::new(),
            tokens: Vec::new(),
        })
    }
}

/// A tokenizer at work on a batch.
pub struct Tokenizing<'t> {
    tokenizer: &'t Tokenizer,
    key: TokenKey,
    halves: [Keyed; 2],
    seen: HashSet<Token>,
    tokens: Vec<NewToken>,
}

impl Tokenizing<'_> {
    /// Writes a value's token, and keeps the value, encrypted, when it comes the first time.
    ///
    /// # Errors
    /// When the value is too long to be encrypted.
    pub fn mask(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        let token = self.tokenizer.token(value);
        if self.seen.insert(token) {
            let domain = &self.tokenizer.domain;
            let [first, second] = &self.halves;
            let halves = [
                Half::of(first, domain, token),
                Half::of(second, domain, token),
            ];
            let mut sealed = Vec::with_capacity(value.len() + TAG);
            sealed.extend_from_slice(value);
            let tag = cipher(&halves)
                .encrypt_inout_detached(&[0; 12].into(), b"", sealed.as_mut_slice().into())
                .map_err(|_| Refusal::Length)?;
            sealed.extend_from_slice(&tag);
            self.tokens.push(NewToken { token, sealed });
        }
        token.write(out);
        Ok(())
    }

    /// What has to be stored beside the batch; none if it had no value.
    pub fn into_batch(self) -> Option<TokenBatch> {
        let tokenizer = self.tokenizer;
        (!self.tokens.is_empty()).then(|| TokenBatch {
            domain: Arc::clone(&tokenizer.domain),
            version: tokenizer.version,
            key: self.key,
            expires: tokenizer.expires,
            uses: tokenizer.uses,
            tokens: self.tokens,
        })
    }
}

/// One of two halves of a token's key.
pub struct Half(Zeroizing<[u8; 32]>);

impl Half {
    fn of(keyed: &Keyed, domain: &str, token: Token) -> Self {
        Half(keyed.mask_parts(&[&token.0, domain.as_bytes()]).into())
    }

    /// Writes it sealed to the other officer, after what is in `out`.
    ///
    /// # Errors
    /// When the context has sealed all that it may.
    pub fn share(
        &self,
        context: &mut SealContext,
        domain: &str,
        token: Token,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        context.encrypt(&of_share(domain, token), self.0.as_slice(), out)
    }
}

/// An officer, by their private key.
pub struct Officer {
    opener: Opener,
    /// Halves of data keys that are open already.
    open: HashMap<[u8; 16], Keyed>,
}

impl Officer {
    /// A private key of 32 bytes, or their URL-safe base64.
    ///
    /// # Errors
    /// When it is neither.
    pub fn new(key: &[u8]) -> Result<Self, ParameterError> {
        Ok(Officer {
            opener: Opener::new(key)?,
            open: HashMap::new(),
        })
    }

    /// The public key.
    pub fn public_key(&self) -> [u8; 32] {
        self.opener.public_key()
    }

    /// The officer's half of a token's key.
    ///
    /// # Errors
    /// When neither is sealed to the officer.
    pub fn half(&mut self, domain: &str, stored: &StoredToken) -> Result<Half, Refusal> {
        let id = stored.key.id;
        if !self.open.contains_key(&id) {
            let halves = stored.key.halves.iter().enumerate();
            let mut opened = halves.filter_map(|(officer, sealed)| {
                let mut half = Zeroizing::new(Vec::new());
                let about = of_key(&id, officer);
                self.opener.decrypt(&about, sealed, &mut half).ok()?;
                Keyed::new(&half).ok()
            });
            let opened = opened.next().ok_or(Refusal::Closed)?;
            self.open.insert(id, opened);
        }
        let keyed = self.open.get(&id).ok_or(Refusal::Closed)?;
        Ok(Half::of(keyed, domain, stored.token))
    }

    /// The other officer's half of a token's key, which they have sealed to this one.
    ///
    /// # Errors
    /// When it was not sealed to this officer for this token, or was altered.
    pub fn shared(&mut self, domain: &str, token: Token, sealed: &[u8]) -> Result<Half, Refusal> {
        let mut half = Zeroizing::new(Vec::new());
        self.opener
            .decrypt(&of_share(domain, token), sealed, &mut half)?;
        let half = <[u8; 32]>::try_from(half.as_slice()).map_err(|_| Refusal::Closed)?;
        Ok(Half(half.into()))
    }
}

/// The value that a token stands for, by both halves of its key.
///
/// # Errors
/// When they are not its halves, or it was altered.
pub fn open(stored: &StoredToken, halves: &[Half; 2]) -> Result<Secret, Refusal> {
    let (text, tag) = stored
        .sealed
        .split_last_chunk::<TAG>()
        .ok_or(Refusal::Closed)?;
    let mut value = text.to_vec();
    let opened = cipher(halves).decrypt_inout_detached(
        &[0; 12].into(),
        b"",
        value.as_mut_slice().into(),
        tag.into(),
    );
    opened.map_err(|_| Refusal::Closed)?;
    Ok(Secret::new(value))
}

/// Each token has a key of its own, which encrypts one value, so that the nonce may be zero.
fn cipher([first, second]: &[Half; 2]) -> ChaCha20Poly1305 {
    let mut key = Zeroizing::new([0; 32]);
    for ((key, first), second) in key.iter_mut().zip(first.0.iter()).zip(second.0.iter()) {
        *key = first ^ second;
    }
    ChaCha20Poly1305::new((&*key).into())
}

fn derived(key: &[u8], domain: &str) -> Result<Keyed, ParameterError> {
    let hmac = |key: &[u8]| Keyed::new(key).map_err(|_| ParameterError::Officers);
    let extracted = Zeroizing::new(hmac(TOKEN)?.mask(key));
    let of_domain = hmac(extracted.as_slice())?.mask_parts(&[b"token\0", domain.as_bytes()]);
    hmac(Zeroizing::new(of_domain).as_slice())
}

fn of_key(id: &[u8; 16], officer: usize) -> Vec<u8> {
    let officer = [u8::from(officer != 0)];
    [KEY, id, &officer].concat()
}

fn of_share(domain: &str, token: Token) -> Vec<u8> {
    [SHARE, &token.0, domain.as_bytes()].concat()
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
