//! Locks a path, so that only one run at a time writes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// Bytes of a file's name that go into its lock's and its staged file's, which may have 255.
pub(crate) const NAME_BYTES: usize = 200;
/// Bytes of a lock that are read.
const NOTE_BYTES: usize = 256;
/// How often a lock is opened that its holder removes at that moment.
const ATTEMPTS: usize = 16;
/// The longest name of a machine, of RFC 1035.
const MAX_HOST_LEN: usize = 253;

/// A file that this process alone may put in its place. It is held by a lock on a file beside it,
/// `.NAME.glovebox-lock`, which the system lets go of when the process dies, however that happens.
///
/// Over NFS it holds between machines if the mount has locks (not with `nolock` or
/// `local_lock=flock`).
#[derive(Debug)]
pub struct Claim {
    target: PathBuf,
    lock: PathBuf,
    file: File,
}

impl Claim {
    /// Claims a file that is there or is to be made.
    ///
    /// # Errors
    /// When another run has it, with what is known of that run; and when no file can be there.
    pub fn take(target: &Path) -> io::Result<Claim> {
        let target = resolve(target)?;
        let lock = lock_of(&target);
        for _ in 0..ATTEMPTS {
            let file = open(&lock)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(taken(&file)),
                Err(TryLockError::Error(e)) => {
                    let problem = format!(
                        "its file system has no locks, so another run could write it at the same \
                        time; use a file on another file system ({e})"
                    );
                    return Err(io::Error::new(e.kind(), problem));
                }
            }
            // Who held it may have removed it between our opening and our locking.
            if is_at(&file, &lock) {
                // Only for people: without it the other run is refused all the same.
                let _ = file
                    .set_len(0)
                    .and_then(|()| file.write_all_at(note().as_bytes(), 0));
                return Ok(Claim { target, lock, file });
            }
        }
        Err(held_by("another run"))
    }

    /// The file, with every link followed.
    pub fn target(&self) -> &Path {
        &self.target
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Whoever has it open finds that it is gone, and makes another.
        if is_at(&self.file, &self.lock) {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// Follows links, so that a link stays one and what it names is replaced.
///
/// # Errors
/// When what is there is no file, or nothing can be there.
pub fn resolve(target: &Path) -> io::Result<PathBuf> {
    let refuse = |kind, problem: String| Err(io::Error::new(kind, problem));
    match fs::metadata(target) {
        Ok(existing) if existing.is_file() => fs::canonicalize(target),
        Ok(existing) if existing.is_dir() => refuse(
            io::ErrorKind::IsADirectory,
            "it is a folder; name a file in it".into(),
        ),
        Ok(_) => refuse(
            io::ErrorKind::InvalidInput,
            "it is not a regular file and cannot be replaced; name a file".into(),
        ),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let folder = folder(target);
            if !folder.is_dir() {
                let problem = format!("there is no folder {}; create it first", folder.display());
                return refuse(io::ErrorKind::NotFound, problem);
            }
            if fs::symlink_metadata(target).is_ok() {
                let problem = "it is a link to a file that does not exist; create that file, or \
                              name it directly";
                return refuse(io::ErrorKind::NotFound, problem.into());
            }
            Ok(target.to_owned())
        }
        Err(e) => Err(e),
    }
}

/// The folder that a file is in.
pub fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn lock_of(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().as_bytes();
    let mut lock = b".".to_vec();
    // Of two long names with one beginning, one waits for the other.
    lock.extend(name.iter().take(NAME_BYTES));
    lock.extend(b".glovebox-lock");
    folder(target).join(std::ffi::OsString::from_vec(lock))
}

/// Opens a lock, or makes it; never through a link, which might lead to somebody's data.
fn open(lock: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    options.read(true).custom_flags(no_follow);
    let opened = options.clone().write(true).create(true).open(lock);
    let file = match opened {
        // Left by another user whose run was killed: it can be locked all the same.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied && lock.exists() => {
            options.open(lock)
        }
        opened => opened,
    }?;
    let found = file.metadata()?;
    if !found.is_file() || found.nlink() > 1 {
        let problem = format!(
            "{} is not a lock file of Glovebox; remove it",
            lock.display()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    Ok(file)
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

/// Who holds it, for people.
fn note() -> String {
    format!("{} {} {}\n", std::process::id(), seconds(), this_host())
}

fn this_host() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host.trim().to_owned()
}

/// Whether there is a process of that number, whoever's it is.
fn is_there(process: u32) -> bool {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) != Err(Errno::SRCH))
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// Who holds a place, by the note on its lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub process: u32,
    /// The machine it runs on, where that is known.
    pub host: Option<String>,
    /// Since when, in seconds since 1970.
    pub since: Option<u64>,
}

impl Holder {
    /// Who a file's lock says it is written by; none if there is no lock. Takes no lock itself,
    /// which would turn away a run that begins at that moment.
    ///
    /// # Errors
    /// When the lock cannot be read.
    pub fn of(target: &Path) -> io::Result<Option<Holder>> {
        let target = resolve(target)?;
        match File::open(lock_of(&target)) {
            Ok(lock) => Ok(Holder::read(&lock)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether the process is there; one on another machine is taken to be.
    pub fn lives(&self) -> bool {
        let elsewhere = self.host.as_deref().is_some_and(|host| host != this_host());
        elsewhere || is_there(self.process)
    }

    /// What the note says, where it has the form of ours.
    fn read(file: &File) -> Option<Holder> {
        let mut bytes = [0; NOTE_BYTES];
        let read = file.read_at(&mut bytes, 0).unwrap_or(0);
        let text = std::str::from_utf8(bytes.get(..read)?).ok()?;
        let mut parts = text.trim_end_matches('\n').split(' ');
        let process = parts.next()?.parse().ok()?;
        let since = parts.next().and_then(|p| p.parse().ok());
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let host = parts
            .next()
            .filter(|h| !h.is_empty() && h.len() <= MAX_HOST_LEN && h.chars().all(plain));
        Some(Holder {
            process,
            host: host.map(str::to_owned),
            since,
        })
    }
}

/// The refusal of a second run.
fn taken(file: &File) -> io::Error {
    let Some(holder) = Holder::read(file) else {
        return held_by("another run");
    };
    let mut who = format!("another run, process {}", holder.process);
    if let Some(host) = &holder.host {
        who.push_str(&format!(" on {host}"));
    }
    if let Some(since) = holder.since {
        let ago = seconds().saturating_sub(since);
        who.push_str(&match ago {
            0..120 => format!(", for {ago} s"),
            120..7200 => format!(", for {} min", ago / 60),
            _ => format!(", for {} h", ago / 3600),
        });
    }
    held_by(&who)
}

fn held_by(who: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        format!("{who}, is writing it; let it finish, or name another file"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_second_claim_is_refused_by_name_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.csv");
        let first = Claim::take(&target).unwrap();
        assert_eq!(names(folder.path()), [".out.csv.glovebox-lock"]);
        let refused = Claim::take(&target).unwrap_err().to_string();
        let process = format!("another run, process {}", std::process::id());
        assert!(refused.starts_with(&process), "{refused}");
        assert!(refused.contains(" s, is writing it; "), "{refused}");
        let holder = Holder::of(&target).unwrap().unwrap();
        assert_eq!(holder.process, std::process::id());
        assert!(holder.lives());
        drop(first);
        assert!(names(folder.path()).is_empty());
        assert_eq!(Holder::of(&target).unwrap(), None);
        drop(Claim::take(&target).unwrap());
    }

    #[test]
    fn a_file_and_a_link_to_it_are_one_place() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let _first = Claim::take(&link).unwrap();
        assert!(Claim::take(&real).is_err());
        let nowhere = folder.path().join("nowhere");
        std::os::unix::fs::symlink(folder.path().join("gone"), &nowhere).unwrap();
        let refused = Claim::take(&nowhere).unwrap_err().to_string();
        assert!(
            refused.contains("a link to a file that does not exist"),
            "{refused}"
        );
    }

    #[test]
    fn what_a_killed_run_left_is_taken_and_a_foreign_note_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.csv");
        let lock = lock_of(&target);
        for note in ["99 5 elsewhere\n", "", "\u{1b}[31mred", "99 5 \u{1b}]0;x"] {
            fs::write(&lock, note).unwrap();
            let held = File::open(&lock).unwrap();
            held.try_lock().unwrap();
            let refused = Claim::take(&target).unwrap_err().to_string();
            assert!(refused.contains("is writing it"), "{refused}");
            assert!(!refused.contains('\u{1b}'), "{refused}");
            drop(held);
            drop(Claim::take(&target).unwrap());
            assert!(!lock.exists());
        }
    }

    #[test]
    fn a_lock_is_never_written_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.csv");
        let data = folder.path().join("data");
        fs::write(&data, "precious").unwrap();
        std::os::unix::fs::symlink(&data, lock_of(&target)).unwrap();
        assert!(Claim::take(&target).is_err());
        fs::remove_file(lock_of(&target)).unwrap();
        fs::hard_link(&data, lock_of(&target)).unwrap();
        assert!(Claim::take(&target).is_err());
        assert_eq!(fs::read_to_string(&data).unwrap(), "precious");
    }

    #[test]
    fn of_many_at_once_one_has_it_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.csv");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        let won = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    use std::sync::atomic::Ordering::SeqCst;
                    for _ in 0..200 {
                        let Ok(claim) = Claim::take(&target) else {
                            continue;
                        };
                        assert_eq!(inside.fetch_add(1, SeqCst), 0);
                        won.fetch_add(1, SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, SeqCst);
                        drop(claim);
                    }
                });
            }
        });
        assert!(won.into_inner() > 1);
        assert!(names(folder.path()).is_empty());
    }
}
