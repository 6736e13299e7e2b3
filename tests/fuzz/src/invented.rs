//! Core modules changed by wasm-mutate, or invented by wasm-smith, in place of a plugin's own.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

use arbitrary::Unstructured;
use rand::RngExt;
use rand::rngs::StdRng;
use wasm_mutate::WasmMutate;
use wasm_smith::{Config, Module};

use crate::sections::{Binary, CORE_MODULE};

/// What wasm-mutate may spend on one change.
const FUEL: u64 = 300;
/// How often wasm-mutate is asked for one.
const TRIES: usize = 5;
/// Steps after which most invented code stops of itself.
const STEPS: u32 = 10_000;

/// One of the component's core modules, changed: valid as a module, whatever it now does.
pub(crate) fn mutated(bytes: &mut Vec<u8>, rng: &mut StdRng) -> Option<()> {
    let mut component = Binary::split(bytes)?;
    let modules: Vec<usize> = (component.sections.iter().enumerate())
        .filter(|(_, section)| section.id == CORE_MODULE)
        .map(|(place, _)| place)
        .collect();
    // Mostly the plugin's own; now and then the small ones that wire it up.
    let chosen = if rng.random_ratio(9, 10) {
        component.main_module()?
    } else {
        *modules.get(rng.random_range(0..modules.len().max(1)))?
    };
    let section = component.sections.get_mut(chosen)?;
    for _ in 0..rng.random_range(1..=2) {
        // Most of the tool's changes find no place in a given module.
        section.payload = (0..TRIES).find_map(|_| {
            let seed = rng.random();
            quietly(|| mutate(&section.payload, seed)).flatten()
        })?;
    }
    *bytes = component.join();
    Some(())
}

fn mutate(module: &[u8], seed: u64) -> Option<Vec<u8>> {
    let mut mutate = WasmMutate::default();
    mutate
        .seed(seed)
        .fuel(FUEL)
        // The tool's own way puts up to ten megabytes into a data segment.
        .raw_mutate_func(Some(Arc::new(move |data, most| {
            for (i, byte) in data.iter_mut().enumerate().step_by(61) {
                *byte = byte.wrapping_add((seed >> (i % 57)) as u8);
            }
            data.truncate(most);
            Ok(())
        })));
    let mut changed = mutate.run(module).ok()?;
    changed.next()?.ok()
}

/// A module with the imports and exports of the plugin's own, and otherwise of random code.
pub(crate) fn invented(bytes: &mut Vec<u8>, rng: &mut StdRng) -> Option<()> {
    let mut component = Binary::split(bytes)?;
    let main = component.main_module()?;
    let section = component.sections.get_mut(main)?;
    let mut dice = vec![0_u8; rng.random_range(512..6_000)];
    rng.fill(dice.as_mut_slice());
    let config = Config {
        module_shape: Some(section.payload.clone()),
        max_instructions: 40,
        max_funcs: 30,
        max_types: 40,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 20,
        max_globals: 10,
        max_table_elements: 1_000,
        allow_start_export: rng.random_ratio(1, 8),
        // What our engine refuses anyway would only be refused at once.
        gc_enabled: rng.random_ratio(1, 50),
        exceptions_enabled: rng.random_ratio(1, 50),
        memory64_enabled: rng.random_ratio(1, 50),
        threads_enabled: rng.random_ratio(1, 50),
        shared_everything_threads_enabled: false,
        reference_types_enabled: rng.random_ratio(1, 10),
        tail_call_enabled: rng.random_ratio(1, 2),
        ..Config::default()
    };
    let ends = rng.random_ratio(9, 10);
    section.payload = quietly(|| {
        let mut module = Module::new(config, &mut Unstructured::new(&dice)).ok()?;
        if ends {
            // It fails for shapes that it cannot count; they run into the time limit.
            let _ = module.ensure_termination(STEPS);
        }
        Some(module.to_bytes())
    })??;
    *bytes = component.join();
    Some(())
}

/// A panic of a tool's own is no finding about the host: such a mutant is left out, unheard.
fn quietly<T>(make: impl FnOnce() -> T) -> Option<T> {
    thread_local! {
        static QUIET: Cell<bool> = const { Cell::new(false) };
    }
    static HUSHED: Once = Once::new();
    HUSHED.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                loud(info);
            }
        }));
    });
    QUIET.set(true);
    let made = catch_unwind(AssertUnwindSafe(make)).ok();
    QUIET.set(false);
    made
}
