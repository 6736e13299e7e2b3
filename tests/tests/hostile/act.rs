//! A guest in a small pipeline, and what must come of it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use glovebox_core::{Fault, FaultKind};
use glovebox_tests::pipeline::{Pipeline, Ran};
use serde_json::Value;

pub(crate) const ROWS: usize = 20;
/// Row 7 is line 9: the first line is the header.
const POISON: usize = 7;
pub(crate) const CANARY: &str = "canary-rhubarb-4711";

/// What a guest's step is granted.
#[derive(Clone, Copy)]
pub(crate) enum World {
    Validator,
    Masker,
    Transformer,
}

/// A guest, its variant, what bounds it.
pub(crate) struct Act {
    pub(crate) guest: &'static str,
    pub(crate) world: World,
    pub(crate) variant: &'static str,
    pub(crate) limits: &'static str,
}

pub(crate) fn act(guest: &'static str, world: World, variant: &'static str) -> Act {
    Act {
        guest,
        world,
        variant,
        limits: "time: 10s, memory: 64MiB, returned: 4MiB, findings: 1000",
    }
}

pub(crate) fn hasty(guest: &'static str) -> Act {
    Act {
        limits: "time: 200ms, memory: 64MiB",
        ..act(guest, World::Validator, "")
    }
}

pub(crate) fn component(guest: &str) -> Vec<u8> {
    let test = std::env::current_exe().unwrap();
    // A test is TARGET/PROFILE/deps/NAME-HASH.
    let target = test.ancestors().nth(3).unwrap();
    let file: PathBuf = target.join(format!("wasm32-wasip2/plugin/examples/{guest}.wasm"));
    std::fs::read(&file).unwrap_or_else(|e| {
        panic!(
            "{}: {e}\nbuild the guests first: cargo build --profile plugin --target wasm32-wasip2 -p glovebox-guests --examples",
            file.display()
        )
    })
}

impl Act {
    /// The guest between two honest steps.
    pub(crate) fn pipeline(&self) -> Pipeline {
        let step = match self.world {
            World::Validator => "validate: ./guest.wasm\n    reads: [city, secret]",
            World::Masker => {
                "mask: ./guest.wasm\n    masks: [city]\n    reads: [secret]\n    keys: { key: guest/key }"
            }
            World::Transformer => {
                "transform: ./guest.wasm\n    reads: [city, secret]\n    adds: { new: { type: int64 } }"
            }
        };
        let guest = format!(
            "
  - name: guest
    {step}
    with: {{ act: \"{variant}\" }}
    limits: {{ {limits} }}",
            variant = self.variant,
            limits = self.limits,
        );
        between(&guest)
            .file("guest.wasm", component(self.guest))
            .env("GLOVEBOX_SECRET_GUEST_KEY", "a key of the tests")
    }

    /// The sink's file when these rows arrive.
    pub(crate) fn arrived(&self, rows: impl Iterator<Item = usize>) -> String {
        let mut csv = String::from("earlier,id,city\n");
        for row in rows {
            let city = match self.world {
                World::Masker => "honest".to_owned(),
                World::Validator | World::Transformer if row == POISON => "poison".to_owned(),
                World::Validator | World::Transformer => format!("town {row}"),
            };
            let _ = writeln!(csv, "b{row},r{row},{city}");
        }
        csv
    }

    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.guest, self.variant)
    }
}

/// A pipeline of a step before, this one if any, and a step after.
fn between(guest: &str) -> Pipeline {
    let manifest = format!(
        "name: hostile
source: {{ csv: {{ path: in.csv }} }}
columns:
  city:   {{ type: text }}
  secret: {{ type: text }}
credentials: [env]
steps:
  - name: earlier
    transform: row-id
    adds: {{ earlier: {{ type: text }} }}
    with: {{ prefix: b }}{guest}
  - name: number
    transform: row-id
    adds: {{ id: {{ type: text }} }}
    with: {{ prefix: r }}
sink: {{ csv: {{ path: out.csv }}, columns: [earlier, id, city] }}
rejects: {{ path: rejects.jsonl }}
"
    );
    let mut rows = String::from("city,secret\n");
    for row in 0..ROWS {
        let city = match row {
            POISON => "poison".to_owned(),
            row => format!("town {row}"),
        };
        let _ = writeln!(rows, "{city},{CANARY}");
    }
    Pipeline::new(&manifest).file("in.csv", rows)
}

/// What a run without the guest's step leaves in the sink.
fn without_guest() -> &'static str {
    static LEFT: OnceLock<String> = OnceLock::new();
    LEFT.get_or_init(|| {
        let pipeline = between("");
        let ran = pipeline.run().ends_with(0);
        assert_eq!(ran.rows("stored"), 20);
        pipeline.read("out.csv")
    })
}

/// Asserts that what the neighbours made is, byte for byte, what they make without the guest, but
/// for the row that was rejected, if one was. A masker's own column is its own.
#[track_caller]
pub(crate) fn neighbours_are_untouched(act: &Act, left: &str, rejected: Option<usize>) {
    let own = |line: &str| match act.world {
        World::Masker => line.rsplit_once(',').unwrap().0.to_owned(),
        World::Validator | World::Transformer => line.to_owned(),
    };
    let due: Vec<String> = without_guest()
        .split_inclusive('\n')
        .enumerate()
        .filter(|(line, _)| Some(*line) != rejected.map(|row| row + 1))
        .map(|(_, line)| own(line))
        .collect();
    let left: Vec<String> = left.split_inclusive('\n').map(own).collect();
    assert_eq!(left, due, "{}", act.title());
}

#[track_caller]
pub(crate) fn silent(title: &str, pipeline: &Pipeline, ran: &Ran) {
    let mut said = vec![
        ran.stdout.clone(),
        ran.stderr.clone(),
        ran.report.to_string(),
    ];
    for name in pipeline.names() {
        if name.starts_with("out") || name.starts_with("rejects") {
            said.push(pipeline.read(&name));
        }
    }
    for text in said {
        assert!(!text.contains(CANARY), "{title}: a cell came out in {text}");
    }
}

/// The one sentence that a run has for a fault, whatever the guest did.
pub(crate) fn sentence(plugin: &str, rule: &str) -> String {
    let kinds = [
        FaultKind::Trap,
        FaultKind::Time,
        FaultKind::Memory,
        FaultKind::Breach,
    ];
    let kind = kinds.into_iter().find(|kind| kind.rule() == rule);
    let fault = Fault {
        plugin: plugin.to_owned(),
        kind: kind.expect("a rule of faults"),
        what: String::new(),
        remedy: String::new(),
    };
    fault.to_string()
}

/// Runs it, and asserts that the poison alone is rejected, under this rule, by the one sentence
/// that it has.
#[track_caller]
pub(crate) fn is_isolated(act: &Act, rule: &str) {
    is_isolated_in(act, &act.pipeline(), rule, &sentence("", rule));
}

/// As [`is_isolated`], by a message with this in it.
#[track_caller]
pub(crate) fn is_isolated_in(act: &Act, pipeline: &Pipeline, rule: &str, what: &str) {
    let title = act.title();
    let ran = pipeline.run();
    silent(&title, pipeline, &ran);
    assert_eq!(ran.code, Some(0), "{title}: {}{}", ran.stdout, ran.stderr);
    let others = (0..ROWS).filter(|&row| row != POISON);
    let left = pipeline.read("out.csv");
    assert_eq!(left, act.arrived(others), "{title}");
    neighbours_are_untouched(act, &left, Some(POISON));
    assert_eq!(ran.rows("stored"), 19, "{title}");
    assert_eq!(ran.rows("rejected"), 1, "{title}");
    assert!(ran.is_balanced(), "{title}");

    let rejects = pipeline.read("rejects.jsonl");
    let [reject] = rejects.lines().collect::<Vec<_>>()[..] else {
        panic!("{title}: not one reject: {rejects}");
    };
    let reject: Value = serde_json::from_str(reject).unwrap();
    assert_eq!(reject["row"], POISON, "{title}");
    assert_eq!(reject["line"], POISON + 2, "{title}");
    let violation = &reject["violations"][0];
    assert_eq!(violation["step"], "guest", "{title}");
    assert_eq!(violation["rule"], rule, "{title}: {violation}");
    let message = violation["message"].as_str().unwrap();
    let plugin = ran.report["steps"][1]["plugin"].as_str().unwrap();
    assert!(plugin.ends_with("guest.wasm"), "{title}: {plugin}");
    let anonymous = message.replacen(&format!("plugin {plugin} "), "plugin  ", 1);
    assert_ne!(anonymous, message, "{title}");
    assert!(anonymous.contains(what), "{title}: {message}");
}

/// As [`is_isolated`], for a guest that masks by a key, which tests elsewhere compute.
#[track_caller]
pub(crate) fn is_keyed_alone(pipeline: &Pipeline, variant: &str) {
    let ran = pipeline.run();
    silent(variant, pipeline, &ran);
    let ran = ran.ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (19, 1));
    let rejects = pipeline.read("rejects.jsonl");
    assert!(rejects.contains("\"row\":7,"), "{rejects}");
    assert!(rejects.contains("plugin-breach"), "{rejects}");
    assert!(!pipeline.read("out.csv").contains("town"), "{variant}");
}
