//! The search itself: what calls left behind, and the forms in which a text may hide there.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use glovebox_tests::pipeline::{Pipeline, Ran};

/// All forms in which a program might give a text away.
pub(crate) fn forms(canary: &str) -> Vec<Vec<u8>> {
    let bytes = canary.as_bytes();
    let mut hex = String::new();
    let mut list = String::new();
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
        let _ = write!(list, "{byte}, ");
    }
    let mut forms = vec![
        canary.to_owned(),
        hex.to_uppercase(),
        hex,
        // As Rust's `Debug` shows bytes.
        list.trim_end_matches(", ").to_owned(),
    ];
    for before in 0..3 {
        let shifted = [&vec![0; before], bytes].concat();
        for engine in [STANDARD, URL_SAFE] {
            let text = engine.encode(&shifted);
            // Signs at both ends depend on what is beside it.
            let inner = text.get(before + 1..shifted.len() / 3 * 4).unwrap();
            forms.push(inner.to_owned());
        }
    }
    forms.into_iter().map(String::into_bytes).collect()
}

pub(crate) fn holds(text: &[u8], form: &[u8]) -> bool {
    memchr::memmem::find(text, form).is_some()
}

/// What is searched: a name, and the bytes.
#[derive(Default)]
pub(crate) struct Left(pub(super) Vec<(String, Vec<u8>)>);

impl Left {
    pub(crate) fn call(&mut self, pipeline: &Pipeline, arguments: &[&str], code: i32) -> Ran {
        let logs = ["--log", "trace", "--log-format", "json"];
        let ran = pipeline.call(&[&logs, arguments].concat()).ends_with(code);
        let call = arguments.join(" ");
        self.add(format!("stdout of {call}"), ran.stdout.clone());
        self.add(format!("stderr of {call}"), ran.stderr.clone());
        // What the runtime says of a guest's calls has arguments that the guest made of cells.
        assert!(!ran.stderr.contains("\"target\":\"wasm"), "{}", ran.stderr);
        ran
    }

    pub(crate) fn add(&mut self, name: String, bytes: impl Into<Vec<u8>>) {
        self.0.push((name, bytes.into()));
    }

    /// Every file of a folder but those that hold what was given.
    pub(crate) fn files(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "secrets" {
                self.files(&path);
            } else if path.is_file() && name != "in.csv" && name != "leaky.yaml" {
                self.add(path.display().to_string(), fs::read(&path).unwrap());
            }
        }
    }

    pub(crate) fn find(&self, canary: &str) -> Vec<&str> {
        let forms = forms(canary);
        self.0
            .iter()
            .filter(|(_, bytes)| forms.iter().any(|form| holds(bytes, form)))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    pub(crate) fn hold_none_of(&self, canaries: &[&str]) {
        let leaks: Vec<_> = canaries
            .iter()
            .map(|canary| (*canary, self.find(canary)))
            .filter(|(_, places)| !places.is_empty())
            .collect();
        assert!(leaks.is_empty(), "leaks: {leaks:#?}");
    }
}
