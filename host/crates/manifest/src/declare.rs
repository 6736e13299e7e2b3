//! One declaration for each block that a manifest may have: its keys, with their types, defaults
//! and texts. The parser, the JSON Schema and the tables of docs/manifest.md are made of it.
//!
//! [`section!`] declares a block, [`words!`] the words of a choice; both stand in `macros`. What a
//! value is and how it is read stands in a [`Kind`].

mod macros;

pub(crate) use macros::{kebab, section, words};
use serde_json::Value;

use crate::block::{Block, Reader};
use crate::diagnostic::Diagnostic;
use crate::model::{Span, Spanned};
use crate::schema::Schema;
use crate::yaml::{self, Kind as Yaml, Node};

/// The value of a key, as it was written.
#[derive(Debug, Clone)]
pub(crate) struct At<'n> {
    pub(crate) key: &'static str,
    pub(crate) node: &'n Node,
    /// Where the key stands.
    pub(crate) head: Span,
    /// How the key may be written, for messages.
    pub(crate) example: String,
}

/// What a value is: how it is read, and how it is described.
pub(crate) trait Kind {
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
pub(crate) trait Describe {
    fn words(&self) -> String;
    fn schema(&self, schema: &mut Schema) -> Value;
    fn bounds(&self) -> Option<String>;
    /// What is wrong with a value, if anything.
    #[cfg(test)]
    fn problems(&self, text: &str) -> Vec<Diagnostic>;
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

    #[cfg(test)]
    fn problems(&self, text: &str) -> Vec<Diagnostic> {
        let node = yaml::parse(text).root.unwrap();
        let folder = std::path::Path::new("");
        let mut reader = Reader::new(text, folder);
        let at = At {
            key: "key",
            node: &node,
            head: 0..0,
            example: String::new(),
        };
        let read = self.read(&mut reader, &at);
        assert_eq!(read.is_some(), reader.problems.is_empty());
        reader.problems
    }
}

/// A key of a block, as it is described.
pub(crate) struct Field {
    pub(crate) key: &'static str,
    /// Its doc comment.
    pub(crate) docs: &'static str,
    pub(crate) needed: bool,
    /// What holds without it, as YAML.
    pub(crate) default: Option<&'static str>,
    /// The same in words, where YAML cannot say it.
    pub(crate) otherwise: Option<&'static str>,
    pub(crate) kind: Box<dyn Describe>,
}

/// A block of declared keys.
pub(crate) trait Section: Sized {
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

    /// Reads a block. `head` is where complaints about the block as a whole go.
    fn read(reader: &mut Reader<'_>, node: &Node, head: Span) -> Option<Self::Model> {
        let block = reader.block::<Self>(node, head)?;
        Self::of(reader, &block)?.settle(reader, &block)
    }
}

/// A field takes a value with its place or without.
pub(crate) trait Take<T> {
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
pub(crate) struct Key<K> {
    pub(crate) key: &'static str,
    /// How it may be written; empty is what its kind says.
    pub(crate) example: &'static str,
    pub(crate) kind: K,
}

impl<K: Kind> Key<K> {
    fn example(&self) -> String {
        match self.example {
            "" => self.kind.example(self.key),
            example => example.to_owned(),
        }
    }

    /// Its value, if it is there.
    pub(crate) fn optional(
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
    pub(crate) fn needed(
        &self,
        reader: &mut Reader<'_>,
        block: &Block<'_>,
    ) -> Option<Spanned<K::Value>> {
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
    pub(crate) fn or(
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
pub(crate) fn stand_in(text: &str, span: &Span) -> Option<Node> {
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
pub(crate) trait Words: Copy + 'static {
    /// Their name in the JSON Schema.
    const NAME: &'static str;
    /// Each, with what it stands for and its doc comment.
    const ALL: &'static [(&'static str, Self, &'static str)];
}
