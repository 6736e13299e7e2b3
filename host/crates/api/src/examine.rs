//! `serve --check`: checks everything that a start and a first request need, without starting:
//! keys, files, databases, tables, manifests, the audit log. It changes nothing, and reports all
//! problems.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use glovebox_audit::{Anchor, Anchorage};
use glovebox_catalog::Catalog;
use glovebox_core::SecretName;
use glovebox_datasets::{Difference, PageError, Query, Reader};
use glovebox_manifest::model::Span;
use glovebox_manifest::{Diagnostic, typed};

use super::audit::{self, Writer};
use super::config::{Config, Database, Dataset, Pipeline};
use super::places::{self, Secrets};
use super::runs::{UploadKey, UploadSeals};
use super::tokens::Key;
use super::{alerts, anchors, issuers, listener};

/// Whether a manifest can be run, as far as can be found out before a row is read.
pub type Loads<'l> = &'l dyn Fn(&Path) -> Result<(), String>;

/// What is missing, each at its place in the configuration's text.
pub fn examine(
    config: &Config,
    text: &str,
    secrets: Secrets<'_>,
    (loads, seals): (Loads<'_>, UploadSeals),
    runtime: &tokio::runtime::Runtime,
) -> Vec<Diagnostic> {
    let mut look = Look {
        text,
        secrets,
        problems: Vec::new(),
    };
    look.listen(config.listen, &["listen"]);
    if let Some(address) = config.metrics {
        look.listen(address, &["metrics", "listen"]);
    }
    look.files(config);
    look.keys(config);
    let known = runtime.block_on(look.catalog(config));
    look.audit(config, &known);
    for dataset in &config.datasets {
        runtime.block_on(look.dataset(dataset));
    }
    // Sinks have threads of their own, which may not be begun from within these.
    for pipeline in &config.pipelines {
        look.pipeline(pipeline, loads);
    }
    if !config.pipelines.is_empty() {
        look.writable(&config.runs.folder, &["runs", "folder"]);
    }
    if let Some(name) = &config.runs.uploads_key {
        let path = ["runs", "uploads-key"];
        if let Some(secret) = look.secret(name, &path)
            && let Err(problem) = UploadKey::new(name, secret, seals)
        {
            look.say(&path, problem, "");
        }
    }
    look.problems.sort_by_key(|p| p.span.start);
    look.problems
}

struct Look<'l> {
    text: &'l str,
    secrets: Secrets<'l>,
    problems: Vec<Diagnostic>,
}

impl Look<'_> {
    fn at(&self, path: &[&str]) -> Span {
        typed::place(self.text, path)
    }

    fn say(&mut self, path: &[&str], problem: impl Into<String>, help: &str) {
        let said = Diagnostic::error(self.at(path), problem);
        self.problems.push(match help {
            "" => said,
            help => said.help(help),
        });
    }

    fn listen(&mut self, address: SocketAddr, path: &[&str]) {
        match std::net::TcpListener::bind(address) {
            Ok(_) => {}
            // Most likely it is the server that this configuration is checked for.
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => self.say(path, format!("cannot listen on {address}: {error}"), ""),
        }
    }

    fn files(&mut self, config: &Config) {
        if let Some(tls) = &config.tls
            && let Err(error) = listener::load(tls)
        {
            self.say(&["tls"], format!("{error:#}"), "");
        }
        for (place, issuer) in config.tokens.issuers.iter().enumerate() {
            if let Err(error) = issuers::open(std::slice::from_ref(issuer)) {
                let place = place.to_string();
                self.say(&["tokens", "issuers", &place], format!("{error:#}"), "");
            }
        }
        if let Some(otlp) = &config.otlp
            && let Err(error) = issuers::client(otlp.ca.as_deref())
        {
            self.say(&["telemetry", "otlp", "tls"], format!("{error:#}"), "");
        }
        for target in config.alerts.iter().flat_map(|alerts| &alerts.targets) {
            if let Err(error) = alerts::open(target, self.secrets) {
                self.say(&["alerts"], format!("{error:#}"), "");
            }
        }
    }

    fn secret(&mut self, name: &SecretName, path: &[&str]) -> Option<glovebox_core::Secret> {
        match (self.secrets)(name) {
            Ok(secret) => Some(secret),
            Err(error) => {
                self.say(path, format!("{error:#}"), "");
                None
            }
        }
    }

    fn keys(&mut self, config: &Config) {
        let mut known: Vec<String> = Vec::new();
        for (place, name) in config.tokens.keys.iter().enumerate() {
            let place = place.to_string();
            let path = ["tokens", "keys", place.as_str()];
            let Some(secret) = self.secret(name, &path) else {
                continue;
            };
            match Key::new(&secret) {
                Err(error) => self.say(&path, format!("the token key `{name}`: {error}"), ""),
                Ok(key) if known.contains(&key.kid) => {
                    let problem = format!("the token key `{name}` is listed twice");
                    self.say(&path, problem, "it may have two names; delete one");
                }
                Ok(key) => known.push(key.kid),
            }
        }
        for (header, name) in config.otlp.iter().flat_map(|o| &o.headers) {
            let path = ["telemetry", "otlp", "headers", header.as_str()];
            let _ = self.secret(name, &path);
        }
    }

    /// What the catalog knows of audit logs.
    async fn catalog(&mut self, config: &Config) -> Vec<Anchor> {
        let path: &[&str] = match &config.catalog {
            Database::Sqlite(_) => &["catalog", "sqlite"],
            Database::Postgres(_) => &["catalog", "postgres"],
        };
        let place = match places::database_place(&config.catalog, self.secrets) {
            Ok(place) => place,
            Err(error) => {
                self.say(path, format!("{error:#}"), "");
                return Vec::new();
            }
        };
        match Catalog::probe(&place).await {
            Ok(known) => known.into_iter().map(anchors::of).collect(),
            Err(error) => {
                self.say(path, error.to_string(), "");
                Vec::new()
            }
        }
    }

    fn audit(&mut self, config: &Config, known: &[Anchor]) {
        let options = match audit::options(&config.audit, self.secrets, Writer::Server) {
            Ok(options) => options,
            Err(error) => return self.say(&["audit", "key"], format!("{error:#}"), ""),
        };
        self.writable(&config.audit.folder, &["audit", "folder"]);
        if let Some((folder, ..)) = &config.audit.checkpoints {
            self.writable(folder, &["audit", "checkpoints"]);
        }
        let mut logs = vec![options];
        logs.extend(audit::options(
            &config.audit,
            self.secrets,
            Writer::Commands,
        ));
        for mut options in logs {
            let place = anchors::place(&options.folder);
            options.anchorage = Some(Anchorage::new(place, known.to_vec()).0);
            if let Err(error) = glovebox_audit::examine(&options) {
                self.say(&["audit", "folder"], error.to_string(), "");
            }
        }
    }

    async fn dataset(&mut self, dataset: &Dataset) {
        let database = match &dataset.database {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        };
        let name = dataset.name.as_str();
        let path = ["datasets", name, database];
        let place = match places::database_place(&dataset.database, self.secrets) {
            Ok(place) => place,
            Err(error) => return self.say(&path, format!("{error:#}"), ""),
        };
        let reader = Reader::new(&place);
        let differences = match reader.examine(&dataset.table).await {
            Ok(differences) => differences,
            Err(error) => return self.say(&path, error.to_string(), ""),
        };
        for difference in &differences {
            let (column, problem) = told(dataset, difference);
            match column {
                None => self.say(&["datasets", name, database, "table"], problem, ""),
                Some(column) => self.say(&["datasets", name, "columns", column], problem, ""),
            }
        }
        if !differences.is_empty() {
            return;
        }
        // What only a row can tell.
        let query = Query {
            columns: (0..dataset.table.columns.len()).collect(),
            filters: Vec::new(),
            sort: Vec::new(),
            after: None,
            limit: 1,
        };
        match reader.page(&dataset.table, &query).await {
            Ok(_) => {}
            Err(PageError::Misfit {
                column, data_type, ..
            }) => {
                let problem = format!("the table's `{column}` has a value that is not {data_type}");
                self.say(&["datasets", name, "columns", &column], problem, "");
            }
            Err(error) => self.say(&path, error.to_string(), ""),
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline, loads: Loads<'_>) {
        let path = ["pipelines", pipeline.name.as_str(), "manifest"];
        if let Err(problem) = loads(&pipeline.manifest) {
            let help = format!(
                "glovebox check {} shows all problems",
                pipeline.manifest.display()
            );
            self.say(&path, problem, &help);
        }
    }

    /// Whether files can be made in a folder that may have to be made itself.
    fn writable(&mut self, folder: &Path, path: &[&str]) {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let there = absolute.ancestors().find(|above| above.exists());
        let there = there.map_or_else(|| PathBuf::from("/"), Path::to_owned);
        let tried = match there.is_dir() {
            true => tempfile::tempfile_in(&there).map(drop),
            false => Err(std::io::ErrorKind::NotADirectory.into()),
        };
        if let Err(error) = tried {
            self.say(path, format!("cannot write there: {error}"), "");
        }
    }
}

/// A difference in words, and the column that it is about.
pub(super) fn told<'d>(dataset: &'d Dataset, difference: &Difference) -> (Option<&'d str>, String) {
    let column = |place: &usize| {
        let column = dataset.table.columns.get(*place);
        column.map_or(("", String::new()), |c| (&*c.name, c.data_type.to_string()))
    };
    match difference {
        Difference::NoTable => (None, format!("there is no table `{}`", dataset.table.name)),
        Difference::NoColumn(place) => {
            let (name, _) = column(place);
            (Some(name), format!("the table has no column `{name}`"))
        }
        Difference::Hidden(place) => {
            let (name, _) = column(place);
            let problem = format!("the user may not read the column `{name}`; grant SELECT on it");
            (Some(name), problem)
        }
        Difference::OtherType {
            column: place,
            found,
        } => {
            let (name, data_type) = column(place);
            let problem =
                format!("the table's `{name}` is {found}, which cannot be read as {data_type}");
            (Some(name), problem)
        }
    }
}
