//! What a command about users leaves in the audit log.
//!
//! Owns its record; refuses whatever was typed but names of users, roles and keys.

use std::os::unix::fs::MetadataExt;

use anyhow::ensure;
use glovebox_catalog::{Catalog, Name};

use super::Action;
use glovebox_api as api;
use glovebox_api::audit::{self, Audit, Event, Outcome};
use glovebox_api::config::Config;

/// The system's user: the one who called cannot choose it.
pub(in crate::cli) fn caller() -> String {
    match std::fs::metadata("/proc/self") {
        Ok(process) => format!("uid:{}", process.uid()),
        Err(_) => "uid:unknown".into(),
    }
}

/// What a command does, for the audit log; opened before it is done.
pub(super) struct Record(Option<(Audit, Event)>);

impl Record {
    pub(super) async fn open(
        config: &Config,
        secrets: api::Secrets<'_>,
        action: &Action,
        catalog: &Catalog,
    ) -> anyhow::Result<Self> {
        let (what, name) = match action {
            Action::List | Action::Keys { .. } => return Ok(Record(None)),
            Action::Add { name, .. } => (audit::Action::UserAdd, name),
            Action::Disable { name }
            | Action::Enable { name }
            | Action::Roles { name, .. }
            | Action::Password { name, .. } => (audit::Action::UserChange, name),
            Action::Key { name, .. } => (audit::Action::KeyAdd, name),
            Action::Revoke { name, .. } => (audit::Action::KeyRevoke, name),
        };
        // What is no name may be a password, typed in the wrong place.
        let name = Name::parse(name)?;
        let mut event = Event::new(what, Outcome::Success).of_user(name.as_str());
        event.reason = match action {
            Action::Disable { .. } => Some("disabled"),
            Action::Enable { .. } => Some("enabled"),
            Action::Roles { .. } => Some("roles"),
            Action::Password { .. } => Some("password"),
            Action::Revoke { all: true, .. } => Some("all"),
            _ => None,
        };
        if let Action::Add { roles, .. } | Action::Roles { roles, .. } = action {
            // Only roles that there are, whatever was typed.
            let known = roles
                .iter()
                .filter(|r| config.role_names().any(|name| name == *r));
            event.roles = known.cloned().collect();
        }
        if let Action::Revoke { key: Some(key), .. } = action {
            ensure!(
                is_key(key),
                "this is no id of a key; `glovebox user keys NAME` shows them"
            );
            event = event.target(key);
        }
        event.who = Some(audit::Who {
            id: caller(),
            name: "command line".into(),
            by: None,
        });
        let options = audit::options(&config.audit, secrets, audit::Writer::Commands)?;
        Ok(Record(Some((Audit::open(options, catalog).await?, event))))
    }

    pub(super) async fn close(self, done: bool) -> anyhow::Result<()> {
        let Record(Some((audit, mut event))) = self else {
            return Ok(());
        };
        if !done {
            event.outcome = Outcome::Failure;
        }
        audit.record(event).await?;
        Ok(audit.close().await?)
    }
}

fn is_key(text: &str) -> bool {
    let rest = text.strip_prefix("key_").unwrap_or_default();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=60).contains(&rest.len()) && rest.bytes().all(word)
}
