//! What may go wrong with a cluster, in sentences for its operator. None holds a cell, a secret or what another
//! machine said.

use std::path::PathBuf;

/// Why a cluster does not work.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file of certificates or keys cannot be read.
    #[error("cannot read {path}: {problem}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: std::io::Error,
    },
    /// A file of certificates or keys cannot be written.
    #[error("cannot write {path}: {problem}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: std::io::Error,
    },
    /// A folder of certificates does not have what TLS needs.
    #[error(
        "the certificates in {0} cannot be used: `ca.crt`, `tls.crt` and `tls.key` have to be PEM, and the key that of the \
         certificate; `glovebox cluster certificates` makes them"
    )]
    Certificates(PathBuf),
    /// Certificates cannot be made.
    #[error("cannot make certificates: {0}")]
    Make(String),
    /// A URL that is none of a scheduler.
    #[error("use a scheduler's URL, such as https://scheduler.example.com:50050")]
    Url,
    /// An address that cannot be listened at.
    #[error("cannot listen at {address}: {problem}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        problem: std::io::Error,
    },
    /// The scheduler cannot be begun.
    #[error("cannot begin the scheduler: {0}")]
    Begin(&'static str),
    /// A scheduler that does not let an executor in.
    #[error(
        "the scheduler refuses this executor: use the certificate of an executor, and the same version of Glovebox"
    )]
    Refused,
    /// The server ended.
    #[error("the scheduler's server ended")]
    Served,
    /// Threads for connections cannot be had.
    #[error("cannot start threads: {0}")]
    Threads(std::io::Error),
}
