//! Files encrypted with [age](https://age-encryption.org/v1) to X25519 keys, as streams: plain bytes are in
//! memory only, 64 KiB of them at a time.

use std::fmt;
use std::io::{self, BufRead, Read, Write};

use ::age::stream::{StreamReader, StreamWriter};
use ::age::x25519;
use ::age::{DecryptError, Decryptor, Encryptor};
use glovebox_core::Secret;

/// What an identity begins with, in a file of `age-keygen` too.
const IDENTITY: &str = "AGE-SECRET-KEY-1";

/// Who can open a file: one public key or several.
#[derive(Clone)]
pub struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// Of keys as `age-keygen` shows them, `age1…`.
    ///
    /// # Errors
    /// A sentence, when one is no such key, or there is none.
    pub fn parse<'k>(keys: impl IntoIterator<Item = &'k str>) -> Result<Self, String> {
        let keys = keys.into_iter().enumerate().map(|(place, key)| {
            key.parse().map_err(|_| {
                format!(
                    "key {} of `encrypt-to` is damaged: copy it again, all 62 characters from \
                     `age1` on",
                    place + 1
                )
            })
        });
        let keys: Vec<_> = keys.collect::<Result<_, String>>()?;
        match keys.is_empty() {
            true => Err("`encrypt-to` names no key".into()),
            false => Ok(Recipients(keys)),
        }
    }

    /// Encrypts what is written to it. The last bytes come with [`Encrypting::finish`]; without it a
    /// reader finds the file cut off.
    ///
    /// # Errors
    /// When the file's head cannot be written.
    pub(crate) fn encrypt<W: Write>(&self, to: W) -> io::Result<Encrypting<W>> {
        let keys = self.0.iter().map(|key| key as &dyn ::age::Recipient);
        let encryptor = Encryptor::with_recipients(keys)
            .map_err(|_| io::Error::other("the file cannot be encrypted to these keys"))?;
        encryptor.wrap_output(to).map(Encrypting)
    }
}

/// They are public, and long.
impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipients({})", self.0.len())
    }
}

/// A file under encryption.
pub(crate) struct Encrypting<W>(StreamWriter<W>);

impl<W: Write> Encrypting<W> {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    pub(crate) fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

/// The private keys with which files are opened: of several, one has to fit.
#[derive(Clone)]
pub struct Identity(Vec<x25519::Identity>);

impl Identity {
    /// What `age-keygen` writes: lines with a key, blank ones, and ones that begin with `#`.
    ///
    /// # Errors
    /// A sentence that says nothing of the text.
    pub fn parse(secret: &Secret) -> Result<Self, String> {
        let text = std::str::from_utf8(secret.expose()).unwrap_or_default();
        let lines = text.lines().map(str::trim);
        let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Result<Vec<x25519::Identity>, _> = keys.map(str::parse).collect();
        match keys {
            Ok(keys) if !keys.is_empty() => Ok(Identity(keys)),
            _ => Err(format!(
                "is no private key of age: store what `age-keygen` writes, a line that begins with \
                 {IDENTITY}"
            )),
        }
    }

    /// The plain bytes of an encrypted stream.
    ///
    /// # Errors
    /// When none of the keys opens it, or its head is damaged.
    pub(crate) fn decrypt<R: BufRead>(&self, from: R) -> io::Result<Decrypted<R>> {
        let keys = self.0.iter().map(|key| key as &dyn ::age::Identity);
        let opened = Decryptor::new_buffered(from).and_then(|file| file.decrypt(keys));
        match opened {
            Ok(stream) => Ok(Decrypted(stream)),
            Err(DecryptError::Io(problem)) if problem.kind() != io::ErrorKind::UnexpectedEof => {
                Err(problem)
            }
            Err(DecryptError::NoMatchingKeys) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "it is encrypted with age, but not to the key of `decrypt-with`",
            )),
            Err(_) => Err(damaged()),
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        let public = |keys: &[x25519::Identity]| -> Vec<String> {
            keys.iter().map(|key| key.to_public().to_string()).collect()
        };
        public(&self.0) == public(&other.0)
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

/// A stream under decryption: each piece of 64 KiB is genuine before a byte of it is given out.
pub(crate) struct Decrypted<R>(StreamReader<R>);

impl<R: Read> Read for Decrypted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf).map_err(|problem| match problem.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => damaged(),
            _ => problem,
        })
    }
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "it is encrypted with age, and damaged or cut off",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (Identity, Recipients) {
        let key = x25519::Identity::generate();
        let public = Recipients::parse([key.to_public().to_string().as_str()]).unwrap();
        (Identity(vec![key]), public)
    }

    fn encrypted(recipients: &Recipients, plain: &[u8]) -> Vec<u8> {
        let mut out = recipients.encrypt(Vec::new()).unwrap();
        for piece in plain.chunks(1000) {
            out.write(piece).unwrap();
        }
        out.finish().unwrap()
    }

    fn decrypted(identity: &Identity, file: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        identity.decrypt(file)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_is_encrypted_is_opened_by_each_recipient_and_no_one_else() {
        let ((ann, to_ann), (bob, to_bob), (eve, _)) = (keys(), keys(), keys());
        let both = Recipients([to_ann.0, to_bob.0].concat());
        let plain: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let file = encrypted(&both, &plain);
        assert!(!file.windows(16).any(|part| part == &plain[..16]));
        for key in [&ann, &bob] {
            assert!(decrypted(key, &file).unwrap() == plain);
        }
        let refused = decrypted(&eve, &file).unwrap_err().to_string();
        assert!(
            refused.contains("not to the key of `decrypt-with`"),
            "{refused}"
        );
    }

    #[test]
    fn a_file_that_is_cut_or_changed_anywhere_is_noticed() {
        let (key, to) = keys();
        let plain = vec![b'x'; 150_000];
        let file = encrypted(&to, &plain);
        for cut in (0..file.len()).step_by(4_001).chain([file.len() - 1]) {
            assert!(decrypted(&key, &file[..cut]).is_err(), "{cut}");
        }
        for at in (0..file.len()).step_by(4_001) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(decrypted(&key, &changed).is_err(), "{at}");
        }
    }

    #[test]
    fn an_identity_is_what_age_keygen_writes_and_is_not_shown() {
        use ::age::secrecy::ExposeSecret;
        let key = x25519::Identity::generate();
        let line = key.to_string().expose_secret().to_owned();
        let text = format!(
            "# created: today\n# public key: {}\n{line}\n",
            key.to_public()
        );
        let parsed = Identity::parse(&Secret::new(text.into_bytes())).unwrap();
        assert_eq!(parsed, Identity(vec![key]));
        assert_eq!(format!("{parsed:?}"), "Identity");
        for wrong in ["", "canary-0a6c", "# nothing", &line[..40]] {
            let problem = Identity::parse(&Secret::new(wrong.into())).unwrap_err();
            assert!(!problem.contains("canary"), "{problem}");
        }
        assert!(Recipients::parse([line.as_str()]).is_err());
        assert!(Recipients::parse([]).is_err());
    }
}
