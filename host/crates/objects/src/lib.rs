//! Stores of objects as places of files: S3, Google's Cloud Storage, Azure's Blob Storage, and web servers.
//!
//! An object is pinned as it was found, by its entity tag, and read ahead in bounded memory. One that is
//! written goes up in parts that nobody sees, and is published by a single request that fails if another
//! program has put one there meanwhile. Requests leave by `glovebox-outbound`: over verified TLS, and
//! redirected nowhere.

mod access;
mod asks;
mod blocks;
mod bucket;
mod find;
mod read;
mod refused;
mod stores;
mod upload;

pub use access::{Access, NoAccess};
pub use stores::Stores;
