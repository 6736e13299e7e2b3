//! The units of deploy/systemd, judged by systemd itself where it is installed: whether they are right,
//! and how much a service that is taken over could reach.

use std::fs;
use std::path::Path;
use std::process::Command;

use glovebox_tests::pipeline::Pipeline;

/// What `systemd-analyze security` gives at the most, of 100: of which 0 is nothing at all.
const MAX_EXPOSURE: &str = "--threshold=20";

#[test]
fn units_are_right_and_expose_little() {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        eprintln!("systemd is not installed: its units are not checked");
        return;
    }
    let machine = Pipeline::empty();
    let root = machine.folder();
    let units = "etc/systemd/system";
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd");
    // As the manual installs them.
    for unit in fs::read_dir(&shipped).unwrap() {
        let unit = unit.unwrap();
        let name = unit.file_name().into_string().unwrap();
        let text = fs::read(unit.path()).unwrap();
        if name == "hardening.conf" {
            for service in [
                "glovebox.service",
                "glovebox-run@.service",
                "glovebox-watch@.service",
            ] {
                machine.write(&format!("{units}/{service}.d/{name}"), &text);
            }
        } else {
            machine.write(&format!("{units}/{name}"), &text);
        }
    }
    fs::create_dir_all(root.join("usr/local/bin")).unwrap();
    // Any program: it is looked for, and not started.
    fs::copy("/bin/true", root.join("usr/local/bin/glovebox")).unwrap();
    let own = root.join("usr/lib/systemd/system");
    fs::create_dir_all(&own).unwrap();
    for unit in fs::read_dir("/usr/lib/systemd/system").unwrap() {
        let unit = unit.unwrap();
        if unit.path().is_file() {
            fs::copy(unit.path(), own.join(unit.file_name())).unwrap();
        }
    }
    let services = [
        "glovebox.service",
        "glovebox-run@sales.service",
        "glovebox-watch@sales.service",
    ];
    for (call, units) in [
        (
            &["security", "--offline=true", MAX_EXPOSURE][..],
            &services[..],
        ),
        (&["verify"], &services),
        (&["verify"], &["glovebox-run@sales.timer"]),
    ] {
        let told = Command::new("systemd-analyze")
            .args(call)
            .arg(format!("--root={}", root.display()))
            .args(units)
            .output()
            .unwrap();
        assert!(
            told.status.success() && told.stderr.is_empty(),
            "{call:?}: {}{}",
            String::from_utf8_lossy(&told.stdout),
            String::from_utf8_lossy(&told.stderr)
        );
    }
}
