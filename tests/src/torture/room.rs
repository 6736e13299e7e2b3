//! A file system with little room, mounted for one job.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A tmpfs.
#[derive(Debug)]
pub struct Room {
    folder: PathBuf,
}

impl Room {
    /// Mounts one over a folder, with room for all. None if this process may not.
    pub fn over(folder: &Path) -> Option<Room> {
        let mounted = call(
            "mount",
            &["-t", "tmpfs", "-o", "size=1g,mode=0755", "glovebox"],
            folder,
        );
        mounted.then(|| Room {
            folder: folder.to_owned(),
        })
    }

    /// Leaves so many bytes beside what is used.
    pub fn leave(&self, bytes: u64) -> bool {
        let Ok(found) = rustix::fs::statvfs(&self.folder) else {
            return false;
        };
        let used = (found.f_blocks - found.f_bfree) * found.f_frsize;
        let size = format!("remount,size={}", used + bytes);
        call("mount", &["-o", &size], &self.folder)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // Lazily: a server may still be closing its files.
        call("umount", &["--lazy"], &self.folder);
    }
}

fn call(program: &str, arguments: &[&str], folder: &Path) -> bool {
    Command::new(program)
        .args(arguments)
        .arg(folder)
        .output()
        .is_ok_and(|output| output.status.success())
}
