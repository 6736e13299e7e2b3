//! Reads YAML as a tree of nodes, each with its byte position.
//! A manifest may use one document of blocks, lists and scalars with YAML 1.2's core schema.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::diagnostic::Diagnostic;
use super::node::{Entry, Kind, Node};
use super::scalar::plain;
use super::span::{Span, Spanned};
use super::units::show_size;

/// Bytes of a manifest.
pub(crate) const MAX_BYTES: usize = 1 << 20;

/// Blocks within blocks.
pub(crate) const MAX_DEPTH: usize = 64;

/// What could be read of a text.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// The tree; none where the text is no YAML at all.
    pub(crate) root: Option<Node>,
    /// What is wrong.
    pub(crate) problems: Vec<Diagnostic>,
}

/// Reads a text.
pub(crate) fn parse(text: &str) -> Parsed {
    if text.len() > MAX_BYTES {
        let problem = Diagnostic::error(
            0..0,
            format!(
                "a manifest may have {}; this file has {} bytes",
                show_size(MAX_BYTES as u64),
                text.len()
            ),
        )
        .help("is this the manifest, or the data that it should read?");
        return Parsed {
            root: None,
            problems: vec![problem],
        };
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| is_forbidden(*c)) {
        // The parser would take a NUL for the end of the text and keep silent about the rest.
        let problem = Diagnostic::error(
            at..at + c.len_utf8(),
            format!(
                "the text contains the control character U+{:04X}",
                u32::from(c)
            ),
        )
        .help(format!(
            "delete it; if a value needs it, write it in double quotes as \"\\x{:02x}\"",
            u32::from(c)
        ));
        return Parsed {
            root: None,
            problems: vec![problem],
        };
    }
    Builder::new(text).run()
}

fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

/// Bytes of a text by the parser's lines and columns. The parser's own running index counts some
/// non-ASCII text by bytes and some by characters (saphyr-parser 0.3.3); its lines are right.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let bom = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let mut starts = vec![bom];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => bytes.get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            if ends {
                starts.push(at + 1);
            }
        }
        Lines { text, starts }
    }

    fn offset(&self, marker: &Marker) -> usize {
        let Some(start) = self.starts.get(marker.line().saturating_sub(1)) else {
            return self.text.len();
        };
        let rest = self.text.get(*start..).unwrap_or_default();
        start
            + rest
                .char_indices()
                .nth(marker.col())
                .map_or(rest.len(), |(at, _)| at)
    }

    fn span(&self, span: &saphyr_parser::Span) -> Span {
        let start = self.offset(&span.start);
        let end = self.offset(&span.end).max(start);
        let covered = self.text.get(start..end).unwrap_or_default();
        start..start + covered.trim_end().len()
    }
}

/// A block or list that is being read.
struct Open {
    start: usize,
    what: Opened,
}

enum Opened {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        /// Which entry has a key.
        seen: HashMap<String, usize>,
        /// The key that waits for its value.
        key: Option<Key>,
    },
}

enum Key {
    Good(Spanned<String>),
    /// Reported already; its value is read and forgotten.
    Bad,
}

struct Builder<'t> {
    lines: Lines<'t>,
    open: Vec<Open>,
    root: Option<Node>,
    problems: Vec<Diagnostic>,
}

impl<'t> Builder<'t> {
    fn new(text: &'t str) -> Self {
        Builder {
            lines: Lines::new(text),
            open: Vec::new(),
            root: None,
            problems: Vec::new(),
        }
    }

    fn run(mut self) -> Parsed {
        let text = self.lines.text;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = match event {
                Ok(it) => it,
                Err(e) => {
                    let at = self.lines.offset(e.marker());
                    self.problems.push(syntax(self.lines.text, at, e.info()));
                    // Half a tree would only yield complaints about what is missing in it.
                    self.root = None;
                    break;
                }
            };
            let span = self.lines.span(&span);
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        self.problems.push(
                            Diagnostic::error(
                                span,
                                "a manifest is one YAML document; a second one starts here",
                            )
                            .help("delete this line, or move what follows to another file"),
                        );
                        break;
                    }
                }
                Event::Alias(_) => {
                    self.problems.push(
                        Diagnostic::error(
                            span.clone(),
                            "a manifest may not use YAML aliases (`*name`)",
                        )
                        .help("write the value here"),
                    );
                    self.attach(Node {
                        kind: Kind::Broken,
                        span,
                    });
                }
                Event::Scalar(value, style, anchor, tag) => {
                    self.refuse(&span, anchor > 0, tag.is_some());
                    let tagged = tag.is_some();
                    let mut node = self.scalar(&value, style, span);
                    if tagged {
                        // What it is without its tag is not what was meant.
                        node.kind = Kind::Broken;
                    }
                    self.attach(node);
                }
                Event::SequenceStart(anchor, tag) => {
                    self.refuse(&span, anchor > 0, tag.is_some());
                    if !self.begin(span, Opened::List(Vec::new())) {
                        break;
                    }
                }
                Event::MappingStart(anchor, tag) => {
                    self.refuse(&span, anchor > 0, tag.is_some());
                    let what = Opened::Map {
                        entries: Vec::new(),
                        seen: HashMap::new(),
                        key: None,
                    };
                    if !self.begin(span, what) {
                        break;
                    }
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(&span),
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
        }
        Parsed {
            root: self.root,
            problems: self.problems,
        }
    }

    fn refuse(&mut self, span: &Span, anchor: bool, tag: bool) {
        if anchor {
            self.problems.push(
                Diagnostic::error(
                    span.clone(),
                    "a manifest may not use YAML anchors (`&name`)",
                )
                .help("delete the anchor; write the value wherever it is needed"),
            );
        }
        if tag {
            self.problems.push(
                Diagnostic::error(span.clone(), "a manifest may not use YAML tags (`!name`)")
                    .help("delete the tag; put text that looks like a number in quotes"),
            );
        }
    }

    fn begin(&mut self, span: Span, what: Opened) -> bool {
        if self.open.len() >= MAX_DEPTH {
            self.problems.push(
                Diagnostic::error(span, format!("more than {MAX_DEPTH} nested blocks"))
                    .help("no manifest needs that; look for unclosed brackets"),
            );
            self.root = None;
            return false;
        }
        self.open.push(Open {
            start: span.start,
            what,
        });
        true
    }

    fn end(&mut self, span: &Span) {
        let Some(open) = self.open.pop() else { return };
        let (kind, last) = match open.what {
            Opened::List(items) => {
                let last = items.last().map(|n| n.span.end);
                (Kind::List(items), last)
            }
            Opened::Map { entries, .. } => {
                let last = entries.last().map(|e| e.value.span.end.max(e.key.span.end));
                (Kind::Map(entries), last)
            }
        };
        // A block's end is found at the next token, far below; brackets' is where they close.
        let closes = self
            .lines
            .text
            .get(span.clone())
            .is_some_and(|t| t == "]" || t == "}");
        let end = if closes {
            span.end
        } else {
            last.unwrap_or(open.start)
        };
        self.attach(Node {
            kind,
            span: open.start..end.max(open.start),
        });
    }

    fn attach(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.what {
            Opened::List(items) => items.push(node),
            Opened::Map { entries, seen, key } => match key.take() {
                None => *key = Some(self::key(node, self.lines.text, &mut self.problems)),
                Some(Key::Bad) => {}
                Some(Key::Good(name)) => {
                    let mut value = node;
                    if value.kind == Kind::Null && value.span.is_empty() {
                        // Nothing was written: the place of nothing is the key.
                        value.span = name.span.clone();
                    }
                    if let Some(first) = seen.get(&name.value).and_then(|i| entries.get(*i)) {
                        self.problems.push(
                            Diagnostic::error(
                                name.span.clone(),
                                format!("duplicate key `{}`", name.value),
                            )
                            .label("again here")
                            .context(first.key.span.clone(), "first here")
                            .help("delete one of them"),
                        );
                    } else {
                        seen.insert(name.value.clone(), entries.len());
                        entries.push(Entry { key: name, value });
                    }
                }
            },
        }
    }

    fn scalar(&mut self, value: &str, style: ScalarStyle, span: Span) -> Node {
        let kind = if style == ScalarStyle::Plain {
            plain(value)
        } else {
            Some(Kind::Text(value.to_owned()))
        };
        let kind = kind.unwrap_or_else(|| {
            self.problems.push(
                Diagnostic::error(span.clone(), "this number is too large").help(
                    "if it is text, put it in quotes; otherwise write a finite number of at \
                          most 64 bits",
                ),
            );
            Kind::Broken
        });
        Node { kind, span }
    }
}

/// A node in a key's place.
fn key(node: Node, text: &str, problems: &mut Vec<Diagnostic>) -> Key {
    let written = || text.get(node.span.clone()).unwrap_or_default().to_owned();
    let name = match node.kind {
        Kind::Text(name) => name,
        Kind::Bool(_) | Kind::Number(_) => written(),
        Kind::Null if !node.span.is_empty() => written(),
        Kind::Broken => return Key::Bad,
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            problems.push(
                Diagnostic::error(node.span, "a key must be text")
                    .help("write `key: value`; put text with brackets or braces in quotes"),
            );
            return Key::Bad;
        }
    };
    Key::Good(Spanned::new(name, node.span))
}

/// What the parser says, and what people usually did.
fn syntax(text: &str, at: usize, info: &str) -> Diagnostic {
    let at = text.floor_char_boundary(at.min(text.len()));
    let before = text.get(..at).unwrap_or_default();
    let rest = text.get(at..).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    let line = text.get(line_start..).unwrap_or_default();
    let line = line.lines().next().unwrap_or_default();
    let indent = line
        .get(..line.len() - line.trim_start().len())
        .unwrap_or_default();

    let help = if indent.contains('\t') || info.contains("tab") {
        "YAML is indented with spaces; replace the tab"
    } else if info.contains("mapping values are not allowed") {
        "put a value that contains `: ` in quotes, or check the indentation of this line"
    } else if info.contains("anchor") || info.contains("alias") {
        "a manifest may not use anchors and aliases; put text that starts with `*` or `&` in quotes"
    } else if info.contains("tag") || info.contains("directive") {
        "a manifest may not use tags and directives; put text that starts with `!` or `%` in quotes"
    } else if info.contains("flow")
        || info.contains("illegal placement")
        || info.contains("']'")
        || info.contains("'}'")
    {
        "look for a missing bracket, brace or comma, here or just above"
    } else if info.contains("quoted") || info.contains("end of stream") {
        "look for an unclosed quote, here or above"
    } else {
        "check the indentation and the quotes, here and on the line above"
    };
    let width = rest.chars().next().filter(|c| *c != '\n' && *c != '\r');
    let end = at + width.map_or(0, char::len_utf8);
    Diagnostic::error(at..end, format!("this is not YAML: {info}")).help(help)
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
