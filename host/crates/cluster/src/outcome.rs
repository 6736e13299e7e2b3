//! What became of a range, and how Ballista's texts carry that: an executor's sentence gets through them, and
//! no other text does.

use ballista_core::serde::protobuf::failed_task::FailedReason;
use ballista_core::serde::protobuf::job_status::Status as JobState;
use ballista_core::serde::protobuf::{ExecutionError, FailedTask, IoError};

/// Executors that may end over one range.
pub(crate) const DEATHS: usize = 3;

/// Before the sentence of an executor with which another one would end, too.
const FAILED: &str = "glovebox-failed: ";
/// Before how one ended where another one may not.
const DIED: &str = "glovebox-died: ";

/// What became of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nobody has worked on it to its end yet.
    Waiting,
    /// All of it is stored.
    Done,
    /// Why it cannot be worked on.
    Failed(String),
    /// As many executors as may ended over it; the last one thus.
    Died(String),
    /// The scheduler does not know it: it was begun again since.
    Unknown,
}

impl Outcome {
    /// By Ballista's state of the job.
    pub(crate) fn of(state: Option<JobState>) -> Self {
        match state {
            None => Outcome::Unknown,
            Some(JobState::Queued(_) | JobState::Running(_)) => Outcome::Waiting,
            Some(JobState::Successful(_)) => Outcome::Done,
            Some(JobState::Failed(failed)) => Outcome::failed(&failed.error),
        }
    }

    fn failed(text: &str) -> Self {
        let after = |mark: &str| {
            let (_, sentence) = text.split_once(mark)?;
            // Ballista quotes the last of several failures.
            Some(sentence.trim_end().trim_end_matches('"').to_owned())
        };
        if let Some(problem) = after(FAILED) {
            return Outcome::Failed(problem);
        }
        after(DIED).map_or_else(
            || Outcome::Failed("the scheduler has given a range up; its log tells why".into()),
            Outcome::Died,
        )
    }

    pub(crate) fn to_text(&self) -> String {
        match self {
            Outcome::Waiting => "waiting".into(),
            Outcome::Done => "done".into(),
            Outcome::Unknown => "unknown".into(),
            Outcome::Failed(problem) => format!("{FAILED}{problem}"),
            Outcome::Died(how) => format!("{DIED}{how}"),
        }
    }

    pub(crate) fn from_text(text: &str) -> Self {
        match text {
            "waiting" => Outcome::Waiting,
            "done" => Outcome::Done,
            "unknown" => Outcome::Unknown,
            other => Outcome::failed(other),
        }
    }
}

/// A task that another executor would not bring to its end, either.
pub(crate) fn failed(problem: &str) -> FailedTask {
    FailedTask {
        error: format!("{FAILED}{problem}"),
        retryable: false,
        count_to_failures: false,
        failed_reason: Some(FailedReason::ExecutionError(ExecutionError {})),
    }
}

/// A task that another executor may bring to its end.
pub(crate) fn died(how: &str) -> FailedTask {
    FailedTask {
        error: format!("{DIED}{how}"),
        retryable: true,
        count_to_failures: true,
        failed_reason: Some(FailedReason::IoError(IoError {})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_sentences_get_through() {
        let text =
            "Job failed due to stage 1 failed: glovebox-failed: the manifest is another one\n";
        let failed = Outcome::failed(text);
        assert_eq!(
            failed,
            Outcome::Failed("the manifest is another one".into())
        );
        assert_eq!(Outcome::from_text(&failed.to_text()), failed);
        let text = "Task 0 in Stage 1 failed 3 times, fail the stage, most recent failure reason: \
                    \"glovebox-died: ended (signal: 9)\"";
        assert_eq!(
            Outcome::failed(text),
            Outcome::Died("ended (signal: 9)".into())
        );
        let Outcome::Failed(sentence) = Outcome::failed("a cell: 4711") else {
            panic!("it failed")
        };
        assert!(!sentence.contains("4711"));
    }
}
