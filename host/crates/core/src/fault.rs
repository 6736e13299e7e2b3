//! How plugins and queries fail on rows, in sentences that hold no cell.

/// A plugin broke off or broke the contract. It never holds a cell: every sentence in it is the
/// host's own.
///
/// Shown as it is, it is one sentence a kind. Which of the host's many sentences applies is the
/// guest's choice, which it may make by a cell, so a run says no more than the kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", subject(*.kind, plugin), .kind.sentence())]
pub struct Fault {
    /// The plugin.
    pub plugin: String,
    /// Its class.
    pub kind: FaultKind,
    /// What it did.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl Fault {
    /// What it did and what to do about it, for what happens before a row is there and for authors.
    pub fn in_full(&self) -> String {
        format!(
            "{}{}; {}",
            subject(self.kind, &self.plugin),
            self.what,
            self.remedy
        )
    }
}

/// Who did it: a query's sentences name it themselves.
fn subject(kind: FaultKind, plugin: &str) -> String {
    match kind {
        FaultKind::Query(_) => String::new(),
        _ => format!("plugin {plugin} "),
    }
}

/// The class of a fault; also the rule under which poison rows are rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// It trapped: a panic, an abort, a bad memory access, an exit, no more stack.
    Trap,
    /// It ran past its time limit.
    Time,
    /// It wanted more memory than its limit.
    Memory,
    /// What it returned breaks the contract.
    Breach,
    /// A query failed.
    Query(QueryFault),
}

impl FaultKind {
    /// The rule's name in rejects and reports.
    pub fn rule(self) -> &'static str {
        match self {
            FaultKind::Trap => "plugin-trap",
            FaultKind::Time => "plugin-time",
            FaultKind::Memory => "plugin-memory",
            FaultKind::Breach => "plugin-breach",
            FaultKind::Query(_) => "sql-error",
        }
    }

    /// What a run says of it, after the plugin's name.
    fn sentence(self) -> &'static str {
        match self {
            FaultKind::Trap => {
                "crashed: it panicked, exited or did something that WebAssembly forbids; \
                `glovebox plugin test` with such a row shows where"
            }
            FaultKind::Time => {
                "exceeded the time limit of a call; raise the step's `limits: { time: … }` if the \
                plugin is trusted to need it"
            }
            FaultKind::Memory => {
                "exceeded its limit for memory, table elements or handles; raise the step's \
                `limits: { memory: … }` if the plugin is trusted to need it"
            }
            FaultKind::Breach => {
                "broke the contract, or returned more than the step's `limits: { returned: …, \
                findings: … }` allow; its answer was discarded; `glovebox plugin test` with such \
                a row shows what it did"
            }
            FaultKind::Query(fault) => fault.sentence(),
        }
    }
}

/// Why a query failed on a row. The sentences are the host's own and hold no cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryFault {
    /// A whole number was divided by zero.
    DivideByZero,
    /// A text was to become something that it is not.
    Convert,
    /// A number has no room in its type.
    TooLarge,
    /// The columns that it makes take more than `limits: { returned: … }`.
    TooMuch,
    /// None of these.
    Other,
}

impl QueryFault {
    /// What a run says of it.
    pub fn sentence(self) -> &'static str {
        match self {
            QueryFault::DivideByZero => {
                "the query divides by zero; write x / NULLIF(y, 0) for null instead"
            }
            QueryFault::Convert => {
                "the query converts a cell that has no such form; write TRY_CAST for null instead"
            }
            QueryFault::TooLarge => {
                "the query makes a number that does not fit its type; convert one side before, like \
                CAST(x AS DOUBLE)"
            }
            QueryFault::TooMuch => {
                "the query makes more than the step's `limits: { returned: … }` allow"
            }
            QueryFault::Other => "the query fails on this row",
        }
    }
}
