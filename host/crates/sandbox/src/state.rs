//! What the host holds for one instance: an empty WASI, its limits, its source of randomness. No
//! files, sockets, environment or arguments: WASI is linked because Rust's standard library imports
//! it, but gives access to nothing.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::Limits;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng, TryRng};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::clock::Frozen;
use crate::words::{Channel, GuestOutput, Stream};

/// Bytes of randomness that one WASI call may ask for.
const RANDOM_AT_ONCE: u64 = 1 << 20;

/// Handles that an instance may hold at once, its own and WASI's each. They cost the host memory
/// and the guest none; the SDK holds one of its own, Rust's standard library three of WASI's.
pub(crate) const HANDLES: usize = 10_000;

/// A store's data.
pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    random: Seeded,
    /// Where the guest's words go; nowhere in a run, where they may hold cells.
    pub(crate) words: Option<GuestOutput>,
    pub(crate) meter: Meter,
    /// Whether the guest has been instantiated, its start-up code included.
    pub(crate) started: bool,
}

impl State {
    /// The state of a fresh instance; `seed` is where its randomness starts.
    pub(crate) fn new(limits: &Limits, seed: [u8; 32], words: Option<&GuestOutput>) -> Self {
        let random = Seeded(Arc::new(Mutex::new(StdRng::from_seed(seed))));
        let mut wasi = WasiCtxBuilder::new();
        wasi.allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .wall_clock(Frozen)
            .monotonic_clock(Frozen)
            .secure_random(random.clone())
            .insecure_random(random.clone())
            .insecure_random_seed(0)
            .max_random_size(RANDOM_AT_ONCE);
        if let Some(words) = words {
            let stream = |voice| Stream {
                words: words.clone(),
                voice,
            };
            wasi.stdout(stream(Channel::Out))
                .stderr(stream(Channel::Error));
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        State {
            wasi: wasi.build(),
            table,
            random,
            words: words.cloned(),
            meter: Meter::new(limits),
            started: false,
        }
    }

    /// Starts the instance's randomness anew, so that a call depends on its batch alone.
    pub(crate) fn reseed(&mut self, seed: [u8; 32]) {
        *self.random.0.lock().unwrap_or_else(PoisonError::into_inner) = StdRng::from_seed(seed);
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// Randomness that the host can start anew.
#[derive(Clone)]
struct Seeded(Arc<Mutex<StdRng>>);

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.lock().next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.lock().next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.lock().fill_bytes(bytes);
        Ok(())
    }
}

impl Seeded {
    fn lock(&self) -> std::sync::MutexGuard<'_, StdRng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a guest wanted and did not get.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    Memory,
    TableElements,
}

/// Counts what an instance holds and refuses more than its limits.
pub(crate) struct Meter {
    memory_limit: usize,
    table_limit: usize,
    instances: usize,
    /// Linear memory that the instance holds, in bytes.
    pub(crate) memory: usize,
    table_elements: usize,
    /// What was refused since the last call began, if anything was.
    pub(crate) refused: Option<Refused>,
}

impl Meter {
    fn new(limits: &Limits) -> Self {
        Meter {
            memory_limit: limits.memory,
            table_limit: limits.table_elements,
            instances: limits.instances,
            memory: 0,
            table_elements: 0,
            refused: None,
        }
    }

    fn grow(held: &mut usize, limit: usize, current: usize, desired: usize) -> bool {
        let after = held.saturating_sub(current).saturating_add(desired);
        let granted = after <= limit;
        if granted {
            *held = after;
        }
        granted
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = Meter::grow(&mut self.memory, self.memory_limit, current, desired);
        if !granted {
            self.refused = Some(Refused::Memory);
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let granted = Meter::grow(&mut self.table_elements, self.table_limit, current, desired);
        if !granted {
            self.refused = Some(Refused::TableElements);
        }
        Ok(granted)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.instances
    }

    fn memories(&self) -> usize {
        self.instances
    }
}
