//! Logs to syslog: a socket of this machine, a server over TLS, and neither.

use std::time::{Duration, Instant};

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::syslog::{Datagrams, SyslogServer};
use serde_json::Value;

const COPY: &str = "name: words
source: { csv: { path: in.csv } }
columns: { id: { type: int64 }, name: { type: text } }
sink: { jsonl: { path: out.jsonl } }
rejects: { path: rejects.jsonl }
";

fn copy() -> Pipeline {
    Pipeline::new(COPY).file("in.csv", "id,name\n1,ann\nx,bob\n")
}

#[test]
fn a_socket_gets_what_standard_error_gets() {
    let syslog = Datagrams::listen();
    let socket = syslog.path.display().to_string();
    let call = ["--syslog", &socket, "--log", "debug", "run", "none.yaml"];
    let ran = copy().call(&call).ends_with(2);
    let message = syslog.next();
    assert!(message.starts_with("<27>1 20"), "{message}");
    let (_, text) = message.split_once(" log - ").unwrap();
    assert!(text.starts_with("cannot read the manifest"), "{text}");
    assert!(ran.stderr.contains(text), "{}", ran.stderr);
}

#[test]
fn a_server_gets_lines_of_json_over_verified_tls() {
    let syslog = SyslogServer::start();
    let host = format!("localhost:{}", syslog.port);
    let json = ["--log-format", "json", "--syslog", &host];
    let run = ["run", "manifest.yaml"];
    let copy = copy().file("ca.pem", &syslog.certificate);
    let call = [&json[..], &["--syslog-ca", "ca.pem"], &run].concat();
    let ran = copy.call(&call).ends_with(0);
    let messages = syslog.next();
    let [message] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    let (head, text) = message.split_once(" log - ").unwrap();
    assert!(head.starts_with("<30>1 "), "{head}");
    let line: Value = serde_json::from_str(text).unwrap();
    assert_eq!(line["message"], "the run ended");
    assert_eq!(ran.stderr.trim_end(), text);

    // Of one that is not trusted nothing is told to it.
    let ran = copy.call(&[&json[..], &run].concat()).ends_with(0);
    let _ = ran
        .says("logs do not reach syslog")
        .says("its certificate is not signed by a trusted authority")
        .says("1 lines of the log did not reach syslog");
}

#[test]
fn a_run_does_not_wait_for_a_syslog_that_is_away() {
    let began = Instant::now();
    let call = [
        "--syslog",
        "/nowhere/log",
        "--log",
        "debug",
        "check",
        "manifest.yaml",
    ];
    let broken = Pipeline::new(&COPY.replace("int64", "int46"));
    let ran = broken.call(&call).ends_with(2);
    let _ = ran
        .says("int46")
        .says("logs do not reach syslog")
        .says("did not reach syslog");
    assert!(began.elapsed() < Duration::from_secs(20));
    for (wrong, says) in [
        (&["--syslog", "dev/log"][..], "absolute path of a socket"),
        (
            &["--syslog-ca", "ca.pem"],
            "`--syslog-ca` is for `--syslog HOST`",
        ),
    ] {
        let call = [wrong, &["check", "manifest.yaml"]].concat();
        let ran = copy().call(&call);
        assert_ne!(ran.code, Some(0));
        let _ = ran.says(says);
    }
}
