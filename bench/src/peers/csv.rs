//! CSV to CSV.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::ensure;

use super::{ROWS, TURNS, contenders, script, table};
use crate::csv::MANIFEST;
use crate::timed::seconds;
use crate::{generate, glovebox};

/// By turns.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    generate::people(&path("people.csv"), ROWS)?;
    std::fs::write(path("people.yaml"), MANIFEST)?;
    let [mut ours, others @ ..] = contenders(["glovebox", "polars", "DuckDB", "pandas"]);
    let mut others = others;
    for _ in 0..TURNS {
        let ran = glovebox::run(&path("people.yaml"))?;
        ours.seconds.push(ran.wall.as_secs_f64());
        whole(&path("out.csv"))?;
        for contender in &mut others {
            let name = format!("csv_{}.py", contender.name.to_lowercase());
            let mut command = script(&name)?;
            command.args([path("people.csv"), path("other.csv")]);
            contender.seconds.push(seconds(&mut command)?);
            whole(&path("other.csv"))?;
        }
    }
    Ok(table(
        "2 M rows, CSV → validate, partial mask → CSV",
        &ours,
        &others,
        "≤ 1.0 × polars",
    ))
}

/// Whether a file has all rows, masked.
fn whole(path: &Path) -> anyhow::Result<()> {
    let mut lines = 0;
    let mut last = String::new();
    for line in BufReader::new(File::open(path)?).lines() {
        last = line?;
        lines += 1;
    }
    let masked = last.split(',').nth(4).is_some_and(|c| c.ends_with("-XXXX"));
    ensure!(
        lines == ROWS + 1 && masked,
        "{}: {lines} lines, not all or not masked",
        path.display()
    );
    Ok(())
}
