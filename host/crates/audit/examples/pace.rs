//! How many records a second the audit log takes from so many callers, on the disk of the folder
//! that is given: `cargo run --release -p glovebox-audit --example pace FOLDER`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use glovebox_audit::{Action, AuditError, Event, Log, Options, Outcome};

const TIME: Duration = Duration::from_secs(3);

fn main() -> Result<(), AuditError> {
    let folder = std::env::args_os()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    println!("| callers | records a second | records a sync |\n|---|---|---|");
    for callers in [1, 8, 64, 256] {
        let place = folder.join(format!("audit-pace-{}-{callers}", std::process::id()));
        let log = Log::open(Options::new(&place))?;
        let started = Instant::now();
        let records: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..callers).map(|_| scope.spawn(|| fill(&log))).collect();
            threads.into_iter().filter_map(|t| t.join().ok()).sum()
        });
        let seconds = started.elapsed().as_secs_f64();
        let syncs = log.syncs().max(1);
        log.close()?;
        println!(
            "| {callers} | {:.0} | {:.1} |",
            records as f64 / seconds,
            records as f64 / syncs as f64
        );
        // What is left behind is small, and the figures are out.
        let _ = std::fs::remove_dir_all(&place);
    }
    Ok(())
}

fn fill(log: &Log) -> u64 {
    let started = Instant::now();
    let mut records = 0;
    while started.elapsed() < TIME {
        let event = Event::new(Action::DataRead, Outcome::Success)
            .user("analyst")
            .http("GET", "/sales")
            .rows(100)
            .columns(["customer_id", "product", "price", "quantity"]);
        if log.record_blocking(event).is_err() {
            break;
        }
        records += 1;
    }
    records
}
