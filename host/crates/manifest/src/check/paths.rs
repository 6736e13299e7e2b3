//! Compares the files that a pipeline reads and writes. Checks that the files of a pipeline do
//! not overwrite each other; only names are compared, so links are not detected.

use std::path::{Component, Path, PathBuf};

use glovebox_core::{Input, endings};

use crate::diagnostic::Diagnostic;
use crate::model::{Manifest, PluginRef, SinkTarget, Source, Span, Spanned};

/// What queries read beside the rows.
pub(super) fn tables(manifest: &Manifest) -> impl Iterator<Item = &Source> {
    let steps = manifest.steps.iter();
    let gathers = steps.filter_map(|step| match &step.plugin.value {
        PluginRef::Gather(gather) => Some(gather),
        _ => None,
    });
    let tables = gathers.flat_map(|gather| &gather.tables);
    tables.map(|(_, table)| &table.source)
}

/// Files that are two things at once.
pub(super) fn distinct(manifest: &Manifest, problems: &mut Vec<Diagnostic>) {
    let (inputs, endings) = manifest.source.inputs();
    let name = manifest.name.span.clone();
    let mut files: Vec<(&str, &Path, Span)> = vec![("the manifest", &manifest.file, name)];
    let of_tables = tables(manifest).flat_map(|table| table.inputs().0);
    for input in inputs.iter().chain(of_tables) {
        if let Input::Path(path) | Input::File(path) = &input.value {
            files.push(("the source", path, input.span.clone()));
        }
    }
    let target = &manifest.sink.target;
    let sink = target.path();
    if let Some(path) = sink {
        clash(&files, "the sink", path, &path.span, problems);
        files.push(("the sink", path, path.span.clone()));
    }
    let rejects = &manifest.rejects.path;
    clash(&files, "the rejects file", rejects, &rejects.span, problems);
    let sealed = manifest.rejects.sealed.as_ref().map(|sealed| &sealed.path);
    if let Some(path) = sealed {
        files.push(("the rejects file", rejects, rejects.span.clone()));
        clash(
            &files,
            "the file of sealed rejects",
            path,
            &path.span,
            problems,
        );
    }
    let in_table = sink.filter(|_| matches!(target, SinkTarget::Delta(_)));
    let in_table = in_table.map(|folder| Spanned::new(file_of(folder), folder.span.clone()));
    let written = [
        ("the sink", in_table.as_ref().or(sink)),
        ("the rejects file", Some(rejects)),
        ("the file of sealed rejects", sealed),
    ];
    let written = written
        .into_iter()
        .filter_map(|(what, path)| Some((what, path?)));
    for (what, path) in written {
        let plain = normal(path);
        let reads = |input: &&Spanned<Input>| match &input.value {
            Input::Path(given) => would_read(given, &plain, endings),
            Input::File(_) | Input::Object(_) | Input::Stdin => false,
        };
        if let Some(input) = inputs.iter().find(reads) {
            problems.push(
                Diagnostic::error(
                    path.span.clone(),
                    format!("the source would read what {what} wrote"),
                )
                .context(input.span.clone(), "these files would be included")
                .help(format!("choose another folder for {what}")),
            );
        }
    }
}

/// A file that a Delta table in that folder may have.
pub(super) fn file_of(folder: &Path) -> PathBuf {
    folder.join("part-00000.parquet")
}

/// Whether a pattern or folder of the source has that file, which is not the path itself.
pub(super) fn would_read(given: &Path, file: &Path, of_format: &[&str]) -> bool {
    let rules = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let given = normal(given);
    let pattern = given.to_string_lossy();
    let matched = pattern.contains(['*', '?', '['])
        && glob::Pattern::new(&pattern).is_ok_and(|p| p.matches_path_with(file, rules));
    let plain = match file.extension() {
        Some(ending) if ending == endings::AGE => file.with_extension(""),
        _ => file.to_owned(),
    };
    let ending = plain.extension().and_then(|e| e.to_str());
    let within = file.parent() == Some(&*given) && ending.is_some_and(|e| of_format.contains(&e));
    matched || within
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
    fn what_is_written_among_the_inputs_is_found() {
        let reads =
            |given: &str, file: &str| would_read(Path::new(given), Path::new(file), endings::CSV);
        assert!(reads("in/*.csv", "in/out.csv") && reads("./in", "in/out.csv"));
        assert!(!reads("in/*.csv", "in/x/out.csv") && !reads("in", "in/out.jsonl"));
        assert!(!reads("in.csv", "out.csv") && !reads("in/*.csv", "in/.out.csv"));
    }

    #[test]
    fn paths_are_compared_without_detours() {
        assert_eq!(normal(Path::new("./a/../b/./c")), Path::new("b/c"));
        assert_eq!(normal(Path::new("../a/x")), Path::new("../a/x"));
        assert_eq!(normal(Path::new("/a/../../b")), Path::new("/../b"));
    }
}
