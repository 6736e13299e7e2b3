//! What a plugin of contract 0.1 may import.

use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

use super::bindings::glovebox::plugin::log;
use crate::state::State;
use crate::words::Channel;

/// All that a plugin may import: `log`, and an empty WASI.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    log::add_to_linker::<State, HasSelf<State>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl log::Host for State {
    /// Dropped in a run, where a message may hold cells.
    fn log(&mut self, level: log::Level, message: String) {
        let Some(words) = &self.words else { return };
        let level = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        words.say(Channel::Log(level), message.as_bytes());
    }
}
