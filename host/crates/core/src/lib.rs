//! The nouns of Glovebox: what travels between its crates, and the traits by which the engine
//! knows plugins, sources, sinks and keys without naming what is behind them.
//!
//! Nothing here does I/O. The types that leave the process ([`Violation`], [`Reject`],
//! [`RunReport`]) have no field that could hold a cell.

pub mod batch;
pub mod credential;
pub mod database;
pub mod fault;
pub mod finding;
pub mod formats;
pub mod hex;
pub mod input;
pub mod journal;
pub mod keys;
pub mod objects;
pub mod path;
pub mod place;
pub mod plan_identity;
pub mod plugin;
pub mod query;
pub mod report;
pub mod schema;
pub mod seal;
pub mod secret;
pub mod shown;
pub mod sink;
pub mod source;
pub mod supervised;
pub mod table_name;
pub mod tokens;

pub use batch::{Batch, Origin};
pub use credential::{CredentialError, CredentialStore, InvalidSecretName, SecretName};
pub use database::{DatabasePlace, Login};
pub use fault::{Fault, FaultKind, QueryFault};
pub use finding::{Finding, Reject, Rule, Violation, first_made_row, shown_row};
pub use formats::Formats;
pub use hex::hex;
pub use input::{Input, endings};
pub use journal::{
    ChunkRecord, Digest, Earlier, History, Job, Keeps, KeptReject, Known, Listed, MAX_RUN_LEN,
    Mark, Revise, RunState, Seen, Totals,
};
pub use keys::{
    Computed, Form, HeldKey, Key, KeyError, KeyRing, Masking, Method, Piece, Refusal, RemoteKey,
    Revealing, Spans, StepKey, StepKeys, Target,
};
pub use objects::{Object, ObjectStore, ObjectUrl, StoreKind, Upload};
pub use place::{Place, Within};
pub use plan_identity::{PlanIdentity, PlanRows};
pub use plugin::{
    About, Action, Announced, Answer, Grants, Instance, Kept, Limits, Masked, Plugin, PluginError,
    World,
};
pub use query::{AllRows, QueryProblem, RowFeed, Selected, Selection, Unfinished};
pub use report::{
    GatherReport, InsideReport, LevelReport, OnlyNew, RejectCount, ReleaseReport, Rerun, RowCounts,
    RunOutcome, RunReport, SealedRejects, SensitiveReport, StepReport,
};
pub use schema::{DataType, Equality, Field, Native, ReadFrom, Schema};
pub use seal::{Envelope, Late, Seal, SealLate, SealedBlock, Unseal};
pub use secret::Secret;
pub use sink::{
    Encoded, Encoder, FinishedChunk, Held, Payload, Published, Releasing, Sink, SinkError,
    TokenStore, WrittenFile,
};
pub use source::{Chunk, ChunkReader, Decoded, Decoder, Identity, Sampled, Source, SourceError};
pub use table_name::TableName;
pub use tokens::{NewToken, StoredToken, Token, TokenBatch, TokenKey, TokenTerms};
