//! Finds files of a crate that import each other in a circle, and so can be read, tested and moved
//! only together. There is none, and none is to come.
//!
//! What counts is `use`, and paths that begin with `crate`, `self`, `super` or a module of the same
//! folder's. A folder's own file may import what is in the folder, and be imported there: only what also leads
//! through files elsewhere is a circle then.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::run::Outcome;

/// A module's path within its crate; empty is the crate's root.
type Module = Vec<String>;
type Imports = BTreeMap<Module, BTreeSet<Module>>;

/// Fails with the circles that there are.
pub(crate) fn circles() -> Outcome {
    let mut problems = Vec::new();
    for folder in crates()? {
        let all = imports(&folder)?;
        for imports in [
            without(&all, is_above),
            without(&all, |a, b| is_above(b, a)),
        ] {
            for module in imports.keys() {
                if let Some(circle) = circle(&imports, module) {
                    let way: Vec<String> = circle.iter().map(|m| m.join("::")).collect();
                    let way = format!("{}: a circle: {}", folder.display(), way.join(" → "));
                    if !problems.contains(&way) {
                        problems.push(way);
                    }
                }
            }
        }
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems.join("\n")),
    }
}

/// The sources of each crate of the host.
fn crates() -> Result<Vec<PathBuf>, String> {
    let unread = |e: std::io::Error| format!("host/crates: {e}");
    let mut folders = vec![PathBuf::from("host/src")];
    for entry in fs::read_dir("host/crates").map_err(unread)? {
        folders.push(entry.map_err(unread)?.path().join("src"));
    }
    folders.sort();
    Ok(folders)
}

/// Whether a module is the own file of a folder that another one is in.
fn is_above(module: &Module, other: &Module) -> bool {
    other.len() > module.len() && other.starts_with(module)
}

/// The imports but for some.
fn without(imports: &Imports, but: impl Fn(&Module, &Module) -> bool) -> Imports {
    let kept = |(from, to): (&Module, &BTreeSet<Module>)| {
        let to = to.iter().filter(|to| !but(from, to));
        (from.clone(), to.cloned().collect())
    };
    imports.iter().map(kept).collect()
}

/// Which modules of a crate each of its modules imports.
fn imports(root: &Path) -> Result<Imports, String> {
    let mut texts = BTreeMap::new();
    read(root, &mut Vec::new(), &mut texts).map_err(|e| format!("{}: {e}", root.display()))?;
    let named = |(module, text): (&Module, &String)| {
        let inside = texts
            .keys()
            .filter(|other| other.len() == module.len() + 1 && other.starts_with(module));
        let inside: Vec<&str> = inside.filter_map(|m| Some(m.last()?.as_str())).collect();
        let paths = paths(text, &inside);
        let of = paths
            .iter()
            .filter_map(|path| resolved(path, module, &texts));
        (module.clone(), of.filter(|other| other != module).collect())
    };
    Ok(texts.iter().map(named).collect())
}

/// Reads the modules of a folder, without those that hold tests.
fn read(
    folder: &Path,
    at: &mut Module,
    texts: &mut BTreeMap<Module, String>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy().into_owned();
        if stem.ends_with("tests") {
            continue;
        }
        at.push(stem.clone());
        if path.is_dir() {
            read(&path, at, texts)?;
        } else if path.extension().is_some_and(|e| e == "rs") {
            let own = ["mod", "lib", "main"].contains(&stem.as_str());
            let module = at.get(..at.len() - usize::from(own));
            texts.insert(
                module.unwrap_or_default().to_vec(),
                fs::read_to_string(&path)?,
            );
        }
        at.pop();
    }
    Ok(())
}

/// The paths of a file that begin with `crate`, `self`, `super` or one of these modules, without those
/// of its tests.
fn paths(text: &str, modules: &[&str]) -> Vec<Vec<String>> {
    let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
    let code: String = text
        .get(..end)
        .unwrap_or_default()
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .fold(String::new(), |all, line| all + line + " ");
    let mut found = Vec::new();
    for start in ["crate", "self", "super"].iter().chain(modules) {
        for (at, _) in code.match_indices(&format!("{start}::")) {
            let before = code.get(..at).and_then(|b| b.chars().next_back());
            if before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | ':')) {
                tree(
                    code.get(at..).unwrap_or_default(),
                    &mut Vec::new(),
                    &mut found,
                );
            }
        }
    }
    found
}

/// The paths of a tree such as `super::{a, b::{c, d}}`; returns what stands behind it.
fn tree<'c>(mut code: &'c str, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> &'c str {
    let depth = at.len();
    loop {
        code = code.trim_start();
        let length = code.find(|c: char| !c.is_alphanumeric() && c != '_');
        let (name, rest) = code.split_at(length.unwrap_or(code.len()));
        code = rest;
        if !name.is_empty() {
            at.push(name.to_owned());
        }
        if let Some(rest) = code.strip_prefix("::") {
            code = rest;
            continue;
        }
        match code.strip_prefix('{') {
            Some(mut rest) if name.is_empty() => loop {
                rest = tree(rest, at, found).trim_start();
                match rest.strip_prefix(',') {
                    Some(more) => rest = more,
                    None => {
                        code = rest.strip_prefix('}').unwrap_or(rest);
                        break;
                    }
                }
            },
            _ => found.push(at.clone()),
        }
        at.truncate(depth);
        // `as` gives another name, which says nothing of where it is from.
        if let Some(rest) = code.trim_start().strip_prefix("as ") {
            let end = rest.find([',', '}', ';']).unwrap_or(rest.len());
            code = rest.get(end..).unwrap_or_default();
        }
        return code;
    }
}

/// The module that a path of another one leads to; none if that is none of the crate's.
fn resolved(path: &[String], from: &Module, texts: &BTreeMap<Module, String>) -> Option<Module> {
    let mut at = from.clone();
    let mut rest = path.iter().peekable();
    match path.first()?.as_str() {
        "crate" => {
            at.clear();
            rest.next();
        }
        "self" => {
            rest.next();
        }
        _ => {
            while rest.next_if(|name| *name == "super").is_some() {
                at.pop();
            }
        }
    }
    for name in rest {
        at.push(name.clone());
        if !texts.contains_key(&at) {
            at.pop();
            break;
        }
    }
    texts.contains_key(&at).then_some(at)
}

/// The shortest way from a module by imports back to itself.
fn circle(imports: &Imports, module: &Module) -> Option<Vec<Module>> {
    let mut came: BTreeMap<&Module, &Module> = BTreeMap::new();
    let mut next = vec![module];
    while !next.is_empty() {
        let mut later = Vec::new();
        for from in next {
            for to in imports.get(from).into_iter().flatten() {
                if to == module {
                    let mut way = vec![module.clone()];
                    let mut at = from;
                    while at != module {
                        way.push(at.clone());
                        at = came.get(at)?;
                    }
                    way.push(module.clone());
                    way.reverse();
                    return Some(way);
                }
                if !came.contains_key(to) {
                    came.insert(to, from);
                    later.push(to);
                }
            }
        }
        next = later;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str) -> Module {
        path.split("::").map(ToOwned::to_owned).collect()
    }

    #[test]
    fn paths_are_found_in_trees_and_in_code() {
        let text = "use super::{a, b::{c as x, D}, self as me};\n// use crate::not;\nfn f() { crate::e::g(own::h); }\n\n#[cfg(test)]\nmod tests { use super::h; }\n";
        let found: BTreeSet<String> = paths(text, &["own"]).iter().map(|p| p.join("::")).collect();
        let due = [
            "super::a",
            "super::b::c",
            "super::b::D",
            "super::self",
            "crate::e::g",
            "own::h",
        ];
        assert_eq!(found, due.map(ToOwned::to_owned).into());
    }

    #[test]
    fn a_circle_is_found_by_its_shortest_way() {
        let imports: Imports = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]
            .map(|(from, to)| (module(from), BTreeSet::from([module(to)])))
            .into();
        let way = circle(&imports, &module("a")).unwrap();
        let way: Vec<String> = way.iter().map(|m| m.join("::")).collect();
        assert_eq!(way, ["a", "b", "c", "a"]);
        assert_eq!(circle(&imports, &module("d")), None);
    }

    #[test]
    fn a_folder_and_its_own_file_are_no_circle_but_one_through_another_is() {
        let due = |edges: &[(&str, &str)]| {
            let mut all = Imports::new();
            for (from, to) in edges {
                all.entry(module(from)).or_default().insert(module(to));
            }
            [
                without(&all, is_above),
                without(&all, |a, b| is_above(b, a)),
            ]
            .iter()
            .any(|imports| imports.keys().any(|m| circle(imports, m).is_some()))
        };
        assert!(!due(&[("a", "a::b"), ("a::b", "a")]));
        assert!(due(&[("a", "a::b"), ("a::b", "c"), ("c", "a")]));
        assert!(due(&[("a::b", "c"), ("c", "a::d"), ("a::d", "a::b")]));
    }
}
