//! `glovebox plugin`: the plugins that are built in, and any plugin's own manual.

mod bench;
mod check;
mod new;
mod subject;
mod test;

use std::path::PathBuf;

use glovebox_core::Limits;
use glovebox_engine::Toolbox;
use glovebox_engine::manifest::model::PluginRef;

use super::Exit;
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the standard plugins, or show the manual of one: its name, or a .wasm file.
    List {
        /// A standard plugin's name, or the path of a component.
        plugin: Option<String>,
    },
    /// Make a folder with a small plugin that builds, passes its cases and runs.
    New(new::Args),
    /// Run an author's cases on a plugin, in the real sandbox.
    Test(test::Args),
    /// Show what a plugin is and may, and examine it on every kind of batch.
    Check(check::Args),
    /// Measure what a row costs, at several sizes of batch.
    Bench(bench::Args),
}

pub(super) fn plugin(args: &Args) -> anyhow::Result<Exit> {
    match &args.command {
        Command::List { plugin: None } => list(&Composed::new()?),
        Command::List { plugin: Some(name) } => manual(&Composed::new()?, name),
        Command::New(args) => new::new(args),
        Command::Test(args) => test::test(args),
        Command::Check(args) => check::check(args),
        Command::Bench(args) => bench::bench(args),
    }
}

fn list(composed: &Composed) -> anyhow::Result<Exit> {
    let mut plugins = Vec::new();
    for name in composed.standard_plugins() {
        let reference = PluginRef::Standard(name.to_owned());
        plugins.push(composed.plugin(&reference, &Limits::default())?);
    }
    plugins.sort_by_key(|p| (p.world() as u8, p.about().name.clone()));
    for plugin in plugins {
        let about = plugin.about();
        println!(
            "{:12} {:16} {:7} {}",
            plugin.world(),
            about.name,
            about.version,
            about.summary
        );
    }
    println!("\n`glovebox plugin list NAME` shows a manual.");
    Ok(Exit::Done)
}

fn manual(composed: &Composed, name: &str) -> anyhow::Result<Exit> {
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
    let plugin = composed.plugin(&reference, &Limits::default())?;
    let about = plugin.about();
    println!("{} {} ({})", about.name, about.version, plugin.world());
    println!("sha256 {}\n", plugin.sha256());
    println!("{}", about.documentation.trim());
    println!("\nJSON Schema of `with:`\n\n{}", about.config_schema);
    Ok(Exit::Done)
}
