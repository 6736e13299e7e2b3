//! Files that are no plugins, given to the real program: refused at once, and not read whole.

use std::fs::File;
use std::time::{Duration, Instant};

use glovebox_tests::pipeline::{Pipeline, Ran};

use crate::act::{World, act};

/// A run, and the peak of its resident memory in bytes.
fn measured(pipeline: &Pipeline) -> (Ran, u64) {
    let running = pipeline.start(&["run", "manifest.yaml"]);
    let status = format!("/proc/{}/status", running.id());
    let mut peak = 0;
    // A process that has ended has no such line any more.
    while let Some(kib) = std::fs::read_to_string(&status).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    }) {
        peak = peak.max(kib << 10);
        std::thread::sleep(Duration::from_millis(1));
    }
    (running.end(), peak)
}

#[test]
fn a_file_of_any_size_is_refused_at_once_and_not_read_whole() {
    let honest = act("is_honest", World::Validator, "").pipeline();
    let (ran, own) = measured(&honest);
    let _ = ran.ends_with(0);

    let pipeline = act("is_honest", World::Validator, "").pipeline();
    // The honest component with zeroes after it, which take no room on the disk.
    let large = || {
        let file = File::options()
            .write(true)
            .open(pipeline.path("guest.wasm"));
        file.and_then(|file| file.set_len(10 << 30)).unwrap();
    };
    // A device has no size, and no end.
    let endless = || {
        std::fs::remove_file(pipeline.path("guest.wasm")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", pipeline.path("guest.wasm")).unwrap();
    };
    for spoil in [&large as &dyn Fn(), &endless] {
        spoil();
        let started = Instant::now();
        let (ran, peak) = measured(&pipeline);
        assert!(started.elapsed() < Duration::from_secs(20));
        let _ = ran.ends_with(2).says("is larger than 64 MiB");
        // 64 MiB are read to see that there is more; a buffer that grows may double.
        assert!(peak < own + (160 << 20), "{peak} bytes, honestly {own}");
        assert!(!pipeline.names().contains(&"out.csv".to_owned()));
    }
}
