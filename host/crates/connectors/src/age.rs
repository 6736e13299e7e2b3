//! Files encrypted with [age](https://age-encryption.org/v1) to X25519 keys, as streams: plain bytes are in
//! memory only, 64 KiB of them at a time.

use std::fmt;
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

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
    pub fn encrypt<W: Write>(&self, to: W) -> io::Result<Encrypting<W>> {
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
pub struct Encrypting<W: Write>(StreamWriter<W>);

impl<W: Write> Encrypting<W> {
    /// Encrypts these bytes behind those before.
    ///
    /// # Errors
    /// What the file says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// Writes the end, and gives the file back.
    ///
    /// # Errors
    /// What the file says.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

/// The private keys with which files are opened: of several, one has to fit.
#[derive(Clone)]
pub struct Identity {
    keys: Vec<x25519::Identity>,
    /// The key of a manifest or configuration that names it.
    named_by: &'static str,
}

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
            Ok(keys) if !keys.is_empty() => Ok(Identity {
                keys,
                named_by: "decrypt-with",
            }),
            _ => Err(format!(
                "is no private key of age: store what `age-keygen` writes, a line that begins with \
                 {IDENTITY}"
            )),
        }
    }

    /// The same, as it is named by another key than `decrypt-with`.
    pub fn named_by(self, named_by: &'static str) -> Self {
        Identity { named_by, ..self }
    }

    /// Whoever has the first of its keys.
    pub fn recipient(&self) -> Recipients {
        Recipients(
            self.keys
                .iter()
                .take(1)
                .map(x25519::Identity::to_public)
                .collect(),
        )
    }

    /// The plain bytes of an encrypted stream.
    ///
    /// # Errors
    /// When none of the keys opens it, or its head is damaged.
    pub(crate) fn decrypt<R: BufRead>(&self, from: R) -> io::Result<Decrypted<R>> {
        let keys = self.keys.iter().map(|key| key as &dyn ::age::Identity);
        let opened = Decryptor::new_buffered(from).and_then(|file| file.decrypt(keys));
        match opened {
            Ok(stream) => Ok(Decrypted(stream)),
            Err(DecryptError::Io(problem)) if problem.kind() != io::ErrorKind::UnexpectedEof => {
                Err(problem)
            }
            Err(DecryptError::NoMatchingKeys) => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "it is encrypted with age, but not to the key of `{}`",
                    self.named_by
                ),
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
        public(&self.keys) == public(&other.keys)
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

impl<R: Read + Seek> Seek for Decrypted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to).map_err(|problem| match problem.kind() {
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

    fn identity(keys: Vec<x25519::Identity>) -> Identity {
        Identity {
            keys,
            named_by: "decrypt-with",
        }
    }

    fn keys() -> (Identity, Recipients) {
        let key = x25519::Identity::generate();
        let public = Recipients::parse([key.to_public().to_string().as_str()]).unwrap();
        (identity(vec![key]), public)
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
    fn any_place_of_a_file_is_read_and_of_several_keys_the_first_encrypts() {
        let ((ann, _), (bob, _)) = (keys(), keys());
        let both = identity([ann.keys, bob.keys.clone()].concat()).named_by("uploads-key");
        let plain: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let file = encrypted(&both.recipient(), &plain);
        let mut opened = both.decrypt(io::Cursor::new(&file)).unwrap();
        assert_eq!(opened.seek(SeekFrom::End(0)).unwrap(), 200_000);
        for at in [150_000, 65_530, 0, 199_990] {
            let mut some = [0; 10];
            opened.seek(SeekFrom::Start(at)).unwrap();
            opened.read_exact(&mut some).unwrap();
            assert_eq!(some, plain[at as usize..][..10]);
        }
        let refused = identity(bob.keys).decrypt(&file[..]);
        assert!(refused.is_err());
        let to_nobody_here = encrypted(&keys().1, &plain);
        let refused = both.decrypt(&to_nobody_here[..]).err().unwrap().to_string();
        assert!(refused.contains("`uploads-key`"), "{refused}");
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
        assert_eq!(parsed, identity(vec![key]));
        assert_eq!(format!("{parsed:?}"), "Identity");
        for wrong in ["", "canary-0a6c", "# nothing", &line[..40]] {
            let problem = Identity::parse(&Secret::new(wrong.into())).unwrap_err();
            assert!(!problem.contains("canary"), "{problem}");
        }
        assert!(Recipients::parse([line.as_str()]).is_err());
        assert!(Recipients::parse([]).is_err());
    }
}
