//! From what is written to what is meant, with everything that is wrong.
//!
//! Owns defaults and bounds; refuses names that would hide a route, and roles that nobody has.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use glovebox_connectors::page;
use glovebox_core::{DataType, SecretName, TableName};
use glovebox_manifest::Diagnostic;
use glovebox_manifest::model::Store;
use glovebox_manifest::typed::{self, Placed};

use super::super::client::Network;
use super::super::rules::{self, Permission};
use super::{Config, Database, Dataset, MOST_ROWS, Server, Tls, Tokens, View, written};

/// What was found wrong so far, and where relative paths begin.
pub(super) struct Checker<'f> {
    folder: &'f Path,
    problems: Vec<Diagnostic>,
}

pub(super) fn check(folder: &Path, written: written::Written) -> Result<Config, Vec<Diagnostic>> {
    let mut c = Checker {
        folder,
        problems: Vec::new(),
    };
    let listen = match &written.listen {
        None => Some(SocketAddr::from(([127, 0, 0, 1], 8000))),
        Some(text) => c.address(text),
    };
    let metrics = written.metrics.as_ref().map(|m| c.address(&m.listen));
    let url = written.url.as_ref().and_then(|url| c.url(url));
    let tls = written.tls.map(|t| Tls {
        certificate: c.path(&t.certificate),
        key: c.path(&t.key),
    });
    let place = written.catalog.span.clone();
    let catalog = written.catalog.value;
    let catalog = c.database(catalog.sqlite, catalog.postgres, &place, false);
    let credentials = written.credentials.iter().map(|s| c.store(s)).collect();
    let tokens = c.tokens(written.tokens);
    let audit = c.audit(&written.audit);
    let proxies = written
        .proxies
        .iter()
        .filter_map(|p| c.network(p))
        .collect();
    let limits = c.limits(&written.limits);
    let roles = c.roles(&written.roles.0);
    let mut datasets = Vec::new();
    for (name, dataset) in written.datasets.0 {
        datasets.extend(c.dataset(&name, dataset, &roles));
    }
    let pipelines = c.pipelines(written.pipelines.0, &roles);
    let runs = c.runs(&written.runs, limits.shutdown);
    let otlp = written.telemetry.otlp.and_then(|o| c.otlp(o));
    if let Some(tokens) = &tokens {
        for role in tokens.issuers.iter().flat_map(|i| i.roles.values()) {
            if !roles.contains_key(role) {
                c.say(0..0, format!("`issuers`: there is no role `{role}`"), "");
            }
        }
    }
    match (listen, catalog, tokens) {
        (Some(listen), Some((catalog, _)), Some(tokens)) if c.problems.is_empty() => Ok(Config {
            listen,
            url,
            tls,
            metrics: metrics.flatten(),
            catalog,
            credentials,
            tokens,
            audit,
            proxies,
            limits,
            roles,
            datasets,
            pipelines,
            runs,
            otlp,
        }),
        _ => {
            c.problems.sort_by_key(|p| p.span.start);
            Err(c.problems)
        }
    }
}

impl Checker<'_> {
    pub(super) fn say(
        &mut self,
        span: std::ops::Range<usize>,
        problem: impl Into<String>,
        help: &str,
    ) {
        let said = Diagnostic::error(span, problem.into());
        self.problems.push(match help {
            "" => said,
            help => said.help(help),
        });
    }

    pub(super) fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.join(path)
    }

    fn address(&mut self, text: &Placed<String>) -> Option<SocketAddr> {
        let parsed = text.value.parse().ok();
        if parsed.is_none() {
            self.say(
                text.span.clone(),
                "this is no address to listen on",
                "write an IP address and a port: 127.0.0.1:8000, or 0.0.0.0:8000 for all",
            );
        }
        parsed
    }

    pub(super) fn url(&mut self, text: &Placed<String>) -> Option<String> {
        let url = text.value.trim_end_matches('/');
        let good = ["http://", "https://"].iter().any(|s| url.starts_with(s))
            && url.bytes().all(|b| b.is_ascii_graphic());
        if good {
            return Some(url.to_owned());
        }
        self.say(
            text.span.clone(),
            "this is no URL of a server",
            "write how clients reach it: https://data.example.org",
        );
        None
    }

    fn network(&mut self, text: &Placed<String>) -> Option<Network> {
        let network = Network::parse(&text.value);
        if network.is_none() {
            self.say(
                text.span.clone(),
                "this is no address or network",
                "write 10.0.0.5 or 10.0.0.0/8",
            );
        }
        network
    }

    fn store(&self, store: &written::Store) -> Store {
        match store {
            written::Store::Keyring => Store::Keyring,
            written::Store::Env => Store::Env,
            written::Store::Files(folder) => Store::Files(self.path(folder)),
        }
    }

    pub(super) fn secret(&mut self, name: &Placed<String>) -> Option<SecretName> {
        let parsed = SecretName::parse(&name.value);
        if let Err(problem) = &parsed {
            self.say(name.span.clone(), problem.to_string(), "");
        }
        parsed.ok()
    }

    /// The database and, of a dataset, the table's name.
    fn database(
        &mut self,
        sqlite: Option<written::Sqlite>,
        postgres: Option<written::Postgres>,
        place: &std::ops::Range<usize>,
        of_dataset: bool,
    ) -> Option<(Database, Option<Placed<String>>)> {
        let (database, table) = match (sqlite, postgres) {
            (Some(s), None) => (Database::Sqlite(self.path(&s.path)), s.table),
            (None, Some(p)) => {
                let password = self.secret(&p.password.secret)?;
                let connections = match &p.connections {
                    None => 4,
                    Some(n) => self.within(n, 1..=100).unwrap_or(4),
                };
                let server = Server {
                    host: p.host,
                    port: p.port.unwrap_or(5432),
                    database: p.database,
                    user: p.user,
                    password,
                    ca: p.tls.map(|t| self.path(&t.ca)),
                    connections,
                };
                (Database::Postgres(server), p.table)
            }
            _ => {
                self.say(
                    place.clone(),
                    "one database is due: `sqlite` or `postgres`",
                    "write sqlite: { path: FILE } or postgres: { host: …, … }",
                );
                return None;
            }
        };
        match (&table, of_dataset) {
            (None, true) => self.say(
                place.clone(),
                "the table is missing",
                "write table: NAME in the database's block",
            ),
            (Some(table), false) => self.say(
                table.span.clone(),
                "the catalog makes its own tables",
                "delete `table`",
            ),
            _ => {}
        }
        Some((database, table))
    }

    pub(super) fn within(&mut self, n: &Placed<u32>, bounds: RangeInclusive<u32>) -> Option<u32> {
        if bounds.contains(&n.value) {
            return Some(n.value);
        }
        let help = format!("write {} to {}", bounds.start(), bounds.end());
        self.say(n.span.clone(), "out of bounds", &help);
        None
    }

    pub(super) fn time(
        &mut self,
        text: Option<&Placed<String>>,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = text else { return default };
        match typed::duration(&text.value) {
            Ok(time) if bounds.contains(&time) => return time,
            Ok(_) => {
                let help = format!(
                    "write {} s to {} s",
                    bounds.start().as_secs(),
                    bounds.end().as_secs()
                );
                self.say(text.span.clone(), "out of bounds", &help);
            }
            Err(help) => self.say(text.span.clone(), "not a length of time", &help),
        }
        default
    }

    pub(super) fn size(
        &mut self,
        text: Option<&Placed<String>>,
        default: usize,
        bounds: RangeInclusive<u64>,
    ) -> usize {
        let Some(text) = text else { return default };
        match typed::size(&text.value) {
            Ok(size) if bounds.contains(&size) => {
                return usize::try_from(size).unwrap_or(default);
            }
            Ok(_) => {
                let help = format!("write {} B to {} B", bounds.start(), bounds.end());
                self.say(text.span.clone(), "out of bounds", &help);
            }
            Err(help) => self.say(text.span.clone(), "not a size", &help),
        }
        default
    }

    fn tokens(&mut self, written: written::Tokens) -> Option<Tokens> {
        let keys: Vec<_> = written
            .keys
            .value
            .iter()
            .filter_map(|k| self.secret(k))
            .collect();
        if written.keys.value.is_empty() {
            self.say(
                written.keys.span.clone(),
                "tokens need a key to sign with",
                "write keys: [api/token-key] and run: glovebox secret set --generate api/token-key",
            );
        }
        let minute = Duration::from_secs(60);
        let day = 24 * 60 * minute;
        let lifetime = self.time(written.lifetime.as_ref(), 10 * minute, minute..=60 * minute);
        let session = self.time(
            written.session.as_ref(),
            12 * 60 * minute,
            10 * minute..=30 * day,
        );
        let fresh_login = self.time(
            written.fresh_login.as_ref(),
            15 * minute,
            minute / 60..=30 * day,
        );
        let issuers = written.issuers.into_iter();
        let issuers = issuers.filter_map(|issuer| self.issuer(issuer)).collect();
        Some(Tokens {
            keys,
            audience: written.audience.unwrap_or_else(|| "glovebox".into()),
            lifetime,
            session,
            fresh_login,
            issuers,
        })
    }

    fn roles(
        &mut self,
        written: &[(Placed<String>, Vec<Placed<String>>)],
    ) -> BTreeMap<String, Vec<Permission>> {
        let mut roles = rules::built_in();
        for (name, words) in written {
            if glovebox_catalog::Roles::parse([name.value.as_str()]).is_err() {
                self.say(
                    name.span.clone(),
                    "this is no name of a role",
                    "write up to 32 lower-case letters, digits and `-`",
                );
            }
            let mut may = Vec::new();
            for word in words {
                match Permission::parse(&word.value) {
                    Some(permission) => may.push(permission),
                    None => self.say(
                        word.span.clone(),
                        "there is no such permission",
                        &format!("write some of: {}", Permission::words().join(", ")),
                    ),
                }
            }
            roles.insert(name.value.clone(), may);
        }
        roles
    }

    fn dataset(
        &mut self,
        name: &Placed<String>,
        written: Placed<written::Dataset>,
        roles: &BTreeMap<String, Vec<Permission>>,
    ) -> Option<Dataset> {
        let place = written.span;
        let written = written.value;
        if !rules::is_name(&name.value) || rules::is_taken(&name.value) {
            self.say(
                name.span.clone(),
                "a dataset cannot have this name, which is its path",
                "write lower-case letters, digits, `-` and `_`; the API's own paths are taken",
            );
        }
        let mut columns = Vec::new();
        for (column, declared) in written.columns.value.0 {
            let data_type = match typed::data_type(&declared.data_type.value) {
                // A client could do nothing with cells in their source's own form.
                Ok(DataType::Opaque) => {
                    self.say(
                        declared.data_type.span,
                        "opaque columns are not served",
                        "leave the column out, or serve a view that casts it",
                    );
                    continue;
                }
                Ok(data_type) => data_type,
                Err(problem) => {
                    self.say(declared.data_type.span, problem, "");
                    continue;
                }
            };
            if column.value.is_empty() || column.value.chars().any(char::is_control) {
                self.say(column.span, "this is no name of a column", "");
                continue;
            }
            columns.push(page::Column {
                name: column.value,
                data_type,
                not_null: declared.not_null,
            });
        }
        if columns.is_empty() {
            self.say(written.columns.span, "a dataset has columns", "");
        }
        let mut key = Vec::new();
        for named in &written.key {
            let place = self.column(&columns, named);
            key.extend(place);
        }
        for place in &key {
            // What tells rows apart cannot be null.
            if let Some(column) = columns.get_mut(*place) {
                column.not_null = true;
            }
        }
        let views = self.views(&columns, written.roles.0, roles);
        let (database, table) = self.database(written.sqlite, written.postgres, &place, true)?;
        let key = match (&database, key.is_empty()) {
            (_, false) => page::Key::Columns(key),
            (Database::Sqlite(_), true) => page::Key::RowId,
            (Database::Postgres(_), true) => {
                self.say(
                    place,
                    "a table of PostgreSQL's needs a key to be paged by",
                    "write key: [COLUMN, …], which are unique together and never null",
                );
                return None;
            }
        };
        let table = table?;
        let named = match TableName::parse(&table.value) {
            Ok(named) => named,
            Err(help) => {
                self.say(table.span, "this cannot be the name of a table", help);
                return None;
            }
        };
        if named.schema.is_some() && matches!(database, Database::Sqlite(_)) {
            self.say(
                table.span,
                "SQLite has no schemas",
                "write the bare name; one with a dot stands in double quotes: '\"eu.sales\"'",
            );
            return None;
        }
        Some(Dataset {
            about: written.about.unwrap_or_default(),
            name: name.value.clone(),
            database,
            table: page::Table {
                schema: named.schema,
                name: named.table,
                columns,
                key,
            },
            roles: views,
        })
    }

    fn column(&mut self, columns: &[page::Column], named: &Placed<String>) -> Option<usize> {
        let place = columns.iter().position(|c| c.name == named.value);
        if place.is_none() {
            self.say(
                named.span.clone(),
                "there is no such column in `columns`",
                "declare it there with its type",
            );
        }
        place
    }

    /// Without `roles`, whoever may read data sees all of it.
    fn views(
        &mut self,
        columns: &[page::Column],
        written: Vec<(Placed<String>, written::View)>,
        roles: &BTreeMap<String, Vec<Permission>>,
    ) -> BTreeMap<String, View> {
        let all: Vec<usize> = (0..columns.len()).collect();
        if written.is_empty() {
            let readers = roles
                .iter()
                .filter(|(_, may)| may.contains(&Permission::Data));
            let view = View {
                columns: all,
                rows_at_most: MOST_ROWS,
            };
            return readers
                .map(|(role, _)| (role.clone(), view.clone()))
                .collect();
        }
        let mut views = BTreeMap::new();
        for (role, view) in written {
            match roles.get(&role.value) {
                Some(may) if may.contains(&Permission::Data) => {}
                Some(_) => self.say(
                    role.span,
                    "this role may not read data",
                    "give it the permission `data` under `roles`, or name another",
                ),
                None => {
                    let known: Vec<_> = roles.keys().map(String::as_str).collect();
                    let help = format!("the roles are: {}", known.join(", "));
                    self.say(role.span, "there is no such role", &help);
                }
            }
            let seen = match &view.columns {
                None => all.clone(),
                Some(named) => named
                    .iter()
                    .filter_map(|n| self.column(columns, n))
                    .collect(),
            };
            let most = u32::try_from(MOST_ROWS).unwrap_or(u32::MAX);
            let rows_at_most = match &view.rows_at_most {
                None => MOST_ROWS,
                Some(n) => self.within(n, 1..=most).map_or(MOST_ROWS, |n| n as usize),
            };
            views.insert(
                role.value,
                View {
                    columns: seen,
                    rows_at_most,
                },
            );
        }
        views
    }
}
