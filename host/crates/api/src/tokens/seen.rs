//! A bounded cache of our tokens with valid signatures, so that these are not verified for each
//! request. It holds hashes, not tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use ring::digest::{SHA256, digest};

/// Tokens remembered at most.
const MAX_REMEMBERED: usize = 10_000;

/// What a token of ours says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) user: String,
    pub(super) session: String,
    /// From when on it is good, to the second.
    pub(super) begins: i64,
    /// The second at which it is good no more.
    pub(super) ends: i64,
}

/// By the SHA-256 of a token, which only who has the token can name.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Remembered>);

#[derive(Debug, Default)]
struct Remembered {
    tokens: HashMap<[u8; 32], Seen>,
    /// The second in which room was last made, which takes a look at each.
    swept: i64,
}

impl Memory {
    /// What it said when it was verified; its times are the caller's to compare.
    pub(super) fn recall(&self, token: &str) -> Option<Seen> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.tokens.get(&name(token)?).cloned()
    }

    /// Only after its signature was verified by a key of ours, none of which is ever taken away.
    pub(super) fn remember(&self, token: &str, seen: Seen, now: i64) {
        let Some(name) = name(token) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.tokens.len() >= MAX_REMEMBERED && known.swept != now {
            known.swept = now;
            known.tokens.retain(|_, seen| seen.ends > now);
        }
        if known.tokens.len() < MAX_REMEMBERED {
            known.tokens.insert(name, seen);
        }
    }
}

fn name(token: &str) -> Option<[u8; 32]> {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(ends: i64) -> Seen {
        Seen {
            user: "u".into(),
            session: "s".into(),
            begins: 0,
            ends,
        }
    }

    #[test]
    fn only_the_very_token_is_recalled() {
        let memory = Memory::default();
        memory.remember("a.b.c", seen(9), 1);
        assert_eq!(memory.recall("a.b.c"), Some(seen(9)));
        for other in ["a.b.d", "a.b.c ", "A.b.c", ""] {
            assert_eq!(memory.recall(other), None, "{other}");
        }
    }

    #[test]
    fn it_is_bounded_and_makes_room_of_what_has_ended() {
        let memory = Memory::default();
        for i in 0..MAX_REMEMBERED {
            memory.remember(&i.to_string(), seen(if i == 0 { 5 } else { 50 }), 1);
        }
        memory.remember("late", seen(50), 1);
        assert_eq!(memory.recall("late"), None);
        memory.remember("later", seen(50), 10);
        assert!(memory.recall("later").is_some());
        assert_eq!(memory.recall("0"), None);
    }
}
