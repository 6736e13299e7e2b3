//! `cargo xtask install`: one program on the PATH, with its completions and man pages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::plugins;
use crate::run::{Outcome, cargo, finish, step};

/// Shells, and where each looks for scripts below a folder of programs.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/glovebox"),
    ("zsh", "share/zsh/site-functions/_glovebox"),
    ("fish", "share/fish/vendor_completions.d/glovebox.fish"),
];
const MAN: &str = "share/man/man1";

/// Builds the whole program in release mode and installs it below `--root FOLDER`, or where
/// `cargo install` would; with `--features cluster` also what is off by default.
pub(crate) fn install(args: &[String]) -> Outcome {
    let (mut root, mut features) = (None, Vec::new());
    for option in args.chunks(2) {
        match option {
            [option, folder] if option == "--root" => root = Some(PathBuf::from(folder)),
            [option, more] if option == "--features" => {
                features = vec!["--features", more.as_str()];
            }
            _ => return Err("it takes --root FOLDER and --features cluster, or nothing".into()),
        }
    }
    let root = root.map_or_else(usual_root, Ok)?;
    let root = std::path::absolute(&root).map_err(|e| format!("{}: {e}", root.display()))?;
    step(
        "the standard plugins, which the program embeds: a minute or two on two cores",
        plugins::standard,
    )?;
    step(
        "the program, optimised, with all its parts: about ten minutes on two fast cores",
        || {
            let mut build = cargo(&["install", "--locked", "--force", "--path=host", "--root"])?;
            // Its own word on the PATH comes too early, before the rest is there.
            finish(build.arg(&root).args(&features))
        },
    )?;
    let program = root.join("bin/glovebox");
    for (shell, place) in COMPLETIONS {
        let script = output(Command::new(&program).args(["completions", shell]))?;
        write(&root.join(place), &script)?;
    }
    let man = root.join(MAN);
    make(&man)?;
    finish(Command::new(&program).arg("man").arg(&man))?;
    tell(&root);
    Ok(())
}

/// Says where all went, and what is left to do.
fn tell(root: &Path) {
    let shown = root.display();
    println!("\nprogram      {shown}/bin/glovebox");
    for (shell, place) in COMPLETIONS {
        println!("completions  {shown}/{place} ({shell})");
    }
    println!("man pages    {shown}/{MAN}");
    let bin = root.join("bin");
    if !std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|p| p == bin))
    {
        println!("\nIt is not on your PATH yet: export PATH=\"{shown}/bin:$PATH\"");
    }
    println!(
        "\nman finds the pages of programs on the PATH by itself, and bash-completion 2.12 or newer the\n\
         script; else: source {shown}/{}\n\
         zsh, in .zshrc before compinit: fpath=({shown}/share/zsh/site-functions $fpath)\n\
         fish: ln -s {shown}/{} ~/.config/fish/completions/\n\
         To remove it: cargo uninstall --root {shown} glovebox, and the files above.",
        COMPLETIONS[0].1, COMPLETIONS[2].1
    );
}

/// Where `cargo install` would put a program.
fn usual_root() -> Outcome<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("CARGO_INSTALL_ROOT")
        .or_else(|| set("CARGO_HOME"))
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cargo")))
        .ok_or_else(|| "HOME is not set: set the folder with --root FOLDER".into())
}

fn output(command: &mut Command) -> Outcome<Vec<u8>> {
    let done = command.output().map_err(|e| e.to_string())?;
    if done.status.success() {
        Ok(done.stdout)
    } else {
        Err(format!("{command:?} failed ({})", done.status))
    }
}

fn write(path: &Path, text: &[u8]) -> Outcome {
    make(path.parent().unwrap_or(path))?;
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

fn make(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))
}
