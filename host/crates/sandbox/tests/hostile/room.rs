//! Where a guest meets the sandbox: which one, what it is granted, how tight its limits are.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use glovebox_core::{
    Answer, Batch, DataType, Fault, FaultKind, Field, Grants, Instance, Limits, Origin, Plugin,
    PluginError, Schema,
};
use glovebox_sandbox::Sandbox;

/// Cells that no message may hold.
pub(crate) const CANARIES: [&str; 2] = ["canary-4711-rhubarb", "4711471147114711"];
/// What a host that did not stop a guest would pass.
const HANG: Duration = Duration::from_secs(20);
/// What follows a breach.
pub(crate) const USED_NOTHING: &str =
    "its answer was discarded; report this to the plugin's author";

/// The component of a guest in `tests/guests/examples`.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    // `<target>/tmp` is beside `<target>/wasm32-wasip2`.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let file = target.join(format!("wasm32-wasip2/plugin/examples/{name}.wasm"));
    std::fs::read(&file).unwrap_or_else(|e| {
        panic!(
            "{}: {e}\nbuild the guests first: cargo build --profile plugin --target wasm32-wasip2 -p glovebox-guests --examples",
            file.display()
        )
    })
}

/// The sandbox that the tests share, as a process does.
pub(crate) fn sandbox() -> &'static Sandbox {
    static SHARED: OnceLock<Sandbox> = OnceLock::new();
    SHARED.get_or_init(|| {
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("guests-cache");
        Sandbox::new(Some(cache)).unwrap()
    })
}

/// A guest and its surroundings.
pub(crate) struct Room {
    name: &'static str,
    config: String,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
}

impl Room {
    /// The guest of that name, granted a text column that it may mask and an integer column that
    /// it may read. Its time is long, so that a busy machine makes no fault of an honest call.
    pub(crate) fn of(name: &'static str) -> Room {
        let fields = vec![
            Field::new("city", DataType::Text),
            Field::new("number", DataType::Int64),
        ];
        Room {
            name,
            config: "{}".into(),
            limits: Limits {
                memory: 16 << 20,
                time: Duration::from_secs(10),
                returned: 4 << 20,
                findings: 1_000,
                ..Limits::default()
            },
            grants: Grants {
                fields,
                masks: vec![0],
                adds: Vec::new(),
            },
        }
    }

    /// With this variant of its act.
    pub(crate) fn act(mut self, variant: &str) -> Room {
        self.config = format!("{{\"act\":\"{variant}\"}}");
        self
    }

    /// Granted to add this column.
    pub(crate) fn adds(mut self, name: &str, data_type: DataType) -> Room {
        self.grants.adds.push(Field::new(name, data_type));
        self
    }

    /// With 300 ms for a call.
    pub(crate) fn hasty(mut self) -> Room {
        self.limits.time = Duration::from_millis(300);
        self
    }

    pub(crate) fn load(&self) -> Result<Arc<dyn Plugin>, PluginError> {
        sandbox().load(self.name, &guest(self.name), &self.limits)
    }

    pub(crate) fn open(&self) -> Result<Box<dyn Instance>, PluginError> {
        self.load()?.open(&self.config, &self.grants)
    }

    /// The refusal of a guest that can be loaded but not opened.
    #[track_caller]
    pub(crate) fn refused(&self) -> PluginError {
        let plugin = self.load().expect("it can be loaded");
        let started = Instant::now();
        let refused = plugin.open(&self.config, &self.grants).err();
        assert!(started.elapsed() < HANG, "the host hung");
        refused.expect("it is refused")
    }

    /// The fault of a guest that acts when it sees the poison; that the host lives; and that what
    /// comes after the fault works, in the same place and in a fresh one.
    #[track_caller]
    pub(crate) fn fault(&self) -> Fault {
        let plugin = self.load().expect("it can be loaded");
        let open = || {
            plugin
                .open(&self.config, &self.grants)
                .expect("it can be opened")
        };
        let mut instance = open();
        let honest = instance.apply(&clean()).expect("it is honest at first");
        let started = Instant::now();
        let fault = instance.apply(&poisonous()).expect_err("it is stopped");
        assert!(started.elapsed() < HANG, "the host hung");
        silent(&fault.to_string());
        silent(&format!("{fault:?}"));
        // A run says one sentence a kind, whatever the guest did.
        assert_eq!(fault.to_string(), said(self.name, fault.kind));
        for instance in [&mut instance, &mut open()] {
            let after = instance.apply(&clean()).expect("what follows works");
            assert_eq!(format!("{after:?}"), format!("{honest:?}"));
        }
        fault
    }

    /// Asserts a fault by its kind, what the guest did and the remedy.
    #[track_caller]
    pub(crate) fn is_stopped(&self, kind: FaultKind, what: &str, remedy: &str) {
        let fault = self.fault();
        silent(&fault.in_full());
        let due = Fault {
            plugin: self.name.into(),
            kind,
            what: what.into(),
            remedy: remedy.into(),
        };
        assert_eq!(fault, due, "{}", self.config);
    }

    /// Asserts a breach in `apply`.
    #[track_caller]
    pub(crate) fn breaks(&self, what: &str) {
        let what = format!("broke the contract in `apply`: {what}");
        self.is_stopped(FaultKind::Breach, &what, USED_NOTHING);
    }
}

/// What a run says of a fault of that kind, whatever it was.
pub(crate) fn said(plugin: &str, kind: FaultKind) -> String {
    let (what, remedy) = (String::new(), String::new());
    let plugin = plugin.to_owned();
    let any = Fault {
        plugin,
        kind,
        what,
        remedy,
    };
    any.to_string()
}

/// Asserts that a text holds no cell.
#[track_caller]
pub(crate) fn silent(text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "a cell came out: {text}");
    }
}

fn batch(first: &str) -> Batch {
    let mut cities = vec![first, CANARIES[0], "\u{e9}tampes"];
    cities.resize(20, "Lyon");
    let numbers = vec![CANARIES[1].parse::<i64>().unwrap(); cities.len()];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(cities)),
        Arc::new(Int64Array::from(numbers)),
    ];
    let schema = Schema::new(Room::of("").grants.fields).to_arrow();
    let columns = RecordBatch::try_new(schema, columns).unwrap();
    Batch::new(columns, Origin::contiguous(0))
}

/// 20 rows, of which none is poison.
pub(crate) fn clean() -> Batch {
    batch("Paris")
}

/// 20 rows, of which the first is poison.
pub(crate) fn poisonous() -> Batch {
    batch("poison")
}

/// The findings of a validator's answer, as pairs of rule and rows.
#[track_caller]
pub(crate) fn findings(answer: Answer) -> Vec<(usize, Vec<u32>)> {
    match answer {
        Answer::Findings(found) => found.into_iter().map(|f| (f.rule, f.rows)).collect(),
        other => panic!("no findings: {other:?}"),
    }
}
