//! End-to-end tests of Glovebox.

pub mod attacks;
pub mod http;
pub mod markdown;
pub mod objects;
pub mod outside;
pub mod pipeline;
pub mod postgres;
pub mod server;
pub mod sqlite;
pub mod syslog;
pub mod torture;
pub mod vault;
