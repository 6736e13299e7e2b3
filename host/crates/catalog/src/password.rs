//! Passwords: argon2id behind a cap on how many are computed at once.
//! The queue is bounded, since each hash takes 19 MiB and a core.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use glovebox_core::Secret;
use tokio::sync::Semaphore;

use crate::random::fill;
use crate::{Error, Result};

/// Shorter passwords are refused.
pub(crate) const MIN_LENGTH: usize = 12;
/// Longer passwords are refused, so that nobody sends megabytes to hash.
pub(crate) const MAX_LENGTH: usize = 1024;

/// How much a hash costs, and how many at once.
#[derive(Debug, Clone, Copy)]
pub struct Hashing {
    /// Memory of a hash, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Hashes computed at once.
    pub at_once: usize,
    /// Callers that may wait for their turn; more are told to come back.
    pub waiting: usize,
}

impl Default for Hashing {
    /// OWASP's Password Storage Cheat Sheet for argon2id: 19 MiB, two passes, one lane.
    fn default() -> Self {
        Hashing {
            memory_kib: 19 * 1024,
            passes: 2,
            at_once: 2,
            waiting: 64,
        }
    }
}

/// A PHC string of argon2id.
#[derive(Clone)]
pub struct PasswordHash(pub(crate) String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Computes and checks hashes.
pub struct Hasher {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    most: usize,
    dummy: PasswordHash,
}

impl Hasher {
    /// A hasher, with a hash of random bytes ready for users that do not exist.
    ///
    /// # Errors
    /// When argon2 does not take the parameters.
    pub fn new(hashing: Hashing) -> Result<Self> {
        let params = Params::new(hashing.memory_kib, hashing.passes, 1, None)
            .map_err(|_| Error::Crypto("argon2 does not take these parameters"))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut random = [0u8; 32];
        fill(&mut random)?;
        let dummy = hash(&argon2, &random)?;
        Ok(Hasher {
            argon2,
            turns: Arc::new(Semaphore::new(hashing.at_once.max(1))),
            inside: Arc::default(),
            most: hashing.at_once.max(1) + hashing.waiting,
            dummy,
        })
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// When it is too short or too long, or too many are waiting.
    pub async fn hash(&self, password: Secret) -> Result<PasswordHash> {
        let length = password.expose().len();
        if length < MIN_LENGTH {
            return Err(Error::Malformed(
                "a password needs at least 12 characters; three or four words are enough",
            ));
        }
        if length > MAX_LENGTH || password.expose_str().is_none() {
            return Err(Error::Malformed(
                "a password is UTF-8 text of at most 1,024 bytes",
            ));
        }
        let argon2 = self.argon2.clone();
        self.turn(move || hash(&argon2, password.expose())).await?
    }

    /// Whether it is the password of that hash; without a hash it is not, and takes as long.
    ///
    /// # Errors
    /// When too many are waiting, or the hash cannot be read.
    pub async fn verify(&self, password: Secret, hash: Option<&PasswordHash>) -> Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.dummy).clone();
        let argon2 = self.argon2.clone();
        let right = self
            .turn(move || {
                let parsed = phc::PasswordHash::new(&hash.0)
                    .map_err(|_| Error::Crypto("a stored password hash cannot be read"))?;
                let right = password.expose().len() <= MAX_LENGTH
                    && argon2.verify_password(password.expose(), &parsed).is_ok();
                Ok::<_, Error>(right)
            })
            .await??;
        Ok(right && known)
    }

    async fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let inside = Inside::enter(&self.inside, self.most)?;
        let permit = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| Error::Busy)?;
        // The permit goes along: a caller that hangs up does not free the core it is using.
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop((permit, inside));
            done
        })
        .await
        .map_err(|_| Error::Crypto("hashing was interrupted"))
    }
}

/// One of those who wait or hash.
struct Inside(Arc<AtomicUsize>);

impl Inside {
    fn enter(count: &Arc<AtomicUsize>, most: usize) -> Result<Self> {
        let inside = Inside(Arc::clone(count));
        if count.fetch_add(1, Ordering::AcqRel) >= most {
            return Err(Error::Busy);
        }
        Ok(inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<PasswordHash> {
    let mut salt = [0u8; 16];
    fill(&mut salt)?;
    let hashed: phc::PasswordHash = argon2
        .hash_password_with_salt(password, &salt)
        .map_err(|_| Error::Crypto("argon2 failed"))?;
    Ok(PasswordHash(hashed.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick(waiting: usize) -> Hasher {
        Hasher::new(Hashing {
            memory_kib: 64,
            passes: 1,
            at_once: 1,
            waiting,
        })
        .unwrap()
    }

    fn secret(text: &str) -> Secret {
        Secret::new(text.into())
    }

    #[tokio::test]
    async fn the_right_password_passes_and_no_other() {
        let hasher = quick(8);
        let hash = hasher.hash(secret("correct horse battery")).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert!(!format!("{hash:?}").contains("argon2"));
        let verify = async |p: &str, h| hasher.verify(secret(p), h).await.unwrap();
        assert!(verify("correct horse battery", Some(&hash)).await);
        assert!(!verify("correct horse batterx", Some(&hash)).await);
        assert!(!verify("correct horse battery", None).await);
        assert!(!verify("", Some(&hash)).await);
    }

    #[tokio::test]
    async fn short_long_and_binary_passwords_are_refused() {
        let hasher = quick(8);
        for bad in [
            b"short".to_vec(),
            vec![b'a'; MAX_LENGTH + 1],
            vec![0xff; 20],
        ] {
            assert!(hasher.hash(Secret::new(bad)).await.is_err());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_than_may_wait_are_told_to_come_back() {
        let hasher = Arc::new(quick(1));
        let hash = hasher.hash(secret("correct horse battery")).await.unwrap();
        // All enter before the first gets its turn, since the one permit is held here.
        let held = Arc::clone(&hasher.turns).acquire_owned().await.unwrap();
        let calls: Vec<_> = (0..5)
            .map(|_| {
                let (hasher, hash) = (Arc::clone(&hasher), hash.clone());
                tokio::spawn(async move { hasher.verify(secret("x"), Some(&hash)).await })
            })
            .collect();
        while calls.iter().filter(|c| c.is_finished()).count() < 3 {
            tokio::task::yield_now().await;
        }
        drop(held);
        let mut busy = 0;
        for call in calls {
            busy += usize::from(matches!(call.await.unwrap(), Err(Error::Busy)));
        }
        assert_eq!(busy, 3);
        assert_eq!(hasher.inside.load(Ordering::Acquire), 0);
    }
}
