//! The standard plugins' manuals, as the program shows them, and the examples in them.

use glovebox_tests::pipeline::Pipeline;

const PLUGINS: [(&str, &[&str]); 3] = [
    (
        "validator",
        &[
            "allowed-values",
            "checksum",
            "length",
            "pattern",
            "personal-data",
            "range",
            "required",
        ],
    ),
    (
        "masker",
        &[
            "date-shift",
            "encrypt",
            "fake",
            "format-preserving",
            "generalize",
            "partial",
            "pseudonym",
            "redact",
            "tokenize",
        ],
    ),
    ("transformer", &["keep", "row-id"]),
];

/// Columns for the examples: as many as they name, of types that fit.
const COLUMNS: &str = "\
columns:
  born:    { type: date, personal: true }
  state:   { type: text }
  name:    { type: text }
  zip:     { type: text }
  price:   { type: float64 }
  product: { type: text }
  account: { type: text, personal: true }
  customer_id: { type: text, personal: true }
  note:    { type: text, personal: true }
  notes:   { type: text, personal: true }
  email:   { type: text, personal: true }
  card:    { type: text, personal: true }
  patient_id: { type: text, personal: true }
  admitted:   { type: date, personal: true }
  discharged: { type: date, personal: true }
";

/// 32 zeros, as base64.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

#[test]
fn the_list_has_every_standard_plugin_under_its_world() {
    let listed = Pipeline::empty()
        .call(&["plugin", "list"])
        .ends_with(0)
        .stdout;
    let mut lines = listed.lines();
    for (world, plugins) in PLUGINS {
        for plugin in plugins {
            let line = lines.next().unwrap();
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(
                words[..3],
                [world, plugin, env!("CARGO_PKG_VERSION")],
                "{line}"
            );
            // Columns align: the summary starts at the same place everywhere.
            assert!(
                line.as_bytes()[39] == b' ' && line.as_bytes()[40] != b' ',
                "{line}"
            );
        }
    }
    assert_eq!(lines.next(), Some(""));
}

#[test]
fn every_manual_is_whole_and_its_example_is_a_step_that_check_accepts() {
    for plugin in PLUGINS.iter().flat_map(|(_, plugins)| *plugins) {
        let manual = Pipeline::empty()
            .call(&["plugin", "list", plugin])
            .ends_with(0)
            .stdout;
        for part in [
            "## What it does\n",
            "## Why\n",
            "## Example\n",
            "## Options\n",
        ] {
            assert!(manual.contains(part), "{plugin} has no {part}");
        }
        let schema = Pipeline::empty()
            .call(&["plugin", "list", plugin, "--json"])
            .ends_with(0)
            .stdout;
        let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
        assert_eq!(schema["type"], "object", "{plugin}");
        let properties = schema["properties"].as_object();
        for name in properties.iter().flat_map(|p| p.keys()) {
            let (_, options) = manual.split_once("\nOptions of `with:`\n\n").unwrap();
            assert!(options.contains(&format!("  {name}: ")), "{plugin}: {name}");
        }

        let mut examples = 0;
        for block in manual.split("```yaml\n").skip(1) {
            let (example, _) = block.split_once("```").unwrap();
            assert!(example.contains(&format!(": {plugin}\n")), "{example}");
            // An example that adds a column gets it from its step alone.
            let columns: String = COLUMNS
                .lines()
                .filter(|line| !(example.contains("adds:") && line.contains("customer_id")))
                .map(|line| format!("{line}\n"))
                .collect();
            let header: Vec<&str> = columns
                .lines()
                .filter_map(|line| line.trim().split_once(": ").map(|(name, _)| name))
                .collect();
            let steps: String = example.lines().map(|line| format!("  {line}\n")).collect();
            let manifest = format!(
                "name: example\nsource: {{ csv: {{ path: in.csv }} }}\n{columns}credentials: \
                 [env]\nsteps:\n{steps}sink:\n  sqlite: {{ path: out.db, table: rows }}\n  columns: [state]\n"
            );
            let pipeline = Pipeline::new(&manifest)
                .file("in.csv", header.join(",") + "\n")
                .env("GLOVEBOX_SECRET_SALES_CUSTOMER_SALT", "salt")
                .env("GLOVEBOX_SECRET_SALES_EMAIL_KEY", KEY)
                .env("GLOVEBOX_SECRET_SALES_CARD_KEY", KEY)
                .env("GLOVEBOX_SECRET_SALES_TOKEN_KEY", KEY)
                .env("GLOVEBOX_SECRET_SALES_FAKE_KEY", KEY)
                .env("GLOVEBOX_SECRET_CLINIC_SHIFT_KEY", KEY);
            let checked = pipeline.call(&["check", "manifest.yaml"]).ends_with(0);
            assert!(checked.stdout.ends_with("is valid\n"), "{}", checked.stdout);
            examples += 1;
        }
        assert!(examples > 0, "{plugin} has no example");
    }
}

#[test]
fn a_plugin_that_is_not_there_is_a_wrong_call_and_the_others_are_named() {
    let ran = Pipeline::empty()
        .call(&["plugin", "list", "partail"])
        .ends_with(2);
    let _ = ran.says("partial").says("row-id");
}
