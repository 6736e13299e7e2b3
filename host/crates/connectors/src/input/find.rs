//! Resolves a source's paths and patterns to a list of files, in order.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use glob::MatchOptions;
use glovebox_core::SourceError;
use glovebox_core::endings::{self, PACKED};

use super::{Given, Input, InputFile};

/// `*` and `?` stop at `/`, and do not find hidden files, as in a shell.
pub(crate) const RULES: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The files, those of a pattern or folder sorted by the bytes of their paths.
pub(super) fn files(given: &Given, endings: &[&str]) -> Result<Vec<InputFile>, SourceError> {
    let mut files = Vec::new();
    for input in &given.inputs {
        match input {
            Input::Stdin => files.push(InputFile::stdin()),
            Input::File(path) => files.push(InputFile::at(path.clone())),
            Input::Path(path) => {
                let found = of_path(path, endings)?;
                files.extend(found.into_iter().map(InputFile::at));
            }
            Input::Object(url) => {
                let found = match &given.objects {
                    Some(store) => store.find(url, endings),
                    None => Err(io::ErrorKind::Unsupported.into()),
                };
                let found = found.map_err(|problem| SourceError::Io {
                    place: url.to_string(),
                    problem,
                })?;
                files.extend(found.into_iter().map(InputFile::of));
            }
        }
    }
    once(&files)?;
    Ok(files)
}

/// The files at a path at this moment, for whoever waits for more: none of them is none.
///
/// # Errors
/// When a folder cannot be read, or the path is no valid pattern.
pub fn at(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, SourceError> {
    match std::fs::metadata(path) {
        Ok(there) if there.is_dir() => of_folder(path, endings),
        Ok(_) => Ok(vec![path.to_owned()]),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_pattern(path) => {
            of_pattern(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(problem) => Err(SourceError::Io {
            place: path.display().to_string(),
            problem,
        }),
    }
}

fn of_path(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, SourceError> {
    let nothing = |problem: String| {
        Err(SourceError::Shape {
            place: path.display().to_string(),
            problem,
        })
    };
    let mut found = match std::fs::metadata(path) {
        Ok(there) if there.is_dir() => match of_folder(path, endings)? {
            none if none.is_empty() => {
                return nothing(format!(
                    "the folder has no file with the extension .{} (or that and .{}); subfolders \
                    and hidden files are not read: name the files, or a pattern",
                    endings.join(", ."),
                    PACKED.join(", .")
                ));
            }
            found => found,
        },
        Ok(_) => return Ok(vec![path.to_owned()]),
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_pattern(path) => {
            match of_pattern(path)? {
                none if none.is_empty() => {
                    return nothing(
                        "no file matches; `*` and `?` do not match `/` or hidden files".into(),
                    );
                }
                found => found,
            }
        }
        // Opening it says what is wrong.
        Err(_) => return Ok(vec![path.to_owned()]),
    };
    found.sort_by(|a, b| a.as_os_str().as_bytes().cmp(b.as_os_str().as_bytes()));
    Ok(found)
}

/// Whether a path that does not exist is meant as a pattern.
pub fn is_pattern(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
}

fn of_folder(folder: &Path, of_format: &[&str]) -> Result<Vec<PathBuf>, SourceError> {
    let failed = |problem| SourceError::Io {
        place: folder.display().to_string(),
        problem,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if endings::has(path.file_name().unwrap_or_default(), of_format) && path.is_file() {
            found.push(path);
        }
    }
    Ok(found)
}

fn of_pattern(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let place = || path.display().to_string();
    let shape = |problem: String| SourceError::Shape {
        place: place(),
        problem,
    };
    let pattern = path
        .to_str()
        .ok_or_else(|| shape("a pattern of files must be UTF-8".into()))?;
    let matches = glob::glob_with(pattern, RULES)
        .map_err(|e| shape(format!("is not a valid file pattern: {}", e.msg)))?;
    let mut found = Vec::new();
    for path in matches {
        let path = path.map_err(|e| SourceError::Io {
            place: e.path().display().to_string(),
            problem: e.into(),
        })?;
        if !path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

/// Refuses a file that several of the paths lead to: its rows would be stored twice.
fn once(files: &[InputFile]) -> Result<(), SourceError> {
    if files.len() < 2 {
        return Ok(());
    }
    let mut seen: HashMap<PathBuf, &InputFile> = HashMap::new();
    for file in files {
        let real = match file.path() {
            // One that is not there is reported when it is opened.
            Some(path) => path.canonicalize().ok(),
            // No file has a name that begins so.
            None => Some(PathBuf::from(&*file.name)),
        };
        let Some(real) = real else {
            continue;
        };
        if let Some(first) = seen.insert(real, file) {
            let problem = if first.name == file.name {
                "`path` selects it twice, so its rows would be read twice; correct the \
                list"
                    .to_owned()
            } else {
                format!(
                    "is the same file as {}, so its rows would be read twice; name only one of \
                    them",
                    first.name
                )
            };
            return Err(SourceError::Shape {
                place: file.name.to_string(),
                problem,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(dir: &Path, given: &[&str]) -> Result<Vec<String>, String> {
        let given: Vec<Input> = given.iter().map(|g| Input::Path(dir.join(g))).collect();
        let found = files(&given.into(), &["csv"]).map_err(|e| e.to_string())?;
        let short = |f: InputFile| {
            let path = f.path().unwrap();
            path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned()
        };
        Ok(found.into_iter().map(short).collect())
    }

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "b.csv",
            "a.csv",
            "B.CSV",
            "c.csv.gz",
            "d.csv.zst",
            ".hidden.csv",
            "notes.txt",
            "x.gz",
            "a10.csv",
            "a9.csv",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir_all(dir.path().join("below.csv")).unwrap();
        fs::write(dir.path().join("below.csv/e.csv"), "").unwrap();
        dir
    }

    #[test]
    fn a_folder_stands_for_its_files_of_the_format() {
        let dir = folder();
        let found = names(dir.path(), &[""]).unwrap();
        let expected = [
            "B.CSV",
            "a.csv",
            "a10.csv",
            "a9.csv",
            "b.csv",
            "c.csv.gz",
            "d.csv.zst",
        ];
        assert_eq!(found, expected);
        let empty = tempfile::tempdir().unwrap();
        let error = names(empty.path(), &[""]).unwrap_err();
        assert!(error.contains("no file with the extension .csv"), "{error}");
    }

    #[test]
    fn a_pattern_finds_files_bytewise_sorted_and_no_folders() {
        let dir = folder();
        assert_eq!(
            names(dir.path(), &["*.csv"]).unwrap(),
            ["a.csv", "a10.csv", "a9.csv", "b.csv"]
        );
        assert_eq!(
            names(dir.path(), &["*/*.csv"]).unwrap(),
            ["below.csv/e.csv"]
        );
        assert_eq!(names(dir.path(), &["a?.csv"]).unwrap(), ["a9.csv"]);
        let error = names(dir.path(), &["z*.csv"]).unwrap_err();
        assert!(error.contains("z*.csv: no file matches"), "{error}");
        assert!(names(dir.path(), &["a***"]).is_err());
    }

    #[test]
    fn a_file_whose_name_looks_like_a_pattern_is_that_file() {
        let dir = folder();
        fs::write(dir.path().join("a[1].csv"), "").unwrap();
        assert_eq!(names(dir.path(), &["a[1].csv"]).unwrap(), ["a[1].csv"]);
    }

    #[test]
    fn a_list_keeps_its_order_and_no_file_comes_twice() {
        let dir = folder();
        assert_eq!(
            names(dir.path(), &["b.csv", "a.csv"]).unwrap(),
            ["b.csv", "a.csv"]
        );
        let error = names(dir.path(), &["a.csv", "*.csv"]).unwrap_err();
        assert!(error.contains("selects it twice"), "{error}");
        std::os::unix::fs::symlink("a.csv", dir.path().join("link.csv")).unwrap();
        let error = names(dir.path(), &["a.csv", "link.csv"]).unwrap_err();
        assert!(error.contains("is the same file as"), "{error}");
    }
}
