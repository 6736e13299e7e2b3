//! Reduces wasmtime's backtrace to the few frames that an author is shown.
//! Runs show no frames: a guest could choose by a cell which functions call each other.

use std::fmt;

use glovebox_core::shown::printable;
use wasmtime::{FrameInfo, WasmBacktrace};

/// The most frames that are captured; those of a panic's machinery are among them.
pub(crate) const CAPTURED: usize = 40;
/// The most frames that authors are shown.
const SHOWN: usize = 20;

/// The most characters of a function's name.
const MAX_NAME_LEN: usize = 160;
/// The most characters of a file's path; its end is kept.
const MAX_PATH_LEN: usize = 160;

/// A place in guest code, by the names that the component itself bears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The function.
    pub function: String,
    /// The source file, where the component has debug information.
    pub file: Option<String>,
    /// The line in that file, counted from 1.
    pub line: Option<u32>,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)?;
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(f, " at {file}:{line}"),
            (Some(file), None) => write!(f, " in {file}"),
            (None, _) => Ok(()),
        }
    }
}

/// Where the guest was, innermost first, without the frames that any panic has.
pub(crate) fn frames(error: &wasmtime::Error) -> Vec<Frame> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let frames: Vec<Frame> = trace.frames().iter().flat_map(symbols).collect();
    let own = frames.iter().position(|f| !is_machinery(f)).unwrap_or(0);
    frames.into_iter().skip(own).take(SHOWN).collect()
}

/// One frame of the machine is several of the source where functions were inlined.
fn symbols(frame: &FrameInfo) -> Vec<Frame> {
    let outer = || match frame.func_name() {
        Some(name) => function(name),
        None => format!("function {}", frame.func_index()),
    };
    if frame.symbols().is_empty() {
        return vec![Frame {
            function: outer(),
            file: None,
            line: None,
        }];
    }
    let symbols = frame.symbols().iter();
    symbols
        .map(|symbol| Frame {
            function: symbol.name().map_or_else(outer, function),
            file: symbol.file().map(path),
            line: symbol.line(),
        })
        .collect()
}

fn function(name: &str) -> String {
    let name = match rustc_demangle::try_demangle(name) {
        // Without the hash at its end.
        Ok(name) => bounded(&format!("{name:#}")),
        Err(_) => bounded(name),
    };
    printable(&name)
}

fn bounded(name: &str) -> String {
    name.chars().take(MAX_NAME_LEN).collect()
}

fn path(file: &str) -> String {
    let skipped = file.chars().count().saturating_sub(MAX_PATH_LEN);
    printable(&file.chars().skip(skipped).collect::<String>())
}

/// What stands above the culprit in the backtrace of every Rust panic and abort.
fn is_machinery(frame: &Frame) -> bool {
    let name = frame.function.trim_start_matches('<');
    ["std::", "core::", "alloc::", "__rust", "rust_", "abort"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
