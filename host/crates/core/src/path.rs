//! The path to a value in a JSON object: nested keys.

/// The most keys of a path.
const MAX_KEYS: usize = 64;

/// Keys, the outermost first: dots stand between them, and `\.` and `\\` for a dot and a backslash
/// in a key. None if a key is empty, a backslash stands before something else, or there are more than
/// 64 of them.
pub fn parse(text: &str) -> Option<Vec<String>> {
    let mut keys = vec![String::new()];
    let mut signs = text.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '.' => keys.push(String::new()),
            '\\' => match signs.next() {
                Some(sign @ ('.' | '\\')) => push(&mut keys, sign),
                _ => return None,
            },
            sign => push(&mut keys, sign),
        }
    }
    (keys.len() <= MAX_KEYS && keys.iter().all(|k| !k.is_empty())).then_some(keys)
}

fn push(keys: &mut [String], sign: char) {
    if let Some(last) = keys.last_mut() {
        last.push(sign);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_lead_into_objects_and_backslashes_take_that_from_them() {
        for (text, keys) in [
            ("mail", Some(vec!["mail"])),
            ("user.mail", Some(vec!["user", "mail"])),
            ("items.0.price", Some(vec!["items", "0", "price"])),
            ("user\\.mail", Some(vec!["user.mail"])),
            ("a\\\\.b", Some(vec!["a\\", "b"])),
            ("", None),
            (".a", None),
            ("a..b", None),
            ("a.", None),
            ("a\\b", None),
            ("a\\", None),
        ] {
            let found = parse(text);
            let found: Option<Vec<&str>> = found
                .as_ref()
                .map(|keys| keys.iter().map(String::as_str).collect());
            assert_eq!(found, keys, "{text}");
        }
        assert_eq!(parse(&"a.".repeat(100)), None);
    }
}
