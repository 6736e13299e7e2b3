//! `glovebox proof key`: the key that signs proofs.

use std::path::PathBuf;

use clap::ValueEnum;
use glovebox_core::SecretName;
use glovebox_proof::{PackFormat, SigningKey};

use crate::cli::{Exit, signing_key};

#[derive(Debug, clap::Args)]
pub(super) struct Key {
    /// The secret's name
    name: String,
    /// The form of the proofs, as in the manifest's `proof`
    #[arg(long, value_name = "FORMAT", default_value = "sigstore")]
    format: Format,
    /// A folder of secret files, instead of the operating system's keyring
    #[arg(long, value_name = "FOLDER")]
    secrets: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Sigstore bundles; the key is one of P-256
    Sigstore,
    /// Plain DSSE envelopes; the key is one of Ed25519
    Dsse,
}

impl Key {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let name = SecretName::parse(&self.name)?;
        let (secret, made) = signing_key::find_or_make(&name, self.secrets.as_deref())?;
        let format = match self.format {
            Format::Sigstore => PackFormat::Sigstore,
            Format::Dsse => PackFormat::Dsse,
        };
        let key = SigningKey::from_secret(&secret, format)?;
        if let Some(place) = made {
            eprintln!("made `{name}` in {place}");
        }
        print!("{}", key.public().to_pem());
        Ok(Exit::Done)
    }
}
