//! A TCP connection to the server that can be cut, held up and muted, between a sink and the
//! server: TLS goes through it, so it can only count bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use glovebox_tests::postgres::Postgres;

/// Accepts any number of connections, one after the other or at once.
pub(crate) struct Cable {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    ends: Mutex<Vec<TcpStream>>,
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
                let both = [&client, &server].map(|end| end.try_clone().unwrap());
                shared.ends.lock().unwrap().extend(both);
                let up = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let state = shared.clone();
                thread::spawn(move || forward(up, &state, true));
                let state = shared.clone();
                thread::spawn(move || forward((server, client), &state, false));
            }
        });
        Cable { port, state }
    }

    /// Ends all connections; new ones go through whole.
    pub(crate) fn cut(&self) {
        let mut ends = self.state.ends.lock().unwrap();
        *self.state.passes.lock().unwrap() = None;
        self.state.muted.store(false, Ordering::SeqCst);
        for end in ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Lets this many bytes of the client's pass, and holds the rest up until the cut.
    pub(crate) fn hold_after(&self, bytes: usize) {
        *self.state.passes.lock().unwrap() = Some(bytes);
    }

    pub(crate) fn mute(&self) {
        self.state.muted.store(true, Ordering::SeqCst);
    }
}

fn forward((mut from, mut to): (TcpStream, TcpStream), state: &State, up: bool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        while up && !state.may_pass(read) {
            thread::sleep(Duration::from_millis(5));
        }
        if !up && state.muted.load(Ordering::SeqCst) {
            continue;
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
