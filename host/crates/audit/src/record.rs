//! A record's line: an event with time, sequence and hash, as JSON in ECS field names.

use serde::{Deserialize, Serialize};

use crate::chain::Head;
use crate::error::AuditError;
use crate::event::Event;
use crate::time::Time;

/// That a record is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its number in the log.
    pub sequence: u64,
}

/// The longest line, in bytes, its end included.
pub(crate) const MAX_LINE_LEN: usize = 1 << 20;
/// The version of ECS whose field names these are.
const ECS: &str = "8.17.0";
/// What stands between the bytes that are hashed and the hash.
const SEAM: &[u8] = b",\"event.hash\":\"";
/// What stands after the hash.
const END: &[u8] = b"\"}";
const HEX: usize = 64;

#[derive(Serialize)]
struct Fields<'a, T: Serialize> {
    #[serde(rename = "@timestamp")]
    time: String,
    #[serde(rename = "ecs.version")]
    ecs: &'static str,
    #[serde(rename = "event.dataset")]
    dataset: &'static str,
    #[serde(rename = "event.kind")]
    kind: &'static str,
    #[serde(rename = "event.sequence")]
    sequence: u64,
    /// The clock's own time, where that has gone back behind an earlier record's.
    #[serde(rename = "event.created", skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(flatten)]
    event: &'a T,
}

/// What the log says of itself, beside an event's own fields.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Own {
    #[serde(flatten)]
    pub(crate) event: Event,
    /// The log's own name, drawn at random when it began.
    #[serde(rename = "labels.log")]
    pub(crate) log: String,
    #[serde(rename = "labels.segment", skip_serializing_if = "Option::is_none")]
    pub(crate) segment: Option<String>,
    /// The hash of the record before this segment.
    #[serde(rename = "labels.previous", skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    /// The number of the last checkpoint, where there are any.
    #[serde(rename = "labels.checkpoint", skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<String>,
    /// The segment, sequence and previous hash with which the log begins from now on.
    #[serde(rename = "labels.begin", skip_serializing_if = "Option::is_none")]
    pub(crate) begin: Option<[String; 3]>,
    /// Why a log was restored, in the words of whoever said so.
    #[serde(rename = "event.reason", skip_serializing_if = "Option::is_none")]
    pub(crate) because: Option<String>,
    /// The log, record and hash that another place remembers, of a log that was restored.
    #[serde(rename = "labels.anchored", skip_serializing_if = "Option::is_none")]
    pub(crate) anchored: Option<[String; 3]>,
    /// Bytes of a torn end that were set aside, and their SHA-256.
    #[serde(rename = "labels.torn", skip_serializing_if = "Option::is_none")]
    pub(crate) torn: Option<[String; 2]>,
}

impl Own {
    pub(crate) fn new(event: Event, log: &str) -> Self {
        Own {
            event,
            log: log.into(),
            segment: None,
            previous: None,
            checkpoint: None,
            begin: None,
            because: None,
            anchored: None,
            torn: None,
        }
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) sequence: u64,
    pub(crate) time: Time,
    pub(crate) clock: Time,
    pub(crate) previous: Head,
}

/// The line of an event at that place, and its hash.
pub(crate) fn encode(event: &impl Serialize, place: Place) -> Result<(Vec<u8>, Head), AuditError> {
    let fields = Fields {
        time: place.time.text(),
        ecs: ECS,
        dataset: "glovebox.audit",
        kind: "event",
        sequence: place.sequence,
        created: (place.clock != place.time).then(|| place.clock.text()),
        event,
    };
    let mut line = serde_json::to_vec(&fields)
        .map_err(|_| AuditError::Options("an event that is not a JSON object"))?;
    // The brace that ends the object comes after the hash.
    line.pop();
    let head = place.previous.follow(&line);
    line.extend_from_slice(SEAM);
    line.extend_from_slice(head.to_string().as_bytes());
    line.extend_from_slice(END);
    line.push(b'\n');
    if line.len() > MAX_LINE_LEN {
        return Err(AuditError::TooLong {
            bytes: line.len(),
            most: MAX_LINE_LEN,
        });
    }
    Ok((line, head))
}

/// A line, without its end, as the bytes that were hashed and the hash that it claims.
pub(crate) fn split(line: &[u8]) -> Option<(&[u8], Head)> {
    let rest = line.strip_suffix(END)?;
    let (rest, hex) = rest.split_at_checked(rest.len().checked_sub(HEX)?)?;
    let head = Head::parse(std::str::from_utf8(hex).ok()?)?;
    Some((rest.strip_suffix(SEAM)?, head))
}

/// What the log itself reads back from a record.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Seen {
    #[serde(rename = "@timestamp")]
    time: String,
    #[serde(rename = "event.sequence")]
    pub(crate) sequence: u64,
    #[serde(rename = "event.action")]
    pub(crate) action: String,
    #[serde(rename = "labels.log")]
    pub(crate) log: Option<String>,
    #[serde(rename = "labels.segment")]
    pub(crate) segment: Option<String>,
    #[serde(rename = "labels.previous")]
    pub(crate) previous: Option<String>,
    #[serde(rename = "labels.checkpoint")]
    pub(crate) checkpoint: Option<String>,
    #[serde(rename = "labels.begin")]
    pub(crate) begin: Option<[String; 3]>,
}

impl Seen {
    /// Reads the bytes that were hashed, which lack their last brace.
    pub(crate) fn read(body: &[u8]) -> Option<(Seen, Time)> {
        let whole = [body, b"}"].concat();
        let seen: Seen = serde_json::from_slice(&whole).ok()?;
        let time = Time::parse(&seen.time)?;
        Some((seen, time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::{Action, Outcome};

    fn place() -> Place {
        let now = Time::now();
        Place {
            sequence: 7,
            time: now,
            clock: now,
            previous: Head::BEGINNING,
        }
    }

    #[test]
    fn a_line_splits_into_what_it_was_made_of() {
        let event = Event::new(Action::Login, Outcome::Failure)
            .reason("wrong password")
            .user("ann \"x\" \u{0} \n");
        let (line, head) = encode(&event, place()).unwrap();
        let line = line.strip_suffix(b"\n").unwrap();
        assert!(!line.contains(&b'\n') && !line.contains(&0));
        let (body, claimed) = split(line).unwrap();
        assert_eq!((claimed, Head::BEGINNING.follow(body)), (head, head));
        let (seen, _) = Seen::read(body).unwrap();
        assert_eq!((seen.sequence, seen.action.as_str()), (7, "login"));
        let json: serde_json::Value = serde_json::from_slice(line).unwrap();
        assert_eq!(json["user.name"], "ann \"x\" \u{0} \n");
        assert_eq!(json["event.hash"], head.to_string());
        assert!(json.get("event.created").is_none());
    }

    #[test]
    fn a_record_too_long_to_be_read_back_is_not_written() {
        let names: Vec<_> = (0..20_000).map(|n| format!("{n:0>200}")).collect();
        let event = Event::new(Action::DataRead, Outcome::Success)
            .columns(names.iter().map(String::as_str));
        assert!(matches!(
            encode(&event, place()),
            Err(AuditError::TooLong { .. })
        ));
    }

    #[test]
    fn what_is_no_line_does_not_split() {
        for line in [&b""[..], b"{}", b"\"}", b"{\"event.hash\":\"00\"}"] {
            assert!(split(line).is_none());
        }
    }
}
