//! What the API keeps: users, sessions, refresh tokens, API keys, failed logins, runs and how far
//! audit logs are, in SQLite or PostgreSQL.
//! Passwords, tokens and keys are only stored as hashes.

mod anchors;
mod attempts;
mod error;
mod keys;
mod names;
mod password;
mod probe;
mod random;
mod runs;
mod sessions;
mod store;
mod users;

pub use anchors::LogAnchor;
pub use attempts::{Attempts, Lockout};
pub use error::{Error, Result};
pub use keys::{ApiKey, KEY_PREFIX, KeyHolder, NewKey};
pub use names::{Name, Roles};
pub use password::{Hasher, Hashing, PasswordHash};
pub use random::{Token, digest, token};
pub use runs::{
    ANY_MACHINE, Added, Beat, Claimed, NewRun, Run, RunFilter, RunMode, RunState, Waiting,
    new_run_id,
};
pub use sessions::{Rotation, Session, Standing};
pub use store::{Catalog, Place};
pub use users::{Credentials, User};
