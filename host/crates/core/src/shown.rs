//! Makes text from outside safe for messages: no control or invisible characters, and names only if
//! they are short.
//! Whether a text may be shown at all is for the caller to decide.

/// The most characters of a name that is shown.
pub const MAX_NAME_LEN: usize = 64;

/// The text on one line, without anything that a terminal would obey or hide.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| clean(c, false)).collect()
}

/// As [`printable`], but with its line breaks.
pub fn printable_lines(text: &str) -> String {
    text.chars().map(|c| clean(c, true)).collect()
}

/// The name, if it is short and can be shown as it is.
pub fn short_name(name: &str) -> Option<&str> {
    let short = !name.trim().is_empty() && name.chars().nth(MAX_NAME_LEN).is_none();
    let plain = |c: char| !c.is_control() && !is_invisible(c) && !matches!(c, '`' | '\u{fffd}');
    (short && name.chars().all(plain)).then_some(name)
}

/// Whether a character changes how its neighbours are shown, or pretends to be nothing.
pub fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn clean(c: char, lines: bool) -> char {
    match c {
        '\n' if lines => c,
        c if c.is_control() || is_invisible(c) => '\u{fffd}',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_told_nothing() {
        assert_eq!(printable("a\x1b[2J\nb\u{202e}c"), "a�[2J�b�c");
        assert_eq!(printable_lines("a\nb\r\u{9b}"), "a\nb��");
    }

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!(short_name("Straße 7 (alt)"), Some("Straße 7 (alt)"));
        assert!(short_name(&"x".repeat(MAX_NAME_LEN)).is_some());
        for bad in [
            "",
            "  ",
            "a\nb",
            "a`b",
            "a\u{200b}b",
            "a\u{fffd}",
            "\x1b[31m",
            &"x".repeat(MAX_NAME_LEN + 1),
        ] {
            assert_eq!(short_name(bad), None, "{bad:?}");
        }
    }
}
