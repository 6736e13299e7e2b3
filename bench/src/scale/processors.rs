//! Processor time of processes, as Linux counts it.

use std::fs;

use anyhow::Context;

/// Ticks a second, which Linux has fixed for programs.
const TICKS: f64 = 100.0;

/// What `/proc/PID/stat` says behind the name: state first.
fn stat(process: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

/// Fields of it, in seconds.
fn seconds(fields: &[String], which: &[usize]) -> f64 {
    let ticks = which
        .iter()
        .filter_map(|at| fields.get(*at)?.parse::<f64>().ok());
    ticks.sum::<f64>() / TICKS
}

/// Own time, and that of children that have ended: proc(5), fields 14 to 17 of which the third is the first here.
const OWN: [usize; 2] = [11, 12];
const CHILDREN: [usize; 2] = [13, 14];

/// Seconds of the PostgreSQL server at this port, with all its processes.
pub(super) fn server(port: u16) -> anyhow::Result<f64> {
    let processes = || fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes().filter_map(|entry| entry.file_name().into_string().ok());
    let names: Vec<String> = names
        .filter(|name| name.bytes().all(|b| b.is_ascii_digit()))
        .collect();
    let port = port.to_string();
    let main = names.iter().find(|name| {
        let line = fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
        let arguments: Vec<&[u8]> = line.split(|b| *b == 0).collect();
        let program = arguments
            .first()
            .is_some_and(|first| first.ends_with(b"/postgres"));
        program && arguments.contains(&port.as_bytes())
    });
    let main = main.context("no server listens at this port")?;
    let fields = stat(main).context("the server has ended")?;
    let mut spent = seconds(&fields, &OWN) + seconds(&fields, &CHILDREN);
    for name in &names {
        if let Some(fields) = stat(name).filter(|fields| fields.get(1) == Some(main)) {
            spent += seconds(&fields, &OWN);
        }
    }
    Ok(spent)
}
