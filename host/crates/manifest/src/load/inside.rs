//! Paths into JSON text: a step masks what they lead to.
//!
//! The syntax is a part of JSONPath's (RFC 9535): `$`, then `.key`, `['key']`, `[position]` or `[*]`.

use std::fmt;

use serde_json::json;

use crate::block::Reader;
use crate::declare::At;
use crate::diagnostic::Diagnostic;
use crate::kinds::Own;
use crate::node::{Kind as Yaml, Node};
use crate::span::Spanned;

/// The longest path, in bytes and in segments.
const MAX_BYTES: usize = 1024;
const MAX_SEGMENTS: usize = 32;

/// A path into JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath {
    /// Its segments behind the `$`.
    pub segments: Vec<Segment>,
    text: String,
}

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// The member of an object.
    Key(String),
    /// The item of a list, counted from 0.
    Index(usize),
    /// Every item of a list.
    All,
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonPath {
    /// Whether one of two paths may lead to what the other leads to, or into it.
    pub fn overlaps(&self, other: &JsonPath) -> bool {
        let meets = |(one, other): (&Segment, &Segment)| {
            let star =
                |a: &Segment, b: &Segment| *a == Segment::All && !matches!(b, Segment::Key(_));
            one == other || star(one, other) || star(other, one)
        };
        self.segments.iter().zip(&other.segments).all(meets)
    }

    /// Reads a path; none if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut rest = text.strip_prefix('$')?;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let (segment, behind) = segment(rest)?;
            segments.push(segment);
            rest = behind;
        }
        (segments.len() <= MAX_SEGMENTS).then(|| JsonPath {
            segments,
            text: text.to_owned(),
        })
    }
}

fn segment(text: &str) -> Option<(Segment, &str)> {
    if let Some(text) = text.strip_prefix('.') {
        let end = text.find(['.', '[']).unwrap_or(text.len());
        let (key, rest) = text.split_at_checked(end)?;
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let is_key = !key.is_empty() && key.chars().all(plain);
        return is_key.then(|| (Segment::Key(key.to_owned()), rest));
    }
    let text = text.strip_prefix('[')?;
    for quote in ['\'', '"'] {
        if let Some(text) = text.strip_prefix(quote) {
            let (key, rest) = text.split_once(quote)?;
            if key.contains('\\') {
                return None;
            }
            return Some((Segment::Key(key.to_owned()), rest.strip_prefix(']')?));
        }
    }
    let (inner, rest) = text.split_once(']')?;
    let segment = match inner {
        "*" => Segment::All,
        digits if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Segment::Index(digits.parse().ok()?)
        }
        _ => return None,
    };
    Some((segment, rest))
}

/// A step's `inside:`.
pub(super) const INSIDE: Own<Vec<Spanned<JsonPath>>> = Own {
    read: inside,
    words: "text or list",
    schema: |_| {
        let path = json!({ "type": "string", "pattern": "^\\$" });
        json!({ "anyOf": [path, { "type": "array", "minItems": 1, "items": path }] })
    },
};

fn inside(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<Spanned<JsonPath>>>> {
    let one = std::slice::from_ref(at.node);
    let nodes: &[Node] = match &at.node.kind {
        Yaml::List(paths) if !paths.is_empty() => paths,
        _ => one,
    };
    let paths = nodes.iter().filter_map(|node| {
        let text = reader.text(node, at.key, &at.example)?;
        let path = JsonPath::parse(&text.value);
        if path.is_none() {
            reader.say(
                Diagnostic::error(text.span.clone(), "this is not a path into JSON")
                    .help("write $, then .key, ['key'], [0] or [*]: $.customer.emails[*].address"),
            );
        }
        Some(Spanned::new(path?, text.span))
    });
    let paths = paths.collect();
    Some(Spanned::new(paths, at.head.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_rfc_9535_has_them() {
        let key = |key: &str| Segment::Key(key.to_owned());
        for (text, segments) in [
            ("$", vec![]),
            ("$.a", vec![key("a")]),
            ("$.Größe.b-c_1", vec![key("Größe"), key("b-c_1")]),
            ("$['a.b'][\"c d\"]", vec![key("a.b"), key("c d")]),
            (
                "$.a[0][*].b",
                vec![key("a"), Segment::Index(0), Segment::All, key("b")],
            ),
        ] {
            let path = JsonPath::parse(text).unwrap();
            assert_eq!((path.segments, path.text.as_str()), (segments, text));
        }
    }

    #[test]
    fn paths_that_may_meet_are_told() {
        let overlap = |one: &str, other: &str| {
            let (one, other) = (
                JsonPath::parse(one).unwrap(),
                JsonPath::parse(other).unwrap(),
            );
            assert_eq!(one.overlaps(&other), other.overlaps(&one));
            one.overlaps(&other)
        };
        for (one, other) in [
            ("$.a", "$['a']"),
            ("$.a[*]", "$.a[0]"),
            ("$.a", "$.a.b"),
            ("$", "$.a"),
        ] {
            assert!(overlap(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("$.a", "$.b"),
            ("$.a[0]", "$.a[1]"),
            ("$.a[*].b", "$.a[*].c"),
        ] {
            assert!(!overlap(one, other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_not_a_path_is_refused() {
        assert!(
            JsonPath::parse("$['a\\\\b']").is_none(),
            "escapes are not read"
        );
        for text in [
            "",
            "a",
            "$a",
            "$.",
            "$..a",
            "$.a.",
            "$[",
            "$[]",
            "$[-1]",
            "$['a]",
            "$[a]",
            "$.a b",
            "$[*",
            "$[99999999999999999999]",
        ] {
            assert!(JsonPath::parse(text).is_none(), "{text}");
        }
        assert!(JsonPath::parse(&format!("${}", ".a".repeat(MAX_SEGMENTS + 1))).is_none());
    }
}
