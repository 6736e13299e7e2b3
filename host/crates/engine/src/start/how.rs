//! What a caller wants done about earlier runs.

/// What is done about earlier runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Start {
    /// Begins anew, unless that would add rows a second time.
    #[default]
    Fresh,
    /// Goes on with a run that did not finish; begins anew if there is none.
    Resume,
    /// Begins anew, whatever was loaded before.
    Again,
    /// The same, also where a run of the same request is unfinished, which is given up.
    Anew,
}

impl Start {
    /// Whether nothing is gone on with, whatever was loaded before.
    pub(crate) fn is_anew(self) -> bool {
        matches!(self, Start::Again | Start::Anew)
    }
}
