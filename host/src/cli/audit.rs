//! `glovebox audit`: whether an audit log is what was written, what stands in it, and the key
//! that signs its checkpoints.
//!
//! Owns how findings are said; refuses to change a log, and to show the secret half of a key.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use glovebox_audit::{Entry, PublicKey, SigningKey, Trust, Verification, Wanted};
use glovebox_core::shown::printable;
use glovebox_core::{CredentialStore, Secret, SecretName};
use glovebox_credentials::{Files, Keyring, generate};

use super::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Find every edit, deletion, insertion, swap or cut tail of an audit log
    Verify(Verify),
    /// Show records
    Show(Show),
    /// Print the public half of the key that signs checkpoints; make the key if there is none
    Key(Key),
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// The log's folder
    folder: PathBuf,
    /// The folder of its checkpoints, without which a cut tail cannot be seen
    #[arg(long, value_name = "FOLDER")]
    checkpoints: Option<PathBuf>,
    /// A key that may have signed them, or a file that holds it; may be given again
    #[arg(long, value_name = "KEY", requires = "checkpoints")]
    public_key: Vec<String>,
    /// A record's number and hash, as an earlier call said them
    #[arg(long, value_name = "NUMBER:HASH")]
    head: Option<String>,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The log's folder
    folder: PathBuf,
    /// Only what this user did
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only this action, such as `login` or `data-read`
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// Only `success` or `failure`
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// Only since this UTC time, or its beginning, such as 2026-11-22T10
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The records as they stand in the log
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Key {
    /// The secret's name
    #[arg(default_value = "audit/signing-key")]
    name: String,
    /// A folder of secret files, instead of the operating system's keyring
    #[arg(long, value_name = "FOLDER")]
    secrets: Option<PathBuf>,
}

pub(super) fn audit(args: &Args) -> anyhow::Result<Exit> {
    match &args.action {
        Action::Verify(verify) => verify.run(),
        Action::Show(show) => show.run(),
        Action::Key(key) => key.run(),
    }
}

impl Verify {
    fn run(&self) -> anyhow::Result<Exit> {
        let keys = self
            .public_key
            .iter()
            .map(|key| public_key(key))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let noted = self.head.as_deref().map(noted).transpose()?;
        let found = glovebox_audit::verify(
            &self.folder,
            &Trust {
                checkpoints: self.checkpoints.as_deref(),
                keys: &keys,
                noted,
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
    let file = std::fs::read_to_string(text)
        .with_context(|| format!("`{text}` is neither a public key nor a file that holds one"))?;
    PublicKey::parse(&file)
        .with_context(|| format!("{text} holds no public key; `glovebox audit key` prints one"))
}

fn noted(text: &str) -> anyhow::Result<(u64, &str)> {
    let (number, hash) = text
        .split_once(':')
        .context("--head is a record's number and its hash, such as 12:ab34…")?;
    let number = number
        .parse()
        .context("--head begins with a record's number")?;
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
                "looked at"
            } else {
                "not looked at"
            },
            plural(uncovered)
        )?;
    }
    if let (Some(last), Some(head)) = (found.last, &found.head) {
        writeln!(out, "  --head {last}:{head}")?;
    }
    Ok(())
}

fn plural(n: u64) -> &'static str {
    if n == 1 { "" } else { "s" }
}

impl Show {
    fn run(&self) -> anyhow::Result<Exit> {
        let wanted = Wanted {
            user: self.user.clone(),
            action: self.action.clone(),
            outcome: self.outcome.clone(),
            since: self.since.clone(),
            until: self.until.clone(),
        };
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let shown = glovebox_audit::show(&self.folder, &wanted, &mut |entry, line| {
            if self.json {
                out.write_all(line)?;
                writeln!(out)
            } else {
                writeln!(out, "{}", words(entry))
            }
        });
        let unread = match shown.map(|unread| (unread, out.flush())) {
            // Whoever closed standard output has seen enough.
            Ok((_, Err(e))) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
            Ok((unread, flushed)) => flushed.map(|()| unread)?,
            Err(error) => return Err(error.into()),
        };
        if unread > 0 {
            eprintln!("note: {unread} lines are no records; `glovebox audit verify` says which");
        }
        Ok(Exit::Done)
    }
}

fn words(entry: &Entry) -> String {
    let mut words = format!(
        "{} {:>6} {} {}",
        entry.time, entry.sequence, entry.action, entry.outcome
    );
    let mut add = |name: &str, value: &str| {
        // What a name holds may have come from outside.
        words += &format!(" {name}={}", printable(value));
    };
    for (name, value) in [
        ("user", &entry.user),
        ("from", &entry.source),
        ("path", &entry.path),
        ("dataset", &entry.dataset),
        ("pipeline", &entry.pipeline),
        ("run", &entry.run),
        ("key", &entry.key),
        ("whom", &entry.target),
        ("because", &entry.reason),
    ] {
        if let Some(value) = value {
            add(name, value);
        }
    }
    if let Some(rows) = entry.rows {
        add("rows", &rows.to_string());
    }
    if !entry.columns.is_empty() {
        add("columns", &entry.columns.join(","));
    }
    words
}

impl Key {
    fn run(&self) -> anyhow::Result<Exit> {
        let name = SecretName::parse(&self.name)?;
        let (secret, made) = match &self.secrets {
            Some(folder) => in_files(folder, &name)?,
            None => in_keyring(&name)?,
        };
        let key = SigningKey::from_secret(&secret)?;
        if let Some(place) = made {
            eprintln!("made `{name}` in {place}");
        }
        println!("{}", key.public());
        Ok(Exit::Done)
    }
}

type Found = (Secret, Option<String>);

fn in_keyring(name: &SecretName) -> anyhow::Result<Found> {
    let keyring = Keyring::new();
    if let Some(secret) = keyring.get(name)? {
        return Ok((secret, None));
    }
    let secret = generate()?;
    let place = keyring.set(name, &secret)?;
    Ok((secret, Some(place)))
}

fn in_files(folder: &Path, name: &SecretName) -> anyhow::Result<Found> {
    let files = Files::new(folder);
    if let Some(secret) = files.get(name)? {
        return Ok((secret, None));
    }
    let secret = generate()?;
    let path = folder.join(name.as_str());
    ensure!(
        path.parent()
            .is_some_and(|above| private_folder(above).is_ok()),
        "cannot create the folder of {}",
        path.display()
    );
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options.open(&path).and_then(|mut file| {
        file.write_all(secret.expose())
            .and_then(|()| file.sync_all())
    });
    if let Err(error) = written {
        bail!("cannot write the key to {}: {error}", path.display());
    }
    Ok((secret, Some(format!("file {}", path.display()))))
}

fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}
