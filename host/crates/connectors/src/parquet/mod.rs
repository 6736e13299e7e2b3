//! Parquet files: a source of which only the declared columns are read, and a sink whose row groups
//! are encoded side by side.
//!
//! Owns the use of the `parquet` crate; refuses to let what a file holds end the process.

mod chunks;
mod columns;
mod decode;
mod file;
mod groups;
mod nested;
mod pages;
mod schema;
mod sink;
mod source;
#[cfg(test)]
mod tests;
mod thrift;
mod unpack;

pub use sink::{Compression, Sink};
pub use source::Source;
