//! One masked text column, 8,192 rows a call: in the sandbox against the same code native.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use glovebox_core::{Action, Answer, Batch, DataType, Field, Grants, Limits, Origin, Schema};
use glovebox_sandbox::Sandbox;
use glovebox_sdk::OpenMasker;
use glovebox_sdk::bindings::glovebox::plugin::columns as wit;
use plugin_partial::Partial;

use crate::median;

const ROWS: usize = 8192;
const CALLS: usize = 2000;
const REPEATS: usize = 9;
const CONFIG: &str = r#"{"mask-last": 4}"#;

pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let cells: Vec<String> = (0..ROWS)
        .map(|i| format!("{:03}-{:02}-{:04}", i % 900, i % 99, i % 9999))
        .collect();
    let mut native = native(&cells)?;
    let mut sandboxed = sandboxed(&cells)?;
    // One after the other in each round, so that both meet the same machine.
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        times.0.push(per_row(&mut native));
        times.1.push(per_row(&mut sandboxed));
    }
    let (native, sandboxed) = (median(times.0), median(times.1));
    Ok(vec![
        format!("| `partial`, native | {native:.1} ns a row | |"),
        format!("| `partial`, sandboxed | {sandboxed:.1} ns a row | |"),
        format!(
            "| sandboxed / native | {:.2} | ≤ 1.15 |",
            sandboxed / native
        ),
    ])
}

fn per_row(work: &mut dyn FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..CALLS {
        work();
    }
    started.elapsed().as_nanos() as f64 / (CALLS * ROWS) as f64
}

fn native(cells: &[String]) -> anyhow::Result<Box<dyn FnMut()>> {
    let fields = vec![wit::Field {
        name: "ssn".into(),
        data_type: wit::DataType::Text,
        nullable: true,
    }];
    let masker = OpenMasker::<Partial>::open(CONFIG, fields, vec![0])
        .ok()
        .context("partial refuses its configuration")?;
    let mut offsets = vec![0];
    let mut data = Vec::new();
    for cell in cells {
        data.extend_from_slice(cell.as_bytes());
        offsets.push(i32::try_from(data.len())?);
    }
    let batch = wit::Batch {
        rows: u32::try_from(cells.len())?,
        first_row: 0,
        positions: None,
        columns: vec![wit::Column {
            values: wit::Values::Text(wit::VariableWidth { offsets, data }),
            validity: None,
        }],
    };
    Ok(Box::new(move || {
        black_box(masker.apply(black_box(&batch)));
    }))
}

fn sandboxed(cells: &[String]) -> anyhow::Result<Box<dyn FnMut()>> {
    let component = std::fs::read(concat!(env!("GLOVEBOX_PLUGIN_FOLDER"), "/partial.wasm"))
        .context("run `cargo xtask plugins` first")?;
    let sandbox = Sandbox::new(None)?;
    let plugin = sandbox.load("partial", &component, &Limits::default())?;
    let fields = vec![Field::new("ssn", DataType::Text)];
    let schema = Schema::new(fields.clone()).to_arrow();
    let mut instance = plugin.open(
        CONFIG,
        &Grants {
            fields,
            masks: vec![0],
            adds: Vec::new(),
        },
    )?;
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(cells));
    let batch = Batch::new(
        RecordBatch::try_new(schema, vec![column])?,
        Origin::contiguous(0),
    );
    // The first call says whether it works at all, and masks what it should.
    let answer = instance.apply(&batch)?;
    let masked = match &answer {
        Answer::Masked(columns) => columns.first().map(|masked| &masked.action),
        _ => None,
    };
    let Some(Action::Replace(masked)) = masked else {
        bail!("partial did not replace the column: {answer:?}");
    };
    let masked = masked.as_string_opt::<i32>().context("no text")?.iter();
    for (masked, cell) in masked.zip(cells) {
        let kept = cell.get(..cell.len() - 4).context("a short cell")?;
        ensure!(
            masked == Some(format!("{kept}XXXX").as_str()),
            "a wrong mask"
        );
    }
    Ok(Box::new(move || {
        black_box(instance.apply(black_box(&batch)).is_ok());
        // The plugin's engine must outlive its instances.
        black_box(&plugin);
    }))
}
