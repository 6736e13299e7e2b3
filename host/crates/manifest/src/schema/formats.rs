//! How text is spelled, as a manifest says it.
//!
//! Owns a twin of `load/formats.rs`; refuses to parse.

use schemars::JsonSchema;

/// How dates, times, numbers and words are spelled in a text; what is left out is spelled as the
/// types' own forms are.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Formats {
    /// Dates: a pattern like `%d.%m.%Y`, or `epoch-days`.
    #[schemars(length(min = 1))]
    date: Option<String>,
    /// Timestamps: a pattern like `%d/%m/%Y %H:%M:%S`, or `epoch-seconds`, `epoch-milliseconds`,
    /// `epoch-microseconds`, `epoch-nanoseconds`.
    #[schemars(length(min = 1))]
    timestamp: Option<String>,
    /// The offset from UTC of timestamps that have none.
    #[schemars(regex(pattern = r"^([+-][0-9]{2}:[0-9]{2}|Z|UTC)$"), extend("default" = "+00:00"))]
    zone: Option<String>,
    /// What becomes of a second's digits beyond the sixth that are not zeros.
    #[schemars(extend("default" = "reject"))]
    fraction: Option<Fraction>,
    /// The first of the hundred years that `%y` stands for.
    #[schemars(range(min = 1000, max = 9900))]
    pivot: Option<u64>,
    /// The sign before the digits after the point.
    #[schemars(regex(pattern = r"^[.,]$"), extend("default" = "."))]
    decimal: Option<String>,
    /// The sign between groups of three digits.
    #[schemars(regex(pattern = "^[.,'\u{2019}_ \u{a0}\u{202f}]$"))]
    thousands: Option<String>,
    /// The words for true, in place of the usual ones.
    r#true: Option<WordList>,
    /// The words for false.
    r#false: Option<WordList>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Fraction {
    /// The row is rejected.
    Reject,
    /// They are dropped.
    Cut,
}

/// One word, or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum WordList {
    /// One.
    One(#[schemars(length(min = 1))] String),
    /// Several.
    Many(#[schemars(extend("minItems" = 1))] Vec<String>),
}
