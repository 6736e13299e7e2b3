//! Contains a third-party reader that may panic on a malicious file.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static UNDER_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in a call whose panic is an error of the file that is read, so that a
/// panic hook has nothing to tell.
pub fn is_under_way() -> bool {
    UNDER_WAY.get()
}

/// Calls `read`; none if it panicked. What it worked on must not be used again then.
pub(crate) fn contained<T>(read: impl FnOnce() -> T) -> Option<T> {
    let before = UNDER_WAY.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    UNDER_WAY.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_at_the_border() {
        assert_eq!(contained(is_under_way), Some(true));
        assert_eq!(contained(|| -> i32 { std::panic::panic_any("x") }), None);
        assert!(!is_under_way());
    }
}
