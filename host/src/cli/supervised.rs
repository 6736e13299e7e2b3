//! A run under another program's eyes: progress as JSON lines, and an end when that program ends.

use std::io::{BufRead, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use glovebox_core::supervised::{Progress as Line, SecretsUsed};
use glovebox_core::{Input, Secret, Source};
use glovebox_engine::Progress;
use glovebox_manifest::Manifest;
use glovebox_manifest::model::Spanned;

/// Progress is told no more often.
const EVERY: Duration = Duration::from_millis(200);

/// Tells progress.
pub(super) struct ProgressWriter {
    of: Option<u64>,
    last: Option<Instant>,
}

impl ProgressWriter {
    pub(super) fn new(source: &dyn Source) -> Self {
        ProgressWriter {
            of: source.size_bytes(),
            last: None,
        }
    }

    pub(super) fn tell(&mut self, progress: Progress) {
        if self.last.is_some_and(|last| last.elapsed() < EVERY) {
            return;
        }
        self.last = Some(Instant::now());
        let told = Line {
            rows: progress.rows,
            bytes: progress.bytes,
            of: self.of,
        };
        if let Ok(mut line) = serde_json::to_vec(&told) {
            line.push(b'\n');
            // Whoever does not listen is told by the end of standard input.
            let _ = std::io::stderr().write_all(&line);
        }
    }
}

/// Stops the run when standard input ends, as it does when the other program has ended, however
/// it did.
pub(super) fn stop_with_standard_input(stop: &Arc<AtomicBool>) -> std::io::Result<()> {
    let stop = Arc::clone(stop);
    std::thread::Builder::new()
        .name("supervised".into())
        .spawn(move || {
            await_end_of_standard_input();
            stop.store(true, Ordering::Relaxed);
        })
        .map(drop)
}

/// The first line on standard input, without what is behind so many bytes.
///
/// # Errors
/// When it cannot be read.
pub(super) fn first_line(at_most: u64) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    // What is read ahead stays with standard input, which is listened to later.
    let mut input = std::io::stdin().lock().take(at_most);
    input.read_until(b'\n', &mut line)?;
    Ok(line)
}

/// Ends this process, which stores nothing, when standard input ends.
pub(super) fn end_with_standard_input() -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("supervised".into())
        .spawn(|| {
            await_end_of_standard_input();
            std::process::exit(1);
        })
        .map(drop)
}

fn await_end_of_standard_input() {
    let mut ignored = [0; 64];
    let mut input = std::io::stdin().lock();
    while input.read(&mut ignored).is_ok_and(|read| read > 0) {}
}

/// The most that a key on standard input may have, with the empty line behind it.
const MAX_KEY_SIZE: u64 = 64 << 10;

/// The lines on standard input, to an empty one, which are a key.
///
/// # Errors
/// When it cannot be read.
pub(super) fn input_key() -> std::io::Result<Secret> {
    // What is read ahead stays with standard input, which is listened to later.
    let mut input = std::io::stdin().lock().take(MAX_KEY_SIZE);
    // Of its final size: a growing one would leave copies behind.
    let mut key = Vec::with_capacity(MAX_KEY_SIZE as usize);
    loop {
        let before = key.len();
        input.read_until(b'\n', &mut key)?;
        if key
            .get(before..)
            .is_none_or(|line| line.trim_ascii().is_empty())
        {
            return Ok(Secret::new(key));
        }
    }
}

/// Has a pipeline read another file than its manifest says.
///
/// # Errors
/// When it reads no file.
pub(super) fn read_instead(manifest: &mut Manifest, file: PathBuf) -> Result<(), &'static str> {
    let Some(paths) = manifest.source.inputs_mut() else {
        return Err("`--input` is for pipelines that read files; this one reads a database");
    };
    let span = paths.first().map_or(0..0, |p| p.span.clone());
    *paths = vec![Spanned::new(Input::Path(file), span)];
    Ok(())
}

/// Says which secrets were fetched, by their names.
pub(super) fn tell_secrets(names: &[String]) {
    let told = SecretsUsed {
        secrets: names.to_vec(),
    };
    if let Ok(mut line) = serde_json::to_vec(&told) {
        line.push(b'\n');
        // Whoever does not listen is told by the end of standard input.
        let _ = std::io::stderr().write_all(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_progress_reads_back_and_is_no_message() {
        let told = Line {
            rows: 3,
            bytes: 40,
            of: None,
        };
        let line = serde_json::to_string(&told).unwrap();
        assert_eq!(line, r#"{"progress-rows":3,"bytes":40,"of":null}"#);
        assert_eq!(serde_json::from_str::<Line>(&line).unwrap(), told);
        assert!(serde_json::from_str::<Line>("error: no").is_err());
    }
}
