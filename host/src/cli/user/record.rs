//! What a command about users leaves in the audit log.

use anyhow::ensure;
use glovebox_api as api;
use glovebox_api::audit::{self, Audit};
use glovebox_api::config::Config;
use glovebox_audit::{Action as What, Event, Outcome};
use glovebox_catalog::{Catalog, Name};

use super::Action;
use crate::cli::caller::caller;

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
            Action::Add { name, .. } => (What::UserAdded, name),
            Action::Disable { name }
            | Action::Enable { name }
            | Action::Roles { name, .. }
            | Action::Password { name, .. } => (What::UserChanged, name),
            Action::Key { name, .. } => (What::ApiKeyAdded, name),
            Action::Revoke { name, .. } => (What::ApiKeyRevoked, name),
        };
        // What is no name may be a password, typed in the wrong place.
        let name = Name::parse(name)?;
        let reason = match action {
            Action::Disable { .. } => Some("disabled"),
            Action::Enable { .. } => Some("enabled"),
            Action::Roles { .. } => Some("roles"),
            Action::Password { .. } => Some("password"),
            Action::Revoke { all: true, .. } => Some("all"),
            _ => None,
        };
        let mut event = Event::new(what, Outcome::Success)
            .target(name.as_str())
            .reason(reason)
            .user_id(&caller())
            .user("command line");
        if let Action::Add { roles, .. } | Action::Roles { roles, .. } = action {
            // Only roles that there are, whatever was typed.
            let roles = roles.iter().map(String::as_str);
            event =
                event.target_roles(roles.filter(|r| config.role_names().any(|name| name == *r)));
        }
        if let Action::Revoke { key: Some(key), .. } = action {
            ensure!(
                is_key(key),
                "this is not the id of a key; `glovebox user keys NAME` shows them"
            );
            event = event.key(key);
        }
        let options = audit::options(&config.audit, secrets, audit::Writer::Commands)?;
        Ok(Record(Some((Audit::open(options, catalog).await?, event))))
    }

    /// `done` is what came of it: the id of a key, if one was made.
    pub(super) async fn close(self, done: Result<Option<&str>, ()>) -> anyhow::Result<()> {
        let Record(Some((audit, event))) = self else {
            return Ok(());
        };
        let event = match done {
            Ok(None) => event,
            Ok(Some(key)) => event.key(key),
            Err(()) => event.failed(),
        };
        audit.record(event).await?;
        Ok(audit.close().await?)
    }
}

fn is_key(text: &str) -> bool {
    let rest = text.strip_prefix("key_").unwrap_or_default();
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=60).contains(&rest.len()) && rest.bytes().all(word)
}
