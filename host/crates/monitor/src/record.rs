//! A record of the audit log, as far as rules look at it.

use std::net::IpAddr;

use glovebox_core::shown::printable;
use serde::Deserialize;

/// A record; what is left out there is empty here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Record {
    #[serde(rename = "@timestamp")]
    time: Option<String>,
    #[serde(rename = "event.action")]
    pub(crate) action: String,
    #[serde(rename = "event.outcome")]
    outcome: String,
    #[serde(rename = "event.reason")]
    pub(crate) reason: Option<String>,
    #[serde(rename = "user.name")]
    pub(crate) user: Option<String>,
    #[serde(rename = "user.roles")]
    pub(crate) roles: Vec<String>,
    #[serde(rename = "user.target.name")]
    pub(crate) target: Option<String>,
    #[serde(rename = "source.ip")]
    pub(crate) source: Option<IpAddr>,
    #[serde(rename = "labels.dataset")]
    pub(crate) dataset: Option<String>,
    #[serde(rename = "labels.pipeline")]
    pub(crate) pipeline: Option<String>,
    #[serde(rename = "labels.rows")]
    pub(crate) rows: Option<u64>,
    #[serde(rename = "labels.rejected")]
    pub(crate) rejected: Option<u64>,
    #[serde(rename = "labels.plugins")]
    pub(crate) plugins: Vec<String>,
    #[serde(rename = "labels.count")]
    count: Option<u64>,
    #[serde(rename = "file.directory")]
    pub(crate) directory: Option<String>,
    #[serde(rename = "file.name")]
    pub(crate) file: Option<String>,
    /// What a watched file is to a pipeline.
    #[serde(rename = "labels.role")]
    pub(crate) role: Option<String>,
}

impl Record {
    /// Reads a line of the log, or an event without its time; none if it is not one.
    pub fn read(line: &[u8]) -> Option<Record> {
        let mut record: Record = serde_json::from_slice(line).ok()?;
        // Another issuer's names may hold anything; an alert is read in a mail and on a terminal.
        let names = [
            &mut record.reason,
            &mut record.user,
            &mut record.target,
            &mut record.dataset,
            &mut record.pipeline,
            &mut record.directory,
            &mut record.file,
            &mut record.role,
        ];
        let lists = record.roles.iter_mut().chain(&mut record.plugins);
        for name in names.into_iter().flatten().chain(lists) {
            *name = printable(name);
        }
        Some(record)
    }

    /// When it was, in seconds since 1970.
    pub fn time(&self) -> Option<i64> {
        let time = chrono::DateTime::parse_from_rfc3339(self.time.as_deref()?);
        Some(time.ok()?.timestamp())
    }

    pub(crate) fn failed(&self) -> bool {
        self.outcome == "failure"
    }

    /// How often it happened.
    pub(crate) fn times(&self) -> u64 {
        self.count.unwrap_or(1)
    }

    /// From which network: providers give a customer one IPv4 address, or a /64.
    pub(crate) fn network(&self) -> Option<String> {
        match self.source?.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Some(format!("{a}.{b}.{c}.0/24"))
            }
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Some(format!("{a:x}:{b:x}:{c:x}:{d:x}::/64"))
            }
        }
    }
}
