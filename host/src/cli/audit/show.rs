//! `glovebox audit show`: records for people. A filter that no record can match is an error;
//! otherwise it would look as if nothing had happened.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use anyhow::ensure;
use glovebox_audit as audit;
use glovebox_audit::{Entry, Outcome, Wanted, When};
use glovebox_core::shown::printable;
use glovebox_manifest::closest;

use crate::cli::Exit;

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The log's folder
    folder: PathBuf,
    /// Only what this user did
    #[arg(long, value_name = "NAME", value_parser = user)]
    user: Option<String>,
    /// Only this action, such as `login` or `data-read`
    #[arg(long, value_name = "NAME", value_parser = action)]
    action: Option<audit::Action>,
    /// Only `success`, `failure` or `unknown`
    #[arg(long, value_name = "WORD", value_parser = outcome)]
    outcome: Option<Outcome>,
    /// Only from then on: a date or time in UTC (2026-11-22, 2026-11-22T10:30), RFC 3339, or an age
    /// (2h, 7d)
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    since: Option<When>,
    /// Only before then
    #[arg(long, value_name = "TIME", value_parser = When::parse)]
    until: Option<When>,
    /// Print the records exactly as in the log
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let wanted = Wanted {
            user: self.user.clone(),
            action: self.action,
            outcome: self.outcome,
            since: self.since,
            until: self.until,
        };
        if let (Some(since), Some(until)) = (self.since, self.until) {
            ensure!(
                since < until,
                "no record can be after --since and before --until: --until is earlier"
            );
        }
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        let shown = glovebox_audit::show(&self.folder, &wanted, &mut |entry, line| {
            if self.json {
                out.write_all(line)?;
                writeln!(out)
            } else {
                writeln!(out, "{}", words(entry))
            }
        });
        let shown = match shown.map(|shown| (shown, out.flush())) {
            // Whoever closed standard output has seen enough.
            Ok((_, Err(e))) if e.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Exit::Done),
            Ok((shown, flushed)) => flushed.map(|()| shown)?,
            Err(error) => return Err(error.into()),
        };
        if shown.unread > 0 {
            eprintln!(
                "note: {} lines are not records; `glovebox audit verify` says which",
                shown.unread
            );
        }
        if shown.wanted == 0 {
            eprintln!("note: none of the {} records matches", shown.records);
            self.nobody(&shown.users);
        }
        Ok(Exit::Done)
    }

    /// What is said when a user was asked for who did nothing.
    fn nobody(&self, users: &BTreeSet<String>) {
        let Some(user) = self.user.as_ref().filter(|user| !users.contains(*user)) else {
            return;
        };
        match closest(user, users.iter().map(String::as_str)) {
            Some(near) => eprintln!(
                "note: no record is about a user of that name; did you mean `{}`?",
                printable(near)
            ),
            None => eprintln!("note: no record is about a user of that name"),
        }
    }
}

/// A word that every record has one of.
fn action(text: &str) -> Result<audit::Action, String> {
    audit::Action::parse(text).ok_or_else(|| {
        let words = audit::Action::ALL.iter().map(|a| a.as_str());
        match closest(text, words.clone()) {
            Some(near) => format!("there is no such action; did you mean `{near}`?"),
            None => {
                let words: Vec<&str> = words.collect();
                format!(
                    "there is no such action; the actions are: {}",
                    words.join(", ")
                )
            }
        }
    })
}

fn outcome(text: &str) -> Result<Outcome, String> {
    Outcome::parse(text).ok_or_else(|| {
        let words = Outcome::ALL.map(Outcome::as_str);
        match closest(text, words.into_iter()) {
            Some(near) => format!("there is no such outcome; did you mean `{near}`?"),
            None => format!(
                "there is no such outcome; the outcomes are: {}",
                words.join(", ")
            ),
        }
    })
}

/// A name that a record can have.
fn user(text: &str) -> Result<String, String> {
    let long = text.chars().count() > 256;
    if text.is_empty() || long || text.trim() != text || text.chars().any(char::is_control) {
        return Err("this is not a valid user name".into());
    }
    Ok(text.to_owned())
}
fn words(entry: &Entry) -> String {
    let mut words = format!(
        "{} {:>6} {} {}",
        entry.time, entry.sequence, entry.action, entry.outcome
    );
    let mut add = |name: &str, value: &str| {
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
    if let Some(file) = &entry.file {
        add("file", &format!("{}/{}", file.directory, file.name));
        let digests = [("sha256", &file.sha256), ("hmac-sha256", &file.hmac)];
        for (name, digest) in digests {
            if let Some(digest) = digest {
                add(name, digest);
            }
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
