//! `glovebox.yaml`: what is served, to whom, from where.

mod alerts;
mod databases;
mod datasets;
mod keys;
mod limits;
mod outgoing;
mod schedule;
mod tokens;
mod values;
mod work;

pub use databases::Server;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use glovebox_core::SecretName;
use glovebox_datasets::Table;
use glovebox_manifest::model::Store;
use glovebox_manifest::{Diagnostic, declare};
use glovebox_outbound::https::Address;
use ipnet::IpNet;
use poem::http::header::HeaderName;

use super::connection::ClientTimeouts;
use super::pace::MinimumRate;
use super::rules::Permission;
pub(crate) use alerts::{Alerts, Target};
pub(crate) use schedule::Schedule;

/// The whole configuration, checked.
#[derive(Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The address under which clients know the server, which is also what issues tokens; where it
    /// listens when it is left out.
    pub(crate) url: Option<String>,
    pub(crate) tls: Option<Tls>,
    /// Where Prometheus may read without a token, if anywhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where users, sessions, keys and runs are kept.
    pub catalog: Database,
    /// Where secrets come from, in order.
    pub credentials: Vec<Store>,
    /// How tokens are made.
    pub tokens: Tokens,
    /// The audit log.
    pub audit: Audit,
    /// Who may say from where a request came.
    pub(crate) proxies: Vec<IpNet>,
    pub(crate) limits: Limits,
    pub(crate) roles: BTreeMap<String, Vec<Permission>>,
    /// The tables that are served.
    pub datasets: Vec<Dataset>,
    pub(crate) pipelines: Vec<Pipeline>,
    pub(crate) runs: RunsConfig,
    pub(crate) otlp: Option<Otlp>,
    pub(crate) alerts: Option<Alerts>,
}

/// Where the audit log is, and what is held against its keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    pub(crate) folder: PathBuf,
    /// The folder of checkpoints, the secret that signs them, and after how many records each.
    pub checkpoints: Option<(PathBuf, SecretName, u32)>,
    pub(crate) keep_for: Option<Duration>,
    pub(crate) segment_size: u64,
}

/// A pipeline that may be run.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) manifest: PathBuf,
    /// Bytes that may be uploaded to it; none if nothing may.
    pub(crate) upload: Option<u64>,
    /// Only these roles may see it, as far as their permissions allow; if left out, all roles.
    pub(crate) roles: Vec<String>,
    /// So many of its runs may wait.
    pub(crate) queue: u32,
    pub(crate) schedule: Option<Schedule>,
}

/// How runs are done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunsConfig {
    /// Where reports, rejects and uploads are stored.
    pub(crate) folder: PathBuf,
    /// Whether every server has that folder.
    pub(crate) shared: bool,
    /// The secret by which uploads are encrypted on the disk.
    pub(crate) uploads_key: Option<SecretName>,
    pub(crate) at_once: usize,
    /// How long finished runs are kept.
    pub(crate) keep_for: Duration,
    /// So many bytes of files may finished runs have here.
    pub(crate) keep_size: Option<u64>,
    /// The longest that a run may go on when the server is told to stop.
    pub(crate) shutdown: Duration,
}

/// A certificate and its key, as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A database, without its password.
#[derive(Debug, Clone, PartialEq)]
pub enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Server),
}

/// How tokens are made and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// The first signs; all verify.
    pub keys: Vec<SecretName>,
    pub(crate) audience: String,
    pub(crate) lifetime: Duration,
    /// After this one has to log in again.
    pub(crate) session: Duration,
    /// How old a login may be by which users are changed and keys made.
    pub(crate) fresh_login: Duration,
    pub(crate) issuers: Vec<Issuer>,
}

/// Another issuer whose tokens are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issuer {
    pub(crate) url: String,
    pub(crate) audience: String,
    pub(crate) keys: KeySource,
    /// Who vouches for its server; Mozilla's list of authorities when nobody is named.
    pub(crate) ca: Option<PathBuf>,
    /// The claim that holds roles.
    pub(crate) roles_claim: String,
    /// Their word for a role: ours.
    pub(crate) roles: BTreeMap<String, String>,
}

/// Where an issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// In a file, a JSON Web Key Set.
    File(PathBuf),
    /// At this address.
    Address(Address),
    /// Where its discovery document says, which is at this address.
    Discovery(Address),
}

/// A collector of traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Otlp {
    pub(crate) address: Address,
    /// Headers of each request, whose values are secrets.
    pub(crate) headers: Vec<(HeaderName, SecretName)>,
    /// Who vouches for it; Mozilla's list of authorities when nobody is named.
    pub(crate) ca: Option<PathBuf>,
    /// The percentage of requests that are traced, unless the caller has already decided.
    pub(crate) sample: u32,
}

/// Limits on what clients may request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of a request's body.
    pub(crate) body: usize,
    /// Bytes of a request's line and headers.
    pub(crate) headers: usize,
    /// The longest that a request may take; an upload has no such limit, but a pace.
    pub(crate) request_time: Duration,
    /// How long a connection may stand still, and its client be silent.
    pub(crate) patience: ClientTimeouts,
    /// How slowly a body may come.
    pub(crate) pace: MinimumRate,
    pub(crate) requests_a_minute_by_address: u32,
    pub(crate) requests_a_minute_by_user: u32,
    pub(crate) logins_a_minute_by_address: u32,
    /// Connections at once.
    pub(crate) connections: usize,
    /// Of these, one address's; `proxies` have no such limit.
    pub(crate) connections_by_address: usize,
    /// Requests that are not yet answered, by the address that a proxy names if there is one.
    pub(crate) requests_at_once_by_address: usize,
    pub(crate) requests_at_once_by_user: usize,
    /// Runs that a user follows at once.
    pub(crate) streams_by_user: usize,
    /// Files that a user sends at once.
    pub(crate) uploads_by_user: usize,
    /// The longest wait for requests that run, when the server is told to stop.
    pub(crate) shutdown: Duration,
}

/// A table that is served.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The name, which is also the path.
    pub name: String,
    pub(crate) about: String,
    pub(crate) database: Database,
    pub(crate) table: Table,
    /// Who may see which columns, by place, and how many rows a page has at most.
    pub(crate) roles: BTreeMap<String, View>,
}

/// What a role sees of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) columns: Vec<usize>,
    pub(crate) rows_at_most: usize,
}

/// Rows of a page when a request does not say.
pub(crate) const ROWS: usize = 100;
/// Rows of a page at most, whatever the configuration says.
pub(crate) const MAX_ROWS: usize = 10_000;

impl Config {
    /// The secrets by which databases are reached, each once.
    pub(crate) fn passwords(&self) -> BTreeSet<&SecretName> {
        let datasets = self.datasets.iter().map(|d| &d.database);
        let all = datasets.chain([&self.catalog]);
        all.filter_map(|database| match database {
            Database::Postgres(server) => Some(&server.password),
            Database::Sqlite(_) => None,
        })
        .collect()
    }

    /// The secrets by which one logs in to stores of secrets, each once.
    pub(crate) fn logins(&self) -> BTreeSet<&SecretName> {
        let stores = self.credentials.iter();
        stores
            .filter_map(|store| match store {
                Store::Remote(remote) => remote.login_secret(),
                Store::Keyring | Store::Env | Store::Files(_) => None,
            })
            .collect()
    }

    /// The names of the roles that there are.
    pub fn role_names(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// Reads a configuration; `folder` is where its relative paths begin.
    ///
    /// # Errors
    /// Everything that is wrong, at its place.
    pub fn read(folder: &Path, text: &str) -> Result<Config, Vec<Diagnostic>> {
        declare::read::<keys::Keys>(folder, text, "a configuration")
    }
}

/// The JSON Schema (2020-12) of a configuration.
pub fn json_schema() -> serde_json::Value {
    declare::json_schema::<keys::Keys>("Glovebox configuration")
}

#[cfg(test)]
mod tests;
