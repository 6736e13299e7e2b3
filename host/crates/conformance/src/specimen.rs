//! The plugin under test: a component, opened with a configuration and grants that it accepts. If
//! the author names none, it tries the schema's examples, the manual's, and a column of each type.

use glovebox_core::{DataType, Field, Grants, PluginError, World};
use glovebox_manifest::render;
use glovebox_manifest::typed::{data_type, typed};
use glovebox_sandbox::{GuestOutput, Watched, WatchedInstance};
use serde_json::Value;

/// Every type, each a column by its name.
const TYPES: [DataType; 8] = [
    DataType::Text,
    DataType::Int64,
    DataType::Float64,
    DataType::Decimal {
        precision: 12,
        scale: 2,
    },
    DataType::Boolean,
    DataType::Date,
    DataType::Timestamp,
    DataType::Bytes,
];

/// What an author passes to `check` and `bench`.
#[derive(Debug, clap::Args)]
pub struct Wanted {
    /// The step's `with:` block, as JSON or YAML.
    #[arg(long, value_name = "BLOCK")]
    with: Option<String>,
    /// The columns that it is granted, like name:text,price:decimal(12,2).
    #[arg(long, value_name = "COLUMNS")]
    columns: Option<String>,
    /// The columns that a transformer is to add, like id:text.
    #[arg(long, value_name = "COLUMNS")]
    adds: Option<String>,
}

/// How it is opened.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The `with:` block, as JSON.
    pub config: String,
    /// Where the configuration is from, for people.
    pub config_from: &'static str,
    /// The columns that it is granted.
    pub grants: Grants,
}

/// No setting that the plugin takes.
#[derive(Debug)]
pub enum NoSetting {
    /// The call is wrong.
    Call(String),
    /// The plugin refused all of them; what it said first of each configuration.
    Refused(Vec<String>),
    /// The plugin failed.
    Fault(PluginError),
}

/// Finds how the plugin is to be opened.
pub fn setting(
    plugin: &Watched,
    wanted: &Wanted,
    words: &GuestOutput,
) -> Result<Setting, NoSetting> {
    let tries = match &wanted.with {
        Some(text) => vec![Try {
            config: block(text)?,
            from: "--with",
            names: Vec::new(),
        }],
        None => tries(plugin),
    };
    let columns = wanted.columns.as_deref().map(columns).transpose()?;
    let adds = wanted.adds.as_deref().map(self::columns).transpose()?;
    let mut refusals: Vec<String> = Vec::new();
    for Try {
        config,
        from,
        names,
    } in tries
    {
        let mut refusal = None;
        for adds in adds_of(plugin.world(), adds.as_deref()) {
            let grants = |fields: Vec<Field>| Grants {
                masks: match plugin.world() {
                    World::Masker => (0..fields.len()).collect(),
                    World::Validator | World::Transformer => Vec::new(),
                },
                fields,
                adds: adds.clone(),
            };
            let mut open =
                |fields: &[Field]| match plugin.open(&config, &grants(fields.to_vec()), words) {
                    Ok(sitting) => {
                        drop::<WatchedInstance>(sitting);
                        Ok(true)
                    }
                    Err(PluginError::Config { path, message, .. }) => {
                        let at = if path.is_empty() {
                            String::new()
                        } else {
                            format!("{path}: ")
                        };
                        refusal.get_or_insert(format!("with {config}: {at}{message}"));
                        Ok(false)
                    }
                    Err(error) => Err(NoSetting::Fault(error)),
                };
            let found = match &columns {
                Some(fields) => open(fields)?.then(|| fields.clone()),
                None => accepted(&mut open, &names)?,
            };
            if let Some(fields) = found {
                return Ok(Setting {
                    grants: grants(fields),
                    config,
                    config_from: from,
                });
            }
        }
        refusals.extend(refusal);
    }
    Err(NoSetting::Refused(refusals))
}

/// The columns that it takes: of every type together, or of each type that it takes alone.
fn accepted(
    open: &mut impl FnMut(&[Field]) -> Result<bool, NoSetting>,
    names: &[String],
) -> Result<Option<Vec<Field>>, NoSetting> {
    let all: Vec<Field> = TYPES.map(of_type).to_vec();
    if open(&all)? {
        return Ok(Some(all));
    }
    let mut alone = Vec::new();
    for field in all {
        if open(std::slice::from_ref(&field))? {
            alone.push(field);
        }
    }
    if alone.len() > 1 && open(&alone)? {
        return Ok(Some(alone));
    }
    alone.truncate(1);
    if !alone.is_empty() {
        return Ok(Some(alone));
    }
    for data_type in TYPES {
        let two = ["first", "second"].map(|n| Field::new(n, data_type));
        if open(&two)? {
            return Ok(Some(two.to_vec()));
        }
        let named: Vec<Field> = names
            .iter()
            .map(|n| Field::new(n.as_str(), data_type))
            .collect();
        if !named.is_empty() && open(&named)? {
            return Ok(Some(named));
        }
    }
    Ok(open(&[])?.then(Vec::new))
}

fn of_type(data_type: DataType) -> Field {
    let name = match data_type {
        DataType::Decimal { .. } => "a_decimal".to_owned(),
        other => format!("a_{other}"),
    };
    Field::new(name, data_type)
}

fn adds_of(world: World, wanted: Option<&[Field]>) -> Vec<Vec<Field>> {
    match (world, wanted) {
        (_, Some(adds)) => vec![adds.to_vec()],
        (World::Transformer, None) => std::iter::once(Vec::new())
            .chain(TYPES.map(|t| vec![Field::new("added", t)]))
            .collect(),
        (World::Validator | World::Masker, None) => vec![Vec::new()],
    }
}

/// A configuration worth a try.
struct Try {
    config: String,
    from: &'static str,
    /// The columns of the manual's example, which its configuration may name.
    names: Vec<String>,
}

/// No configuration, the schema's, the manual's.
fn tries(plugin: &Watched) -> Vec<Try> {
    let about = plugin.about();
    let alone = |config: String, from| Try {
        config,
        from,
        names: Vec::new(),
    };
    let mut tries = vec![alone("{}".to_owned(), "none")];
    if let Ok(schema) = serde_json::from_str::<Value>(&about.config_schema) {
        let examples = schema.get("examples").and_then(Value::as_array);
        let examples = examples.into_iter().flatten().chain(schema.get("default"));
        tries.extend(examples.map(|value| alone(value.to_string(), "an example of its schema")));
    }
    let examples = yaml_blocks(&about.documentation);
    let examples = examples.filter_map(|block| typed::<Value>(&block, "an example").ok());
    for example in examples {
        if let Some((step, with)) = find_step(&example) {
            tries.push(Try {
                config: with.to_string(),
                from: "the example in its manual",
                names: ["reads", "masks"]
                    .iter()
                    .filter_map(|key| step.get(*key)?.as_array())
                    .flatten()
                    .filter_map(|name| name.as_str().map(str::to_owned))
                    .collect(),
            });
        }
    }
    tries
}

/// The fenced blocks of YAML in a text.
fn yaml_blocks(markdown: &str) -> impl Iterator<Item = String> {
    let parts = markdown.split("```yaml\n").skip(1);
    parts.filter_map(|rest| rest.split_once("```").map(|(block, _)| block.to_owned()))
}

/// The first step with a configuration, and that.
fn find_step(value: &Value) -> Option<(&Value, &Value)> {
    match value {
        Value::Object(map) => match map.get("with") {
            Some(with) => Some((value, with)),
            None => map.values().find_map(find_step),
        },
        Value::Array(items) => items.iter().find_map(find_step),
        _ => None,
    }
}

fn block(text: &str) -> Result<String, NoSetting> {
    match typed::<Value>(text, "a `with:` block") {
        Ok(value @ Value::Object(_)) => Ok(value.to_string()),
        Ok(_) => Err(NoSetting::Call(
            "--with takes a block of keys, like '{ keep-last: 4 }'".into(),
        )),
        Err(problems) => Err(NoSetting::Call(render(&problems, "--with", text, false))),
    }
}

/// `name:text,price:decimal(12,2)`: the commas within brackets are a type's.
fn columns(text: &str) -> Result<Vec<Field>, NoSetting> {
    let mut depth = 0;
    let parts = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    let mut fields: Vec<Field> = Vec::new();
    for part in parts.filter(|p| !p.trim().is_empty()) {
        let call =
            |problem: String| NoSetting::Call(format!("{part:?} in a list of columns: {problem}"));
        let (name, written) = part
            .split_once(':')
            .ok_or_else(|| call("write name:type".into()))?;
        let name = name.trim();
        if name.is_empty() || fields.iter().any(|f| &*f.name == name) {
            return Err(call("give each column a unique name".into()));
        }
        fields.push(Field::new(name, data_type(written.trim()).map_err(call)?));
    }
    Ok(fields)
}

/// The options of a schema, a line each.
pub fn options(schema: &str) -> Vec<String> {
    let Ok(schema) = serde_json::from_str::<Value>(schema) else {
        return vec!["(its schema is not JSON)".into()];
    };
    let needed = |name: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|r| r.iter().any(|n| n == name))
    };
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return vec!["none".into()];
    };
    if properties.is_empty() {
        return vec!["none".into()];
    }
    let width = properties.keys().map(String::len).max().unwrap_or(0);
    properties
        .iter()
        .map(|(name, property)| {
            let fate = match property.get("default") {
                Some(default) => format!("default {default}"),
                None if needed(name) => "needed".into(),
                None => "optional".into(),
            };
            let description = property.get("description").and_then(Value::as_str);
            let description = description
                .unwrap_or_default()
                .lines()
                .next()
                .unwrap_or_default();
            let line = format!(
                "{name:width$}  {}, {fate}. {description}",
                kind(property, &schema, 0)
            );
            line.trim_end().to_owned()
        })
        .collect()
}

/// What a property takes, in a few words; references are followed a few times.
fn kind(property: &Value, schema: &Value, depth: usize) -> String {
    const MAX_DEPTH: usize = 4;
    let text = |key: &str| property.get(key).and_then(Value::as_str);
    if let Some(choices) = property.get("enum").and_then(Value::as_array) {
        return either(choices.iter().map(Value::to_string).collect());
    }
    if let Some(value) = property.get("const") {
        return value.to_string();
    }
    let target = text("$ref").and_then(|r| schema.pointer(r.strip_prefix('#')?));
    if let Some(target) = target.filter(|_| depth < MAX_DEPTH) {
        return kind(target, schema, depth + 1);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(forms) = property.get(key).and_then(Value::as_array)
            && depth < MAX_DEPTH
        {
            return either(forms.iter().map(|f| kind(f, schema, depth + 1)).collect());
        }
    }
    match property.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => either(
            names
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        ),
        _ => "a value".into(),
    }
}

/// That an option may be left out is said beside it, so null is no choice.
fn either(mut choices: Vec<String>) -> String {
    choices.retain(|choice| choice != "null");
    choices.dedup();
    if choices.len() > 5 {
        return "a value".into();
    }
    choices.join(" or ")
}

/// The keys of a block, for a message. Kept beside `columns`, which reads the same notation.
pub fn spelled(fields: &[Field]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|f| format!("{}:{}", f.name, f.data_type))
        .collect();
    fields.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_read_as_they_are_spelled() {
        let text = "name:text,price:decimal(12,2),n:int64";
        let fields = columns(text).unwrap();
        assert_eq!(spelled(&fields), text);
        for wrong in ["name", "a:text,a:text", "a:words", ":text"] {
            assert!(matches!(columns(wrong), Err(NoSetting::Call(_))), "{wrong}");
        }
    }

    #[test]
    fn the_manuals_example_is_found() {
        let manual = "# x\n```yaml\n- mask: x\n  with: { keep-last: 4 }\n```\n";
        let blocks: Vec<String> = yaml_blocks(manual).collect();
        let value: Value = typed(&blocks[0], "an example").unwrap();
        assert_eq!(
            find_step(&value).unwrap().1.to_string(),
            r#"{"keep-last":4}"#
        );
    }
}
