//! The proof pack: an in-toto statement of what a run let out and under which rules, signed in a DSSE
//! envelope. Makes and verifies it; knows no manifest, no plan and no database.
//!
//! No cell and no secret: a statement has names, counts and digests. A pack has one spelling: whatever byte
//! of it is changed, it is refused.

mod dsse;
mod error;
mod key;
mod merkle;
mod pack;
mod statement;

pub use error::ProofError;
pub use key::{PackFormat, PublicKey, SigningKey};
pub use merkle::{Leaf, leaf, root};
pub use pack::{MAX_PACK, Opened, open, read, seal};
pub use statement::{
    Audit, Chunks, Column, Counts, Exemption, Gathered, InputDigest, KeyUsed, Level, Manifest,
    PREDICATE_TYPE, Predicate, Rejected, Run, STATEMENT_TYPE, Statement, Step, Subject, Touch,
};
