//! Tokens that go with a chunk: those that its stored rows hold, and no others, so that nothing of a
//! row that was rejected is kept.

use std::collections::HashSet;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use glovebox_core::{Batch, Reject, Token, TokenBatch};

/// Those of a chunk's tokens that stand in its rows, but for those that the encoder rejected.
pub(crate) fn kept(
    mut made: Vec<TokenBatch>,
    stored: &[Batch],
    rejected: &[Reject],
) -> Vec<TokenBatch> {
    if made.is_empty() {
        return made;
    }
    let rejected: HashSet<u64> = rejected.iter().map(|reject| reject.row).collect();
    let mut held = HashSet::new();
    for batch in stored {
        let texts = batch.columns.columns().iter();
        for column in texts.filter_map(|column| column.as_string_opt::<i32>()) {
            for row in (0..column.len()).filter(|row| column.is_valid(*row)) {
                if rejected.is_empty() || !rejected.contains(&batch.origin.row(row)) {
                    held.extend(within(column.value(row)));
                }
            }
        }
    }
    for batch in &mut made {
        batch.tokens.retain(|new| held.contains(&new.token));
    }
    made.retain(|batch| !batch.tokens.is_empty());
    made
}

/// The tokens in a text: all of it, or parts that were masked.
fn within(text: &str) -> impl Iterator<Item = Token> {
    let starts = memchr::memmem::find_iter(text.as_bytes(), Token::PREFIX);
    starts.filter_map(|start| Token::parse(text.get(start..start + Token::LEN)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_wherever_they_stand_in_a_text() {
        let token = |byte| Token([byte; 16]);
        let text = format!("{}, {{\"a\":\"{}\"}}tok_12", token(1), token(0xfe));
        let found: Vec<_> = within(&text).collect();
        assert_eq!(found, [token(1), token(0xfe)]);
        assert_eq!(within("tok_").count() + within("").count(), 0);
    }
}
