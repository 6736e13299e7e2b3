//! A blocking call with a limit on the wait for it. After the timeout the thread is left to end by
//! itself, since a blocked call cannot be interrupted.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Why a call brought no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    /// It took too long.
    #[error(
        "no answer within {} s; it may be waiting to be unlocked on the desktop", .0.as_secs_f32()
    )]
    Late(Duration),
    /// It ended without an answer.
    #[error("it ended without an answer")]
    Ended,
}

/// The call's answer, or none if it is not there in time.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NoAnswer> {
    let (sender, receiver) = sync_channel(1);
    thread::Builder::new()
        .name("keyring".into())
        .spawn(move || {
            // Nobody listens to a late answer; it is dropped here, and wiped if it is a secret.
            let _ = sender.send(call());
        })
        .map_err(|_| NoAnswer::Ended)?;
    receiver.recv_timeout(limit).map_err(|error| match error {
        RecvTimeoutError::Timeout => NoAnswer::Late(limit),
        RecvTimeoutError::Disconnected => NoAnswer::Ended,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn an_answer_in_time_arrives() {
        assert_eq!(within(Duration::from_secs(60), || 7), Ok(7));
    }

    #[test]
    fn a_late_answer_is_not_waited_for() {
        let limit = Duration::from_millis(50);
        let begun = Instant::now();
        let answer = within(limit, || thread::sleep(Duration::from_secs(30)));
        assert_eq!(answer, Err(NoAnswer::Late(limit)));
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
}
