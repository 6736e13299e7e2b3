//! `glovebox plugin check`: what a plugin is, what it may do, and how it behaves on every kind of
//! batch.

use glovebox_conformance::exam::{self, Findings, Tried};
use glovebox_conformance::specimen::{self, Setting, Wanted};
use glovebox_sandbox::{Parts, Watched};
use serde_json::{Value, json};

use super::super::{Exit, say};
use super::subject::{self, Subject};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The component, or a standard plugin's name.
    plugin: String,
    #[command(flatten)]
    wanted: Wanted,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    room: subject::Room,
}

pub(super) fn check(args: &Args) -> anyhow::Result<Exit> {
    let subject = Subject::read(&args.plugin, &args.room)?;
    let parts = match subject.workbench.parts(&subject.bytes) {
        Ok(parts) => parts,
        Err(problem) => {
            eprintln!("error: {} {problem}", args.plugin);
            return Ok(Exit::Failed);
        }
    };
    let size = subject.bytes.len();
    if !args.json {
        println!("sha256   {}", parts.sha256);
        println!("size     {}", bytes(size));
        imports(&parts);
    }
    let Some(plugin) = subject.load() else {
        return Ok(Exit::Failed);
    };
    if !args.json {
        identity(&plugin);
    }
    let setting = match subject::setting(&plugin, &args.wanted) {
        Ok(setting) => setting,
        Err(exit) => return Ok(exit),
    };
    let findings = exam::examine(&plugin, &setting)?;
    if args.json {
        println!("{:#}", as_json(&parts, size, &plugin, &setting, &findings));
    } else {
        examination(&setting, &findings);
    }
    Ok(if findings.sound() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

fn imports(parts: &Parts) {
    println!("imports");
    if parts.imports.is_empty() {
        println!("  nothing");
    }
    // Each reason once, with all that it stands for.
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for import in &parts.imports {
        let verdict = match &import.verdict {
            Ok(why) => format!("allowed: {why}"),
            Err(why) => format!("REFUSED: {why}"),
        };
        match said.iter_mut().find(|(v, _)| *v == verdict) {
            Some((_, names)) => names.push(&import.name),
            None => said.push((verdict, vec![&import.name])),
        }
    }
    for (verdict, names) in said {
        println!("  {verdict}");
        for name in names {
            println!("    {name}");
        }
    }
    println!("exports  {}", parts.exports.join(", "));
}

fn identity(plugin: &Watched) {
    let about = plugin.about();
    println!("\n{} {} ({})", about.name, about.version, plugin.world());
    if !about.summary.is_empty() {
        println!("  {}", about.summary);
    }
    println!("options");
    for line in specimen::options(&about.config_schema) {
        println!("  {line}");
    }
}

fn examination(setting: &Setting, findings: &Findings) {
    println!("\nexamined with");
    println!("  with     {} ({})", setting.config, setting.config_from);
    println!("  columns  {}", specimen::spelled(&setting.grants.fields));
    if !setting.grants.adds.is_empty() {
        println!("  adds     {}", specimen::spelled(&setting.grants.adds));
    }
    for line in &findings.announced {
        println!("  it       {line}");
    }
    println!("batches");
    let mut told: Vec<(&str, &str)> = Vec::new();
    for tried in &findings.batches {
        batch(tried, &mut told);
    }
    if findings.fickle.is_empty() {
        println!("deterministic: two instances gave the same answers");
    } else {
        println!(
            "NOT deterministic: two instances gave different answers to: {}; the answer may \
            depend only on the batch, so keep no state between calls",
            findings.fickle.join(", ")
        );
    }
    println!("memory   peak {}, in one instance", bytes(findings.peak));
    if findings.sound() {
        println!(
            "cost     {:.1} ns per row at 8,192 rows per call; {:.1} µs per call with one row{}",
            findings.row_nanos,
            findings.call.as_secs_f64() * 1e6,
            say::DEBUG_BUILD
        );
        println!(
            "suggested, with room above what was measured here:\n  {}",
            findings.limits()
        );
    } else {
        println!("it BREAKS the contract; a run would reject rows or fail");
    }
}

/// A batch. A fault that was told in full with an earlier one is not told again.
fn batch<'t>(tried: &'t Tried, told: &mut Vec<(&'t str, &'t str)>) {
    println!(
        "  {:7} {:16} {:>6} rows, {:.1} ms",
        if tried.wrong.is_empty() {
            "ok"
        } else {
            "FAILED"
        },
        tried.name,
        tried.rows,
        tried.time.as_secs_f64() * 1e3
    );
    let Some((what, rest)) = tried.wrong.split_first() else {
        return;
    };
    if let Some((_, earlier)) = told.iter().find(|(w, _)| w == what) {
        println!("    as with: {earlier}");
        for line in rest.iter().take_while(|l| !l.starts_with("backtrace")) {
            println!("    {line}");
        }
        return;
    }
    told.push((what, tried.name));
    for line in tried.wrong.iter().chain(&tried.words) {
        println!("    {line}");
    }
}

fn as_json(
    parts: &Parts,
    size: usize,
    plugin: &Watched,
    setting: &Setting,
    findings: &Findings,
) -> Value {
    let about = plugin.about();
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    json!({
        "name": about.name,
        "version": about.version,
        "world": plugin.world().to_string(),
        "summary": about.summary,
        "sha256": parts.sha256,
        "bytes": size,
        "imports": parts.imports.iter().map(|i| json!({
            "name": i.name,
            "allowed": i.verdict.is_ok(),
            "why": match &i.verdict { Ok(why) => *why, Err(why) => why.as_str() },
        })).collect::<Vec<_>>(),
        "exports": parts.exports,
        "config-schema": parsed(&about.config_schema),
        "examined-with": {
            "with": parsed(&setting.config),
            "columns": specimen::spelled(&setting.grants.fields),
            "adds": specimen::spelled(&setting.grants.adds),
        },
        "announced": findings.announced,
        "batches": findings.batches.iter().map(|b| json!({
            "name": b.name,
            "rows": b.rows,
            "milliseconds": b.time.as_secs_f64() * 1e3,
            "wrong": b.wrong,
        })).collect::<Vec<_>>(),
        "deterministic": findings.fickle.is_empty(),
        "peak-memory": findings.peak,
        "nanoseconds-a-row": findings.row_nanos,
        "microseconds-a-call": findings.call.as_secs_f64() * 1e6,
        "suggested": findings.limits(),
        "sound": findings.sound(),
    })
}

fn bytes(n: usize) -> String {
    if n >= 1 << 20 {
        format!("{}.{} MiB", n >> 20, ((n % (1 << 20)) * 10) >> 20)
    } else {
        format!("{} KiB", n.div_ceil(1 << 10))
    }
}
