//! `glovebox audit key`: the key that signs checkpoints.

use std::path::PathBuf;

use glovebox_audit::SigningKey;
use glovebox_core::SecretName;

use crate::cli::{Exit, signing_key};

#[derive(Debug, clap::Args)]
pub(super) struct Key {
    /// The secret's name
    #[arg(default_value = "audit/signing-key")]
    name: String,
    /// A folder of secret files, instead of the operating system's keyring
    #[arg(long, value_name = "FOLDER")]
    secrets: Option<PathBuf>,
}

impl Key {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let name = SecretName::parse(&self.name)?;
        let (secret, made) = signing_key::find_or_make(&name, self.secrets.as_deref())?;
        let key = SigningKey::from_secret(&secret)?;
        if let Some(place) = made {
            eprintln!("made `{name}` in {place}");
        }
        println!("{}", key.public());
        Ok(Exit::Done)
    }
}
