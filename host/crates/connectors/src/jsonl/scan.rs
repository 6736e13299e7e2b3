//! Finds where JSON's values end, by the grammar of RFC 8259, in one pass over what nearly every line is.
//! It never says that a text is wrong: what it does not know is none, and the reader for all of JSON is
//! asked.

/// Brackets that may be open at once; deeper ones are not looked into.
const DEPTH: u32 = u64::BITS;

/// A place in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Scan { text, at: 0 }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What JSON knows as white space.
    pub(super) fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// This text and nothing else.
    pub(super) fn eat_all(&mut self, token: &[u8]) -> Option<()> {
        self.rest()
            .starts_with(token)
            .then(|| self.at += token.len())
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// A value, as it is written.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        // A bit for each bracket that is open, the lowest for the innermost: whether it is an object's.
        let (mut objects, mut depth) = (0u64, 0);
        loop {
            match self.peek()? {
                b'{' => {
                    self.begin();
                    if self.eat(b'}').is_none() {
                        depth = deeper(depth)?;
                        objects = objects << 1 | 1;
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.begin();
                    if self.eat(b']').is_none() {
                        depth = deeper(depth)?;
                        objects <<= 1;
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            while depth > 0 {
                self.space();
                let is_object = objects & 1 == 1;
                if self.eat(b',').is_some() {
                    self.space();
                    if is_object {
                        self.key()?;
                    }
                    break;
                }
                self.eat(if is_object { b'}' } else { b']' })?;
                objects >>= 1;
                depth -= 1;
            }
            if depth == 0 {
                return self.text.get(start..self.at);
            }
        }
    }

    /// A bracket, and the white space behind it.
    fn begin(&mut self) {
        self.at += 1;
        self.space();
    }

    /// A key, up to its value.
    fn key(&mut self) -> Option<()> {
        self.string()?;
        self.space();
        self.eat(b':')?;
        self.space();
        Some(())
    }

    fn scalar(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.eat_all(b"true"),
            b'f' => self.eat_all(b"false"),
            b'n' => self.eat_all(b"null"),
            _ => None,
        }
    }

    fn string(&mut self) -> Option<()> {
        self.eat(b'"')?;
        loop {
            while let Some(block) = self.rest().first_chunk() {
                let ahead = plain(u64::from_le_bytes(*block));
                self.at += ahead;
                if ahead < size_of::<u64>() {
                    break;
                }
            }
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                0..0x20 => return None,
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        self.at += match self.rest() {
            [
                b'\\',
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => 2,
            // Whether it is half of a surrogate pair matters to who wants the text.
            [b'\\', b'u', digits @ ..] => {
                let digits = digits.first_chunk::<4>()?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
            }
            _ => return None,
        };
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.eat(b'-');
        match self.eat(b'0') {
            Some(()) => {}
            None => self.digits()?,
        }
        if self.eat(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        // Whatever follows has to be white space, a comma or a bracket, which the caller sees.
        Some(())
    }

    /// One or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

fn deeper(depth: u32) -> Option<u32> {
    (depth < DEPTH).then_some(depth + 1)
}

/// How many of eight bytes, the first of which is the lowest, come before one that a string does not hold
/// as it is: a quote, a backslash, a control character.
fn plain(block: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let zero = |of: u64| of.wrapping_sub(ONES) & !of;
    // A borrow may mark bytes above the lowest that is marked, and only those.
    let control = block.wrapping_sub(ONES * 0x20) & !block;
    let quote = zero(block ^ (ONES * u64::from(b'"')));
    let backslash = zero(block ^ (ONES * u64::from(b'\\')));
    ((control | quote | backslash) & HIGH).trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    /// The value that the text is, without white space around it.
    fn value(text: &str) -> Option<&str> {
        let mut scan = Scan::new(text);
        let found = scan.value()?;
        scan.is_at_end().then_some(found)
    }

    #[test]
    fn a_block_ends_before_what_strings_do_not_hold() {
        for byte in 0..=u8::MAX {
            let special = byte < 0x20 || byte == b'"' || byte == b'\\';
            for place in 0..8 {
                for behind in [b'a', 0x21, 0x80, 0xff, 0x20, 0x23, 0x5d, 0, b'"'] {
                    let mut block = [b'a'; 8];
                    block[place..].fill(behind);
                    block[place] = byte;
                    let of = |b: &u8| *b < 0x20 || *b == b'"' || *b == b'\\';
                    let expected = block.iter().position(of).unwrap_or(8);
                    assert_eq!(plain(u64::from_le_bytes(block)), expected, "{block:?}");
                    assert!(!special || expected <= place);
                }
            }
        }
    }

    #[test]
    fn values_are_those_of_json() {
        for text in [
            "0",
            "-0",
            "10",
            "1.5",
            "0.0e-07",
            "1E+9",
            "true",
            "false",
            "null",
            "\"\"",
            "\"a\"",
            "\"é\u{7f}\u{2028}\"",
            r#""\"\\\/\b\f\n\r\t\u00e9\ud800""#,
            "\"1234567\\n890\"",
            "{}",
            "[ ]",
            "[[],{}]",
            "[ 1 , { \"a\" : [ ] , \"b\" : 2 } ]",
        ] {
            assert_eq!(value(text), Some(text));
        }
        for text in [
            "",
            "-",
            "01",
            "-01",
            "1.",
            ".5",
            "+1",
            "1e",
            "1e+",
            "0x1",
            "NaN",
            "tru",
            "True",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u123",
            "\"\n\"",
            "\"\u{0}\"",
            "'a'",
            "1 ",
            "{]",
            "[}",
            "[1,]",
            "[1 2]",
            "{,}",
            "{\"a\"}",
            "{\"a\":1,}",
            "{\"a\":1",
            "{1:1}",
        ] {
            assert_eq!(value(text), None, "{text:?}");
        }
    }

    #[test]
    fn brackets_are_looked_into_as_deep_as_is_known() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        // The innermost is empty, so that nothing within it is open.
        assert!(value(&deep(65)).is_some());
        assert!(value(&deep(66)).is_none());
    }

    /// What the reader for all of JSON takes such a text for.
    fn theirs(text: &str) -> Option<&str> {
        let raw = serde_json::from_str::<&RawValue>(text).ok()?.get();
        (raw.len() == text.len()).then_some(raw)
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let scalar = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,12}".prop_map(Into::into),
        ];
        scalar.prop_recursive(4, 24, 4, |inner| {
            let list = vec(inner.clone(), 0..4).prop_map(Into::into);
            let object = vec((".{0,3}", inner), 0..4);
            prop_oneof![list, object.prop_map(|of| of.into_iter().collect())]
        })
    }

    proptest! {
        #[test]
        fn what_is_a_scalar_is_one_to_serde_json_too(text in "[-+.0-9eE\"\\\\u/nabtrulfse \u{1}é]{0,12}") {
            prop_assert_eq!(value(&text), theirs(&text));
        }

        #[test]
        fn what_is_a_value_is_one_to_serde_json_too(text in "([\\[\\]{},: ]|\"a\"|\"a\":|1|null){0,9}") {
            prop_assert_eq!(value(&text), theirs(&text));
        }

        #[test]
        fn a_value_is_read_unless_a_byte_is_missing(of in json(), at: prop::sample::Index, is_pretty: bool) {
            let text = if is_pretty { format!("{of:#}") } else { of.to_string() };
            prop_assert_eq!(value(&text), Some(&*text));
            let mut cut: Vec<char> = text.chars().collect();
            cut.remove(at.index(cut.len()));
            let cut: String = cut.into_iter().collect();
            prop_assert_eq!(value(&cut), theirs(&cut));
        }
    }
}
