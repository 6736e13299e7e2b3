//! Compares a plugin's prebuilt schema with that of its configuration type, and panics if it is out
//! of date.

use schemars::JsonSchema;

/// Compares the JSON Schema in a file, which [`About::config_schema`] includes, with that of the
/// configuration type. With `GLOVEBOX_BLESS=1` in the environment it writes the file instead.
///
/// # Panics
/// When the file is behind, or cannot be read or written.
///
/// [`About::config_schema`]: crate::About::config_schema
#[track_caller]
pub fn check_schema<C: JsonSchema>(path: &str) {
    let schema = format!("{:#}\n", schemars::schema_for!(C).as_value());
    if std::env::var_os("GLOVEBOX_BLESS").is_some() {
        if let Err(error) = std::fs::write(path, schema) {
            panic!("{path} is not written: {error}");
        }
        return;
    }
    let written = std::fs::read_to_string(path);
    let behind = written.map_or(true, |written| written != schema);
    assert!(
        !behind,
        "{path} is behind the options; run this test again with GLOVEBOX_BLESS=1"
    );
}
