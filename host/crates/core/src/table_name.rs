//! A table's name as it is written in a manifest or configuration: `table` or `schema.table`.

use std::fmt;

/// A table, with its schema where one is written.
///
/// Every part is taken to the letter, upper and lower case too, so `order-items`, `my table` and
/// `2024_sales` need no quotes. A part that holds a dot, or begins with a quote, is put in double
/// quotes as in SQL, and a quote within them is doubled: `shop."order.items"`.
///
/// ```
/// use glovebox_core::TableName;
///
/// let name = TableName::parse(r#"my shop."2024.sales""#).unwrap();
/// assert_eq!(name.schema.as_deref(), Some("my shop"));
/// assert_eq!(name.table, "2024.sales");
/// assert_eq!(name.to_string(), r#"my shop."2024.sales""#);
/// assert!(TableName::parse("a.b.c").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// The schema, if one is written.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
}

impl TableName {
    /// Reads a name of one or two parts.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (first, rest) = part(text)?;
        let Some(rest) = rest else {
            return Ok(TableName {
                schema: None,
                table: first,
            });
        };
        match part(rest)? {
            (second, None) => Ok(TableName {
                schema: Some(first),
                table: second,
            }),
            _ => Err(
                "write `table` or `schema.table`; put a part that contains a dot in double \
                quotes, like 'shop.\"order.items\"'",
            ),
        }
    }
}

/// The first part, and what stands behind its dot.
fn part(text: &str) -> Result<(String, Option<&str>), &'static str> {
    let (name, rest) = match text.strip_prefix('"') {
        Some(quoted) => inside(quoted)?,
        None => match text.split_once('.') {
            Some((name, rest)) => (name.to_owned(), Some(rest)),
            None => (text.to_owned(), None),
        },
    };
    if name.is_empty() {
        return Err("names of tables and schemas may not be empty");
    }
    if name.chars().any(char::is_control) {
        return Err("a table's name may not contain control characters");
    }
    Ok((name, rest))
}

fn inside(quoted: &str) -> Result<(String, Option<&str>), &'static str> {
    let mut name = String::new();
    let mut rest = quoted;
    while let Some((before, after)) = rest.split_once('"') {
        name.push_str(before);
        if let Some(after) = after.strip_prefix('"') {
            name.push('"');
            rest = after;
            continue;
        }
        return match after.strip_prefix('.') {
            Some(next) => Ok((name, Some(next))),
            None if after.is_empty() => Ok((name, None)),
            None => Err("after the closing quote there may only be a dot"),
        };
    }
    Err("a name that begins with a double quote must end with one; double a quote inside it")
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.schema.iter().chain([&self.table]);
        for (i, part) in parts.enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            if part.contains('.') || part.starts_with('"') {
                write!(f, "\"{}\"", part.replace('"', "\"\""))?;
            } else {
                f.write_str(part)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, String) {
        let name = TableName::parse(text).unwrap();
        let again = TableName::parse(&name.to_string()).unwrap();
        assert_eq!(name, again, "{text}");
        (name.schema, name.table)
    }

    #[test]
    fn legal_identifiers_are_read_to_the_letter() {
        for plain in [
            "sales",
            "order-items",
            "my table",
            "2024_sales",
            "Größe",
            "a\"b",
        ] {
            assert_eq!(parts(plain), (None, plain.into()));
        }
        assert_eq!(parts("a.b"), (Some("a".into()), "b".into()));
        assert_eq!(parts(r#""a.b""#), (None, "a.b".into()));
        assert_eq!(
            parts(r#""a"".b"."c d""#),
            (Some("a\".b".into()), "c d".into())
        );
        assert_eq!(parts(r#"a."b""#), (Some("a".into()), "b".into()));
    }

    #[test]
    fn what_could_mean_two_things_is_refused() {
        for text in [
            "", ".", "a.", ".b", "a.b.c", "\"a", "\"a\"b", "\"\"", "\"\".b", "a\0", "a\nb",
        ] {
            assert!(TableName::parse(text).is_err(), "{text}");
        }
    }
}
