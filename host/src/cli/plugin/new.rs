//! `glovebox plugin new`: a folder with a small plugin that builds, passes its cases and runs.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, io};

use anyhow::Context;
use clap::ValueEnum;

use super::super::Exit;

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// As a step's name may have: the pipeline names its step after the plugin.
const MAX_NAME_LEN: usize = 64;

/// Names that cargo refuses for a package, or that the new one would share with what it needs.
const TAKEN: &[&str] = &[
    "alloc",
    "as",
    "async",
    "await",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "fn",
    "for",
    "gen",
    "glovebox-sdk",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "match",
    "mod",
    "move",
    "mut",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "type",
    "union",
    "unsafe",
    "use",
    "where",
    "while",
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The plugin's name, in kebab-case; also the name of the folder.
    name: String,
    /// What the plugin may do.
    #[arg(long, value_name = "WORLD", default_value = "masker")]
    world: World,
    /// The language it is written in.
    #[arg(long, value_name = "LANGUAGE", default_value = "rust")]
    lang: Language,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum World {
    /// Says which rows break which rules.
    Validator,
    /// Says how cells are masked.
    Masker,
    /// Adds columns and filters rows.
    Transformer,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    Rust,
    Python,
    Js,
}

impl World {
    fn name(self) -> &'static str {
        match self {
            World::Validator => "validator",
            World::Masker => "masker",
            World::Transformer => "transformer",
        }
    }
}

impl Language {
    /// Its folder among the templates.
    fn folder(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::Js => "js",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Python => "Python",
            Language::Js => "JavaScript",
        }
    }
}

pub(super) fn new(args: &Args) -> anyhow::Result<Exit> {
    let name = args.name.as_str();
    if let Err(problem) = check_name(name) {
        eprintln!(
            "error: `{}` cannot be a plugin's name: {problem}",
            name.escape_debug()
        );
        return Ok(Exit::Usage);
    }
    let folder = Path::new(name);
    match fs::create_dir(folder) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            eprintln!(
                "error: `{name}` already exists and was not changed; choose another name, or work \
                in another folder"
            );
            return Ok(Exit::Usage);
        }
        Err(e) => return Err(e).with_context(|| format!("cannot create the folder `{name}`")),
    }
    for (path, text) in files(name, args.world, args.lang) {
        write(&folder.join(&path), &text).with_context(|| {
            format!(
                "cannot write `{name}/{}`; remove `{name}` and try again",
                path.display()
            )
        })?;
    }
    println!("{name}: a {} in {}\n", args.world.name(), args.lang.name());
    println!("  cd {name} && {}./try.sh\n", variable());
    println!(
        "builds {name}.wasm, runs cases.yaml on it, sends people.csv through pipeline.yaml, and \
        checks it.\nREADME.md explains the files."
    );
    Ok(Exit::Done)
}

fn check_name(name: &str) -> Result<(), String> {
    let kebab = name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !kebab {
        return Err(
            "use lower-case letters, digits and single dashes, starting with a letter, \
                   such as `keep-last`"
                .into(),
        );
    }
    if name.len() > MAX_NAME_LEN {
        return Err(format!("use at most {MAX_NAME_LEN} characters"));
    }
    if TAKEN.contains(&name) {
        return Err(
            "Rust or the SDK already uses it; choose one that says what the plugin does".into(),
        );
    }
    Ok(())
}

/// The files of a new plugin. A file that several templates have is their texts one after another:
/// what all share, then what the world, the language, and the two together add.
fn files(name: &str, world: World, language: Language) -> BTreeMap<PathBuf, String> {
    let parts = [
        ("all", "all"),
        ("all", world.name()),
        (language.folder(), "all"),
        (language.folder(), world.name()),
    ];
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (language, world_folder) in parts {
        let part = format!("templates/{language}/{world_folder}/");
        for (path, text) in FILES {
            let Some(inside) = path.strip_prefix(part.as_str()) else {
                continue;
            };
            // Under its real name it would be one of this repository's.
            let inside = if inside == "gitignore" {
                ".gitignore"
            } else {
                inside
            };
            files.entry(inside.into()).or_default().push_str(
                &text
                    .replace("{{name}}", name)
                    .replace("{{crate}}", &name.replace('-', "_"))
                    .replace("{{world}}", world.name()),
            );
        }
    }
    for (path, text) in FILES {
        // The SDK is not on crates.io, and there may be no clone at hand.
        let to = match (language, path.strip_prefix("sdk/")) {
            (Language::Rust, Some(inside)) => Path::new("vendor/glovebox-sdk").join(inside),
            // Cargo takes what it needs from it: the versions that the SDK is tested with.
            (Language::Rust, None) if *path == "Cargo.lock" => path.into(),
            _ if *path == "wit/plugin.wit" => path.into(),
            _ => continue,
        };
        files.insert(to, (*text).to_owned());
    }
    files
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    fs::write(path, text)?;
    if path.extension().is_some_and(|extension| extension == "sh") {
        fs::set_permissions(path, Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// What a shell has to be told where typing `glovebox` would not start this program.
fn variable() -> String {
    let Ok(this) = env::current_exe().and_then(fs::canonicalize) else {
        return String::new();
    };
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .map(|folder| folder.join("glovebox"))
        .find(|p| p.is_file());
    if found
        .and_then(|found| fs::canonicalize(found).ok())
        .is_some_and(|found| found == this)
    {
        return String::new();
    }
    format!(
        "GLOVEBOX='{}' ",
        this.display().to_string().replace('\'', r"'\''")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kebab_case() {
        for name in ["a", "keep-last-4", "x2"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        let long = "a".repeat(MAX_NAME_LEN + 1);
        for name in [
            "",
            "-",
            "Keep",
            "keep_last",
            "keep--last",
            "keep-",
            "-keep",
            "4keep",
            "../keep",
            "a/b",
            "é",
            "a b",
            "keep.wasm",
            "match",
            "serde",
            &long,
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn every_world_in_every_language_is_a_whole_folder_without_placeholders() {
        for world in World::value_variants() {
            for language in Language::value_variants() {
                let files = files("keep-last", *world, *language);
                let source = match language {
                    Language::Rust => "src/lib.rs".to_owned(),
                    Language::Python => format!("{}.py", world.name()),
                    Language::Js => "plugin.js".to_owned(),
                };
                for file in [
                    &source,
                    "README.md",
                    ".gitignore",
                    "build.sh",
                    "cases.yaml",
                    "people.csv",
                    "pipeline.yaml",
                    "try.sh",
                    "wit/plugin.wit",
                ] {
                    assert!(
                        files.contains_key(Path::new(file)),
                        "{language:?} has no {file}"
                    );
                }
                for (path, text) in &files {
                    let ours = path.starts_with("vendor") || path.ends_with("plugin.wit");
                    assert!(
                        ours || !text.contains("{{"),
                        "{language:?}: {}",
                        path.display()
                    );
                    assert!(text.ends_with('\n'), "{language:?}: {}", path.display());
                }
            }
        }
    }

    #[test]
    fn the_vendored_sdk_names_no_workspace() {
        let files = files("keep-last", World::Masker, Language::Rust);
        let manifest = &files[Path::new("vendor/glovebox-sdk/Cargo.toml")];
        assert!(!manifest.contains("workspace"), "{manifest}");
        assert!(manifest.contains("wit-bindgen = "), "{manifest}");
        assert!(!manifest.contains("wit-bindgen-rust"), "{manifest}");
        assert!(files.contains_key(Path::new("vendor/glovebox-sdk/src/lib.rs")));
    }
}
