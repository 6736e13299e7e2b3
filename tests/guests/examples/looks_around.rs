//! Tries every door out of its room before each answer: files, environment, arguments, sockets,
//! names, standard input, threads, clocks. It announces a rule for each door and finds row 0 for
//! each that opened; the host must leave all of them shut.

use std::io::Read;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, SystemTime};

use glovebox_guests::{Batch, Finding, Grant, Rule, Validator};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::IpAddressFamily;

struct Act;

/// A name and an attempt, which says whether it opened.
type Door = (&'static str, fn() -> bool);

const DOORS: [Door; 16] = [
    ("preopened folder", || {
        !wasip2::filesystem::preopens::get_directories().is_empty()
    }),
    ("file", || std::fs::read("/etc/passwd").is_ok()),
    ("folder", || std::fs::read_dir(".").is_ok()),
    ("new file", || std::fs::write("escaped", "x").is_ok()),
    ("environment", || std::env::vars().next().is_some()),
    ("argument", || std::env::args().next().is_some()),
    ("working folder", || {
        wasip2::cli::environment::initial_cwd().is_some()
    }),
    ("tcp client", || {
        TcpStream::connect(("127.0.0.1", 22)).is_ok()
    }),
    ("tcp server", || TcpListener::bind(("127.0.0.1", 0)).is_ok()),
    ("tcp socket", || {
        wasip2::sockets::tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4).is_ok()
    }),
    ("udp", || UdpSocket::bind(("127.0.0.1", 0)).is_ok()),
    ("name", || ("localhost", 80).to_socket_addrs().is_ok()),
    ("name lookup", || {
        resolve_addresses(&instance_network(), "localhost").is_ok()
    }),
    ("standard input", || {
        std::io::stdin().read(&mut [0]).is_ok_and(|n| n > 0)
    }),
    ("thread", || {
        std::thread::Builder::new().spawn(|| ()).is_ok()
    }),
    ("clock", || {
        let year = Duration::from_secs(365 * 24 * 3600);
        SystemTime::now() > SystemTime::UNIX_EPOCH + year
    }),
];

impl Validator for Act {
    fn rules(_: &Grant) -> Vec<Rule> {
        let rule = |(door, _): &Door| Rule {
            id: (*door).into(),
            column: None,
            message: "stands open".into(),
        };
        DOORS.iter().map(rule).collect()
    }

    fn apply(_: &Grant, _: Batch) -> Vec<Finding> {
        (0..)
            .zip(&DOORS)
            .filter(|(_, (_, opens))| opens())
            .map(|(rule, _)| Finding {
                rule,
                rows: vec![0],
            })
            .collect()
    }
}

glovebox_guests::validator!(Act);
