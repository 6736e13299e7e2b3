//! Tries the doors of WASI that Rust's standard library has no name for: terminals, UDP sockets,
//! clocks that move, time that passes, randomness that another instance does not get. The host must
//! leave all of them shut.

use std::sync::OnceLock;

use glovebox_guests::{Batch, Finding, Grant, Rule, Validator};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::{insecure, insecure_seed, random};
use wasip2::sockets::network::IpAddressFamily;

struct Act;

/// A name and an attempt, which says whether it opened.
type Door = (&'static str, fn() -> bool);

/// What came of chance at the first time; after that it must come again.
static CHANCE: OnceLock<(u64, u64)> = OnceLock::new();

const DOORS: [Door; 9] = [
    ("terminal input", || {
        wasip2::cli::terminal_stdin::get_terminal_stdin().is_some()
    }),
    ("terminal output", || {
        wasip2::cli::terminal_stdout::get_terminal_stdout().is_some()
    }),
    ("terminal error", || {
        wasip2::cli::terminal_stderr::get_terminal_stderr().is_some()
    }),
    ("udp socket", || {
        let socket = wasip2::sockets::udp_create_socket::create_udp_socket(IpAddressFamily::Ipv6);
        socket.is_ok_and(|socket| socket.stream(None).is_ok())
    }),
    ("moving clock", || {
        let before = monotonic_clock::now();
        std::hint::black_box((0..100_000_u64).sum::<u64>());
        monotonic_clock::now() != before
    }),
    ("fine clock", || {
        monotonic_clock::resolution() < 1_000_000_000 || wall_clock::now().nanoseconds != 0
    }),
    ("environment by its own door", || {
        !wasip2::cli::environment::get_environment().is_empty()
            || !wasip2::cli::environment::get_arguments().is_empty()
    }),
    ("chance", || {
        let chance = (
            random::get_random_u64(),
            insecure::get_insecure_random_u64(),
        );
        *CHANCE.get_or_init(|| chance) != chance
    }),
    ("seed", || insecure_seed::insecure_seed() != (0, 0)),
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
