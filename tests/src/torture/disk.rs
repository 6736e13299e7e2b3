//! A disk that is full in the middle of a run, and has room again for the next one.

use super::faults::finish;
use super::job::Job;
use super::room::Room;
use super::{Line, Seeded, Target};
use crate::pipeline::Running;
use crate::postgres::Postgres;

/// Room for later, in bytes.
const PLENTY: u64 = 1 << 30;

/// Runs a job of its own into a small file system, makes room, and lets it go on. The job, for the
/// comparison; none if this process may not mount one.
pub(super) fn filled(
    target: Target,
    rows: usize,
    bytes: u64,
    random: &mut Seeded,
    line: &mut Line,
    compare: impl FnOnce(&Job, &mut Line),
) -> bool {
    // Some share of what the rows take.
    let some = (bytes as f64 * (0.2 + 0.5 * random.share())) as u64;
    match target {
        Target::Postgres(_) => {
            let Ok(folder) = tempfile::Builder::new().prefix("glovebox-small-").tempdir() else {
                return false;
            };
            let Some(room) = Room::over(folder.path()) else {
                return false;
            };
            let server = Postgres::shared();
            let database = match server.database_in("small", folder.path()) {
                Ok(database) => database,
                Err(problem) => {
                    line.wrong.push(problem);
                    return true;
                }
            };
            let job = Job::into_database(target, rows, database.clone(), None);
            short_of(&job, &room, some, line);
            compare(&job, line);
            server.drop_database_in(&database);
        }
        Target::Sqlite(_) | Target::Csv => {
            let job = Job::new(target, rows);
            let Some(room) = Room::over(job.pipeline.folder()) else {
                return false;
            };
            job.write_files();
            short_of(&job, &room, some, line);
            compare(&job, line);
        }
    }
    true
}

fn short_of(job: &Job, room: &Room, bytes: u64, line: &mut Line) {
    if !room.leave(bytes) {
        line.wrong
            .push("the small file system cannot be made smaller".into());
        return;
    }
    let ran = Running::new(job.pipeline.command(&["run", "manifest.yaml", "--resume"])).end();
    let said = ran.stderr.to_lowercase();
    let clear = said.contains("disk is full") || said.contains("no space left");
    match ran.code {
        Some(1) if clear => line.fired += 1,
        Some(0) => line.late += 1,
        _ => line
            .wrong
            .push(format!("a full disk was told as: {}", ran.stderr)),
    }
    if !room.leave(PLENTY) {
        line.wrong
            .push("the small file system cannot be made larger".into());
    }
    finish(job, line);
}
