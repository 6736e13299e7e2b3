//! A TCP connection to the server that can be cut, held up and muted, between a sink and the
//! server: TLS goes through it, so it can only count bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use glovebox_tests::postgres::Postgres;

/// How soon a cut is noticed.
const NOTICE: Duration = Duration::from_millis(5);

/// Accepts any number of connections, one after the other or at once.
pub(crate) struct Cable {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// How often it was cut: a connection from before ends.
    cuts: AtomicU64,
    /// How many more bytes of the client's pass, once this is asked for; the rest waits.
    passes: Mutex<Option<usize>>,
    /// What the server says is lost.
    muted: AtomicBool,
}

impl State {
    fn may_pass(&self, bytes: usize) -> bool {
        let mut passes = self.passes.lock().unwrap();
        match &mut *passes {
            None => true,
            Some(left) if *left >= bytes => {
                *left -= bytes;
                true
            }
            Some(_) => false,
        }
    }
}

impl Cable {
    pub(crate) fn lay(server: &Postgres) -> Cable {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let to = server.port();
        let state: Arc<State> = Arc::default();
        let shared = state.clone();
        thread::spawn(move || {
            for client in socket.incoming() {
                let client = client.unwrap();
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else {
                    continue;
                };
                for end in [&client, &server] {
                    end.set_read_timeout(Some(NOTICE)).unwrap();
                }
                let cuts = shared.cuts.load(Ordering::SeqCst);
                let up = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let state = shared.clone();
                thread::spawn(move || forward(up, (&state, cuts), true));
                let state = shared.clone();
                thread::spawn(move || forward((server, client), (&state, cuts), false));
            }
        });
        Cable { port, state }
    }

    /// Ends all connections; new ones go through whole. They are closed and not shut down, so that who
    /// sends and is not heard gets a reset, as from a server that is gone.
    pub(crate) fn cut(&self) {
        self.state.cuts.fetch_add(1, Ordering::SeqCst);
        *self.state.passes.lock().unwrap() = None;
        self.state.muted.store(false, Ordering::SeqCst);
    }

    /// Lets this many bytes of the client's pass, and holds the rest up until the cut.
    pub(crate) fn hold_after(&self, bytes: usize) {
        *self.state.passes.lock().unwrap() = Some(bytes);
    }

    pub(crate) fn mute(&self) {
        self.state.muted.store(true, Ordering::SeqCst);
    }
}

fn forward((mut from, mut to): (TcpStream, TcpStream), (state, cuts): (&State, u64), up: bool) {
    let is_cut = || state.cuts.load(Ordering::SeqCst) != cuts;
    let mut buffer = [0; 16 << 10];
    while !is_cut() {
        let read = match from.read(&mut buffer) {
            Ok(read @ 1..) => read,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Ok(_) | Err(_) => break,
        };
        while up && !is_cut() && !state.may_pass(read) {
            thread::sleep(NOTICE);
        }
        if is_cut() {
            return;
        }
        if !up && state.muted.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    if !is_cut() {
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
