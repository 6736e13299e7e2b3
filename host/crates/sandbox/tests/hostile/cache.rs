//! The cache of compiled components: an entry that may not be trusted is compiled anew.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use glovebox_core::Limits;
use glovebox_sandbox::Sandbox;
use tempfile::TempDir;

use crate::room::guest;

fn load(folder: &Path, name: &str) {
    let sandbox = Sandbox::new(Some(folder.to_owned())).unwrap();
    sandbox
        .load(name, &guest(name), &Limits::default())
        .unwrap();
}

/// Entries are written to a fresh file and renamed: the inode says whether one was written anew.
fn inode(file: &Path) -> u64 {
    fs::metadata(file).unwrap().ino()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.file_name().unwrap() != "key")
        .collect();
    found.sort();
    found
}

/// A cache with one compiled guest in it.
fn filled() -> (TempDir, PathBuf, PathBuf) {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("cache");
    load(&folder, "is_honest");
    let [entry] = &entries(&folder)[..] else {
        panic!("one entry");
    };
    (parent, folder.clone(), entry.clone())
}

/// Asserts that the entry, after what was done to it, is compiled anew and good again.
#[track_caller]
fn is_compiled_anew(spoil: impl FnOnce(&Path, &Path)) {
    let (_parent, folder, entry) = filled();
    let good = fs::read(&entry).unwrap();
    spoil(&folder, &entry);
    // Held open, so that its inode is not given to another file.
    let spoiled = fs::File::open(&entry).unwrap();
    let before = spoiled.metadata().unwrap().ino();
    load(&folder, "is_honest");
    assert_ne!(inode(&entry), before, "a bad entry was used");
    assert_eq!(fs::read(&entry).unwrap().len(), good.len());
    let settled = inode(&entry);
    load(&folder, "is_honest");
    assert_eq!(inode(&entry), settled, "a good entry was not used");
}

#[test]
fn the_second_load_comes_from_the_cache() {
    let (_parent, folder, entry) = filled();
    let before = inode(&entry);
    load(&folder, "is_honest");
    assert_eq!(inode(&entry), before);
    assert_eq!(entries(&folder), [entry]);
}

#[test]
fn a_flipped_bit_is_seen_wherever_it_is() {
    for share in [0, 1, 2, 3] {
        is_compiled_anew(|_, entry| {
            let mut bytes = fs::read(entry).unwrap();
            let place = (bytes.len() - 1) * share / 3;
            bytes[place] ^= 1;
            fs::write(entry, bytes).unwrap();
        });
    }
}

#[test]
fn an_entry_cut_short_is_seen() {
    for length in [0, 31, 32, 5_000] {
        is_compiled_anew(|_, entry| {
            let bytes = fs::read(entry).unwrap();
            fs::write(entry, &bytes[..length]).unwrap();
        });
    }
}

#[test]
fn an_entry_that_others_may_write_is_not_trusted() {
    for mode in [0o666, 0o620, 0o602] {
        is_compiled_anew(|_, entry| {
            fs::set_permissions(entry, fs::Permissions::from_mode(mode)).unwrap();
        });
    }
}

#[test]
fn an_entry_of_another_plugin_is_not_taken() {
    is_compiled_anew(|folder, entry| {
        load(folder, "panics");
        let other = entries(folder).into_iter().find(|e| e != entry).unwrap();
        fs::remove_file(entry).unwrap();
        fs::rename(other, entry).unwrap();
    });
}

#[test]
fn entries_without_their_key_are_compiled_anew() {
    is_compiled_anew(|folder, _| fs::remove_file(folder.join("key")).unwrap());
}

#[test]
fn entries_and_key_are_for_their_owner_only() {
    let (_parent, folder, entry) = filled();
    for file in [&entry, &folder.join("key")] {
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn a_folder_that_others_may_write_is_not_used() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("cache");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    load(&folder, "is_honest");
    assert!(entries(&folder).is_empty());
    assert!(!folder.join("key").exists());
}

#[test]
fn a_key_that_others_may_write_or_that_is_cut_short_is_not_used() {
    for spoil in [
        |key: &Path| fs::set_permissions(key, fs::Permissions::from_mode(0o666)).unwrap(),
        |key: &Path| fs::write(key, "short").unwrap(),
    ] {
        let (_parent, folder, entry) = filled();
        spoil(&folder.join("key"));
        let before = inode(&entry);
        load(&folder, "is_honest");
        assert_eq!(inode(&entry), before, "an entry was written");
    }
}
