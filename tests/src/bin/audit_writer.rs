//! A process that writes an audit log as fast as it can, for tests that kill it.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use glovebox_audit::{
    Action, CheckpointPolicy, Checkpoints, Event, Log, Options, Outcome, SigningKey,
};
use glovebox_core::Secret;

/// 32 zero bytes: a key that protects nothing.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const THREADS: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, checkpoints, round] = arguments.as_slice() else {
        eprintln!("glovebox-audit-writer FOLDER CHECKPOINTS ROUND");
        return ExitCode::from(2);
    };
    let log = match open(Path::new(folder), Path::new(checkpoints)) {
        Ok(log) => log,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, round) = (&log, &round);
            scope.spawn(move || write(log, round, thread));
        }
    });
    ExitCode::FAILURE
}

fn open(folder: &Path, checkpoints: &Path) -> Result<Log, String> {
    let key = SigningKey::from_secret(&Secret::new(KEY.into())).map_err(|e| e.to_string())?;
    let mut options = Options::new(folder);
    options.segment_size = 64 << 10;
    options.checkpoints = Some(Checkpoints {
        folder: checkpoints.to_owned(),
        key,
        pace: CheckpointPolicy {
            records: 50,
            time: Duration::from_millis(50),
        },
    });
    Log::open(options).map_err(|e| e.to_string())
}

/// Until a record is refused.
fn write(log: &Log, round: &str, thread: usize) {
    for n in 0_u64.. {
        let run = format!("{round}-{thread}-{n}");
        let event = Event::new(Action::RunStarted, Outcome::Success).run(&run);
        match log.record_blocking(event) {
            Ok(receipt) => {
                let line = format!("{} {run}\n", receipt.sequence);
                // Nobody listens any more: the test is over.
                if std::io::stdout().write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
            Err(error) => {
                eprintln!("refused: {error}");
                return;
            }
        }
    }
}
