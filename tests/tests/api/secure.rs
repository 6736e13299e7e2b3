//! TLS: the certificate that is configured, and the one that replaces it.

use glovebox_tests::http::{Reply, connect, over_tls, request, talk};
use glovebox_tests::server::Server;
use rcgen::{CertifiedKey, generate_simple_self_signed};

/// A certificate for localhost, with its key.
fn certificate() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

/// A request by a client that trusts this certificate alone.
fn get(server: &Server, trusted: &str, target: &str) -> Option<Reply> {
    over_tls(&server.address, trusted, &request("GET", target, &[], b""))
}

#[test]
fn the_configured_certificate_is_shown_and_a_new_one_when_its_files_change() {
    let (first, first_key) = certificate();
    let (second, second_key) = certificate();
    let folder = Server::folder("tls: { certificate: cert.pem, key: key.pem }\n")
        .file("cert.pem", &first)
        .file("key.pem", &first_key);
    let server = Server::start_in(folder);
    let reply = get(&server, &first, "/healthz").unwrap().is(200);
    assert!(reply.header("strict-transport-security").is_some());
    assert!(get(&server, &second, "/healthz").is_none());
    // Plain text is no TLS.
    let mut socket = connect(&server.address);
    let _ = std::io::Write::write_all(&mut socket, &request("GET", "/healthz", &[], b""));
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut socket, &mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    // Half of a replacement is not used.
    server.folder.write("cert.pem", &second);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(get(&server, &first, "/healthz").is_some());
    server.folder.write("key.pem", &second_key);
    let mut replaced = false;
    for _ in 0..200 {
        replaced = get(&server, &second, "/healthz").is_some();
        if replaced {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(replaced, "{}", server.log());
    assert!(get(&server, &first, "/healthz").is_none());
}

#[test]
fn a_certificate_that_does_not_fit_its_key_is_refused_at_the_start() {
    let (first, _) = certificate();
    let (_, other_key) = certificate();
    let folder = Server::folder("tls: { certificate: cert.pem, key: key.pem }\n")
        .file("cert.pem", &first)
        .file("key.pem", &other_key);
    let _ = folder.call(&["serve"]).ends_with(1).says("do not match");
    folder.write("cert.pem", "no certificate");
    let _ = folder
        .call(&["serve"])
        .ends_with(1)
        .says("no readable certificate");
}

#[test]
fn metrics_have_a_port_of_their_own_if_asked() {
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = Server::start(&format!("metrics: {{ listen: '{port}' }}\n"));
    let _ = server.call("GET", "/healthz", &[], b"").is(200);
    let reply = talk(
        &mut connect(&port.to_string()),
        &request("GET", "/metrics", &[], b""),
    )
    .is(200);
    let line = "glovebox_http_requests_total{route=\"/healthz\",method=\"GET\",status=\"200\"} 1";
    assert!(reply.text().contains(line), "{}", reply.text());
    // There is nothing else on it.
    let _ = talk(
        &mut connect(&port.to_string()),
        &request("GET", "/sales", &[], b""),
    )
    .is(404);
    let _ = server.call("GET", "/metrics", &[], b"").is(401);
}
