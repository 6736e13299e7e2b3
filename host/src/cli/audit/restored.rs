//! `glovebox audit restored`: declares that a log behind the catalog was restored from a backup.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use glovebox_api as api;
use glovebox_api::audit::{self, Audit, Writer};
use glovebox_api::config::Config;
use glovebox_audit::AuditError;
use glovebox_catalog::Catalog;
use glovebox_core::SecretName;
use glovebox_engine::Toolbox;

use crate::cli::caller::caller;
use crate::cli::{Exit, serve};
use crate::compose::Composed;

/// The longest reason, in characters.
const MAX_REASON: usize = 200;

#[derive(Debug, clap::Args)]
pub(super) struct Restored {
    /// The API's configuration; stop its server first
    #[arg(long, value_name = "FILE", default_value = "glovebox.yaml")]
    config: PathBuf,
    /// The reason: which backup, restored when and by whom
    #[arg(long, value_name = "TEXT")]
    because: String,
}

impl Restored {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let because = self.because.trim();
        let length = because.chars().count();
        ensure!(
            (1..=MAX_REASON).contains(&length) && !because.chars().any(char::is_control),
            "--because takes one line of 1 to {MAX_REASON} characters that says which backup it was"
        );
        let Some(config) = serve::read(&self.config) else {
            return Ok(Exit::Usage);
        };
        let composed = Composed::new()?;
        let secrets = |name: &SecretName| Ok(composed.secret(&config.credentials, name)?);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start")?;
        runtime.block_on(async {
            let catalog = Catalog::open(&api::database_place(&config.catalog, &secrets)?).await?;
            let mut any = false;
            for writer in [Writer::Server, Writer::Commands] {
                any |= restore(&catalog, &config, &secrets, writer, because).await?;
            }
            catalog.close().await;
            if !any {
                bail!("no log is behind the catalog; nothing was recorded");
            }
            Ok(Exit::Done)
        })
    }
}

/// Whether that log was behind, which is recorded now.
async fn restore(
    catalog: &Catalog,
    config: &Config,
    secrets: api::Secrets<'_>,
    writer: Writer,
    because: &str,
) -> anyhow::Result<bool> {
    let options = audit::options(&config.audit, secrets, writer)?;
    let folder = options.folder.clone();
    let place = api::anchors::place(&folder);
    let known = api::anchors::known(catalog).await?;
    // A log that there was never is not begun here.
    if !folder.exists() && !known.iter().any(|a| a.place == place) {
        return Ok(false);
    }
    let said = glovebox_audit::Restored {
        because: because.to_owned(),
        user: caller(),
    };
    let audit = match Audit::open_as(options, catalog, Some(said)).await {
        Ok(audit) => audit,
        Err(error) if is_not_behind(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    audit.close().await?;
    println!(
        "{}: recorded that it was restored; it continues from here",
        folder.display()
    );
    Ok(true)
}

fn is_not_behind(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref::<AuditError>(),
        Some(AuditError::NotBehind { .. })
    )
}
