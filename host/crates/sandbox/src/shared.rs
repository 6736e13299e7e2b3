//! The one engine of a process: its configuration, its ticker, its linker, its timers.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use wasmtime::component::Linker;
use wasmtime::{Config, Engine, OptLevel, WasmBacktraceDetails, WasmFeatures};

use crate::abi::v0_1::linker::linker;
use crate::cache::{Cache, CacheError};
use crate::clock::Ticker;
use crate::state::State;
use crate::trace;

/// Stack that guest code may use, in bytes. One value for the process: wasmtime fixes it with
/// the engine, not with the instance.
const GUEST_STACK: usize = 512 << 10;
/// Stack of the fiber that a call runs on: the guest's and room for host functions.
const FIBER_STACK: usize = GUEST_STACK + (1 << 20);

/// Who hears of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Operators: no backtrace is captured, and none of the component's own words is repeated.
    Runs,
    /// Its authors.
    Authors,
}

pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) audience: Audience,
    pub(crate) linker: Linker<State>,
    pub(crate) cache: Option<Cache>,
    /// Drives the timeouts around calls; guest code runs on the caller's thread.
    pub(crate) timers: tokio::runtime::Runtime,
    _ticker: Ticker,
}

/// Why the sandbox itself cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime refused our configuration on this machine.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
    /// The timers could not be started.
    #[error("cannot start the sandbox's timers: {0}")]
    Timers(std::io::Error),
}

impl Shared {
    /// Starts the engine. For authors it captures backtraces and reads the debug information of
    /// components.
    pub(crate) fn start(cache: Option<PathBuf>, audience: Audience) -> Result<Self, SandboxError> {
        let engine = Engine::new(&configured(audience))
            .map_err(|e| SandboxError::Engine(format!("{e:#}")))?;
        let linker = linker(&engine).map_err(|e| SandboxError::Engine(format!("{e:#}")))?;
        let timers = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("glovebox-timers")
            .enable_time()
            .build()
            .map_err(SandboxError::Timers)?;
        let cache = cache.and_then(|folder| match Cache::open(folder, &engine) {
            Ok(cache) => Some(cache),
            Err(CacheError { place, problem }) => {
                tracing::warn!(place, problem, "compiled plugins are not cached");
                None
            }
        });
        let ticker = Ticker::start(&engine).map_err(SandboxError::Timers)?;
        Ok(Shared {
            engine,
            audience,
            linker,
            cache,
            timers,
            _ticker: ticker,
        })
    }
}

/// The engine's configuration: which proposals guests may use, and how they are compiled. For tests
/// that run other WebAssembly under it.
pub fn config() -> Config {
    configured(Audience::Runs)
}

fn configured(audience: Audience) -> Config {
    let (details, frames) = match audience {
        Audience::Runs => (WasmBacktraceDetails::Disable, None),
        Audience::Authors => (
            WasmBacktraceDetails::Enable,
            NonZeroUsize::new(trace::CAPTURED),
        ),
    };
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(FIBER_STACK)
        // Said here, because the default is to ask the environment.
        .wasm_backtrace_details(details)
        .wasm_backtrace_max_frames(frames)
        // The same input must give the same output, on any machine.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .wasm_memory64(false)
        // Off in our build of wasmtime as well; said here so that no other crate's wish for its
        // features turns them on.
        .wasm_features(
            WasmFeatures::GC_TYPES
                | WasmFeatures::EXCEPTIONS
                | WasmFeatures::THREADS
                | WasmFeatures::CM_ASYNC,
            false,
        )
        .wasm_component_model(true);
    config
}
