//! The configuration as it is written, by serde.
//!
//! Owns the names of its keys; refuses none of their values but by kind.

use std::fmt;

use glovebox_manifest::typed::{Ordered, Placed};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Written {
    pub(super) listen: Option<Placed<String>>,
    pub(super) url: Option<Placed<String>>,
    pub(super) tls: Option<Tls>,
    pub(super) metrics: Option<Metrics>,
    pub(super) catalog: Placed<Database>,
    #[serde(default)]
    pub(super) credentials: Vec<Store>,
    pub(super) tokens: Tokens,
    pub(super) audit: Audit,
    #[serde(default)]
    pub(super) proxies: Vec<Placed<String>>,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) roles: Ordered<Vec<Placed<String>>>,
    #[serde(default)]
    pub(super) datasets: Ordered<Placed<Dataset>>,
    #[serde(default)]
    pub(super) pipelines: Ordered<Pipeline>,
    #[serde(default)]
    pub(super) runs: Runs,
    #[serde(default)]
    pub(super) telemetry: Telemetry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Telemetry {
    pub(super) otlp: Option<Otlp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Otlp {
    pub(super) url: Placed<String>,
    #[serde(default)]
    pub(super) headers: Ordered<SecretRef>,
    pub(super) tls: Option<Authorities>,
    pub(super) sample_percent: Option<Placed<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) certificate: String,
    pub(super) key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metrics {
    pub(super) listen: Placed<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Audit {
    pub(super) folder: Placed<String>,
    pub(super) checkpoints: Option<Placed<String>>,
    pub(super) key: Option<Placed<String>>,
    pub(super) keep_for: Option<Placed<String>>,
    pub(super) segment_size: Option<Placed<String>>,
    pub(super) checkpoint_every: Option<Placed<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pipeline {
    pub(super) about: Option<String>,
    pub(super) manifest: String,
    pub(super) upload: Option<Placed<String>>,
    #[serde(default)]
    pub(super) roles: Vec<Placed<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Runs {
    pub(super) folder: Option<String>,
    pub(super) at_once: Option<Placed<u32>>,
    pub(super) keep_for: Option<Placed<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    pub(super) sqlite: Option<Sqlite>,
    pub(super) postgres: Option<Postgres>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sqlite {
    pub(super) path: String,
    pub(super) table: Option<Placed<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Postgres {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: SecretRef,
    pub(super) tls: Option<Authorities>,
    pub(super) connections: Option<Placed<u32>>,
    pub(super) table: Option<Placed<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretRef {
    pub(super) secret: Placed<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Authorities {
    pub(super) ca: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Tokens {
    pub(super) keys: Placed<Vec<Placed<String>>>,
    pub(super) audience: Option<String>,
    pub(super) lifetime: Option<Placed<String>>,
    pub(super) session: Option<Placed<String>>,
    pub(super) fresh_login: Option<Placed<String>>,
    #[serde(default)]
    pub(super) issuers: Vec<Issuer>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Issuer {
    pub(super) url: Placed<String>,
    pub(super) audience: String,
    pub(super) jwks: Option<Placed<String>>,
    pub(super) tls: Option<Placed<Authorities>>,
    pub(super) roles_claim: Option<String>,
    #[serde(default)]
    pub(super) roles: Ordered<Placed<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Limits {
    pub(super) body: Option<Placed<String>>,
    pub(super) headers: Option<Placed<String>>,
    pub(super) request_time: Option<Placed<String>>,
    pub(super) requests_a_minute_by_address: Option<Placed<u32>>,
    pub(super) requests_a_minute_by_user: Option<Placed<u32>>,
    pub(super) logins_a_minute_by_address: Option<Placed<u32>>,
    pub(super) connections: Option<Placed<u32>>,
    pub(super) connections_by_address: Option<Placed<u32>>,
    pub(super) requests_at_once_by_address: Option<Placed<u32>>,
    pub(super) requests_at_once_by_user: Option<Placed<u32>>,
    pub(super) streams_by_user: Option<Placed<u32>>,
    pub(super) uploads_by_user: Option<Placed<u32>>,
    pub(super) head_time: Option<Placed<String>>,
    pub(super) idle_time: Option<Placed<String>>,
    pub(super) stall_time: Option<Placed<String>>,
    pub(super) least_rate: Option<Placed<String>>,
    pub(super) shutdown: Option<Placed<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dataset {
    pub(super) about: Option<String>,
    pub(super) sqlite: Option<Sqlite>,
    pub(super) postgres: Option<Postgres>,
    pub(super) columns: Placed<Ordered<Column>>,
    #[serde(default)]
    pub(super) key: Vec<Placed<String>>,
    #[serde(default)]
    pub(super) roles: Ordered<View>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Column {
    #[serde(rename = "type")]
    pub(super) data_type: Placed<String>,
    #[serde(default)]
    pub(super) not_null: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct View {
    pub(super) columns: Option<Vec<Placed<String>>>,
    pub(super) rows_at_most: Option<Placed<u32>>,
}

/// Where secrets are looked up, as in a manifest.
#[derive(Debug)]
pub(super) enum Store {
    Keyring,
    Env,
    Files(String),
}

impl<'de> Deserialize<'de> for Store {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = Store;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`keyring`, `env` or `files: FOLDER`")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Store, E> {
                match word {
                    "keyring" => Ok(Store::Keyring),
                    "env" => Ok(Store::Env),
                    _ => Err(E::custom(
                        "there is no such store; write `keyring`, `env` or `files: FOLDER`",
                    )),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Store, A::Error> {
                let folder = match map.next_entry::<String, String>()? {
                    Some((key, folder)) if key == "files" => folder,
                    _ => return Err(de::Error::custom("write `files: FOLDER`")),
                };
                match map.next_key::<String>()? {
                    None => Ok(Store::Files(folder)),
                    Some(_) => Err(de::Error::custom("write one store an item of the list")),
                }
            }
        }

        deserializer.deserialize_any(Forms)
    }
}
