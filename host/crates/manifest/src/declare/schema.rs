//! The manifest's JSON Schema, so that editors complete it and check it while it is written, and
//! the tables of its keys in the manual.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Field, Section};
use crate::yaml;

/// The JSON Schema (2020-12) of a file that is a block of declared keys.
pub fn json_schema<S: Section>(title: &str) -> Value {
    Schema::default().whole::<S>(title)
}

/// For that block and each within it, by its name in the schema: its keys as a table in Markdown.
pub fn key_tables<S: Section>() -> BTreeMap<&'static str, String> {
    let mut schema = Schema::default();
    schema.section::<S>();
    let sections = schema.sections.into_iter();
    sections.map(|(name, keys)| (name, table(&keys))).collect()
}

/// Between these two lines of a manual stands the table of a block's keys.
const BEGIN: &str = "<!-- the keys of ";
const END: &str = "<!-- end of the keys -->";

/// A manual with these tables in their places, each taken out of the map.
///
/// # Errors
/// The name of a block that is not there, or has two places.
pub fn with_tables(
    manual: &str,
    tables: &mut BTreeMap<&'static str, String>,
) -> Result<String, String> {
    let mut written = String::with_capacity(manual.len());
    let mut rest = manual;
    while let Some((before, behind)) = rest.split_once(BEGIN) {
        let (name, behind) = behind.split_once(" -->").ok_or("a line without an end")?;
        let (_, behind) = behind.split_once(END).ok_or(name)?;
        let table = tables.remove(name).ok_or(name)?;
        written.push_str(&format!("{before}{BEGIN}{name} -->\n\n{table}\n{END}"));
        rest = behind;
    }
    Ok(written + rest)
}

fn table(fields: &[Field]) -> String {
    let mut table = "| key | type | default | |\n|---|---|---|---|\n".to_owned();
    for field in fields {
        let mut kind = field.kind.words();
        if let Some(bounds) = field.kind.bounds() {
            kind = format!("{kind}, {bounds}");
        }
        let default = match (field.default, field.otherwise) {
            (Some(default), _) => format!("`{default}`"),
            (_, Some(otherwise)) => otherwise.to_owned(),
            _ if field.needed => "required".to_owned(),
            _ => "none".to_owned(),
        };
        let cells = [
            format!("`{}`", field.key),
            kind,
            default,
            one_line(field.docs),
        ]
        .map(|cell| cell.replace('|', "\\|"));
        table.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    table
}

/// What has been described so far, by its name.
#[derive(Default)]
pub struct Schema {
    defined: BTreeMap<&'static str, Value>,
    /// The blocks among it, with their keys.
    sections: BTreeMap<&'static str, Vec<Field>>,
}

impl Schema {
    fn whole<S: Section>(mut self, title: &str) -> Value {
        self.section::<S>();
        let mut defined = self.defined;
        let root = defined.remove(S::NAME);
        let Some(Value::Object(mut root)) = root else {
            return Value::Null;
        };
        root.insert("title".into(), title.into());
        let version = "https://json-schema.org/draft/2020-12/schema";
        root.insert("$schema".into(), version.into());
        let defined = defined.into_iter().map(|(name, is)| (name.to_owned(), is));
        root.insert("$defs".into(), Value::Object(defined.collect()));
        Value::Object(root)
    }

    /// The keys of all blocks that have been described.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.sections.values().flatten()
    }

    /// A reference to what has this name, which is described the first time.
    pub fn define(
        &mut self,
        name: &'static str,
        describe: impl FnOnce(&mut Schema) -> Value,
    ) -> Value {
        if !self.defined.contains_key(name) {
            let described = describe(self);
            self.defined.insert(name, described);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// A reference to a block of keys.
    pub fn section<S: Section>(&mut self) -> Value {
        self.define(S::NAME, |schema| {
            let fields = S::fields();
            let keys = fields.iter().map(|f| (f.key.to_owned(), key(schema, f)));
            let mut block = json!({
                "description": plain(S::DOCS),
                "type": "object",
                "additionalProperties": false,
                "properties": keys.collect::<Map<_, _>>(),
            });
            let needed: Vec<&str> = fields.iter().filter(|f| f.needed).map(|f| f.key).collect();
            if let Some(block) = block.as_object_mut() {
                if !needed.is_empty() {
                    block.insert("required".into(), json!(needed));
                }
                if let Value::Object(rules) = S::rules() {
                    block.extend(rules);
                }
            }
            schema.sections.insert(S::NAME, fields);
            block
        })
    }
}

fn key(schema: &mut Schema, field: &Field) -> Value {
    let mut described = field.kind.schema(schema);
    let Some(object) = described.as_object_mut() else {
        return described;
    };
    let mut docs = plain(field.docs);
    if let Some(bounds) = field.kind.bounds() {
        docs.push_str(&format!(" {bounds}."));
    }
    if let Some(otherwise) = field.otherwise {
        docs.push_str(&format!(" By default: {}.", plain(otherwise)));
    }
    object.insert("description".into(), docs.into());
    let default = field.default.and_then(|text| yaml::parse(text).root);
    if let Some(default) = default {
        object.insert("default".into(), default.to_json());
    }
    described
}

fn one_line(docs: &str) -> String {
    let lines: Vec<&str> = docs.lines().map(str::trim).collect();
    lines.join(" ").trim().to_owned()
}

/// A doc comment on one line, with the words of its links only.
pub(crate) fn plain(docs: &str) -> String {
    let mut text = one_line(docs);
    while let Some(middle) = text.find("](") {
        let begin = text.get(..middle).and_then(|before| before.rfind('['));
        let end = text.get(middle..).and_then(|rest| rest.find(')'));
        let (Some(begin), Some(end)) = (begin, end) else {
            break;
        };
        let words = text.get(begin + 1..middle).unwrap_or_default().to_owned();
        text.replace_range(begin..=middle + end, &words);
    }
    text
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
