//! A method under the versions of a key, for the columns of one domain: what is made ready once, and
//! what each batch needs beside it.
//!
//! An encrypted value says which version of its key has made it: `v3.` stands before the
//! text of `aes-siv` and `seal` under version 3, nothing under a key without versions.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glovebox_core::{DataType, Method, Refusal, Secret, TokenBatch, TokenTerms};

use crate::hmac::Keyed;
use crate::made::Made;
use crate::methods::{
    self, AesSiv, Alphabet, Fernet, FernetBuffer, FormBuffer, FormCipher, IntegerCipher,
    ParameterError, Random, RsaSealer, SealContext, Sealer, Shift, Tokenizer, Tokenizing,
};

/// A method that is ready, shared by workers.
pub(crate) enum Cipher {
    /// Text that keeps its form, and its tweak.
    Form(Box<FormCipher>, Vec<u8>),
    /// Numbers that keep their digits, and their tweak.
    Integer(Box<IntegerCipher>, Vec<u8>),
    /// AES-SIV: the newest key's version and bytes, and the domain.
    Siv(u32, Secret, Vec<u8>),
    Fernet(Box<Fernet>),
    /// To an X25519 key: its version, and the domain.
    Seal(u32, Box<Sealer>, Vec<u8>),
    /// To an RSA key: its version.
    Rsa(u32, Box<RsaSealer>),
    Made(Box<Made>),
    Shift(Box<Shift>),
    Token(Box<Tokenizer>),
}

impl Cipher {
    /// The method under these versions of a key, the newest first.
    pub(crate) fn new(
        method: &Method,
        versions: &[(u32, Secret)],
        domain: &str,
        cells: DataType,
        tokens: Option<&TokenTerms>,
    ) -> Result<Self, String> {
        let (version, key) = versions.first().ok_or("it has no version")?;
        let (version, key, domain) = (*version, key.expose(), domain);
        let tweak = || domain.as_bytes().to_vec();
        let built = match method {
            Method::Ff1(_) if cells == DataType::Int64 => {
                IntegerCipher::new(key).map(|cipher| Cipher::Integer(Box::new(cipher), tweak()))
            }
            Method::Ff1(wanted) => form(wanted)
                .and_then(|form| FormCipher::new(key, form))
                .map(|cipher| Cipher::Form(Box::new(cipher), tweak())),
            // Made anew for each batch; here it is looked at.
            Method::AesSiv => {
                AesSiv::new(key).map(|_| Cipher::Siv(version, Secret::new(key.to_vec()), tweak()))
            }
            Method::Fernet => Fernet::new(key).map(|cipher| Cipher::Fernet(Box::new(cipher))),
            Method::Seal if is_pem(key) => {
                RsaSealer::new(key).map(|cipher| Cipher::Rsa(version, Box::new(cipher)))
            }
            Method::Seal => Sealer::new(public_key(key)?)
                .map(|cipher| Cipher::Seal(version, Box::new(cipher), tweak())),
            Method::Pick(pieces) => {
                return Made::new(choosing(key)?.expose(), domain, pieces)
                    .map(|made| Cipher::Made(Box::new(made)));
            }
            Method::Shift { days, .. } => Shift::new(choosing(key)?.expose(), domain, *days)
                .map(|shift| Cipher::Shift(Box::new(shift))),
            Method::Token => {
                let terms = tokens.ok_or(NO_OFFICERS)?;
                let officers = [officer(&terms.officers[0])?, officer(&terms.officers[1])?];
                Tokenizer::new(version, key, domain, officers, terms)
                    .map(|tokenizer| Cipher::Token(Box::new(tokenizer)))
            }
            Method::HmacSha256 | Method::Pbkdf2Sha256 { .. } => {
                return Err("this method has no cipher".into());
            }
        };
        built.map_err(|error| error.to_string())
    }

    /// What a batch needs beside it.
    pub(crate) fn session(&self) -> Result<Session<'_>, ParameterError> {
        let random = Random::new;
        Ok(match self {
            Cipher::Form(cipher, tweak) => Session::Form(cipher, tweak, Box::default()),
            Cipher::Siv(version, key, domain) => Session::Siv {
                prefix: prefix(*version),
                siv: AesSiv::new(key.expose())?,
                domain,
                bytes: Vec::new(),
            },
            Cipher::Fernet(cipher) => Session::Fernet(cipher, random()?, now(), Box::default()),
            Cipher::Seal(version, sealer, domain) => Session::Seal {
                prefix: prefix(*version),
                context: Box::new(sealer.context(&mut random()?)?),
                domain,
                bytes: Vec::new(),
            },
            Cipher::Rsa(version, sealer) => Session::Rsa {
                prefix: prefix(*version),
                sealer,
                random: random()?,
                bytes: Vec::new(),
            },
            Cipher::Made(made) => Session::Made(made),
            Cipher::Token(tokenizer) => Session::Token(Box::new(tokenizer.session()?)),
            Cipher::Integer(..) | Cipher::Shift(_) => Session::NoText,
        })
    }

    /// What stands for a number.
    pub(crate) fn number(&self, number: i64) -> Result<i64, Refusal> {
        match self {
            Cipher::Integer(cipher, tweak) => cipher.encrypt_i64(tweak, number),
            _ => Err(Refusal::Alphabet),
        }
    }
}

/// A cipher at work on a batch of texts.
pub(crate) enum Session<'c> {
    Form(&'c FormCipher, &'c [u8], Box<FormBuffer>),
    Siv {
        prefix: String,
        siv: AesSiv,
        domain: &'c [u8],
        bytes: Vec<u8>,
    },
    Fernet(&'c Fernet, Random, u64, Box<FernetBuffer>),
    Seal {
        prefix: String,
        context: Box<SealContext>,
        domain: &'c [u8],
        bytes: Vec<u8>,
    },
    Rsa {
        prefix: String,
        sealer: &'c RsaSealer,
        random: Random,
        bytes: Vec<u8>,
    },
    Made(&'c Made),
    Token(Box<Tokenizing<'c>>),
    /// A method that makes no text.
    NoText,
}

impl Session<'_> {
    /// Writes what stands for a value.
    pub(crate) fn mask(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        match self {
            Session::Form(cipher, tweak, buffer) => {
                let text = std::str::from_utf8(value).map_err(|_| Refusal::Alphabet)?;
                out.extend_from_slice(cipher.encrypt(tweak, text, buffer)?.as_bytes());
                Ok(())
            }
            Session::Siv {
                prefix,
                siv,
                domain,
                bytes,
            } => {
                bytes.clear();
                siv.encrypt(&[domain], value, bytes)?;
                written(prefix, bytes, out)
            }
            Session::Fernet(cipher, random, now, buffer) => {
                let token = cipher.encrypt(random, *now, value, buffer)?;
                out.extend_from_slice(token.as_bytes());
                Ok(())
            }
            Session::Seal {
                prefix,
                context,
                domain,
                bytes,
            } => {
                bytes.clear();
                context.encrypt(domain, value, bytes)?;
                written(prefix, bytes, out)
            }
            Session::Rsa {
                prefix,
                sealer,
                random,
                bytes,
            } => {
                bytes.clear();
                sealer.encrypt(random, value, bytes)?;
                written(prefix, bytes, out)
            }
            Session::Made(made) => {
                made.write(value, out);
                Ok(())
            }
            Session::Token(tokenizing) => tokenizing.mask(value, out),
            Session::NoText => Err(Refusal::Alphabet),
        }
    }

    /// What has to be stored of the texts, if they were replaced by tokens.
    pub(crate) fn into_tokens(self) -> Option<TokenBatch> {
        match self {
            Session::Token(tokenizing) => tokenizing.into_batch(),
            _ => None,
        }
    }
}

/// The method undone under each version of a key.
pub(crate) struct Opened<'k> {
    method: &'k Method,
    versions: &'k [(u32, Secret)],
    domain: &'k str,
    cells: DataType,
}

impl<'k> Opened<'k> {
    pub(crate) fn new(
        method: &'k Method,
        versions: &'k [(u32, Secret)],
        domain: &'k str,
        cells: DataType,
    ) -> Self {
        Opened {
            method,
            versions,
            domain,
            cells,
        }
    }

    /// The cell from which a value was made, by whichever version has made it.
    pub(crate) fn reveal(&self, value: &str) -> Result<Secret, Refusal> {
        let of_version = |wanted: Option<u32>| {
            let all = self.versions.iter();
            all.filter(move |(version, _)| wanted.is_none_or(|wanted| wanted == *version))
        };
        let opened = match self.method {
            Method::Ff1(_) | Method::Fernet => {
                let mut keys = of_version(None);
                keys.find_map(|(_, key)| self.with(key, value).ok())
            }
            // The version is the public key's; which private key belongs to it, the value does not say.
            Method::Seal => {
                let (_, text) = versioned(value).ok_or(Refusal::Closed)?;
                let mut keys = of_version(None);
                keys.find_map(|(_, key)| self.with(key, text).ok())
            }
            _ => {
                let (version, text) = versioned(value).ok_or(Refusal::Closed)?;
                let mut keys = of_version(Some(version));
                keys.find_map(|(_, key)| self.with(key, text).ok())
            }
        };
        opened.ok_or(Refusal::Closed)
    }

    fn with(&self, key: &Secret, text: &str) -> Result<Secret, Refusal> {
        let (key, domain) = (key.expose(), self.domain.as_bytes());
        let closed = |_| Refusal::Closed;
        let mut cell = Vec::new();
        match self.method {
            Method::Ff1(_) if self.cells == DataType::Int64 => {
                let number = text.parse().map_err(|_| Refusal::Closed)?;
                let cipher = IntegerCipher::new(key).map_err(closed)?;
                write!(cell, "{}", cipher.decrypt_i64(domain, number)?)
                    .map_err(|_| Refusal::Closed)?;
            }
            Method::Ff1(wanted) => {
                let cipher = form(wanted).and_then(|form| FormCipher::new(key, form));
                let mut buffer = FormBuffer::default();
                let cipher = cipher.map_err(closed)?;
                cell.extend_from_slice(cipher.decrypt(domain, text, &mut buffer)?.as_bytes());
            }
            Method::Fernet => {
                let mut buffer = FernetBuffer::default();
                let cipher = Fernet::new(key).map_err(closed)?;
                cell.extend_from_slice(cipher.decrypt(text, None, &mut buffer)?);
            }
            Method::AesSiv => {
                let mut siv = AesSiv::new(key).map_err(closed)?;
                siv.decrypt(&[domain], &decoded(text)?, &mut cell)?;
            }
            Method::Seal => {
                let mut opener = methods::Opener::new(key).map_err(closed)?;
                opener.decrypt(domain, &decoded(text)?, &mut cell)?;
            }
            Method::HmacSha256
            | Method::Pbkdf2Sha256 { .. }
            | Method::Token
            | Method::Pick(_)
            | Method::Shift { .. } => return Err(Refusal::Closed),
        }
        Ok(Secret::new(cell))
    }
}

fn form(form: &glovebox_core::Form) -> Result<methods::Form, ParameterError> {
    let wide = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    let alphabet = Alphabet::new(&form.alphabet)?;
    let (first, last) = (wide(form.keep_first), wide(form.keep_last));
    methods::Form::new(alphabet, first, last, form.luhn)
}

/// The key that choices are made with. HMAC under the key itself masks cells, which others may choose.
fn choosing(key: &[u8]) -> Result<Secret, String> {
    let keyed = Keyed::new(b"glovebox choice").map_err(|error| error.to_string())?;
    match key.is_empty() {
        true => Err("it is empty".into()),
        false => Ok(Secret::new(keyed.mask(key).to_vec())),
    }
}

/// What stands before an X25519 public key. A private key is as long, and whatever was sealed to one that was
/// taken for a public key could never be opened.
pub(crate) const PUBLIC_KEY: &str = "x25519:";

const NO_OFFICERS: &str =
    "tokens need two officers; add to the step: tokens: { officers: [x25519:…, x25519:…] }";

fn officer(key: &str) -> Result<Sealer, String> {
    Sealer::new(public_key(key.as_bytes())?).map_err(|error| error.to_string())
}

fn public_key(key: &[u8]) -> Result<&[u8], String> {
    key.strip_prefix(PUBLIC_KEY.as_bytes()).ok_or_else(|| {
        "seal takes a recipient's public key: `x25519:…` as `glovebox key new NAME --pair` prints it, or an \
         RSA public key in PEM; this may be a private key"
            .into()
    })
}

fn is_pem(key: &[u8]) -> bool {
    key.trim_ascii_start().starts_with(b"-----BEGIN")
}

fn prefix(version: u32) -> String {
    match version {
        0 => String::new(),
        version => format!("v{version}."),
    }
}

/// The version of the key that has made a value, and the rest of its text.
fn versioned(value: &str) -> Option<(u32, &str)> {
    match value.split_once('.') {
        None => Some((0, value)),
        Some((version, text)) => Some((version.strip_prefix('v')?.parse().ok()?, text)),
    }
}

fn written(prefix: &str, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    out.extend_from_slice(prefix.as_bytes());
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), false).ok_or(Refusal::Length)?;
    out.resize(start + length, 0);
    let text = out.get_mut(start..).unwrap_or_default();
    let encoded = URL_SAFE_NO_PAD.encode_slice(bytes, text);
    encoded.map(drop).map_err(|_| Refusal::Length)
}

fn decoded(text: &str) -> Result<Vec<u8>, Refusal> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Closed)
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs()).unwrap_or_default()
}

#[cfg(test)]
#[path = "cipher_tests.rs"]
mod tests;
