//! Diagnostics as text for people, with excerpts that show no secret.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use glovebox_core::shown::printable_lines;

use super::diagnostic::{Diagnostic, Severity};
use super::excerpt::Excerpt;
use super::hide;

/// More problems than these are counted, not shown: nobody reads on, and the first ones are often
/// the cause of the rest.
const SHOWN: usize = 50;

/// The problems as text for people: by place, each with file, line, column, excerpt and remedy,
/// and their number at the end. No problems are no text.
pub fn render(diagnostics: &[Diagnostic], file: &str, text: &str, color: bool) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|d| (d.span.start, d.severity));

    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    }
    .decor_style(DecorStyle::Ascii);
    let hidden = hide::spans(text);
    let file = printable_lines(file);

    let mut out = String::new();
    for diagnostic in sorted.iter().take(SHOWN) {
        out.push_str(&one(diagnostic, &file, text, &hidden, &renderer));
        out.push_str("\n\n");
    }
    if let Some(more) = sorted.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        out.push_str(&format!("… and {more} more, not shown\n\n"));
    }
    let noun = if sorted.len() == 1 {
        "problem"
    } else {
        "problems"
    };
    out.push_str(&format!("{} {noun} in {file}\n", sorted.len()));
    out
}

fn one(
    diagnostic: &Diagnostic,
    file: &str,
    text: &str,
    hidden: &[Range<usize>],
    renderer: &Renderer,
) -> String {
    let places =
        std::iter::once(&diagnostic.span).chain(diagnostic.context.iter().map(|(span, _)| span));
    let excerpt = Excerpt::of(text, places, hidden);

    let mut snippet = Snippet::source(excerpt.text.as_str())
        .line_start(excerpt.first_line)
        .path(file)
        .annotation(
            AnnotationKind::Primary
                .span(excerpt.place(&diagnostic.span))
                .label(label(&diagnostic.label)),
        );
    for (span, words) in &diagnostic.context {
        snippet = snippet.annotation(
            AnnotationKind::Context
                .span(excerpt.place(span))
                .label(label(words)),
        );
    }

    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(printable_lines(&diagnostic.message)))
        .element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(printable_lines(help)));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(printable_lines(note)));
    }
    let rendered = renderer.render(&[group]);
    // The renderer pads the empty excerpt lines of its frame.
    let lines: Vec<&str> = rendered.lines().map(str::trim_end).collect();
    lines.join("\n")
}

fn label(words: &str) -> Option<String> {
    (!words.is_empty()).then(|| printable_lines(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_core::shown::is_invisible;

    #[test]
    fn shows_place_excerpt_and_remedy() {
        let text = "name: x\ncolunms: {}\n";
        let d = Diagnostic::error(8..15, "unknown key `colunms`")
            .label("not a key of a manifest")
            .help("did you mean `columns`?");
        assert_eq!(
            render(&[d], "sales.yaml", text, false),
            "\
error: unknown key `colunms`
 --> sales.yaml:2:1
  |
2 | colunms: {}
  | ^^^^^^^ not a key of a manifest
  |
  = help: did you mean `columns`?

1 problem in sales.yaml
"
        );
    }

    #[test]
    fn sorts_by_place_and_counts() {
        let text = "a: 1\nb: 2\n";
        let out = render(
            &[
                Diagnostic::error(5..6, "second"),
                Diagnostic::error(0..1, "first"),
            ],
            "m.yaml",
            text,
            false,
        );
        assert!(out.find("first") < out.find("second"), "{out}");
        assert!(out.ends_with("2 problems in m.yaml\n"), "{out}");
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let text = "größe: übel\n";
        let start = text.find("übel").unwrap();
        let out = render(
            &[Diagnostic::error(start..start + "übel".len(), "no")],
            "m.yaml",
            text,
            false,
        );
        assert!(out.contains("m.yaml:1:8"), "{out}");
        assert!(out.contains("\n  |        ^^^^"), "{out}");
    }

    #[test]
    fn no_control_sequence_reaches_the_terminal() {
        let text = "name: \u{1b}[31mred\u{9b}2J\u{202e}\u{200d}\n";
        for color in [false, true] {
            let d = Diagnostic::error(6..text.len() - 1, "evil \u{1b}[2J name")
                .label("\u{1b}]0;title\u{7}")
                .help("\u{9b}31m");
            let out = render(&[d], "\u{1b}[2J.yaml", text, color);
            let plain = if color { strip_sgr(&out) } else { out.clone() };
            assert!(
                plain.chars().all(|c| c == '\n' || !c.is_control()),
                "{plain:?}"
            );
            assert!(!plain.chars().any(is_invisible), "{plain:?}");
        }
    }

    /// Takes away what the renderer itself writes: colours.
    fn strip_sgr(text: &str) -> String {
        let mut parts = text.split("\u{1b}[");
        let mut out = parts.next().unwrap_or("").to_owned();
        for part in parts {
            let (codes, rest) = part.split_once('m').unwrap();
            assert!(codes.bytes().all(|b| b.is_ascii_digit() || b == b';'));
            out.push_str(rest);
        }
        out
    }

    #[test]
    fn spans_outside_the_text_are_shown_at_its_end() {
        for text in ["", "a", "ä", "a\n\n"] {
            let out = render(&[Diagnostic::error(90..99, "late")], "m.yaml", text, false);
            assert!(out.contains("late"), "{out}");
        }
    }

    #[test]
    fn a_flood_is_cut() {
        let text = "a: 1\n".repeat(200);
        let many: Vec<_> = (0..200)
            .map(|i| Diagnostic::error(i * 5..i * 5 + 1, "again"))
            .collect();
        let out = render(&many, "m.yaml", &text, false);
        assert_eq!(out.matches("error: again").count(), SHOWN);
        assert!(
            out.ends_with("… and 150 more, not shown\n\n200 problems in m.yaml\n"),
            "{out}"
        );
    }
}
