//! An alert: what happened, why it matters, what to look at next. It has names and counts of the audit
//! log, and no cell.

use serde::Serialize;

/// How urgent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody should know.
    Info,
    /// Somebody should look, today.
    Warning,
    /// Somebody should look, now.
    Critical,
}

impl Severity {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $severity:ident, $why:literal, $next:literal;)*) => {
        /// A rule.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Rule] = &[$(Rule::$name,)*];

            /// Its name.
            pub fn word(self) -> &'static str {
                match self { $(Rule::$name => $word,)* }
            }

            /// The rule of that name.
            pub fn parse(word: &str) -> Option<Rule> {
                Rule::ALL.iter().copied().find(|rule| rule.word() == word)
            }

            /// How urgent its alerts are.
            pub fn severity(self) -> Severity {
                match self { $(Rule::$name => Severity::$severity,)* }
            }

            /// Why it matters.
            pub fn why(self) -> &'static str {
                match self { $(Rule::$name => $why,)* }
            }

            /// What to look at next.
            pub fn next(self) -> &'static str {
                match self { $(Rule::$name => $next,)* }
            }
        }
    };
}

rules! {
    /// Failed logins in a burst.
    FailedLogins = "failed-logins", Warning,
        "Somebody guesses passwords, or a program has an old one.",
        "`glovebox audit show FOLDER --action login --outcome failure` has times and addresses. Block the \
         address at the proxy, or give the program its new password.";
    /// Refused calls in a series.
    DeniedCalls = "denied-calls", Warning,
        "Somebody tries what they may not do, or a client is set up wrongly.",
        "`glovebox audit show FOLDER --action denied` has paths and reasons. Ask the user, or disable them \
         with `glovebox user disable NAME`.";
    /// A role reads far more rows than before.
    ManyRows = "many-rows", Critical,
        "Whoever has a stolen token or key copies what it can reach.",
        "`glovebox audit show FOLDER --action data-read` has who read which dataset from where. If nobody \
         knows why, disable the user; API keys are revoked by `glovebox user revoke`.";
    /// Rows are read outside working hours.
    OddHours = "odd-hours", Warning,
        "Rows are read when nobody should be working.",
        "Ask the user. `glovebox audit show FOLDER --user NAME` has everything that they did.";
    /// Masks are undone, or values of tokens erased.
    Reveal = "reveal", Info,
        "Personal data was shown in the clear, or made irrecoverable.",
        "The record has the reason that was given and the number of cells: `glovebox audit show FOLDER \
         --action revealed`. Compare it with the request that it names.";
    /// An administrator comes from a network that they never came from.
    AdministratorElsewhere = "administrator-elsewhere", Critical,
        "Whoever has an administrator's password can give themselves any role.",
        "Ask them, on another channel. If it was not them: `glovebox user password NAME` ends all their \
         sessions and keys; then look for users that were added since.";
    /// More rows of a pipeline are rejected than before.
    RejectRate = "reject-rate", Warning,
        "A delivery is broken, or a rule no longer fits; rows are missing in the destination.",
        "`GET /runs/ID/report` counts rejects by rule, `GET /runs/ID/rejects` has the rows' numbers.";
    /// A step has another plugin than in the run before.
    PluginChanged = "plugin-changed", Warning,
        "A plugin decides what is masked. Somebody has replaced one.",
        "Compare its SHA-256 with that of the release that was meant (`sha256sum FILE`). `glovebox plugin pin \
         MANIFEST` has the manifest refuse any other.";
    /// A watched file was created, changed or deleted.
    FileChanged = "file-changed", Warning,
        "Manifests and plugins decide what is masked and where rows go.",
        "Compare the file's SHA-256 in the record with the version that was released.";
    /// The audit log does not hold together.
    AuditLog = "audit-log", Critical,
        "Records were changed, deleted or lost, so the log proves nothing after that place.",
        "`glovebox audit verify FOLDER --checkpoints FOLDER` says where. Copy the folder before anything \
         else, and look who could write there.";
    /// Nothing: somebody tries whether alerts arrive.
    Test = "test", Info,
        "An alert that does not arrive is found out when it would have mattered.",
        "Nothing: this one was asked for by `glovebox serve --test-alerts`.";
}

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// By which rule.
    pub rule: Rule,
    /// About whom or what: labels and their values.
    pub subject: Vec<(&'static str, String)>,
    /// What happened.
    pub summary: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// How often it would have been raised since it was last told.
    pub repeated: u64,
    /// Where its section of the runbooks is.
    pub runbook: String,
}

/// Where the runbooks are, from the repository.
pub const RUNBOOKS: &str = "docs";

impl Alert {
    pub(crate) fn new(rule: Rule, at: i64, summary: impl Into<String>) -> Self {
        Alert {
            rule,
            subject: Vec::new(),
            summary: summary.into(),
            at,
            repeated: 0,
            runbook: String::new(),
        }
        .linked(RUNBOOKS)
    }

    /// The same, where the runbooks are in that folder or below that address.
    pub fn linked(mut self, runbooks: &str) -> Self {
        self.runbook = format!("{runbooks}/runbooks.md#{}", self.rule.word());
        self
    }

    /// That the audit log does not hold together; `wrong` things are wrong.
    pub fn of_the_audit_log(wrong: u64, at: i64) -> Self {
        let summary = format!("The audit log does not verify: {wrong} things are wrong.");
        Alert::new(Rule::AuditLog, at, summary)
    }

    /// One by which somebody tries whether alerts arrive.
    pub fn test(at: i64) -> Self {
        Alert::new(Rule::Test, at, "Glovebox was asked to send a test.")
    }

    pub(crate) fn about(mut self, label: &'static str, value: Option<&str>) -> Self {
        if let Some(value) = value {
            self.subject.push((label, value.to_owned()));
        }
        self
    }

    /// The value of a label of its subject.
    pub fn label(&self, label: &str) -> Option<&str> {
        let found = self.subject.iter().find(|(name, _)| *name == label);
        found.map(|(_, value)| value.as_str())
    }
}
