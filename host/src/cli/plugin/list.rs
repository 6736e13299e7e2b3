//! `glovebox plugin list`: the plugins that are built in, and any plugin's own manual.
//!
//! Refuses to call a signature good: which keys are trusted stands in a manifest.

use std::path::PathBuf;
use std::sync::Arc;

use glovebox_core::{Limits, Plugin};
use glovebox_engine::Toolbox;
use glovebox_manifest::model::PluginRef;
use glovebox_manifest::pin;

use super::options::options;
use crate::cli::Exit;
use crate::compose::Composed;
use crate::signature;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A standard plugin's name, or the path of a component.
    plugin: Option<String>,
    /// Print the JSON Schema of its `with:` block and nothing else.
    #[arg(long, requires = "plugin")]
    json: bool,
}

pub(super) fn list(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    match &args.plugin {
        None => all(&composed),
        Some(name) => manual(&composed, name, args.json),
    }
}

fn all(composed: &Composed) -> anyhow::Result<Exit> {
    let mut plugins = Vec::new();
    for name in composed.standard_plugins() {
        let reference = PluginRef::Standard(name.to_owned());
        plugins.push(load(composed, &reference)?);
    }
    plugins.sort_by_key(|p| (p.world() as u8, p.about().name.clone()));
    for plugin in plugins {
        let about = plugin.about();
        println!(
            "{:12} {:18} {:7} {}",
            plugin.world(),
            about.name,
            about.version,
            about.summary
        );
    }
    println!("\n`glovebox plugin list NAME` shows a manual.");
    Ok(Exit::Done)
}

fn load(composed: &Composed, plugin: &PluginRef) -> anyhow::Result<Arc<dyn Plugin>> {
    let loaded = composed.plugin(plugin, &Limits::default());
    loaded.map_err(|error| anyhow::anyhow!(error.in_full()))
}

fn manual(composed: &Composed, name: &str, json: bool) -> anyhow::Result<Exit> {
    let standard = composed.standard_plugins();
    let reference = if standard.contains(&name) {
        PluginRef::Standard(name.to_owned())
    } else if name.ends_with(".wasm") {
        PluginRef::File {
            path: PathBuf::from(name),
            sha256: None,
        }
    } else {
        eprintln!(
            "error: no standard plugin has that name; there are: {}",
            standard.join(", ")
        );
        return Ok(Exit::Usage);
    };
    let plugin = load(composed, &reference)?;
    let about = plugin.about();
    if json {
        println!("{}", about.config_schema);
        return Ok(Exit::Done);
    }
    println!("{} {} ({})", about.name, about.version, plugin.world());
    println!("sha256 {}", plugin.sha256());
    if let PluginRef::File { path, .. } = &reference {
        println!("pin    {}", pin::reference(name, plugin.sha256()));
        match signature::claimed(path) {
            Some(key) => println!(
                "signed {} names key {key}; a manifest with that key in `trusted-keys` verifies it",
                signature::beside(path).display()
            ),
            None => println!("signed no"),
        }
    }
    let documentation = about.documentation.trim();
    if !documentation.is_empty() {
        println!("\n{documentation}");
    }
    print!("\nOptions of `with:`\n\n{}", options(&about.config_schema));
    Ok(Exit::Done)
}
