//! An explanation for a person.

use glovebox_core::shown::printable;
use glovebox_proof::{Step, Touch};
use serde_json::Value;

use super::Explained;
use super::fate::Fate;
use crate::cli::proof::show::{guard, key, method};

pub(super) fn print(explained: &Explained) {
    let shown = |text: &str| printable(text);
    let column = &explained.column;
    println!("row       {}", explained.row);
    if let Some(run) = &explained.run {
        println!("run       {}", shown(run));
    }
    println!("fate      {}", fate(&explained.fate));
    let from = match &column.source {
        Some(source) => format!("`{}` of the source", shown(source)),
        None => "made by a step".into(),
    };
    let personal = if column.personal { ", personal" } else { "" };
    println!("column    {}: {from}{personal}", shown(&column.name));
    for step in &explained.steps {
        let touch = column.steps.iter().find(|touch| touch.step == step.name);
        print_step(step, touch);
    }
    if explained.generalised {
        println!("release   then generalised; the run's report and proof have the level");
    }
    if let Some(cells) = &explained.cells {
        let cell = |cell: &Option<String>| cell.as_deref().map_or_else(|| "null".into(), printable);
        println!("in source {}", cell(&cells.source));
        println!("result    {}", cell(&cells.result));
    }
}

fn print_step(step: &Step, touch: Option<&Touch>) {
    let signed = step.signed_by.as_ref();
    let signed = signed.map_or_else(String::new, |signer| format!(", signed by {signer}"));
    println!(
        "step      {}: {} ({}), sha256 {}{signed}",
        printable(&step.name),
        printable(&step.plugin),
        step.does,
        step.sha256
    );
    let Some(touch) = touch else {
        println!("          reads it");
        return;
    };
    println!("          {}", printable(&method(touch)));
    if let Some(used) = &touch.key {
        println!("          key {}", printable(&key(used)));
    }
    if step.does == "mask" {
        println!("          leak guard: {}", guard(Some(touch)));
    }
    if let Some(undone_by) = &touch.undone_by {
        println!("          undone by {undone_by}");
    }
}

fn fate(fate: &Fate) -> String {
    let mut text = fate.is.to_owned();
    if let Some(step) = &fate.step {
        text += &format!(" by {}", printable(step));
    }
    let violations = fate.violations.iter().filter_map(Value::as_array).flatten();
    for violation in violations {
        let of = |name: &str| violation.get(name).and_then(Value::as_str).map(printable);
        let (step, rule) = (of("step"), of("rule"));
        let (step, rule) = (step.unwrap_or_default(), rule.unwrap_or_default());
        let column = of("column").unwrap_or_else(|| "the row".into());
        text += &format!("; by {step}: {rule} {column}");
    }
    if fate.is == "undecided" {
        return text + ": it was not rejected, as far as is known; the source was not read";
    }
    match fate.known_by {
        Some("journal") => text + " (by the journal)",
        _ => text + " (as the pipeline decides it now)",
    }
}
