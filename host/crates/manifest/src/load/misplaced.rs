//! A secret where its name belongs: it is refused, and neither message nor excerpt shows it.

use crate::block::Reader;
use crate::declare::At;
use crate::diagnostic::Diagnostic;
use crate::node::Kind;

/// What is said of a secret that stands in the file itself.
pub(super) struct Misplaced {
    /// With its article.
    pub(super) what: &'static str,
    /// How to name it instead.
    pub(super) help: String,
    /// What to do about one that was written here; nothing if it is empty.
    pub(super) note: &'static str,
}

impl Misplaced {
    /// None where the value is a text, which can only be the secret, and that has been said.
    pub(super) fn refuse(self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<()> {
        if matches!(at.node.kind, Kind::Map(_) | Kind::Broken) {
            return Some(());
        }
        let problem = format!("{} does not belong in this file", self.what);
        let place = reader.first_line(&at.node.span);
        let said = Diagnostic::error(place, problem).help(self.help);
        reader.say(match self.note {
            "" => said,
            note => said.note(note),
        });
        None
    }
}
