//! Tokens back to their cells, by two officers, who may sit at different machines: the first one makes a share
//! of the tokens by their private key, sealed to the second one, who opens the tokens by it and by their own.
//! Nothing is needed of the key that made the tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use glovebox_audit::{Action, Event, Outcome};
use glovebox_core::{Refusal, Secret, StoredToken, Token, TokenStore};
use glovebox_engine::{Toolbox, arm};
use glovebox_files::bounded;
use glovebox_manifest::Manifest;
use glovebox_manifest::model::{Step, Tokens};
use glovebox_masking::methods::{Officer, Random, SealContext, Sealer, open};
use serde::{Deserialize, Serialize};

use super::super::manifest::Text;
use super::super::{Exit, say};
use super::{Args, given};
use crate::compose::Composed;

/// The largest share that is read, in bytes.
const MAX_SHARE_SIZE: u64 = 256 << 20;
/// What public keys begin with.
const RECIPIENT: &str = "x25519:";

/// The step that makes tokens of a column, if no other one masks it by a key: then no plugin has to be asked.
pub(in crate::cli) fn only_step<'m>(
    manifest: &'m Manifest,
    column: &str,
    named: Option<&str>,
) -> Option<&'m Step> {
    let masks = |step: &&Step| {
        !step.keys.is_empty()
            && step.masks.iter().any(|mask| mask.value == column)
            && named.is_none_or(|name| step.name.value == name)
    };
    let mut steps = manifest.steps.iter().filter(masks);
    let step = steps.next().filter(|step| step.tokens.is_some())?;
    steps.next().is_none().then_some(step)
}

pub(super) fn reveal(
    args: &Args,
    composed: &Composed,
    (text, manifest): (&Text, &Manifest),
    step: &Step,
) -> anyhow::Result<Exit> {
    let tokens = step.tokens.as_ref().context("the step has no `tokens:`")?;
    let Some(name) = &args.private_key else {
        say::error(
            "two officers open tokens together: the first one with --private-key SECRET --make-share FILE, \
            the second one with --private-key SECRET --use-share FILE",
        );
        return Ok(Exit::Usage);
    };
    let stores = manifest.credentials.iter().map(|s| s.value.clone());
    let private = composed.secret(&stores.collect::<Vec<_>>(), name)?;
    let mut officer = Officer::new(private.expose())?;
    let mut sink = match arm::sink(manifest, composed) {
        Ok(sink) => sink,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let mut store = sink.token_store().context("the sink cannot keep tokens")?;
    let domain = step.domain_of(&args.column);
    match (&args.make_share, &args.use_share) {
        (Some(path), _) => {
            let context = to_the_other(&officer, tokens)?;
            let share = Sharing {
                args,
                manifest,
                domain,
            };
            share.make(&mut *store, &mut officer, context, path)
        }
        (None, Some(path)) => {
            let share = Share::read(path)?;
            ensure!(
                share.domain == domain,
                "the share is of another domain than this column's"
            );
            let cells = opened(&share, &mut *store, &mut officer)?;
            given(args, manifest, name.as_str(), &cells)
        }
        (None, None) => {
            say::error(
                "two officers open tokens together: add --make-share FILE if you are the first one, \
                --use-share FILE with the file of the first one if you are the second",
            );
            Ok(Exit::Usage)
        }
    }
}

/// Seals to the officer whose private key this is not.
fn to_the_other(officer: &Officer, tokens: &Tokens) -> anyhow::Result<SealContext> {
    let mut others = Vec::new();
    for key in &tokens.terms.officers {
        let digits = key.strip_prefix(RECIPIENT).unwrap_or(key);
        let sealer = Sealer::new(digits.as_bytes())?;
        if sealer.public_key() != officer.public_key() {
            others.push(sealer);
        }
    }
    match others.as_slice() {
        [other] => Ok(other.context(&mut Random::new()?)?),
        _ => Err(anyhow!(
            "--private-key is the key of neither officer in the step's `tokens:`; tokens keep the officers that \
            they were made for, so use the manifest of that time"
        )),
    }
}

/// Why a token is not opened.
#[derive(Clone, Copy)]
enum Why {
    NoToken,
    Unknown,
    Expired,
    UsedUp,
    Closed,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::NoToken => "is not a token",
            Why::Unknown => "is not kept here: altered, erased, or of another domain",
            Why::Expired => "has expired",
            Why::UsedUp => "was opened as often as it may be",
            Why::Closed => "does not open: another officer's key, or altered",
        })
    }
}

/// What stands against a token, before it is opened.
fn usable(found: &StoredToken) -> Result<&StoredToken, Why> {
    match found {
        StoredToken { expired: true, .. } => Err(Why::Expired),
        StoredToken { used_up: true, .. } => Err(Why::UsedUp),
        found => Ok(found),
    }
}

/// The tokens of a share, opened by both halves of their keys, each counted as used.
fn opened(
    share: &Share,
    store: &mut dyn TokenStore,
    officer: &mut Officer,
) -> anyhow::Result<Vec<Result<Secret, Why>>> {
    let domain = &share.domain;
    let half = |shared: &Shared| {
        let token = Token::parse(&shared.token)?;
        Some((token, URL_SAFE.decode(&shared.half).unwrap_or_default()))
    };
    let halves: BTreeMap<Token, Vec<u8>> = share.tokens.iter().filter_map(half).collect();
    let tokens: Vec<Token> = halves.keys().copied().collect();
    let mut cells = BTreeMap::new();
    store.open(domain, &tokens, &mut |found| {
        cells.clear();
        for stored in found {
            let cell = usable(stored).and_then(|stored| {
                let half = halves.get(&stored.token).ok_or(Why::Closed)?;
                cell(domain, stored, half, officer).map_err(|_| Why::Closed)
            });
            cells.insert(stored.token, cell);
        }
        let opened = cells.iter().filter(|(_, cell)| cell.is_ok());
        opened.map(|(token, _)| *token).collect()
    })?;
    let cell = |token| cells.get(&token).cloned().unwrap_or(Err(Why::Unknown));
    let each = share.tokens.iter();
    Ok(each
        .map(|shared| Token::parse(&shared.token).map_or(Err(Why::NoToken), cell))
        .collect())
}

/// A share to be made.
struct Sharing<'a> {
    args: &'a Args,
    manifest: &'a Manifest,
    domain: &'a str,
}

impl Sharing<'_> {
    fn make(
        &self,
        store: &mut dyn TokenStore,
        officer: &mut Officer,
        mut context: SealContext,
        path: &Path,
    ) -> anyhow::Result<Exit> {
        let values = self.args.asked.lines()?;
        let lines: Vec<Option<Token>> = values.lines().map(Token::parse).collect();
        let tokens: BTreeSet<Token> = lines.iter().flatten().copied().collect();
        let tokens: Vec<Token> = tokens.into_iter().collect();
        let mut halves = BTreeMap::new();
        store.open(self.domain, &tokens, &mut |found| {
            for stored in found {
                let half = usable(stored).and_then(|stored| {
                    let half = officer.half(self.domain, stored).map_err(|_| Why::Closed)?;
                    let mut sealed = Vec::new();
                    half.share(&mut context, self.domain, stored.token, &mut sealed)
                        .map_err(|_| Why::Closed)?;
                    Ok(sealed)
                });
                halves.insert(stored.token, half);
            }
            Vec::new()
        })?;
        let mut share = Share {
            version: VERSION,
            domain: self.domain.to_owned(),
            tokens: Vec::new(),
        };
        let mut refused = Vec::new();
        for (line, token) in lines.iter().enumerate() {
            match token.map(|token| (token, halves.get(&token))) {
                Some((token, Some(Ok(half)))) => share.tokens.push(Shared {
                    token: token.to_string(),
                    half: URL_SAFE.encode(half),
                }),
                Some((_, Some(Err(why)))) => {
                    refused.push(format!("line {}: the value {why}", line + 1))
                }
                Some((_, None)) => {
                    refused.push(format!("line {}: the value {}", line + 1, Why::Unknown))
                }
                None => refused.push(format!("line {}: the value {}", line + 1, Why::NoToken)),
            }
        }
        let outcome = match share.tokens.is_empty() {
            true => Outcome::Failure,
            false => Outcome::Success,
        };
        let key = self
            .args
            .private_key
            .as_ref()
            .map_or("", |name| name.as_str());
        let event = Event::new(Action::TokensShared, outcome)
            .pipeline(&self.manifest.name)
            .columns([self.args.column.as_str()])
            .key(key)
            .rows(share.tokens.len() as u64)
            .count(lines.len() as u64);
        self.args.asked.record(event)?;
        if !share.tokens.is_empty() {
            share.write(path)?;
        }
        for problem in &refused {
            say::error(problem);
        }
        Ok(match refused.is_empty() {
            true => Exit::Done,
            false => Exit::TooManyRejects,
        })
    }
}

/// The version of the file.
const VERSION: u32 = 1;

/// What the first officer hands to the second: of each token their half of its key, sealed to the second.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Share {
    version: u32,
    domain: String,
    tokens: Vec<Shared>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shared {
    token: String,
    half: String,
}

impl Share {
    /// Says no more of a file that is none than that.
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = bounded::read_text(path, MAX_SHARE_SIZE)
            .with_context(|| format!("cannot read the share {}", path.display()))?;
        let share = serde_json::from_str(&text).ok();
        share
            .filter(|share: &Share| share.version == VERSION)
            .with_context(|| {
                format!(
                    "{} is not a share as --make-share writes it",
                    path.display()
                )
            })
    }

    fn write(&self, path: &Path) -> anyhow::Result<()> {
        let problem = || {
            format!(
                "cannot create the share {}; name a new file",
                path.display()
            )
        };
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(problem)?;
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        Ok(())
    }
}

/// The cell of a token, by the other officer's half of its key, sealed, and the officer's own.
fn cell(
    domain: &str,
    stored: &StoredToken,
    sealed: &[u8],
    officer: &mut Officer,
) -> Result<Secret, Refusal> {
    let theirs = officer.shared(domain, stored.token, sealed)?;
    open(stored, &[officer.half(domain, stored)?, theirs])
}
