//! A component: what it is, which world it exports, whether its imports are allowed.

use std::sync::Arc;

use glovebox_core::shown::{printable, short_name};
use glovebox_core::{Limits, PluginError, World};
use sha2::{Digest, Sha256};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre};

use crate::shared::{Audience, Shared};
use crate::state::State;

/// The version of the contract that this host speaks.
pub const CONTRACT: &str = "0.1.0";

/// A component file larger than this is refused.
const MAX_SIZE: usize = 64 << 20;
/// The most characters of wasmtime's own words that a message repeats.
const MAX_QUOTE_LEN: usize = 500;
const PACKAGE: &str = "glovebox:plugin/";
/// Interfaces of WASI 0.2 that are linked, and in what way each is empty.
const EMPTY_WASI: [(&str, &str); 6] = [
    (
        "wasi:cli/",
        "WASI, empty: no arguments, no environment; output is dropped in runs",
    ),
    ("wasi:clocks/", "WASI, empty: the clocks are frozen"),
    ("wasi:filesystem/", "WASI, empty: there are no files"),
    ("wasi:io/", "WASI, empty: streams without data"),
    (
        "wasi:random/",
        "WASI: random numbers that are the same for the same batch",
    ),
    ("wasi:sockets/", "WASI, empty: there is no network"),
];
/// What to build a plugin with, for a message about one that speaks another version.
const REBUILD: &str = "rebuild it with glovebox-sdk 0.1, or from the WIT package glovebox:plugin@0.1.0 (the folder wit/ of this version)";

/// Whether the bytes begin as a WebAssembly component does, not as a core module.
pub fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\0asm\x0d\0\x01\0")
}

/// What each instance of a plugin needs of it.
pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) name: String,
    pub(crate) pre: InstancePre<State>,
    pub(crate) world: World,
    pub(crate) limits: Limits,
    pub(crate) digest: [u8; 32],
}

/// The SHA-256 of what is small enough, raw and in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> Result<([u8; 32], String), String> {
    if bytes.len() > MAX_SIZE {
        return Err(format!(
            "is larger than {} MiB, the limit for a plugin",
            MAX_SIZE >> 20
        ));
    }
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    Ok((digest, glovebox_core::hex(digest)))
}

/// The component as machine code, from the cache if it is there.
pub(crate) fn compile(shared: &Shared, bytes: &[u8], sha256: &str) -> Result<Component, String> {
    if !is_component(bytes) {
        let what = if bytes.starts_with(b"\0asm") {
            "is a core WebAssembly module, not a component; build it with `cargo build --target wasm32-wasip2`"
        } else {
            "is not a WebAssembly component"
        };
        return Err(what.into());
    }
    let cache = shared.cache.as_ref();
    if let Some(component) = cache.and_then(|c| c.get(&shared.engine, sha256)) {
        return Ok(component);
    }
    let component = Component::from_binary(&shared.engine, bytes)
        .map_err(|e| format!("is not a valid component{}", quoted(shared, &e)))?;
    if let Some(cache) = cache {
        cache.put(&component, sha256);
    }
    Ok(component)
}

/// A component whose imports or exports are not those of the contract.
pub(crate) fn misfit(shared: &Shared, plugin: &str, error: &wasmtime::Error) -> PluginError {
    PluginError::Refused {
        plugin: plugin.to_owned(),
        problem: format!(
            "does not match contract {CONTRACT}, whose version it names{}; {REBUILD}",
            quoted(shared, error)
        ),
    }
}

/// What wasmtime says of a component. It quotes names of the component's, which can be anything, so
/// it is for authors.
fn quoted(shared: &Shared, error: &wasmtime::Error) -> String {
    if shared.audience == Audience::Runs {
        return " (`glovebox plugin check` says where)".into();
    }
    let text = printable(&format!(": {error:#}"));
    text.chars().take(MAX_QUOTE_LEN).collect()
}

pub(crate) fn check_imports(
    component: &Component,
    engine: &wasmtime::Engine,
) -> Result<(), String> {
    for (import, _) in component.component_type().imports(engine) {
        judge(import)?;
    }
    Ok(())
}

/// Why a plugin may import this, or why it may not.
pub(crate) fn judge(import: &str) -> Result<&'static str, String> {
    if let Some(interface) = import.strip_prefix(PACKAGE) {
        return Ok(match check_version(interface)? {
            "log" => "the contract: lines for the plugin's author; dropped in runs",
            _ => "the contract: types",
        });
    }
    let empty = EMPTY_WASI.iter().find(|(w, _)| import.starts_with(w));
    match empty.filter(|_| import.contains("@0.2.")) {
        Some((_, why)) => Ok(why),
        None => {
            let named = short_name(import).map(|name| format!("`{name}`"));
            Err(format!(
                "imports {}, which plugins do not get; a plugin may only import \
                glovebox:plugin/log and an empty WASI 0.2",
                named
                    .as_deref()
                    .unwrap_or("something that is not an interface name")
            ))
        }
    }
}

fn check_version(interface: &str) -> Result<&str, String> {
    let speaks = format!("this host supports {CONTRACT}; {REBUILD}");
    match interface.split_once('@') {
        Some((name, CONTRACT)) => Ok(name),
        Some((_, version)) => Err(format!(
            "was built for contract {}; {speaks}",
            short_name(version).unwrap_or("without a version")
        )),
        None => Err(format!("names no version of the contract; {speaks}")),
    }
}

pub(crate) fn find_world(
    component: &Component,
    engine: &wasmtime::Engine,
) -> Result<World, String> {
    let mut worlds = Vec::new();
    for (export, item) in component.component_type().exports(engine) {
        let Some(interface) = export.strip_prefix(PACKAGE) else {
            continue;
        };
        let name = check_version(interface)?;
        if !matches!(item.ty, ComponentItem::ComponentInstance(_)) {
            continue;
        }
        worlds.extend(match name {
            "validator" => Some(World::Validator),
            "masker" => Some(World::Masker),
            "transformer" => Some(World::Transformer),
            _ => None,
        });
    }
    match worlds.as_slice() {
        [world] => Ok(*world),
        [] => Err(format!(
            "exports none of the worlds of contract {CONTRACT}: validator, masker, transformer; {REBUILD}"
        )),
        _ => Err(
            "exports more than one world; a plugin is a validator, a masker or a transformer"
                .into(),
        ),
    }
}
