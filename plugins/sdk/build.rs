//! Owns the encoding of each world's type, which `export!` embeds in a plugin so that the linker
//! makes a component of it. Refuses to decide anything: worlds and types come from `wit/`.

use std::error::Error;
use std::path::{Path, PathBuf};

const WORLDS: [&str; 3] = ["validator", "masker", "transformer"];

fn main() -> Result<(), Box<dyn Error>> {
    let wit = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("../../wit");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed={}", wit.display());

    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(&wit)?;
    for world in WORLDS {
        let id = resolve.select_world(&[package], Some(&format!("{world}-plugin")))?;
        let encoding = wit_component::StringEncoding::UTF8;
        let bytes = wit_component::metadata::encode(&resolve, id, encoding, None)?;
        std::fs::write(out.join(format!("{world}.type")), bytes)?;
    }
    Ok(())
}
