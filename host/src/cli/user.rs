//! `glovebox user`: who may log in to the API.
//!
//! Refuses one given as an argument, since arguments stand in the shell's history and in every
//! process list.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use glovebox_api as api;
use glovebox_api::config::Config;
use glovebox_catalog::{Catalog, Hasher, Hashing, Name, NewKey, Roles, User, token};
use glovebox_core::{Secret, SecretName};
use glovebox_credentials::files::read_secret;
use glovebox_engine::Toolbox;

use super::{Exit, serve};
use crate::compose::Composed;

mod record;

use record::Record;

const DAY: i64 = 24 * 60 * 60;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The API's configuration, which names the catalog.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "glovebox.yaml"
    )]
    config: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a user; the password is typed at a prompt or piped into standard input
    Add {
        /// The login name
        name: String,
        /// A role; may be given several times
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
        /// Generate a random password and print it once
        #[arg(long)]
        generate: bool,
    },
    /// List users and their roles
    List,
    /// Disable a user immediately, which ends their sessions and API keys
    Disable {
        /// The user's name
        name: String,
    },
    /// Enable a disabled user
    Enable {
        /// The user's name
        name: String,
    },
    /// Replace a user's roles
    Roles {
        /// The user's name
        name: String,
        /// A role; may be given several times
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<String>,
    },
    /// Change a user's password, which ends their sessions and API keys
    Password {
        /// The user's name
        name: String,
        /// Generate a random password and print it once
        #[arg(long)]
        generate: bool,
    },
    /// Create an API key for a user and print it once
    Key {
        /// The user's name
        name: String,
        /// A label for the key
        #[arg(long, default_value = "made on the command line")]
        label: String,
        /// A role of the user that the key has; may be given several times; default: all of them
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Days until it expires
        #[arg(long, default_value = "90", value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
    },
    /// List a user's API keys
    Keys {
        /// The user's name
        name: String,
    },
    /// Revoke a user's API key, or all their keys and sessions
    Revoke {
        /// The user's name
        name: String,
        /// The key's id, as `glovebox user keys` shows it
        #[arg(required_unless_present = "all")]
        key: Option<String>,
        /// All of their keys and sessions
        #[arg(long, conflicts_with = "key")]
        all: bool,
    },
}

pub(super) fn user(args: Args) -> anyhow::Result<Exit> {
    let Some(config) = serve::read(&args.config) else {
        return Ok(Exit::Usage);
    };
    let composed = Composed::new()?;
    let stores = config.credentials.clone();
    let secrets = |name: &SecretName| Ok(composed.secret(&stores, name)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(async {
        let place = api::database_place(&config.catalog, &secrets)?;
        let catalog = Catalog::open(&place).await?;
        let record = Record::open(&config, &secrets, &args.action, &catalog).await?;
        let done = act(&catalog, &config, args.action).await;
        let recorded = record
            .close(done.as_ref().map(Option::as_deref).map_err(drop))
            .await;
        catalog.close().await;
        recorded?;
        done
    })?;
    Ok(Exit::Done)
}

/// Does it; returns the id of a key that was made.
async fn act(catalog: &Catalog, config: &Config, action: Action) -> anyhow::Result<Option<String>> {
    let now = api::now();
    match action {
        Action::Add {
            name,
            roles,
            generate,
        } => {
            let name = Name::parse(&name)?;
            let roles = configured(config, &roles)?;
            let password = password(&name, generate)?;
            let hash = Hasher::new(Hashing::default())?
                .hash(password.secret)
                .await?;
            catalog.add_user(&name, &roles, &hash, now).await?;
            println!("added `{name}` with the roles: {roles}");
            password.shown.print();
        }
        Action::List => list(catalog).await?,
        Action::Disable { name } => switch(catalog, &name, true).await?,
        Action::Enable { name } => switch(catalog, &name, false).await?,
        Action::Roles { name, roles } => {
            let user = found(catalog, &name).await?;
            let roles = configured(config, &roles)?;
            catalog.set_roles(&Name::parse(&name)?, &roles).await?;
            println!("`{}` now has the roles: {roles}", user.name);
        }
        Action::Password { name, generate } => {
            let user = found(catalog, &name).await?;
            let name = Name::parse(&name)?;
            let password = password(&name, generate)?;
            let hash = Hasher::new(Hashing::default())?
                .hash(password.secret)
                .await?;
            catalog.set_password(&name, &hash, now).await?;
            println!(
                "changed the password of `{}`; their sessions and API keys have ended",
                user.name
            );
            password.shown.print();
        }
        Action::Key {
            name,
            label,
            roles,
            days,
        } => {
            let user = found(catalog, &name).await?;
            let roles = match roles.is_empty() {
                true => user.roles.clone(),
                false => configured(config, &roles)?,
            };
            return add_key(catalog, &user, &label, &roles, days)
                .await
                .map(Some);
        }
        Action::Keys { name } => {
            let user = found(catalog, &name).await?;
            for key in catalog.keys_of(&user.id).await? {
                let state = match key.revoked {
                    Some(_) => "  revoked",
                    None if key.expires <= now => "  expired",
                    None => "",
                };
                let label = key.label.escape_debug();
                println!("{}  {}  {label}{state}", key.id, key.roles);
            }
        }
        Action::Revoke { name, key, .. } => {
            let user = found(catalog, &name).await?;
            revoke(catalog, &user, key.as_deref()).await?;
        }
    }
    Ok(None)
}

async fn list(catalog: &Catalog) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let users = catalog.users(&after, 500).await?;
        let Some(last) = users.last() else {
            return Ok(());
        };
        after = last.name.clone();
        for user in &users {
            let state = if user.disabled { "  disabled" } else { "" };
            println!("{}  {}{state}", user.name, user.roles);
        }
    }
}

async fn switch(catalog: &Catalog, name: &str, disabled: bool) -> anyhow::Result<()> {
    let user = found(catalog, name).await?;
    let name = Name::parse(name)?;
    catalog.set_disabled(&name, disabled, api::now()).await?;
    let done = if disabled { "disabled" } else { "enabled" };
    println!("{done} `{}`", user.name);
    Ok(())
}

/// Makes a key, and returns its id.
async fn add_key(
    catalog: &Catalog,
    user: &User,
    label: &str,
    roles: &Roles,
    days: u16,
) -> anyhow::Result<String> {
    ensure!(
        roles.iter().all(|r| user.roles.contains(r)),
        "a key can only have its owner's roles; `{}` has: {}",
        user.name,
        user.roles
    );
    let now = api::now();
    let new = NewKey {
        user_id: &user.id,
        label,
        roles,
        expires: now + i64::from(days) * DAY,
        session: None,
    };
    let (key, token) = catalog.add_key(new, now).await?;
    eprintln!(
        "{} is valid for {days} days, with the roles: {roles}; it is shown only once:",
        key.id
    );
    println!("{}", token.expose());
    Ok(key.id)
}

/// Ends one key, or all that a user has.
async fn revoke(catalog: &Catalog, user: &User, key: Option<&str>) -> anyhow::Result<()> {
    let now = api::now();
    if let Some(key) = key {
        ensure!(
            catalog.revoke_key(&user.id, key, now).await?,
            "`{}` has no valid key with that id; `glovebox user keys {}` shows all",
            user.name,
            user.name
        );
        println!("{key} is revoked");
        return Ok(());
    }
    let keys = catalog.revoke_keys_of(&user.id, now).await?;
    let sessions = catalog.close_sessions_of(&user.id, now).await?;
    println!(
        "ended what `{}` had: API keys: {keys}, sessions: {sessions}",
        user.name
    );
    Ok(())
}

fn configured(config: &Config, names: &[String]) -> anyhow::Result<Roles> {
    for name in names {
        let known: Vec<&str> = config.role_names().collect();
        if !known.contains(&name.as_str()) {
            bail!(
                "there is no role `{name}`; the roles are: {}",
                known.join(", ")
            );
        }
    }
    Ok(Roles::parse(names.iter().map(String::as_str))?)
}

async fn found(catalog: &Catalog, name: &str) -> anyhow::Result<User> {
    let user = catalog.user(&Name::parse(name)?).await?;
    user.with_context(|| format!("there is no user `{name}`; `glovebox user list` shows all"))
}

/// A password, and what is printed of it.
struct Password {
    secret: Secret,
    shown: Shown,
}

enum Shown {
    Nothing,
    Made(glovebox_catalog::Token),
}

impl Shown {
    fn print(&self) {
        if let Shown::Made(token) = self {
            println!("password, shown only once: {}", token.expose());
        }
    }
}

fn password(name: &Name, generate: bool) -> anyhow::Result<Password> {
    if generate {
        let made = token("")?;
        return Ok(Password {
            secret: Secret::new(made.expose().into()),
            shown: Shown::Made(made),
        });
    }
    let secret = if io::stdin().is_terminal() {
        let typed = prompt(&format!("password for {name}: "))?;
        let again = prompt("again: ")?;
        ensure!(
            typed.expose() == again.expose(),
            "the two differ; nothing was stored"
        );
        typed
    } else {
        read_secret(io::stdin().lock()).context("cannot read the password from standard input")?
    };
    Ok(Password {
        secret,
        shown: Shown::Nothing,
    })
}

fn prompt(text: &str) -> anyhow::Result<Secret> {
    rpassword::prompt_password(text)
        .map(|typed| Secret::new(typed.into_bytes()))
        .context("cannot read from the terminal; pipe the password in instead")
}
