//! Secrets on other servers. What all of these stores have in common is here: a secret is kept in
//! memory for a short time only, a server that is away is not asked again at once, and nothing that
//! a server says gets into a message.

pub mod aws;
pub mod azure;
mod bearer;
mod call;
pub mod gcp;
mod local;
pub mod vault;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use glovebox_core::{CredentialError, CredentialStore, Secret, SecretName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use tokio::runtime::{Handle, Runtime};

pub use call::Patience;

/// Looks up what a login needs, in the stores of this machine.
pub type Lookup = Arc<dyn Fn(&SecretName) -> Result<Secret, CredentialError> + Send + Sync>;

/// The program's environment variables.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The longest that a secret is kept before it is asked for anew; less if its lease is shorter. Long
/// enough for a start that needs it several times, and short beside how often secrets change.
pub const KEPT: Duration = Duration::from_secs(10);

/// The largest secret that is taken, in bytes.
pub const MAX_BYTES: usize = 64 << 10;

/// A server that keeps secrets.
pub trait Server: Send + Sync {
    /// The server and where exactly it looks for that secret.
    fn place(&self, name: &SecretName) -> String;

    /// How a secret of that name gets there, as the end of a sentence.
    fn remedy(&self, name: &SecretName) -> Option<String>;

    /// The secret, or none if the server does not have it.
    fn fetch(
        &self,
        name: &SecretName,
    ) -> impl Future<Output = Result<Option<Fetched>, Problem>> + Send;
}

/// A secret that a server gave.
pub struct Fetched {
    /// The secret.
    pub secret: Secret,
    /// How long it is valid, if the server says so.
    pub lease: Option<Duration>,
}

/// Why a server gave none, in our words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is away, closed or busy.
    Away(String),
    /// It answered, and the answer is no use.
    Refused(String),
}

impl Problem {
    /// The same in a longer sentence.
    fn within(self, sentence: impl FnOnce(&str) -> String) -> Self {
        match self {
            Problem::Away(problem) => Problem::Away(sentence(&problem)),
            Problem::Refused(problem) => Problem::Refused(sentence(&problem)),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Problem::Away(sentence) | Problem::Refused(sentence)) = self;
        f.write_str(sentence)
    }
}

/// A server as one of a chain's stores.
pub struct Remote<S> {
    server: S,
    /// One question at a time: a burst of them would be refused by servers that limit rates, and most
    /// ask for what the first brings.
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    kept: HashMap<SecretName, (Secret, Instant)>,
    /// Whether a thread waits to wipe them.
    swept: bool,
    away: Absence,
}

impl State {
    /// Drops, and so wipes, what is kept no longer; the time of the next that will be.
    fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.kept.retain(|_, (_, until)| *until > now);
        self.kept.values().map(|(_, until)| *until).min()
    }
}

/// Wipes secrets when their time is over: a store that nobody asks again would keep them until the program
/// ends. Whether there is a thread for it.
fn sweep(state: Weak<Mutex<State>>) -> bool {
    let thread = std::thread::Builder::new().name("secrets-wiped".into());
    let swept = thread.spawn(move || {
        let mut pause = KEPT;
        loop {
            std::thread::sleep(pause);
            let Some(state) = state.upgrade() else {
                return;
            };
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            match state.expire(now) {
                Some(next) => pause = next.saturating_duration_since(now),
                None => {
                    state.swept = false;
                    return;
                }
            }
        }
    });
    swept.is_ok()
}

/// Why a server did not answer, and until when nobody asks again.
#[derive(Default)]
struct Absence(Option<(String, Instant)>);

impl Absence {
    /// Asks a server that is not known to be away.
    fn ask<T: Send>(
        &mut self,
        question: impl Future<Output = Result<T, Problem>> + Send,
    ) -> Result<T, String> {
        if let Some((problem, until)) = &self.0
            && *until > Instant::now()
        {
            return Err(problem.clone());
        }
        match elsewhere(question) {
            Ok(Ok(found)) => {
                self.0 = None;
                Ok(found)
            }
            Ok(Err(Problem::Refused(problem))) => Err(problem),
            Ok(Err(Problem::Away(problem))) => {
                self.0 = Some((problem.clone(), Instant::now() + KEPT));
                Err(problem)
            }
            Err(error) => Err(format!("no thread can ask for it ({})", error.kind())),
        }
    }
}

impl<S: Server> Remote<S> {
    /// Asks this server.
    pub fn new(server: S) -> Self {
        Remote {
            server,
            state: Arc::default(),
        }
    }

    fn ask(&self, state: &mut State, name: &SecretName) -> Result<Option<Secret>, String> {
        let _ = state.expire(Instant::now());
        if let Some((secret, _)) = state.kept.get(name) {
            return Ok(Some(secret.clone()));
        }
        let fetched = state.away.ask(self.server.fetch(name))?;
        let Some(Fetched { secret, lease }) = fetched else {
            return Ok(None);
        };
        if secret.expose().len() > MAX_BYTES {
            return Err(format!("it is larger than {MAX_BYTES} bytes"));
        }
        if secret.is_empty() {
            // Else whoever may write there could have another store's secret used.
            return Err("it is empty there; write it, or delete it".into());
        }
        let kept = lease.map_or(KEPT, |lease| lease.min(KEPT));
        let until = Instant::now() + kept;
        state.kept.insert(name.clone(), (secret.clone(), until));
        if !state.swept {
            state.swept = sweep(Arc::downgrade(&self.state));
        }
        tracing::info!(secret = %name, "secret fetched from another server");
        Ok(Some(secret))
    }
}

impl<S: Server> CredentialStore for Remote<S> {
    fn place(&self, name: &SecretName) -> String {
        self.server.place(name)
    }

    fn remedy(&self, name: &SecretName) -> Option<String> {
        self.server.remedy(name)
    }

    fn get(&self, name: &SecretName) -> Result<Option<Secret>, CredentialError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.ask(&mut state, name)
            .map_err(|problem| CredentialError::Store {
                name: name.clone(),
                place: self.place(name),
                problem,
            })
    }
}

/// A name behind a prefix, if there is one.
fn prefixed(prefix: Option<&str>, name: &str) -> String {
    match prefix {
        Some(prefix) => format!("{prefix}/{name}"),
        None => name.to_owned(),
    }
}

/// What RFC 3986 does not reserve stands for itself in a form, a query or a path.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn escaped(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// Fields as `application/x-www-form-urlencoded`.
fn form(fields: &[(&str, &str)]) -> String {
    let fields = fields.iter();
    let fields = fields.map(|(name, value)| format!("{name}={}", escaped(value)));
    fields.collect::<Vec<_>>().join("&")
}

/// Waits for an answer, which the runtime of all these stores drives.
fn elsewhere<T: Send>(future: impl Future<Output = T> + Send) -> io::Result<T> {
    let runtime = runtime()?;
    if Handle::try_current().is_err() {
        return Ok(runtime.block_on(future));
    }
    // The caller's thread drives a runtime, within which none can wait.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("secrets".into());
        let thread = thread.spawn_scoped(scope, || runtime.block_on(future))?;
        thread.join().map_err(|_| io::ErrorKind::Other.into())
    })
}

/// It lives as long as the program: connections are kept from one question to the next, and a name that is
/// being looked up is waited for no longer than its question was.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let builder = tokio::runtime::Builder::new_multi_thread();
    let built = { builder }
        .worker_threads(1)
        .thread_name("secrets")
        .enable_all()
        .build()?;
    if let Err(second) = RUNTIME.set(built) {
        second.shutdown_background();
    }
    RUNTIME.get().ok_or_else(|| io::ErrorKind::Other.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Answers with how often it was asked, under a lease.
    struct Counts {
        asked: Arc<AtomicUsize>,
        lease: Option<Duration>,
        size: usize,
        problem: Option<Problem>,
    }

    impl Server for Counts {
        fn place(&self, name: &SecretName) -> String {
            format!("counter, {name}")
        }

        fn remedy(&self, _: &SecretName) -> Option<String> {
            None
        }

        async fn fetch(&self, _: &SecretName) -> Result<Option<Fetched>, Problem> {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(problem) = &self.problem {
                return Err(problem.clone());
            }
            Ok(Some(Fetched {
                secret: Secret::new(asked.to_string().repeat(self.size).into()),
                lease: self.lease,
            }))
        }
    }

    fn counts(lease: Option<Duration>) -> (Counts, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counts = Counts {
            asked: asked.clone(),
            lease,
            size: 1,
            problem: None,
        };
        (counts, asked)
    }

    fn salt() -> SecretName {
        SecretName::parse("salt").unwrap()
    }

    #[test]
    fn a_secret_is_kept_for_a_moment_and_no_longer_than_its_lease() {
        let (server, asked) = counts(None);
        let store = Remote::new(server);
        for _ in 0..3 {
            assert_eq!(store.get(&salt()).unwrap().unwrap().expose(), b"1");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let kept_until = store.state.lock().unwrap().kept[&salt()].1;
        assert!(kept_until <= Instant::now() + KEPT);

        let (server, _) = counts(Some(Duration::ZERO));
        let store = Remote::new(server);
        assert_eq!(store.get(&salt()).unwrap().unwrap().expose(), b"1");
        assert_eq!(store.get(&salt()).unwrap().unwrap().expose(), b"2");
        assert_eq!(store.state.lock().unwrap().kept.len(), 1);
    }

    #[test]
    fn a_secret_is_dropped_when_its_time_is_over_though_nobody_asks_again() {
        let (server, _) = counts(None);
        let store = Remote::new(server);
        store.get(&salt()).unwrap();
        let mut state = store.state.lock().unwrap();
        assert!(state.swept);
        let until = state.kept[&salt()].1;
        assert_eq!(state.expire(until - Duration::from_secs(1)), Some(until));
        assert_eq!(state.expire(until), None);
        assert!(state.kept.is_empty());
    }

    #[test]
    fn a_server_that_is_away_is_not_asked_again_at_once() {
        let (mut server, asked) = counts(None);
        server.problem = Some(Problem::Away("it sleeps".into()));
        let store = Remote::new(server);
        for _ in 0..3 {
            assert_eq!(
                store.get(&salt()).unwrap_err().to_string(),
                "cannot read secret `salt` from counter, salt: it sleeps"
            );
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_refusal_is_not_remembered() {
        let (mut server, asked) = counts(None);
        server.problem = Some(Problem::Refused("no".into()));
        let store = Remote::new(server);
        for _ in 0..3 {
            assert!(store.get(&salt()).is_err());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_secret_that_is_too_large_is_refused() {
        for (size, fits) in [(MAX_BYTES, true), (MAX_BYTES + 1, false)] {
            let (mut server, _) = counts(None);
            server.size = size;
            assert_eq!(Remote::new(server).get(&salt()).is_ok(), fits);
        }
    }

    #[test]
    fn one_that_is_empty_does_not_have_another_store_asked() {
        let (mut server, _) = counts(None);
        server.size = 0;
        assert_eq!(
            Remote::new(server).get(&salt()).unwrap_err().to_string(),
            "cannot read secret `salt` from counter, salt: it is empty there; write it, or delete it"
        );
    }

    #[test]
    fn it_can_be_asked_within_a_runtime() {
        let (server, _) = counts(None);
        let store = Remote::new(server);
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        let found = runtime.block_on(async { store.get(&salt()) });
        assert_eq!(found.unwrap().unwrap().expose(), b"1");
    }
}
