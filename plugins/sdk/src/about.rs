//! How a plugin describes itself. The schema of the `with:` block always matches the type that
//! parses it: it is derived from the type, or a copy that a test compares with it.

use schemars::JsonSchema;

use crate::bindings::exports::glovebox::plugin::plugin;

/// A plugin's name, version, one line of summary, and manual.
///
/// ```
/// use glovebox_sdk::About;
///
/// const ABOUT: About = About::new("initials", "1.0.0", "Keeps the first letter of a text.")
///     .documentation("# initials\n\nKeeps the first letter …");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct About {
    name: &'static str,
    version: &'static str,
    summary: &'static str,
    documentation: &'static str,
    config_schema: Option<&'static str>,
}

impl About {
    /// Names a plugin: its name as a manifest writes it (kebab-case), its semantic version, and
    /// one line on what it does.
    #[must_use]
    pub const fn new(name: &'static str, version: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            version,
            summary,
            documentation: "",
            config_schema: None,
        }
    }

    /// Adds the manual: Markdown that says what the plugin does, why, with an example and its
    /// options. Usually `include_str!("../DOCS.md")`.
    #[must_use]
    pub const fn documentation(mut self, markdown: &'static str) -> Self {
        self.documentation = markdown;
        self
    }

    /// Hands over the JSON Schema of the `with:` block ready-made, which makes the component about
    /// 100 KB smaller than deriving it there. Let `testing::check_schema` write and compare it.
    #[must_use]
    pub const fn config_schema(mut self, json: &'static str) -> Self {
        self.config_schema = Some(json);
        self
    }

    // Inlined, so that a plugin that brings its schema does not bring the code to derive it.
    #[inline]
    pub(crate) fn describe<C: JsonSchema>(self) -> plugin::About {
        plugin::About {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            summary: self.summary.to_owned(),
            documentation: self.documentation.to_owned(),
            config_schema: match self.config_schema {
                Some(json) => json.to_owned(),
                None => schemars::schema_for!(C).as_value().to_string(),
            },
        }
    }
}
