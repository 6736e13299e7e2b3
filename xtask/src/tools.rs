//! Installs what makes components of Python and JavaScript, in the versions of the templates.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run::{Outcome, finish, root, succeeds, target};

/// Installs what is missing or of another version.
pub(crate) fn ensure() -> Outcome {
    tool("python", "python3", "requirements.txt", |folder, pins| {
        let venv = folder.join("venv");
        finish(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        finish(
            Command::new(venv.join("bin/pip"))
                .args(["install", "--quiet", "--requirement"])
                .arg(pins.join("requirements.txt")),
        )
    })?;
    tool("js", "npm", "package-lock.json", |folder, pins| {
        for file in ["package.json", "package-lock.json"] {
            // npm refuses the name of a template, which is a placeholder.
            let text = read(&pins.join(file))?.replace("{{name}}", "tools");
            write(&folder.join(file), &text)?;
        }
        finish(
            Command::new("npm")
                // As the template's build.sh, which says why.
                .args(["install", "--no-save", "--no-audit", "--no-fund"])
                .current_dir(folder),
        )
    })
}

/// Installs a language's tool by `install`, unless its folder says that these pins are there.
fn tool(
    language: &str,
    program: &str,
    pins: &str,
    install: impl Fn(&Path, &Path) -> Outcome,
) -> Outcome {
    if !succeeds(program, &["--version"]) {
        eprintln!("{program} is not installed: templates in {language} are not tested");
        return Ok(());
    }
    let template = root().join("templates").join(language).join("all");
    let wanted = read(&template.join(pins))?;
    let folder = target().join("tools").join(language);
    let mark = folder.join("installed");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .map_err(|e| format!("cannot remove {}: {e}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    match install(&folder, &template) {
        Ok(()) => write(&mark, &wanted),
        Err(problem) => {
            eprintln!("{problem}: templates in {language} are not tested");
            Ok(())
        }
    }
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
