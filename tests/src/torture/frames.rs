//! Messages of PostgreSQL's wire protocol, version 3: where each ends, and which is a COMMIT.

/// A stream that is cut into messages.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// Whether the next message has a type byte: the first one of a client has none.
    typed: bool,
}

impl Frames {
    /// A client's stream, which begins with its startup message.
    pub(super) fn of_client() -> Self {
        Frames::default()
    }

    /// A server's stream.
    pub(super) fn of_server() -> Self {
        Frames {
            typed: true,
            ..Frames::default()
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let head = usize::from(self.typed);
        let length = self.bytes.get(head..head + 4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        let whole = head + length;
        if self.bytes.len() < whole {
            return None;
        }
        self.typed = true;
        Some(self.bytes.drain(..whole).collect())
    }
}

/// Whether a client asks for a COMMIT by this message. The program sends its statements as simple
/// queries.
pub(super) fn asks_for_commit(message: &[u8]) -> bool {
    is(message, b'Q', b"COMMIT\0")
}

/// Whether a server says by this message that a COMMIT holds.
pub(super) fn tells_of_commit(message: &[u8]) -> bool {
    is(message, b'C', b"COMMIT\0")
}

fn is(message: &[u8], kind: u8, text: &[u8]) -> bool {
    message.first() == Some(&kind) && message.get(5..) == Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &[u8], text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len() + 4).unwrap_or(u32::MAX);
        [kind, &length.to_be_bytes(), text].concat()
    }

    #[test]
    fn messages_are_found_wherever_the_stream_is_cut() {
        let parts = [
            message(b"", b"\0\x03\0\0user\0ann\0\0"),
            message(b"Q", b"BEGIN\0"),
            message(b"d", b"Q\0\0\0\x0bCOMMIT\0"),
            message(b"Q", b"COMMIT\0"),
        ];
        let stream = parts.concat();
        for cut in 0..=stream.len() {
            let mut frames = Frames::of_client();
            let mut found = Vec::new();
            for piece in [&stream[..cut], &stream[cut..]] {
                frames.feed(piece);
                found.extend(std::iter::from_fn(|| frames.next()));
            }
            assert_eq!(found, parts);
            let commits: Vec<_> = found.iter().map(|m| asks_for_commit(m)).collect();
            assert_eq!(commits, [false, false, false, true]);
        }
    }

    #[test]
    fn a_rollback_is_no_commit() {
        let mut frames = Frames::of_server();
        frames.feed(&message(b"C", b"ROLLBACK\0"));
        frames.feed(&message(b"C", b"COMMIT\0"));
        let told: Vec<_> = std::iter::from_fn(|| frames.next())
            .map(|m| tells_of_commit(&m))
            .collect();
        assert_eq!(told, [false, true]);
    }
}
