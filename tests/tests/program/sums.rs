//! Rows whose fates are known beforehand: each is stored, filtered or rejected, once, in order,
//! whatever the number of workers.

use std::collections::BTreeMap;
use std::fs;

use glovebox_tests::pipeline::Pipeline;
use serde_json::Value;

const MANIFEST: &str = "\
name: sums
source: { csv: { path: in.csv, max-field: 200B } }
columns:
  id:    { type: int64 }
  name:  { type: text }
  state: { type: text }
  price: { type: float64 }
steps:
  - { name: named, validate: required, reads: [name] }
  - { name: open, transform: keep, reads: [state], with: { column: state, equals: open } }
  - { name: sane, validate: range, reads: [price], with: { min: 0 } }
  - name: numbered
    transform: row-id
    adds: { row: { type: int64 } }
sink:
  jsonl: { path: out.jsonl }
  columns: [row, id, name]
rejects: { path: rejects.jsonl }
";

/// SplitMix64 (Steele, Lea, Flood 2014): a few lines, and the same for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// What must become of a source.
#[derive(Default)]
struct Fates {
    csv: Vec<u8>,
    stored: String,
    filtered: u64,
    /// The rules that each rejected row breaks.
    rejected: BTreeMap<u64, Vec<&'static str>>,
}

fn generate(seed: u64, rows: u64) -> Fates {
    let mut random = Random(seed);
    let mut fates = Fates {
        csv: b"id,name,state,price\n".to_vec(),
        ..Fates::default()
    };
    for row in 0..rows {
        let id = random.below(1_000_000);
        let filler = "padding ".repeat(random.below(20) as usize);
        let line: Vec<u8> = match random.below(16) {
            0 => format!("{id},{filler}x,shut,1").into(),
            1 => format!("{id},{filler}x,open").into(),
            2 => format!("{id},{filler}x,open,1,more").into(),
            3 => format!("{id}.5,x,open,cheap").into(),
            4 => [format!("{id},").as_bytes(), b"\xc3(,open,1"].concat(),
            5 => format!("{id},nul\0,open,1").into(),
            6 => format!("{id},,shut,1").into(),
            7 => format!("{id},{},shut,1", "long".repeat(51)).into(),
            8 => format!("{id},x,open,-0.01").into(),
            9 => format!("{id},\"two\r\nlines, {filler}\",open,0").into(),
            _ => format!("{id},{filler}x,open,{}", random.below(1000)).into(),
        };
        let kind = classify(&line);
        match kind {
            Ok(name) => {
                let name = serde_json::to_string(&name).unwrap();
                let line = format!("{{\"row\":{row},\"id\":{id},\"name\":{name}}}\n");
                fates.stored.push_str(&line);
            }
            Err(rules) if rules.is_empty() => fates.filtered += 1,
            Err(rules) => {
                fates.rejected.insert(row, rules);
            }
        }
        fates.csv.extend(line);
        fates.csv.extend(if random.below(2) == 0 {
            &b"\n"[..]
        } else {
            b"\r\n"
        });
    }
    fates
}

/// The name if a line is to be stored; the rules that it breaks if not; none if it is filtered.
fn classify(line: &[u8]) -> Result<String, Vec<&'static str>> {
    let Ok(line) = std::str::from_utf8(line) else {
        return Err(vec!["utf-8"]);
    };
    if let Some((_, quoted)) = line.split_once('"') {
        return Ok(quoted.split('"').next().unwrap().to_owned());
    }
    let fields: Vec<&str> = line.split(',').collect();
    let [id, name, state, price] = fields[..] else {
        return Err(vec!["ragged"]);
    };
    let mut rules = Vec::new();
    if id.contains('.') {
        rules.push("type");
    }
    if name.contains('\0') {
        rules.push("nul");
    }
    if name.len() > 200 {
        rules.push("too-long");
    }
    if price == "cheap" {
        rules.push("type");
    }
    if rules.is_empty() && name.is_empty() {
        rules.push("required");
    }
    if rules.is_empty() && state == "open" && price.starts_with('-') {
        rules.push("range");
    }
    if rules.is_empty() && state == "open" {
        return Ok(name.to_owned());
    }
    Err(rules)
}

fn check(fates: &Fates, pipeline: &Pipeline, workers: &str) {
    let ran = pipeline.run_with(&["--workers", workers]).ends_with(0);
    assert!(ran.is_balanced(), "{:#}", ran.report);
    assert_eq!(ran.rows("stored"), fates.stored.lines().count() as u64);
    assert_eq!(ran.rows("filtered"), fates.filtered);
    assert_eq!(ran.rows("rejected"), fates.rejected.len() as u64);
    assert!(
        pipeline.read("out.jsonl") == fates.stored,
        "other rows are stored"
    );

    let rejects = pipeline.read("rejects.jsonl");
    let mut listed = BTreeMap::new();
    let mut last = None;
    for line in rejects.lines() {
        let reject: Value = serde_json::from_str(line).unwrap();
        let row = reject["row"].as_u64();
        assert!(row > last, "the rejects are not in the order of the rows");
        last = row;
        let violations = reject["violations"].as_array().unwrap();
        let rules = violations
            .iter()
            .map(|v| v["rule"].as_str().unwrap().to_owned());
        listed.insert(row.unwrap(), rules.collect::<Vec<_>>());
    }
    let expected: BTreeMap<u64, Vec<String>> = fates
        .rejected
        .iter()
        .map(|(row, rules)| (*row, rules.iter().map(|&r| r.to_owned()).collect()))
        .collect();
    assert_eq!(listed, expected);

    // The report counts what the list lists.
    let counted: u64 = ran.report["rejects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reject| reject["rows"].as_u64().unwrap())
        .sum();
    assert_eq!(
        counted,
        expected.values().map(Vec::len).sum::<usize>() as u64
    );
}

#[test]
fn every_row_of_a_dirty_source_has_the_one_fate_that_it_must_have() {
    for seed in 0..6 {
        let fates = generate(seed, 500);
        let pipeline = Pipeline::new(MANIFEST).file("in.csv", &fates.csv);
        check(&fates, &pipeline, "2");
    }
}

#[test]
fn many_chunks_on_many_workers_are_what_one_worker_makes_of_them() {
    let fates = generate(99, 40_000);
    // A chunk is a mebibyte.
    assert!(fates.csv.len() > 3 << 20, "{} bytes", fates.csv.len());
    let pipeline = Pipeline::new(MANIFEST).file("in.csv", &fates.csv);
    check(&fates, &pipeline, "1");
    let rejects = pipeline.read("rejects.jsonl");
    fs::remove_file(pipeline.path("out.jsonl")).unwrap();
    check(&fates, &pipeline, "4");
    assert!(
        pipeline.read("rejects.jsonl") == rejects,
        "the rejects differ"
    );
}
