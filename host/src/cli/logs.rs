//! Logs to standard error: as text, as JSON lines in the field names of ECS, or as text with the levels that
//! systemd's journal reads. What the sandbox's runtime logs about a guest's
//! calls is dropped at any level: a guest chooses their arguments, which could be cells.

use std::sync::OnceLock;

use anyhow::Context;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{self, FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::{LogFormat, ecs, say, syslog};

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

/// What was chosen for this process.
static CHOSEN: OnceLock<String> = OnceLock::new();

/// For processes that this one starts.
pub(super) fn chosen() -> &'static str {
    CHOSEN.get().map_or("warn", String::as_str)
}

pub(super) fn start(level: &str, format: LogFormat) -> anyhow::Result<()> {
    let _ = CHOSEN.set(level.to_owned());
    let logs = fmt::layer().with_writer(std::io::stderr);
    let logs = match format {
        LogFormat::Json => logs.fmt_fields(JsonFields::new()).event_format(Ecs).boxed(),
        LogFormat::Journal => logs.event_format(Journal).boxed(),
        LogFormat::Text => logs.with_ansi(say::is_coloured()).without_time().boxed(),
    };
    // A message of syslog has time and level in its head.
    let sent = syslog::writer().map(|writer| {
        let sent = fmt::layer().with_ansi(false).with_writer(writer);
        match format {
            LogFormat::Json => sent.fmt_fields(JsonFields::new()).event_format(Ecs).boxed(),
            LogFormat::Journal | LogFormat::Text => sent.without_time().with_level(false).boxed(),
        }
    });
    tracing_subscriber::registry()
        .with(logs.and_then(sent).with_filter(filter(level)?))
        .init();
    Ok(())
}

fn filter<S: Subscriber>(level: &str) -> anyhow::Result<impl Filter<S> + use<S>> {
    let filter = EnvFilter::try_new(level).context("--log")?;
    Ok(filter.and(filter_fn(|metadata| {
        !metadata.target().starts_with("wasmtime")
    })))
}

/// Events as JSON.
struct Ecs;

impl<S, N> FormatEvent<S, N> for Ecs
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = ecs::line(metadata.level().as_str(), metadata.target(), fields.0);
        writeln!(writer, "{line}")
    }
}

/// What an event says.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }
}

/// Text with the level before it, as sd-daemon(3) has it; the journal knows the time.
struct Journal;

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => 3,
            Level::WARN => 4,
            Level::INFO => 6,
            Level::DEBUG | Level::TRACE => 7,
        };
        write!(writer, "<{level}>{}: ", metadata.target())?;
        context
            .field_format()
            .format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
