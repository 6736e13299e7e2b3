//! `glovebox rejects open`: the rows of a sealed file. The whole file is looked through before the audit
//! record is written, and the record is on the disk before a row is: of a file that is cut or altered
//! nothing is given away.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use glovebox_audit::{Action, Event, Outcome};
use glovebox_core::SecretName;
use glovebox_engine::{SealedFile, SealedTotals, Toolbox};
use glovebox_manifest::model::Store;
use glovebox_masking::Recipient;

use super::super::caller::{Reason, caller, record_in, secret_name};
use super::super::{Exit, say};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    /// The sealed file.
    file: PathBuf,
    /// The secret that holds a recipient's private key.
    #[arg(long, value_name = "SECRET", value_parser = secret_name)]
    key: SecretName,
    /// Look the key up in this folder of secret files instead of the keyring and the environment.
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,
    /// Why the rows are to be seen; recorded with who asked, and how many.
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
    /// The audit log's folder; begun if there is none.
    #[arg(long, value_name = "FOLDER")]
    audit: PathBuf,
    /// The file to write, which must not exist: a JSON object a line. `-` is standard output.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

impl Args {
    fn is_stdout(&self) -> bool {
        self.output == Path::new("-")
    }
}

pub(super) fn open(args: &Args) -> anyhow::Result<Exit> {
    if !args.is_stdout() && args.output.symlink_metadata().is_ok() {
        say::error(&format!(
            "{} exists; name a file that does not",
            args.output.display()
        ));
        return Ok(Exit::Usage);
    }
    let stores = match &args.files {
        Some(folder) => vec![Store::Files(folder.clone())],
        None => vec![Store::Keyring, Store::Env],
    };
    let private = Composed::new()?.secret(&stores, &args.key)?;
    let key = Recipient::new(&private)
        .map_err(|problem| anyhow::anyhow!("the secret `{}`: {problem}", args.key))?;
    let mut file = SealedFile::open(&args.file)?;
    let totals = match file.rows(&key, &mut |_| Ok(())) {
        Ok(totals) => totals,
        Err(problem) => {
            record(args, &file, Outcome::Failure, SealedTotals::default())?;
            return Err(problem.into());
        }
    };
    record(args, &file, Outcome::Success, totals)?;
    if args.is_stdout() {
        write(&mut file, &key, &mut io::stdout().lock())?;
        return Ok(Exit::Done);
    }
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600);
    let at = || format!("cannot write {}", args.output.display());
    let created = created.open(&args.output).with_context(at)?;
    let written =
        write(&mut file, &key, &mut &created).and_then(|()| created.sync_all().with_context(at));
    if let Err(problem) = written {
        // Some of the rows would be taken for all.
        let _ = fs::remove_file(&args.output);
        return Err(problem);
    }
    println!("{} rows in {}", totals.rows, args.output.display());
    Ok(Exit::Done)
}

fn write(file: &mut SealedFile, key: &Recipient, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut out = BufWriter::new(out);
    file.rows(key, &mut |rows| out.write_all(rows))?;
    out.flush().context("cannot write the opened rows")
}

/// On the disk, or nothing is shown.
fn record(
    args: &Args,
    file: &SealedFile,
    outcome: Outcome,
    totals: SealedTotals,
) -> anyhow::Result<()> {
    let event = Event::new(Action::RejectsOpened, outcome)
        .user("command line")
        .user_id(&caller())
        .pipeline(file.pipeline())
        .run(file.run())
        .key(args.key.as_str())
        .rows(totals.rows)
        .because(&args.reason.0);
    record_in(&args.audit, event)
}
