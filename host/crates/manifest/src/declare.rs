//! One declaration for each block that a manifest may have: its keys, with their types, defaults
//! and texts. The parser, the JSON Schema and the tables of docs/manifest.md are made of it.
//!
//! [`section!`] declares a block, [`words!`] the words of a choice; both stand in `macros`. What a
//! value is and how it is read stands in a [`Kind`].

mod macros;
mod schema;

use std::path::Path;

pub use macros::kebab;
pub(crate) use schema::plain;
pub use schema::{Schema, json_schema, key_tables, with_tables};
pub use serde_json::{Value, json};

pub use crate::block::{Block, Reader};
use crate::diagnostic::Diagnostic;
pub use crate::node::{Entry, Kind as Yaml, Node};
use crate::span::{Span, Spanned};
use crate::yaml;
pub use crate::{section, words};

/// Reads a text into a block of declared keys; `what` names the kind of file in messages, with its
/// article. Relative paths begin in the folder.
///
/// # Errors
/// Everything that is wrong, by place.
pub fn read<S: Section>(
    folder: &Path,
    text: &str,
    what: &str,
) -> Result<S::Model, Vec<Diagnostic>> {
    let yaml::Parsed { root, mut problems } = yaml::parse(text);
    for problem in &mut problems {
        problem.message = problem.message.replace("a manifest", what);
        problem.help = problem.help.take().map(|h| h.replace("a manifest", what));
    }
    let mut reader = Reader::new(text, folder);
    reader.problems = problems;
    let model = match root {
        Some(root) if root.kind != Yaml::Null => S::read(&mut reader, &root, root.first_key()),
        _ => None,
    };
    if model.is_none() && reader.problems.is_empty() {
        reader.say(Diagnostic::error(0..0, "the file is empty"));
    }
    reader.problems.sort_by_key(|problem| problem.span.start);
    match model {
        Some(model) if reader.problems.is_empty() => Ok(model),
        _ => Err(reader.problems),
    }
}

/// The value of a key, as it was written.
#[derive(Debug, Clone)]
pub struct At<'n> {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub node: &'n Node,
    /// Where the key stands.
    pub head: Span,
    /// How the key may be written, for messages.
    pub example: String,
}

/// What a value is: how it is read, and how it is described.
pub trait Kind {
    /// What it is read into.
    type Value;

    /// Reads it; none where it is wrong, which has been said then.
    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Self::Value>>;

    /// Its name in the manual's tables.
    fn words(&self) -> String;

    /// Its JSON Schema.
    fn schema(&self, schema: &mut Schema) -> Value;

    /// Its least and its greatest value, where a schema cannot say them.
    fn bounds(&self) -> Option<String> {
        None
    }

    /// A key with such a value.
    fn example(&self, _key: &str) -> String {
        String::new()
    }
}

/// A [`Kind`] without its type: what it says of itself.
pub trait Describe {
    /// As [`Kind::words`].
    fn words(&self) -> String;
    /// As [`Kind::schema`].
    fn schema(&self, schema: &mut Schema) -> Value;
    /// As [`Kind::bounds`].
    fn bounds(&self) -> Option<String>;
    /// Whether a text of YAML is such a value.
    fn accepts(&self, text: &str) -> bool;
}

impl<K: Kind> Describe for K {
    fn words(&self) -> String {
        Kind::words(self)
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        Kind::schema(self, schema)
    }

    fn bounds(&self) -> Option<String> {
        Kind::bounds(self)
    }

    fn accepts(&self, text: &str) -> bool {
        let Some(node) = yaml::parse(text).root else {
            return false;
        };
        let mut reader = Reader::new(text, Path::new(""));
        let at = At {
            key: "",
            node: &node,
            head: 0..0,
            example: String::new(),
        };
        self.read(&mut reader, &at).is_some() && reader.problems.is_empty()
    }
}

/// A key of a block, as it is described.
pub struct Field {
    /// Its name.
    pub key: &'static str,
    /// Its doc comment.
    pub docs: &'static str,
    /// Whether it has to be there.
    pub needed: bool,
    /// What holds without it, as YAML.
    pub default: Option<&'static str>,
    /// The same in words, where YAML cannot say it.
    pub otherwise: Option<&'static str>,
    /// What its value is.
    pub kind: Box<dyn Describe>,
}

/// A block of declared keys.
pub trait Section: Sized {
    /// Its name in the JSON Schema.
    const NAME: &'static str;
    /// What it describes, for messages.
    const WHAT: &'static str;
    /// One, as it may be written.
    const EXAMPLE: &'static str;
    /// Its doc comment.
    const DOCS: &'static str;
    /// What it is read into in the end.
    type Model;

    /// Keys that do not exist, and what to do instead.
    fn hints() -> Vec<(&'static str, &'static str)>;

    /// Its keys.
    fn fields() -> Vec<Field>;

    /// What its JSON Schema says beyond its keys.
    fn rules() -> Value;

    /// Reads every key; none where one that is needed could not be read.
    fn of(reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Self>;

    /// Makes of the keys what others see.
    fn settle(self, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Self::Model>;

    /// Looks through a block's keys. `head` is the key that it belongs to.
    fn block<'n>(reader: &mut Reader<'_>, node: &'n Node, head: Span) -> Option<Block<'n>> {
        let Yaml::Map(entries) = &node.kind else {
            reader.wrong_kind(node, Self::WHAT, "a block of keys", Self::EXAMPLE);
            return None;
        };
        let keys: Vec<&'static str> = Self::fields().iter().map(|field| field.key).collect();
        Some(reader.keys(entries, head, Self::WHAT, &keys, &Self::hints()))
    }

    /// Reads a block. `head` is where complaints about the block as a whole go.
    fn read(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<Self::Model> {
        let block = Self::block(reader, node, head)?;
        Self::of(reader, &block)?.settle(reader, &block)
    }
}

/// A field takes a value with its place or without.
pub trait Take<T> {
    /// The field.
    fn take(value: Spanned<T>) -> Self;
}

impl<T> Take<T> for T {
    fn take(value: Spanned<T>) -> T {
        value.value
    }
}

impl<T> Take<T> for Spanned<T> {
    fn take(value: Spanned<T>) -> Spanned<T> {
        value
    }
}

/// A key of a block, as it is read.
pub struct Key<K> {
    /// Its name.
    pub key: &'static str,
    /// How it may be written; empty is what its kind says.
    pub example: &'static str,
    /// What its value is.
    pub kind: K,
}

impl<K: Kind> Key<K> {
    fn example(&self) -> String {
        match self.example {
            "" => self.kind.example(self.key),
            example => example.to_owned(),
        }
    }

    /// Its value, if it is there.
    pub fn optional(
        &self,
        reader: &mut Reader<'_>,
        block: &Block<'_>,
    ) -> Option<Spanned<K::Value>> {
        let (node, head) = block.get(self.key)?;
        let at = At {
            key: self.key,
            node,
            head,
            example: self.example(),
        };
        self.kind.read(reader, &at)
    }

    /// Its value, which has to be there.
    pub fn needed(&self, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Spanned<K::Value>> {
        if block.get(self.key).is_none() {
            let problem = format!("{} needs the key `{}`", block.what, self.key);
            reader.say(
                Diagnostic::error(block.head.clone(), problem)
                    .help(format!("add: {}", self.example())),
            );
        }
        self.optional(reader, block)
    }

    /// Its value, or what a text stands for, whose place is the block then.
    pub fn or(
        &self,
        default: &str,
        reader: &mut Reader<'_>,
        block: &Block<'_>,
    ) -> Option<Spanned<K::Value>> {
        self.optional(reader, block).or_else(|| {
            let node = stand_in(default, &block.head)?;
            let at = At {
                key: self.key,
                node: &node,
                head: block.head.clone(),
                example: String::new(),
            };
            self.kind
                .read(&mut Reader::new(default, reader.folder), &at)
        })
    }
}

/// A text of ours as a tree all of which stands at one place of the manifest.
pub fn stand_in(text: &str, span: &Span) -> Option<Node> {
    fn place(node: &mut Node, span: &Span) {
        node.span = span.clone();
        match &mut node.kind {
            Yaml::List(items) => items.iter_mut().for_each(|item| place(item, span)),
            Yaml::Map(entries) => {
                for entry in entries {
                    entry.key.span = span.clone();
                    place(&mut entry.value, span);
                }
            }
            _ => {}
        }
    }
    let mut root = yaml::parse(text).root?;
    place(&mut root, span);
    Some(root)
}

/// Words of which one has to be chosen.
pub trait Words: Copy + 'static {
    /// Their name in the JSON Schema.
    const NAME: &'static str;
    /// Each, with what it stands for and its doc comment.
    const ALL: &'static [(&'static str, Self, &'static str)];
}
