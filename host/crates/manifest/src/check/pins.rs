//! Finds plugins that a manifest does not pin.
//! Standard plugins need no pin: they are part of the program.

use glovebox_core::shown::printable;

use crate::diagnostic::Diagnostic;
use crate::model::{Manifest, PluginRef};

/// A problem for each step whose plugin is a file without a pin; what `--locked` refuses.
pub fn unpinned(manifest: &Manifest) -> Vec<Diagnostic> {
    let steps = manifest.steps.iter();
    steps
        .filter(|step| matches!(step.plugin.value, PluginRef::File { sha256: None, .. }))
        .map(|step| {
            Diagnostic::error(
                step.plugin.span.clone(),
                format!("step `{}`: its plugin is not pinned", step.name.value),
            )
            .label("any content would be accepted")
            .help(format!(
                "check the file, then write the pins with: glovebox plugin pin {}",
                printable(&manifest.file.display().to_string())
            ))
            .note("--locked accepts only plugins that are pinned with `sha256` or built in")
        })
        .collect()
}
