use std::os::unix::net::UnixDatagram;

use super::*;

const SOON: Duration = Duration::from_secs(20);

fn next(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 16 << 10];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

fn listen(path: &std::path::Path) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).unwrap();
    socket.set_read_timeout(Some(SOON)).unwrap();
    socket
}

#[test]
fn lines_are_sent_in_order_by_the_rfc() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let socket = listen(&path);
    let lines = Lines::start(Syslog::Socket(path), |error| panic!("{error}")).unwrap();
    lines.add(Severity::Error, "one\ntwo");
    lines.add(Severity::Info, &"ü".repeat(9000));
    let first = next(&socket);
    let (head, text) = first.split_once(" - glovebox ").unwrap();
    assert!(
        head.starts_with("<27>1 20") && head.ends_with('Z'),
        "{head}"
    );
    assert_eq!(text, format!("{} log - one two", std::process::id()));
    let long = next(&socket);
    assert!(long.starts_with("<30>1 ") && (8000..=8192).contains(&long.len()));
    assert_eq!(lines.close(SOON), 0);
}

#[test]
fn nobody_waits_for_a_daemon_that_is_away_and_what_was_lost_is_told_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let (told, heard) = sync_channel(9);
    let away = move |error: &SyslogError| told.send(error.to_string()).unwrap();
    let lines = Lines::start(Syslog::Socket(path.clone()), away).unwrap();
    let began = Instant::now();
    // The first is in the sender's hands when it is said that nobody is there.
    lines.add(Severity::Info, "number 0");
    let away = heard.recv_timeout(SOON).unwrap();
    assert!(
        away.starts_with("the socket of syslog does not take it"),
        "{away}"
    );
    for number in 1..=QUEUE + 5 {
        lines.add(Severity::Info, &format!("number {number}"));
    }
    assert!(began.elapsed() < SOON);
    let socket = listen(&path);
    assert!(next(&socket).ends_with(" log - number 0"));
    let lost = next(&socket);
    assert!(
        lost.starts_with("<28>1 ") && lost.contains(" 5 lines of the log were lost"),
        "{lost}"
    );
    for number in 1..=QUEUE {
        assert!(next(&socket).ends_with(&format!("number {number}")));
    }
    assert_eq!(heard.try_recv().ok(), None);
    assert_eq!(lines.close(SOON), 0);
}

#[test]
fn the_end_of_the_program_does_not_wait_for_a_daemon_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let lines = Lines::start(Syslog::Socket(folder.path().join("log")), |_| {}).unwrap();
    for _ in 0..3 {
        lines.add(Severity::Info, "never heard");
    }
    let began = Instant::now();
    assert_eq!(lines.close(SOON), 3);
    assert!(began.elapsed() < SOON / 2);
}
