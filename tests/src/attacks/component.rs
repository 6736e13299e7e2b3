//! The bytes of a guest: built by cargo, put together from WebAssembly's text form, or spoiled.

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::Attack;
use super::attack::Source;

/// What every raw guest has, if it does not define it itself.
const TEMPLATE: &str = include_str!("../../guests/raw/template.wat.in");

/// The component of an attack's guest.
///
/// # Errors
/// When it was not built, or its text is wrong.
pub(super) fn bytes(attack: &Attack) -> Result<Vec<u8>, String> {
    match attack.source {
        Source::Rust => built(attack.guest),
        Source::Raw => raw(attack.guest, attack.act),
        Source::Spoiled(spoil) => Ok(spoil(honest()?, attack.act)),
    }
}

/// The honest guest's component.
///
/// # Errors
/// When it was not built.
pub(super) fn honest() -> Result<Vec<u8>, String> {
    built("is_honest")
}

/// The guest of that name as cargo built it.
///
/// # Errors
/// When it was not built.
pub(super) fn built(name: &str) -> Result<Vec<u8>, String> {
    let program = std::env::current_exe().map_err(|e| e.to_string())?;
    let guest = format!("wasm32-wasip2/plugin/examples/{name}.wasm");
    let file = program
        .ancestors()
        .map(|folder| folder.join(&guest))
        .find(|file| file.is_file());
    let Some(file) = file else {
        return Err(format!(
            "there is no {guest}; build the guests: cargo xtask plugins"
        ));
    };
    std::fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))
}

/// The folder of the raw guests.
pub fn raw_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/raw")
}

/// The acts that a raw guest's file names, each with what it replaces in the text.
///
/// # Errors
/// When there is no such file.
pub fn raw_acts(guest: &str) -> Result<Vec<String>, String> {
    let acts = acts(&text(guest)?)
        .into_iter()
        .map(|(name, _)| name.to_owned())
        .collect::<Vec<_>>();
    Ok(if acts.is_empty() {
        vec![String::new()]
    } else {
        acts
    })
}

fn text(guest: &str) -> Result<String, String> {
    let file = raw_folder().join(format!("{guest}.wat"));
    std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))
}

/// Lines `;; act NAME: WORD=TEXT; WORD=TEXT`.
fn acts(text: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
    text.lines()
        .filter_map(|line| line.strip_prefix(";; act ")?.split_once(':'))
        .map(|(name, words)| {
            let words = words.split(';').filter_map(|w| w.split_once('='));
            (name, words.map(|(w, t)| (w.trim(), t.trim())).collect())
        })
        .collect()
}

/// Puts a raw guest's text into the template, and makes a component of it.
fn raw(guest: &str, act: &str) -> Result<Vec<u8>, String> {
    let file = text(guest)?;
    let code = file.lines().filter(|line| !line.starts_with(";;"));
    let mut own: String = code.flat_map(|line| [line, "\n"]).collect();
    if !act.is_empty() {
        let acts = acts(&file);
        let (_, words) = acts
            .iter()
            .find(|(name, _)| *name == act)
            .ok_or_else(|| format!("{guest} has no act {act}"))?;
        for (word, text) in words {
            own = own.replace(&format!("@{word}@"), text);
        }
    }
    let world = file
        .lines()
        .find_map(|line| line.strip_prefix(";; world: "))
        .ok_or_else(|| format!("{guest} does not say its world"))?;
    let module = module(world.trim(), &own)?;
    let told = |e: &dyn std::fmt::Display| format!("{guest} {act}: {e:#}");
    let mut module = wat::parse_str(module).map_err(|e| told(&e))?;

    let mut resolve = wit_parser::Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_path(&wit).map_err(|e| told(&e))?;
    let id = resolve
        .select_world(&[package], Some(&format!("{world}-plugin")))
        .map_err(|e| told(&e))?;
    embed_component_metadata(&mut module, &resolve, id, StringEncoding::UTF8)
        .map_err(|e| told(&e))?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|e| told(&e))
}

/// The template's parts stand between lines `;;; NAME`; a part whose function the guest defines is
/// left out.
fn module(world: &str, own: &str) -> Result<String, String> {
    // The resource, what it announces, where the honest announcement lies, and the parameters that
    // `open` has beside the validator's.
    let (resource, announces, announced, more) = match world {
        "validator" => ("check", "rules", "3072", ""),
        "masker" => ("mask", "fields", "3080", "i32 i32"),
        "transformer" => ("transform", "fields", "3072", "i32 i32"),
        other => return Err(format!("there is no world {other}")),
    };
    let mut text = String::from("(module\n");
    for part in TEMPLATE.split(";;; ").skip(1) {
        let (name, code) = part.split_once('\n').unwrap_or((part, ""));
        if name == "own" {
            text.push_str(own);
        } else if name == "keeps" && world != "masker" {
            // Only a masker says what it keeps.
        } else if !own.contains(&format!("(func ${} ", name.trim()))
            && !own.contains(&format!("({} ", name.trim()))
        {
            text.push_str(code);
        }
    }
    text.push_str(")\n");
    Ok(text
        .replace("@WORLD@", world)
        .replace("@RESOURCE@", resource)
        .replace("@ANNOUNCES@", announces)
        .replace("@ANNOUNCED@", announced)
        .replace("@MORE@", more))
}
