//! A plugin's store, and the limits around every call into it.

use std::sync::Arc;

use glovebox_core::Fault;
use wasmtime::Store;

use crate::clock::TICK;
use crate::component::Inner;
use crate::fault::During;
use crate::state::{HANDLES, State};
use crate::trace;
use crate::words::GuestOutput;

/// Time that a call has beyond its limit before the host stops waiting for it: what the epoch
/// cannot stop, such as a guest that sleeps in WASI, is stopped by this.
const GRACE: std::time::Duration = std::time::Duration::from_millis(25);

/// A store whose guest is bounded in every call.
pub(crate) struct Guest {
    pub(crate) store: Store<State>,
    pub(crate) plugin: Arc<Inner>,
}

impl Guest {
    pub(crate) fn new(plugin: &Arc<Inner>, words: Option<&GuestOutput>) -> Self {
        let state = State::new(&plugin.limits, plugin.digest, words);
        let mut store = Store::new(&plugin.shared.engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_hostcall_fuel(plugin.limits.returned);
        store.set_max_component_handles(HANDLES);
        Guest {
            store,
            plugin: Arc::clone(plugin),
        }
    }

    /// Runs one call into the guest under its time limit. `call` names it for messages.
    pub(crate) fn call<T>(
        &mut self,
        call: &'static str,
        enter: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let limit = self.plugin.limits.time;
        let ticks = limit.as_nanos().div_ceil(TICK.as_nanos()) + 1;
        self.store
            .set_epoch_deadline(u64::try_from(ticks).unwrap_or(u64::MAX));
        self.store.data_mut().meter.refused = None;
        let timers = &self.plugin.shared.timers;
        let store = &mut self.store;
        let outcome =
            timers.block_on(async { tokio::time::timeout(limit + GRACE, enter(store)).await });
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let state = self.store.data();
                if let Some(words) = &state.words {
                    words.trace(trace::frames(&error));
                }
                Err(self.during(call).stopped(&error, state))
            }
            Err(_) => Err(self.during(call).late()),
        }
    }

    /// For wording a fault in that call.
    pub(crate) fn during(&self, call: &'static str) -> During<'_> {
        During {
            plugin: &self.plugin.name,
            call,
            limits: &self.plugin.limits,
        }
    }

    pub(crate) fn plugin(&self) -> &Inner {
        &self.plugin
    }

    pub(crate) fn memory(&self) -> usize {
        self.store.data().meter.memory
    }
}
