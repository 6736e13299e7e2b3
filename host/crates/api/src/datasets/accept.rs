//! Which form of rows a client accepts.

use glovebox_datasets::format::Format;

/// The best that an `Accept` header allows (RFC 9110, section 12.5.1); none if it allows none.
pub(crate) fn accepted(accept: &str) -> Option<Format> {
    let ranges: Vec<(String, f32)> = accept.split(',').filter_map(range).collect();
    if ranges.is_empty() {
        return accept.trim().is_empty().then_some(Format::Json);
    }
    let mut best: Option<(Format, f32)> = None;
    for format in Format::ALL {
        let weight = weight(format.media_type(), &ranges);
        if weight > best.map_or(0.0, |(_, w)| w) {
            best = Some((format, weight));
        }
    }
    best.map(|(format, _)| format)
}

/// A media range and its weight.
fn range(text: &str) -> Option<(String, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts
        .next()
        .filter(|n| n.contains('/'))?
        .to_ascii_lowercase();
    let weight = parts
        .find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")))
        .map_or(Some(1.0), |q| q.parse().ok())?;
    (0.0..=1.0).contains(&weight).then_some((name, weight))
}

/// The weight of the most specific range that covers a type.
fn weight(media_type: &str, ranges: &[(String, f32)]) -> f32 {
    let kind = media_type.split('/').next().unwrap_or_default();
    let named = |name: &str| ranges.iter().find(|(n, _)| n == name).map(|(_, w)| *w);
    named(media_type)
        .or_else(|| named(&format!("{kind}/*")))
        .or_else(|| named("*/*"))
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_accepted_format_is_sent() {
        for (accept, format) in [
            ("", Some(Format::Json)),
            ("*/*", Some(Format::Json)),
            ("text/csv", Some(Format::Csv)),
            ("TEXT/CSV;header=present", Some(Format::Csv)),
            ("application/*", Some(Format::Json)),
            ("text/*, application/json;q=0.5", Some(Format::Csv)),
            ("application/json;q=0, */*;q=0.1", Some(Format::Ndjson)),
            (
                "application/x-ndjson;q=0.9,text/csv;q=0.8",
                Some(Format::Ndjson),
            ),
            ("application/vnd.apache.arrow.stream", Some(Format::Arrow)),
            ("text/html, */*;q=0", None),
            ("image/png", None),
            ("text/csv;q=7", None),
            ("nonsense", None),
        ] {
            assert_eq!(accepted(accept), format, "{accept}");
        }
    }
}
