//! The manifest's JSON Schema, so that editors complete it and check it while it is written.
//!
//! Owns a twin of the form in which manifests are written, down to each key's description; refuses
//! to parse: that is `load`'s, and a test holds the two together.

#![expect(dead_code, reason = "only the schemas of these types are used")]

mod formats;
mod sink;
mod source;
mod words;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use formats::Formats;
use sink::Sink;
use source::Source;
use words::{Path, SecretName, Size, Time, Type};

/// The JSON Schema (2020-12) of a manifest.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Manifest).to_value();
    without_null(&mut schema);
    schema
}

/// Takes `null` out: a key that is not needed is left out, not empty. `Option` says both.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|t| t != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".into(), only);
                }
            }
            if let Some(Value::Array(any)) = object.get_mut("anyOf") {
                any.retain(|s| s.get("type").is_none_or(|t| t != "null"));
                if let [Value::Object(only)] = any.as_slice() {
                    let only: Map<String, Value> = only.clone();
                    object.remove("anyOf");
                    object.extend(only);
                }
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// A pipeline: where rows come from, what happens to them, where they go.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "kebab-case",
    deny_unknown_fields,
    title = "Glovebox manifest"
)]
struct Manifest {
    /// The pipeline's name: 1 to 64 letters, digits, `-`, `_` or `.`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
    name: String,
    /// Where the rows come from.
    source: Source,
    /// The columns that may enter, in order; anything else stops at the source.
    #[schemars(extend("minProperties" = 1))]
    columns: BTreeMap<String, Column>,
    /// Where secrets are looked up, in this order.
    #[schemars(extend("default" = ["keyring", "env"]))]
    credentials: Option<Vec<Store>>,
    /// Public keys of minisign's: each plugin that is a file must bear a signature by one of them.
    #[schemars(extend("minItems" = 1, "uniqueItems" = true))]
    trusted_keys: Option<Vec<TrustedKey>>,
    /// What happens to the rows, in order.
    #[schemars(extend("default" = []))]
    steps: Option<Vec<Step>>,
    /// What bounds each step, unless it says otherwise.
    limits: Option<Limits>,
    /// Which masked columns the leak guard looks at in each step, unless it says otherwise.
    #[schemars(extend("default" = "personal"))]
    leak_guard: Option<LeakGuard>,
    /// Where the rows go.
    sink: Sink,
    /// What is done with rejected rows.
    rejects: Option<Rejects>,
}

/// A column that enters, or that a transformer adds.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Column {
    /// What its cells are.
    r#type: Type,
    /// Whether it holds personal data. A personal column does not reach a sink before a masker has
    /// had it. A column added by a step that reads personal ones has to say.
    #[schemars(extend("default" = false))]
    personal: Option<bool>,
    /// Who lets it out unmasked, why, and until when.
    release: Option<Release>,
    /// Where the source has it, if not under its own name.
    from: Option<ReadFrom>,
    /// How its text is spelled, where it is otherwise than the source's `formats` say; for columns
    /// of CSV files and JSON.
    formats: Option<Formats>,
}

/// Where a column stands in its source.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ReadFrom {
    /// Another name.
    Name(#[schemars(length(min = 1, max = 4096))] String),
    /// A position in a CSV file, counted from 1.
    Position(#[schemars(range(min = 1, max = 1_048_576))] u64),
}

/// A personal column's way out without a mask.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Release {
    /// Why it may leave.
    #[schemars(length(min = 1))]
    reason: String,
    /// Who answers for it.
    #[schemars(length(min = 1))]
    owner: String,
    /// The last day on which it may.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    until: String,
}

/// A place where secrets are looked up.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Store {
    /// One that needs no settings.
    Named(NamedStore),
    /// A folder with one file a secret.
    Files(FileStore),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum NamedStore {
    /// The operating system's store.
    Keyring,
    /// Environment variables `GLOVEBOX_SECRET_…`.
    Env,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct FileStore {
    /// The folder, relative to the manifest's.
    files: Path,
}

/// A public key of minisign's.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum TrustedKey {
    /// The key itself: the second line of `minisign.pub`.
    Base64(#[schemars(regex(pattern = r"^RW[A-Za-z0-9+/]{54}$"))] String),
    /// A file that holds it.
    File(KeyFile),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct KeyFile {
    /// The file, relative to the manifest's folder.
    file: Path,
}

/// One plugin at work on the rows: exactly one of `validate`, `transform` and `mask`.
#[derive(JsonSchema)]
#[schemars(
    rename_all = "kebab-case",
    deny_unknown_fields,
    extend("oneOf" = [
        { "required": ["validate"], "properties": { "masks": false, "adds": false, "keys": false, "keeps": false, "leak-guard": false } },
        { "required": ["transform"], "properties": { "masks": false, "keys": false, "keeps": false, "leak-guard": false } },
        { "required": ["mask", "masks"], "properties": { "adds": false } },
    ])
)]
struct Step {
    /// The step's name in rejects and reports; by default its plugin's.
    #[schemars(length(min = 1, max = 64))]
    name: Option<String>,
    /// A validator: it says which rows break which rules.
    validate: Option<Plugin>,
    /// A transformer: it adds columns and filters rows.
    transform: Option<Plugin>,
    /// A masker: it says how cells are masked.
    mask: Option<Plugin>,
    /// The columns that the plugin sees.
    #[schemars(extend("uniqueItems" = true))]
    reads: Option<Vec<String>>,
    /// The columns that a masker may mask; it sees these too.
    #[schemars(extend("uniqueItems" = true, "minItems" = 1))]
    masks: Option<Vec<String>>,
    /// What a masker may leave whole of the columns that it masks, for the leak guard. A plugin of
    /// one's own that declares to keep cells of a guarded column needs it.
    keeps: Option<BTreeMap<String, Keeps>>,
    /// Which masked columns the leak guard looks at; by default as the manifest says.
    leak_guard: Option<LeakGuard>,
    /// The columns that a transformer adds, or replaces where the name is there already.
    adds: Option<BTreeMap<String, Column>>,
    /// The plugin's configuration; see `glovebox plugin list NAME`.
    with: Option<BTreeMap<String, Value>>,
    /// The plugin's names for keys, and the secrets that hold them.
    keys: Option<BTreeMap<String, SecretName>>,
    /// What bounds this step.
    limits: Option<Limits>,
}

/// Which masked columns the leak guard looks at: it rejects the rows whose mask holds the raw cell.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum LeakGuard {
    /// The personal ones.
    Personal,
    /// Each of them.
    All,
    /// None.
    Off,
}

/// Which cells may be found whole in their masks.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Keeps {
    /// None, or any.
    Named(NamedKeeps),
    /// Those with at most so many letters and digits.
    Characters(#[schemars(range(max = 4_294_967_295_u32))] u32),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum NamedKeeps {
    /// None.
    Nothing,
    /// Any.
    Cells,
}

/// A plugin: the name of a standard one, or a component of one's own.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Plugin {
    /// A standard plugin, or the path of a component.
    Named(#[schemars(length(min = 1))] String),
    /// A component and its digest.
    File(PluginFile),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct PluginFile {
    /// The component, relative to the manifest's folder.
    file: Path,
    /// The SHA-256 it must have, in hexadecimal.
    #[schemars(regex(pattern = r"^[0-9A-Fa-f]{64}$"))]
    sha256: Option<String>,
}

/// What bounds a plugin.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Limits {
    /// Linear memory of an instance, 1MiB to 4GiB.
    #[schemars(extend("default" = "64MiB"))]
    memory: Option<Size>,
    /// Wall time of one call, 1ms to 1h.
    #[schemars(extend("default" = "1s"))]
    time: Option<Time>,
    /// Bytes that one call may return, 1KiB to 4GiB.
    #[schemars(extend("default" = "32MiB"))]
    returned: Option<Size>,
    /// Rows that the findings of one call may name, all together.
    #[schemars(range(min = 1, max = 67_108_864), extend("default" = 1_048_576))]
    findings: Option<u64>,
    /// Elements of an instance's tables.
    #[schemars(range(min = 1, max = 10_000_000), extend("default" = 100_000))]
    table_elements: Option<u64>,
    /// Core instances, memories and tables that one component may have, each.
    #[schemars(range(min = 1, max = 10_000), extend("default" = 64))]
    instances: Option<u64>,
    /// Time that calls which end in a fault may cost a run before it gives up on the plugin, 1ms
    /// to 24h.
    #[schemars(extend("default" = "60s"))]
    lost_time: Option<Time>,
}

/// What is done with rejected rows.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Rejects {
    /// The file that lists them, relative to the manifest's folder; by default
    /// `NAME.rejects.jsonl` with the pipeline's name.
    path: Option<Path>,
    /// How many there may be: rows, or a share like `50%`; by default any number.
    at_most: Option<AtMost>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum AtMost {
    /// Rows.
    Rows(u64),
    /// A share of the rows read, 0% to 100%.
    Share(#[schemars(regex(pattern = r"^[0-9]+(\.[0-9]+)? *%$"))] String),
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
