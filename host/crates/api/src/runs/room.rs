//! The room that finished runs have on the disk: when their files are more than `runs.keep-size`, the oldest ones' go.
//! What the catalog knows of a run, its report among it, stays until `runs.keep-for` is over.

use std::collections::HashMap;
use std::fs;
use std::io;

use super::Runs;
use super::files::Folder;

impl Runs {
    /// Deletes files of runs that are over, the oldest first, until the rest has room.
    pub(super) async fn keep_size(&self) {
        let Some(room) = self.config.keep_size else {
            return;
        };
        let ended = match self.catalog.ended_runs().await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(%error, "it is not known which runs' files may be deleted");
                return;
            }
        };
        let folder = self.config.folder.clone();
        let cleared = tokio::task::spawn_blocking(move || clear(Folder(&folder), &ended, room));
        match cleared.await {
            Ok(Ok((0, _))) => {}
            Ok(Ok((runs, bytes))) => {
                tracing::info!(
                    runs,
                    bytes,
                    "files of old runs were deleted, as `runs.keep-size` has it"
                );
            }
            Ok(Err(error)) => tracing::error!(%error, "the folder of runs cannot be read"),
            Err(error) => tracing::error!(%error, "files of old runs could not be deleted"),
        }
    }
}

/// Deletes the files of these runs, in this order, but for those that are needed, until all have at most so many
/// bytes. Of how many it did, and how many bytes they had.
fn clear(folder: Folder<'_>, ended: &[(String, bool)], room: u64) -> io::Result<(u64, u64)> {
    let sizes = sizes(folder)?;
    let of = |run: &String| sizes.get(run).copied().unwrap_or(0);
    let mut all: u64 = ended.iter().map(|(run, _)| of(run)).sum();
    let (mut runs, mut bytes) = (0, 0);
    for (run, is_needed) in ended {
        if all <= room {
            break;
        }
        let size = of(run);
        if size > 0 && !is_needed {
            folder.forget(run);
            all -= size;
            (runs, bytes) = (runs + 1, bytes + size);
        }
    }
    Ok((runs, bytes))
}

/// How many bytes each run's files have.
fn sizes(folder: Folder<'_>) -> io::Result<HashMap<String, u64>> {
    let mut sizes = HashMap::new();
    for run in fs::read_dir(folder.0)? {
        let run = run?;
        let Ok(files) = fs::read_dir(run.path()) else {
            // No folder, such as an upload on its way, or one that has just gone.
            continue;
        };
        let bytes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
        if let Ok(name) = run.file_name().into_string() {
            let _ = sizes.insert(name, bytes.sum());
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_go_until_the_rest_has_room() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder(place.path());
        let names = ["run_a", "run_b", "run_c", "run_needed", "run_living"].map(str::to_owned);
        for name in &names {
            folder.make(name).unwrap();
            fs::write(folder.rejects(name), [0; 100]).unwrap();
        }
        fs::write(place.path().join(".incoming-x"), [0; 1000]).unwrap();
        let [a, b, c, needed, _] = names.clone();
        let ended = ["run_gone".to_owned(), needed, b, a, c];
        let ended = ended.map(|name| (name.clone(), name == "run_needed"));
        assert_eq!(clear(folder, &ended, 400).unwrap(), (0, 0));
        assert_eq!(clear(folder, &ended, 399).unwrap(), (1, 100));
        let left = names.clone().map(|name| folder.rejects(&name).exists());
        assert_eq!(left, [true, false, true, true, true]);
        assert_eq!(clear(folder, &ended, 0).unwrap(), (2, 200));
        let left = names.map(|name| folder.rejects(&name).exists());
        assert_eq!(left, [false, false, false, true, true]);
    }
}
