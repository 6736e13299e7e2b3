//! The list: which guests there are, and what must come of each act.

mod escapes;
mod lies;
mod memory;
mod time;

use super::Attack;

/// All attacks, in the table's order.
pub fn all() -> Vec<Attack> {
    [
        time::time(),
        time::stack(),
        memory::memory(),
        lies::announced(),
        lies::found(),
        lies::masked(),
        lies::transformed(),
        escapes::doors(),
        escapes::files(),
        escapes::stowaways(),
    ]
    .concat()
}
