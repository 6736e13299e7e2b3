//! Tells apart the files that a pipeline reads and writes.
//!
//! Refuses to let one overwrite another; compares names only, so links can still fool it.

use std::path::{Component, Path, PathBuf};

use crate::manifest::diagnostic::Diagnostic;
use crate::manifest::model::{Input, Manifest, Source, Span};

/// Files that are two things at once.
pub(super) fn distinct(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    let name = manifest.name.span.clone();
    let mut files: Vec<(&str, &Path, Span)> = vec![("the manifest", &manifest.file, name)];
    if let Source::Csv(csv) = &manifest.source
        && let Input::File(path) = &csv.path.value
    {
        files.push(("the source", path, csv.path.span.clone()));
    }
    let sink = manifest.sink.target.path();
    if let Some(path) = sink {
        clash(&files, "the sink", path, &path.span, problems);
        files.push(("the sink", path, path.span.clone()));
    }
    let rejects = &manifest.rejects.path;
    clash(
        &files,
        "the list of rejects",
        rejects,
        &rejects.span,
        problems,
    );
}

fn clash(
    files: &[(&str, &Path, Span)],
    what: &str,
    path: &Path,
    span: &Span,
    problems: &mut Vec<Diagnostic>,
) {
    let plain = normal(path);
    let Some((other, _, place)) = files.iter().find(|(_, p, _)| normal(p) == plain) else {
        return;
    };
    let mut problem = Diagnostic::error(span.clone(), format!("{what} would overwrite {other}"))
        .help(format!("choose another path for {what}"));
    // The manifest's own place is the text around, which says nothing.
    if *other != "the manifest" && place != span {
        problem = problem.context(place.clone(), format!("{other} is the same file"));
    }
    problems.push(problem);
}

/// The path without `.` and, where the text alone tells, without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_without_detours() {
        assert_eq!(normal(Path::new("./a/../b/./c")), Path::new("b/c"));
        assert_eq!(normal(Path::new("../a/x")), Path::new("../a/x"));
        assert_eq!(normal(Path::new("/a/../../b")), Path::new("/../b"));
    }
}
