//! `tokens:` of a step: whose keys open what it masks, how long and how often.

use std::time::Duration;

use glovebox_core::TokenTerms;
use serde_json::json;

use crate::block::{Block, Reader};
use crate::declare::{At, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Own, Time, Whole};
use crate::model::Tokens;
use crate::node::Node;
use crate::span::Spanned;

const MIN_EXPIRY: Duration = Duration::from_secs(60);
/// A hundred years, which databases can still add to today.
const MAX_EXPIRY: Duration = Duration::from_secs(36_525 * 86_400);
/// What every public key begins with, and how long all of it is: the base64 of 32 bytes.
const RECIPIENT: &str = "x25519:";
const RECIPIENT_LEN: usize = RECIPIENT.len() + 44;

section! {
    /// Who opens the tokens of a step.
    pub(crate) struct TokenKeys("Tokens"): "the block `tokens`", "tokens: { officers: [x25519:…, x25519:…] }" {
        /// The public keys of two officers, as `glovebox key new NAME --pair` prints them. Only both
        /// private keys together [open a token](masking.md#tokens).
        officers: Vec<Spanned<String>> => needed, OFFICERS, "officers: [x25519:…, x25519:…]";
        /// How long after its cell first came a token can be opened.
        expires: Option<Duration> => optional "never", Time(MIN_EXPIRY..=MAX_EXPIRY);
        /// How often a token can be opened.
        uses: Option<u32> => optional "any number", Whole(1..=1_000_000u32);
    }
    hints {
        "recipients" => "write `officers:`",
        "expiry" => "write `expires:`, like expires: 365d",
    }
    settle Tokens: settle;
}

fn settle(keys: TokenKeys, reader: &mut Reader<'_>, block: &Block<'_>) -> Option<Tokens> {
    let span = block.head.clone();
    let place = block.get("officers").map_or(span.clone(), |(_, at)| at);
    let [first, second] = keys.officers.as_slice() else {
        reader.say(
            Diagnostic::error(place, "tokens have two officers")
                .help("name two public keys: one person alone could open every token otherwise"),
        );
        return None;
    };
    if first.value == second.value {
        reader.say(
            Diagnostic::error(second.span.clone(), "both officers have this key")
                .help("use the keys of two people: one alone could open every token otherwise"),
        );
        return None;
    }
    Some(Tokens {
        terms: TokenTerms {
            officers: [first.value.clone(), second.value.clone()],
            expires: keys.expires,
            uses: keys.uses,
        },
        span,
    })
}

const OFFICERS: Own<Vec<Spanned<String>>> = Own {
    read: officers,
    words: "list",
    schema: |_| {
        json!({ "type": "array", "minItems": 2, "maxItems": 2, "items": {
            "type": "string", "pattern": "^x25519:[A-Za-z0-9_-]{43}=$",
        } })
    },
};

fn officers(reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Vec<Spanned<String>>>> {
    let items = reader.list(at.node, at.key, &at.example)?;
    let read = |item: &Node| officer(reader, at, item);
    let officers: Option<Vec<_>> = items.iter().map(read).collect();
    Some(Spanned::new(officers?, at.head.clone()))
}

/// Refuses without repeating what was written, which may be the private key.
fn officer(reader: &mut Reader<'_>, at: &At<'_>, item: &Node) -> Option<Spanned<String>> {
    let key = reader.text(item, at.key, &at.example)?;
    let digits = key.value.strip_prefix(RECIPIENT).unwrap_or_default();
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=');
    if key.value.len() == RECIPIENT_LEN && digits.bytes().all(fits) {
        return Some(key);
    }
    reader.say(
        Diagnostic::error(key.span, "this is not an officer's public key").help(
            "write the line `x25519:…` that `glovebox key new NAME --pair` prints; never the private key",
        ),
    );
    None
}
