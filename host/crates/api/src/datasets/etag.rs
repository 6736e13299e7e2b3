//! ETags: whether a client already has the current response. Tags are keyed, so they reveal nothing
//! about rows: the same rows have a different tag for another user, query or view.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glovebox_datasets::cursor::Bound;
use ring::hmac;

use crate::config::View;

/// What an answer is an answer to.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) bound: Bound<'a>,
    /// What the user's roles see.
    pub(crate) view: &'a View,
    pub(crate) format: &'a str,
}

/// The tag of a body.
pub(crate) fn of(key: &hmac::Key, shown: Shown<'_>, body: &[u8]) -> String {
    let Shown {
        bound,
        view,
        format,
    } = shown;
    let asked = (bound.user, bound.dataset, bound.query, view, format);
    let asked = format!("{asked:?}");
    let mut context = hmac::Context::with_key(key);
    context.update(&(asked.len() as u64).to_be_bytes());
    context.update(asked.as_bytes());
    context.update(body);
    let tag = context.sign();
    let tag = tag.as_ref().get(..16).unwrap_or_default();
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(tag))
}

/// RFC 9110, section 13.1.2: compared weakly.
pub(crate) fn matches(header: &str, etag: &str) -> bool {
    header
        .split(',')
        .map(|e| e.trim().trim_start_matches("W/"))
        .any(|e| e == "*" || e == etag)
}

#[cfg(test)]
mod tests {
    use glovebox_datasets::Query;

    use super::*;

    #[test]
    fn etags_are_compared_weakly() {
        for (header, same) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(matches(header, "\"a\""), same, "{header}");
        }
    }

    #[test]
    fn a_tag_is_of_one_user_query_view_format_and_key() {
        let key = |byte| hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32]);
        let query = |limit| Query {
            columns: vec![0],
            filters: Vec::new(),
            sort: Vec::new(),
            after: None,
            limit,
        };
        let (one, other) = (query(1), query(2));
        let view = |rows_at_most| View {
            columns: vec![0],
            rows_at_most,
        };
        let (narrow, wide) = (view(10), view(20));
        let tag = |k, user, query, view, format, body: &str| {
            let bound = Bound {
                user,
                dataset: "sales",
                query,
            };
            let shown = Shown {
                bound,
                view,
                format,
            };
            of(&key(k), shown, body.as_bytes())
        };
        let tags = [
            tag(1, "a", &one, &narrow, "text/csv", "x"),
            tag(2, "a", &one, &narrow, "text/csv", "x"),
            tag(1, "b", &one, &narrow, "text/csv", "x"),
            tag(1, "a", &other, &narrow, "text/csv", "x"),
            tag(1, "a", &one, &wide, "text/csv", "x"),
            tag(1, "a", &one, &narrow, "application/json", "x"),
            tag(1, "a", &one, &narrow, "text/csv", "y"),
        ];
        assert_eq!(tags[0], tag(1, "a", &one, &narrow, "text/csv", "x"));
        let all: std::collections::BTreeSet<_> = tags.iter().collect();
        assert_eq!(all.len(), tags.len());
    }
}
