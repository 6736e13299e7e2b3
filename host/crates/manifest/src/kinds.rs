//! What single values of a manifest are: numbers, quantities, words, signs, names, files, blocks.
//!
//! Each says how it is read, what is wrong with it otherwise, and how it is described.

mod quantities;
mod sign;

use std::marker::PhantomData;
use std::path::PathBuf;

use glovebox_core::SecretName;
pub use quantities::{Size, Time, Whole};
use serde_json::{Value, json};
pub use sign::{Sign, is_named_tab, tab_help};

use crate::block::{Reader, short};
use crate::declare::{self, At, Kind, Schema, Section, Words};
use crate::diagnostic::Diagnostic;
use crate::node::{Entry, Kind as Yaml, Node};
use crate::span::Spanned;

/// A value of which there is one in all manifests, read by a function of its own.
pub struct Own<T> {
    /// Reads it, as [`Kind::read`].
    pub read: fn(&mut Reader<'_>, &At<'_>) -> Option<Spanned<T>>,
    /// As [`Kind::words`].
    pub words: &'static str,
    /// As [`Kind::schema`].
    pub schema: fn(&mut Schema) -> Value,
}

impl<T> Kind for Own<T> {
    type Value = T;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<T>> {
        (self.read)(reader, at)
    }

    fn words(&self) -> String {
        self.words.to_owned()
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        (self.schema)(schema)
    }
}

/// A block of declared keys.
pub struct Nested<S>(PhantomData<S>);

/// A block of these keys.
pub const fn nested<S: Section>() -> Nested<S> {
    Nested(PhantomData)
}

impl<S: Section> Kind for Nested<S> {
    type Value = S::Model;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<S::Model>> {
        let model = S::read(reader, at.node, at.head.clone())?;
        Some(Spanned::new(model, at.head.clone()))
    }

    fn words(&self) -> String {
        match S::fields().as_slice() {
            [only] => format!("`{{ {}: … }}`", only.key),
            _ => "block".to_owned(),
        }
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.section::<S>()
    }

    fn example(&self, _: &str) -> String {
        S::EXAMPLE.to_owned()
    }
}

/// A text that is not empty and has no control characters.
pub struct Text;

impl Kind for Text {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
        reader.text(at.node, at.key, &at.example)
    }

    fn words(&self) -> String {
        "text".to_owned()
    }

    fn schema(&self, _: &mut Schema) -> Value {
        json!({ "type": "string", "minLength": 1 })
    }
}

/// True or false.
pub struct Bool;

impl Kind for Bool {
    type Value = bool;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<bool>> {
        match at.node.kind {
            Yaml::Bool(value) => Some(Spanned::new(value, at.node.span.clone())),
            _ => {
                let what = format!("`{}`", at.key);
                reader.wrong_kind(at.node, &what, "true or false", &at.example);
                None
            }
        }
    }

    fn words(&self) -> String {
        "true or false".to_owned()
    }

    fn schema(&self, _: &mut Schema) -> Value {
        json!({ "type": "boolean" })
    }

    fn example(&self, key: &str) -> String {
        format!("{key}: true")
    }
}

/// One of some words.
pub struct OneOf<W: 'static> {
    /// Those that may be written here.
    words: &'static [(&'static str, W, &'static str)],
    help: &'static str,
}

/// One of all words of an enum.
pub const fn word<W: Words>() -> OneOf<W> {
    OneOf {
        words: W::ALL,
        help: "",
    }
}

impl<W: Words> OneOf<W> {
    /// With what to write instead of another word.
    pub const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }

    /// The words, with commas between.
    fn list(&self) -> String {
        let all: Vec<&str> = self.words.iter().map(|(word, ..)| *word).collect();
        all.join(", ")
    }
}

impl<W: Words> Kind for OneOf<W> {
    type Value = W;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<W>> {
        let Yaml::Text(text) = &at.node.kind else {
            let expected = format!("one of: {}", self.list());
            reader.wrong_kind(at.node, &format!("`{}`", at.key), &expected, &at.example);
            return None;
        };
        let span = at.node.span.clone();
        if let Some((_, value, _)) = self.words.iter().find(|(word, ..)| word == text) {
            return Some(Spanned::new(*value, span));
        }
        let help = match self.help {
            "" => format!("write one of: {}", self.list()),
            help => help.to_owned(),
        };
        let problem = format!("unknown `{}`: `{}`", at.key, short(text));
        reader.say(Diagnostic::error(span, problem).help(help));
        None
    }

    fn words(&self) -> String {
        let all: Vec<_> = self.words.iter().map(|(w, ..)| format!("`{w}`")).collect();
        all.join(", ")
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define(W::NAME, |_| choice(self.words))
    }

    fn example(&self, key: &str) -> String {
        let first = self.words.first().map_or("", |(word, ..)| word);
        format!("{key}: {first}")
    }
}

/// The JSON Schema of some words.
pub fn choice<W>(words: &[(&str, W, &str)]) -> Value {
    let one = |(word, _, docs): &(&str, W, &str)| json!({ "const": word, "description": declare::plain(docs) });
    json!({ "oneOf": words.iter().map(one).collect::<Vec<_>>() })
}

/// A list of values of a kind.
pub struct ListOf<K>(pub K);

impl<K: Kind> Kind for ListOf<K> {
    type Value = Vec<Spanned<K::Value>>;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Self::Value>> {
        let items = reader.list(at.node, at.key, &at.example)?;
        let read = |node: &Node| {
            let head = node.first_key();
            let item = At {
                node,
                head,
                ..at.clone()
            };
            self.0.read(reader, &item)
        };
        let values = items.iter().filter_map(read).collect();
        Some(Spanned::new(values, at.node.span.clone()))
    }

    fn words(&self) -> String {
        format!("list of {}", self.0.words())
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        json!({ "type": "array", "items": self.0.schema(schema) })
    }
}

/// Values by the names that the writer gave them, in their order.
pub type Named<T> = Vec<(Spanned<String>, Spanned<T>)>;

/// A block whose keys are of the writer's choice, with values of a kind.
pub struct MapOf<K>(pub K);

impl<K: Kind> Kind for MapOf<K> {
    type Value = Named<K::Value>;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Self::Value>> {
        let entries = reader.map(at.node, at.key, &at.example)?;
        let read = |entry: &Entry| {
            let (node, head) = (&entry.value, entry.key.span.clone());
            let value = At {
                node,
                head,
                ..at.clone()
            };
            Some((entry.key.clone(), self.0.read(reader, &value)?))
        };
        let values = entries.iter().filter_map(read).collect();
        Some(Spanned::new(values, at.node.span.clone()))
    }

    fn words(&self) -> String {
        format!("block of names, each with {}", self.0.words())
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        json!({ "type": "object", "additionalProperties": self.0.schema(schema) })
    }
}

/// A text of any signs.
pub struct AnyText;

impl Kind for AnyText {
    type Value = String;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<String>> {
        reader.any_text(at.node, at.key, &at.example)
    }

    fn words(&self) -> String {
        "text".to_owned()
    }

    fn schema(&self, _: &mut Schema) -> Value {
        json!({ "type": "string" })
    }
}

/// The name of a secret. What was written may be the secret itself, so nothing repeats it.
pub struct Secret;

impl Kind for Secret {
    type Value = SecretName;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<SecretName>> {
        reader.secret(at.node, &format!("`{}`", at.key))
    }

    fn words(&self) -> String {
        "name of a secret".to_owned()
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define("SecretName", |_| {
            json!({
                "description": "The name of a secret, like `sales/customer-salt`, or of one version of it, like `sales/key@3`.",
                "type": "string", "maxLength": 128,
                "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*(@[1-9][0-9]{0,5})?$",
            })
        })
    }
}

/// A list of at least so many column names; each may be there once. Where fewer make no sense depends
/// on other keys, so who compares these says it.
pub struct Names(pub usize);

impl Kind for Names {
    type Value = Vec<Spanned<String>>;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Self::Value>> {
        let names = reader.names(at.node, at.key)?;
        Some(Spanned::new(names, at.node.span.clone()))
    }

    fn words(&self) -> String {
        "list of columns".to_owned()
    }

    fn schema(&self, _: &mut Schema) -> Value {
        let mut names = json!({
            "type": "array", "items": { "type": "string" }, "uniqueItems": true,
        });
        if let Some(names) = names.as_object_mut().filter(|_| self.0 > 0) {
            names.insert("minItems".into(), self.0.into());
        }
        names
    }
}

/// A path, relative to the manifest's folder.
pub struct File;

impl Kind for File {
    type Value = PathBuf;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<PathBuf>> {
        reader.path(at.node, at.key, &at.example)
    }

    fn words(&self) -> String {
        "path".to_owned()
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        path_schema(schema)
    }
}

/// A file to write: no standard output.
pub struct Output {
    /// What is written there.
    pub what: &'static str,
    /// Why not to standard output.
    pub note: Option<&'static str>,
}

impl Kind for Output {
    type Value = PathBuf;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<PathBuf>> {
        if matches!(&at.node.kind, Yaml::Text(text) if text == "-") {
            let problem = format!("{} cannot go to standard output", self.what);
            let mut problem = Diagnostic::error(at.node.span.clone(), problem)
                .help(format!("name a file: {}", at.example));
            problem.notes.extend(self.note.map(str::to_owned));
            reader.say(problem);
            return None;
        }
        File.read(reader, at)
    }

    fn words(&self) -> String {
        Kind::words(&File)
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        path_schema(schema)
    }
}

/// A path's JSON Schema.
pub fn path_schema(schema: &mut Schema) -> Value {
    schema.define("Path", |_| {
        json!({
            "description": "A path, relative to the manifest's folder.",
            "type": "string", "minLength": 1,
        })
    })
}
