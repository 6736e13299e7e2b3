//! What can be recorded, and how it ended: names of ours, and their classes in the Elastic Common Schema.

use serde::Serialize;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $category:literal, $kind:literal;)*) => {
        /// What was done, or tried.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Action] = &[$(Action::$name,)*];

            /// Its `event.action`.
            pub fn as_str(self) -> &'static str {
                match self { $(Action::$name => $text,)* }
            }

            /// The action of that name.
            pub fn parse(text: &str) -> Option<Action> {
                Action::ALL.iter().copied().find(|a| a.as_str() == text)
            }

            /// Its `event.category` in ECS.
            pub fn category(self) -> &'static str {
                match self { $(Action::$name => $category,)* }
            }

            /// Its `event.type` in ECS.
            pub fn kind(self) -> &'static str {
                match self { $(Action::$name => $kind,)* }
            }
        }
    };
}

actions! {
    /// A name and a password were given.
    Login = "login", "authentication", "start";
    /// A session was ended by its user.
    Logout = "logout", "authentication", "end";
    /// A token was issued or renewed.
    TokenIssued = "token-issued", "authentication", "start";
    /// A token, or all of a session, was revoked.
    TokenRevoked = "token-revoked", "authentication", "end";
    /// Rows of a dataset were read.
    DataRead = "data-read", "database", "access";
    /// Encrypted values were given back as the cells that they were made from.
    Revealed = "revealed", "database", "access";
    /// Rejected rows that a run had kept encrypted were opened.
    RejectsOpened = "rejects-opened", "file", "access";
    /// An officer made a share of tokens for the other one.
    TokensShared = "tokens-shared", "database", "access";
    /// Tokens were erased, so that nobody gets their cells back.
    TokensForgotten = "tokens-forgotten", "database", "deletion";
    /// What is there was looked at: pipelines, datasets, runs, reports, rejects.
    Viewed = "viewed", "web", "access";
    /// How a cell came about was asked, and answered without the cell.
    Explained = "explained", "web", "access";
    /// A run was started.
    RunStarted = "run-started", "process", "start";
    /// A run ended.
    RunFinished = "run-finished", "process", "end";
    /// A run was told to stop.
    RunCancelled = "run-cancelled", "process", "end";
    /// A file was given to a pipeline.
    Uploaded = "uploaded", "file", "creation";
    /// A file that is watched appeared.
    FileCreated = "file-created", "file", "creation";
    /// A file that is watched has other content.
    FileChanged = "file-changed", "file", "change";
    /// A file that is watched is gone.
    FileDeleted = "file-deleted", "file", "deletion";
    /// A secret was fetched from its store.
    SecretUsed = "secret-used", "configuration", "access";
    /// A key signed, or masked.
    KeyUsed = "key-used", "configuration", "access";
    /// A user was made.
    UserAdded = "user-added", "iam", "creation";
    /// A user's roles, state or password were changed.
    UserChanged = "user-changed", "iam", "change";
    /// An API key was made.
    ApiKeyAdded = "api-key-added", "iam", "creation";
    /// An API key was revoked.
    ApiKeyRevoked = "api-key-revoked", "iam", "deletion";
    /// A call was refused: no token, no right, too often.
    Denied = "denied", "web", "denied";
    /// The server, or another writer of the log, began.
    Started = "started", "process", "start";
    /// It ended.
    Stopped = "stopped", "process", "end";
    /// A rule found something that somebody should look at.
    Alerted = "alerted", "intrusion_detection", "info";
    /// The configuration was read anew.
    Configured = "configured", "configuration", "change";
    /// A segment of this log begins; by the log itself.
    SegmentOpened = "segment-opened", "configuration", "info";
    /// The log was opened; by the log itself, with what it had to put right.
    LogOpened = "log-opened", "configuration", "start";
    /// The log was found behind what another place remembers, and said to be restored from a
    /// backup; by the log itself.
    LogRestored = "log-restored", "configuration", "change";
    /// The oldest segments are about to be deleted; by the log itself.
    SegmentsRetired = "segments-retired", "configuration", "deletion";
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused or failed.
    Failure,
    /// Nobody knows yet.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 3] = [Outcome::Success, Outcome::Failure, Outcome::Unknown];

    /// Its `event.outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Unknown => "unknown",
        }
    }

    /// The outcome of that name.
    pub fn parse(text: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|o| o.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_has_a_name_of_its_own_and_a_class_that_ecs_knows() {
        let mut names: Vec<_> = Action::ALL.iter().map(|a| a.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Action::ALL.len());
        // The allowed values of ECS 8.17's `event.category` and `event.type` that are used.
        let categories = [
            "authentication",
            "configuration",
            "database",
            "file",
            "iam",
            "intrusion_detection",
            "process",
            "web",
        ];
        let kinds = [
            "access", "change", "creation", "deletion", "denied", "end", "info", "start",
        ];
        for action in Action::ALL {
            assert!(categories.contains(&action.category()), "{action:?}");
            assert!(kinds.contains(&action.kind()), "{action:?}");
        }
    }
}
