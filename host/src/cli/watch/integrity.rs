//! Files of a pipeline that appear, change or go, written down in the audit log: its data, plugins and
//! manifests, by name and digest.
//!
//! What was there before is read from the log itself, so that what happens while nobody watches is
//! recorded at the next start. A file's name is the only text in a record that a stranger chose.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use glovebox_audit::{self as audit, Action, Event, Log, Options, Outcome, Wanted, WatchedFile};
use glovebox_core::shown::is_invisible;
use glovebox_core::{Secret, hex};
use glovebox_files::folder;
use glovebox_manifest::Manifest;
use glovebox_manifest::model::PluginRef;
use glovebox_watch::{Change, Settling, Version};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::args::Args;
use super::folders::Folders;
use super::looks::Looks;
use crate::cli::caller::caller;

/// How long a manifest or a plugin must not have changed before it is digested.
const CODE_QUIET: Duration = Duration::from_secs(1);
/// The most characters of a name in a record; a longer one ends with a digest of all of it.
const MAX_NAME_LEN: usize = 200;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// What a file is to a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Data,
    Plugin,
    Manifest,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Data => "data",
            Role::Plugin => "plugin",
            Role::Manifest => "manifest",
        }
    }

    /// Whether a file in the folder of manifests or plugins is one, by the ending of its name.
    fn has(self, file: &Path) -> bool {
        let endings: &[&str] = match self {
            Role::Data => &[],
            Role::Plugin => &["wasm", "minisig"],
            Role::Manifest => &["yaml", "yml"],
        };
        let ending = file.extension().unwrap_or_default();
        endings.iter().any(|e| ending.eq_ignore_ascii_case(e))
    }
}

/// Folders of manifests and plugins, and of which of them.
type Code = BTreeMap<PathBuf, Vec<Role>>;

/// A file's folder and name, as records have them.
type Place = (String, String);

/// Watches a pipeline's files.
pub(super) struct Integrity {
    log: Log,
    key: Secret,
    data: Folders,
    /// Folders of manifests and plugins.
    code: Code,
    looks: Looks,
    of_data: Settling,
    of_code: Settling,
    /// What the log says of files that are there.
    known: BTreeMap<Place, WatchedFile>,
    /// What was there when it began.
    at_start: BTreeMap<PathBuf, Version>,
}

/// All files at one look.
#[derive(Default)]
struct Found {
    files: BTreeMap<PathBuf, (Version, Role)>,
    /// Folders that were looked through; of another nobody knows what is gone.
    folders: BTreeSet<String>,
}

impl Integrity {
    /// Opens the log in that folder and reads what it knows.
    ///
    /// # Errors
    /// When the log cannot be written or read.
    pub(super) fn open(
        audit: &Path,
        key: Secret,
        manifest: &Manifest,
        data: Folders,
        args: &Args,
    ) -> anyhow::Result<Self> {
        let log = Log::open(Options::new(audit))?;
        let code = code_of(manifest);
        let looks = Looks::new(args, &folders(&data, &code));
        let found = found(&data, &code);
        let there = found.files.iter();
        let mut integrity = Integrity {
            known: known(audit)?,
            log,
            key,
            data,
            code,
            looks,
            of_data: Settling::new(args.quiet),
            of_code: Settling::new(CODE_QUIET),
            at_start: there
                .map(|(path, (version, _))| (path.clone(), *version))
                .collect(),
        };
        integrity.gone(&found, true)?;
        Ok(integrity)
    }

    /// Until it is to stop.
    ///
    /// # Errors
    /// When the log takes no more.
    pub(super) fn watch(mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        while !stop.load(Ordering::Relaxed) {
            if self.looks.is_due() {
                self.look()?;
            }
            self.looks.wait(None, stop);
        }
        Ok(self.log.close()?)
    }

    fn look(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        // What cannot be watched, the runs' own look says.
        let (renamed, _) = self.looks.begin(&folders(&self.data, &self.code));
        let found = found(&self.data, &self.code);
        let of = |is: fn(Role) -> bool| {
            let files = found.files.iter().filter(|(_, (_, role))| is(*role));
            files
                .map(|(path, (version, _))| (path.clone(), *version))
                .collect()
        };
        let (data, code) = (of(|role| role == Role::Data), of(|role| role != Role::Data));
        let mut changes = self.of_data.observe(data, |path| renamed.has(path), began);
        changes.extend(self.of_code.observe(code, |path| renamed.has(path), began));
        for change in changes {
            if let Change::Whole { path, version, .. } = change
                && let Some((_, role)) = found.files.get(&path)
            {
                self.whole(&path, version, *role)?;
            }
        }
        self.gone(&found, false)?;
        let settles = [self.of_data.next(), self.of_code.next()];
        self.looks.end(began, settles.into_iter().flatten().min());
        Ok(())
    }

    /// Records a file that is whole, unless the log knows it so.
    fn whole(&mut self, path: &Path, version: Version, role: Role) -> anyhow::Result<()> {
        let place = place(path);
        let known = self.known.get(&place);
        let name = Some(version.name());
        // Data may be much, and no program can change a file and leave its version as it was.
        if role == Role::Data && known.is_some_and(|known| known.version == name) {
            return Ok(());
        }
        // Of a file that nobody may read it is recorded all the same that it is there.
        let digest = self.digest(path, role).ok();
        if Version::of(path).ok().flatten() != Some(version) {
            // Another one came while it was read, and is told when that is whole.
            return Ok(());
        }
        let is_data = role == Role::Data;
        let file = WatchedFile {
            role: role.name().into(),
            directory: place.0.clone(),
            name: place.1.clone(),
            size: Some(version.size()),
            sha256: digest.clone().filter(|_| !is_data),
            hmac: digest.filter(|_| is_data),
            version: name,
        };
        let action = match known {
            None => Some(Action::FileCreated),
            Some(known) if (&known.sha256, &known.hmac) == (&file.sha256, &file.hmac) => None,
            Some(_) => Some(Action::FileChanged),
        };
        if let Some(action) = action {
            let at_start = self.at_start.get(path) == Some(&version);
            self.record(action, file.clone(), at_start)?;
        }
        self.known.insert(place, file);
        Ok(())
    }

    /// Records the files that the log knows and that are not there.
    fn gone(&mut self, found: &Found, at_start: bool) -> anyhow::Result<()> {
        let there: BTreeSet<Place> = found.files.keys().map(|path| place(path)).collect();
        let is_gone = |place: &&Place| found.folders.contains(&place.0) && !there.contains(*place);
        let gone: Vec<Place> = self.known.keys().filter(is_gone).cloned().collect();
        for place in gone {
            if let Some(file) = self.known.remove(&place) {
                self.record(Action::FileDeleted, file, at_start)?;
            }
        }
        Ok(())
    }

    fn record(&self, action: Action, file: WatchedFile, at_start: bool) -> anyhow::Result<()> {
        let event = Event::new(action, Outcome::Success)
            .user("command line")
            .user_id(&caller())
            .reason(at_start.then_some("at-start"))
            .file(file);
        self.log.record_blocking(event)?;
        Ok(())
    }

    /// The digest of a file: of data under the key, since whoever has most of a small file would find
    /// the rest by trying.
    fn digest(&self, path: &Path, role: Role) -> io::Result<String> {
        let mut file = File::open(path)?;
        if role == Role::Data {
            // HMAC takes a key of any length.
            let keyed = Hmac::<Sha256>::new_from_slice(self.key.expose());
            let mut hmac = keyed.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            pieces(&mut file, |piece| hmac.update(piece))?;
            return Ok(hex(hmac.finalize().into_bytes()));
        }
        let mut hash = Sha256::new();
        pieces(&mut file, |piece| hash.update(piece))?;
        Ok(hex(hash.finalize()))
    }
}

fn pieces(file: &mut File, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            read => each(piece.get(..read).unwrap_or_default()),
        }
    }
}

/// The files that are there by the records of a log.
fn known(audit: &Path) -> anyhow::Result<BTreeMap<Place, WatchedFile>> {
    let mut known = BTreeMap::new();
    audit::show(audit, &Wanted::default(), &mut |entry, _| {
        if let Some(file) = &entry.file {
            let place = (file.directory.clone(), file.name.clone());
            match Action::parse(&entry.action) {
                Some(Action::FileCreated | Action::FileChanged) => {
                    known.insert(place, file.clone());
                }
                Some(Action::FileDeleted) => {
                    known.remove(&place);
                }
                _ => {}
            }
        }
        Ok(())
    })?;
    Ok(known)
}

fn folders(data: &Folders, code: &Code) -> BTreeSet<PathBuf> {
    let mut folders = data.watched();
    folders.extend(code.keys().cloned());
    folders
}

/// All files, as they are now.
fn found(data: &Folders, code: &Code) -> Found {
    let mut found = Found::default();
    let mut problems = BTreeMap::new();
    for (path, version) in data.files(&mut problems) {
        found.files.insert(path, (version, Role::Data));
    }
    let unread = |folder: &PathBuf| {
        problems.keys().any(|path| {
            path.is_dir() && std::path::absolute(path).is_ok_and(|path| path == *folder)
        })
    };
    let watched = data.watched();
    let read = watched.iter().filter(|folder| !unread(folder));
    found
        .folders
        .extend(read.map(|folder| escaped(folder.as_os_str())));
    for (folder, roles) in code {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => Some(entries),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => None,
            Err(_) => continue,
        };
        for path in entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
        {
            let role = roles.iter().find(|role| role.has(&path));
            if let (Some(role), Ok(Some(version))) = (role, Version::of(&path)) {
                found.files.insert(path, (version, *role));
            }
        }
        found.folders.insert(escaped(folder.as_os_str()));
    }
    found
}

/// The folders of a pipeline's manifest and plugins, from the root.
fn code_of(manifest: &Manifest) -> Code {
    let mut folders: BTreeMap<PathBuf, Vec<Role>> = BTreeMap::new();
    let mut add = |file: &Path, role: Role| {
        let Ok(folder) = std::path::absolute(folder(file)) else {
            return;
        };
        let roles = folders.entry(folder).or_default();
        if !roles.contains(&role) {
            roles.push(role);
        }
    };
    add(&manifest.file, Role::Manifest);
    for step in &manifest.steps {
        if let PluginRef::File { path, .. } = &step.plugin.value {
            add(path, Role::Plugin);
        }
    }
    folders
}

fn place(path: &Path) -> Place {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().unwrap_or_default();
    (escaped(folder(&path).as_os_str()), escaped(name))
}

/// A name in which nothing is hidden: what is not plain text stands there byte by byte, and two names
/// are not one.
fn escaped(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || is_invisible(c) || c == '\\' {
                let mut bytes = [0; 4];
                text.extend(c.encode_utf8(&mut bytes).bytes().map(byte));
            } else {
                text.push(c);
            }
        }
        text.extend(chunk.invalid().iter().copied().map(byte));
    }
    if text.chars().nth(MAX_NAME_LEN).is_none() {
        return text;
    }
    let start: String = text.chars().take(MAX_NAME_LEN).collect();
    let digest = hex(Sha256::digest(name.as_bytes()));
    format!("{start}…{}", digest.get(..16).unwrap_or_default())
}

fn byte(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_hides_nothing_and_is_no_other() {
        let name = |bytes: &[u8]| escaped(OsStr::from_bytes(bytes));
        assert_eq!(name("größe.csv".as_bytes()), "größe.csv");
        assert_eq!(name(b"a\x1b\x5d0;x\xff\n"), "a\\x1b]0;x\\xff\\x0a");
        assert_eq!(name(b"a\\x1b"), "a\\x5cx1b");
        assert_eq!(name("a\u{202e}b".as_bytes()), "a\\xe2\\x80\\xaeb");
        let long = |last: &str| name(format!("{}{last}", "x".repeat(254)).as_bytes());
        assert_eq!(long("a").chars().count(), MAX_NAME_LEN + 17);
        assert_ne!(long("a"), long("b"));
    }
}
