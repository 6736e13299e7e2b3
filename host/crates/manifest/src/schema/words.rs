//! Words and blocks that several parts of a manifest have.
//!
//! Owns their patterns and lengths; refuses to parse.

use schemars::JsonSchema;

/// A key of digests, by the name of the secret that holds it: 16 bytes or more.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct IdentityKey {
    /// The secret.
    secret: SecretName,
}

/// A password, by the name of the secret that holds it.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Password {
    /// The secret.
    secret: SecretName,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Tls {
    /// Certificates to trust besides the built-in ones: a PEM file, relative to the manifest's
    /// folder.
    ca: Option<Path>,
}

/// A path.
#[derive(JsonSchema)]
pub(super) struct Path(#[schemars(length(min = 1))] String);

/// One ASCII sign that is no letter, digit or line break.
#[derive(JsonSchema)]
pub(super) struct Sign(#[schemars(regex(pattern = r"^[\t -/:-@\[-`{-~]$"))] String);

/// A size: a whole number and its unit.
#[derive(JsonSchema)]
pub(super) struct Size(#[schemars(regex(pattern = r"^[0-9]+ *(B|KiB|MiB|GiB)$"))] String);

/// A duration: a whole number and its unit.
#[derive(JsonSchema)]
pub(super) struct Time(#[schemars(regex(pattern = r"^[0-9]+ *(ms|s|min|h)$"))] String);

/// The type of a column.
#[derive(JsonSchema)]
pub(super) struct Type(
    #[schemars(regex(
        pattern = r"^(text|int64|float64|boolean|bytes|date|timestamp|opaque|decimal *\( *[0-9]{1,2} *, *[0-9]{1,2} *\))$"
    ))]
    String,
);

/// A table's name.
#[derive(JsonSchema)]
pub(super) struct Table(#[schemars(length(min = 1, max = 127))] String);

/// The name of a secret, like `sales/customer-salt`.
#[derive(JsonSchema)]
pub(super) struct SecretName(
    #[schemars(
        length(max = 128),
        regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")
    )]
    String,
);
