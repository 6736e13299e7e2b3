//! `glovebox audit verify`: detects changes to a log.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use glovebox_api as api;
use glovebox_audit::{Anchor, Anchors, PublicKey, Trust, Verification};
use glovebox_catalog::Catalog;
use glovebox_core::SecretName;
use glovebox_engine::Toolbox;

use crate::cli::{Exit, serve};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// The log's folder
    folder: PathBuf,
    /// The folder of its checkpoints; without it, a truncated tail cannot be detected
    #[arg(long, value_name = "FOLDER")]
    checkpoints: Option<PathBuf>,
    /// A public key that may have signed them, or a file that contains it; may be given several
    /// times
    #[arg(
        long,
        value_name = "KEY",
        requires = "checkpoints",
        allow_hyphen_values = true
    )]
    public_key: Vec<String>,
    /// The API's configuration, whose catalog knows how far the log was; without it, a log and
    /// checkpoints that were truncated together cannot be detected
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A record's number and hash, as printed by an earlier call
    #[arg(long, value_name = "NUMBER:HASH")]
    head: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let keys = self
            .public_key
            .iter()
            .map(|key| public_key(key))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let noted = self.head.as_deref().map(noted).transpose()?;
        // Before the log is read: it may grow meanwhile, and has to be the longer one.
        let known = match &self.config {
            None => None,
            Some(config) => match anchors(config)? {
                Some(known) => Some(known),
                None => return Ok(Exit::Usage),
            },
        };
        let place = api::anchors::place(&self.folder);
        let found = glovebox_audit::verify(
            &self.folder,
            &Trust {
                checkpoints: self.checkpoints.as_deref(),
                keys: &keys,
                noted,
                anchors: known.as_deref().map(|known| Anchors {
                    place: &place,
                    known,
                }),
            },
        )?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&found)?);
        } else {
            say(&self.folder, &found)?;
        }
        Ok(if found.intact {
            Exit::Done
        } else {
            Exit::Failed
        })
    }
}

/// A key, or a file that holds one.
fn public_key(text: &str) -> anyhow::Result<PublicKey> {
    if let Some(key) = PublicKey::parse(text) {
        return Ok(key);
    }
    let file = std::fs::read_to_string(text).with_context(|| {
        format!("`{text}` is neither a public key nor a file that contains one")
    })?;
    PublicKey::parse(&file)
        .with_context(|| format!("{text} contains no public key; `glovebox audit key` prints one"))
}

fn noted(text: &str) -> anyhow::Result<(u64, &str)> {
    let (number, hash) = text
        .split_once(':')
        .context("--head is a record's number and its hash, such as 12:ab34…")?;
    let number = number
        .parse()
        .context("--head must begin with a record's number")?;
    Ok((number, hash))
}

fn say(folder: &Path, found: &Verification) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for finding in &found.findings {
        writeln!(out, "{finding}")?;
    }
    let unlisted = found.wrong - found.findings.len() as u64;
    if unlisted > 0 {
        writeln!(out, "and {unlisted} more")?;
    }
    for note in &found.notes {
        writeln!(out, "note: {note}")?;
    }
    let verdict = match found.wrong {
        0 => "intact".to_owned(),
        1 => "NOT INTACT, 1 finding".into(),
        n => format!("NOT INTACT, {n} findings"),
    };
    writeln!(out, "{}: {verdict}", folder.display())?;
    if let (Some(first), Some(last)) = (found.first, found.last) {
        writeln!(
            out,
            "  records {first} to {last} in {} segment{}",
            found.segments,
            plural(found.segments)
        )?;
    }
    if let Some(uncovered) = found.uncovered {
        writeln!(
            out,
            "  {} checkpoint{}, signatures {}; {uncovered} record{} after the last one",
            found.checkpoints,
            plural(found.checkpoints),
            if found.signatures {
                "checked"
            } else {
                "not checked"
            },
            plural(uncovered)
        )?;
    }
    if let Some(anchored) = found.anchored {
        writeln!(out, "  the catalog knows it up to record {anchored}")?;
    }
    if let (Some(last), Some(head)) = (found.last, &found.head) {
        writeln!(out, "  --head {last}:{head}")?;
    }
    Ok(())
}

fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// What the catalog of a configuration knows; none if that has problems, which were shown.
fn anchors(config: &Path) -> anyhow::Result<Option<Vec<Anchor>>> {
    let Some(config) = serve::read(config) else {
        return Ok(None);
    };
    let composed = Composed::new()?;
    let secrets = |name: &SecretName| Ok(composed.secret(&config.credentials, name)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(async {
        let catalog = Catalog::open(&api::database_place(&config.catalog, &secrets)?).await?;
        let known = api::anchors::known(&catalog).await?;
        catalog.close().await;
        Ok(Some(known))
    })
}
