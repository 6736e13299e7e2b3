//! Logs to standard error, as text or JSON lines. What the sandbox's runtime logs about a guest's
//! calls is dropped at any level: a guest chooses their arguments, which could be cells.

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::{LogFormat, say};

/// A filter that can be used, or what one looks like.
pub(super) fn level(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(
            "write a level (error, warn, info, debug, trace, off), or one per module, like \
             glovebox=debug,warn"
                .into(),
        ),
    }
}

pub(super) fn start(level: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).context("--log")?;
    let filter = filter.and(filter_fn(|metadata| {
        !metadata.target().starts_with("wasmtime")
    }));
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = match format {
        LogFormat::Json => logs.json().boxed(),
        LogFormat::Text => logs.with_ansi(say::is_coloured()).without_time().boxed(),
    };
    tracing_subscriber::registry()
        .with(logs.with_filter(filter))
        .init();
    Ok(())
}
