//! A log and its checkpoints, cut alike by somebody who needs no key for it; and what a third place
//! remembers.

use std::fs;
use std::path::Path;

use glovebox_audit::{
    Anchor, Anchorage, Anchors, AuditError, Log, Restored, Trust, Verification, verify,
};
use tokio::sync::watch;

use crate::support::{Place, event, files, lines, public, told};

const HERE: &str = "here:/log";

/// A third place.
#[derive(Default)]
struct Third {
    known: Vec<Anchor>,
}

impl Third {
    /// Opens the log as a server does that asks this place first.
    fn open(&self, place: &Place, restored: Option<&str>) -> Opened {
        let mut options = place.options();
        let (mut anchorage, kept) = Anchorage::new(HERE.into(), self.known.clone());
        anchorage.restored = restored.map(|because| Restored {
            because: because.into(),
            user: "uid:7".into(),
        });
        options.anchorage = Some(anchorage);
        (Log::open(options), kept)
    }

    /// Records so many events, and remembers where the log ended.
    fn write(&mut self, place: &Place, events: u64) {
        let (log, kept) = self.open(place, None);
        let log = log.unwrap();
        for n in 0..events {
            log.record_blocking(event(n)).unwrap();
        }
        log.close().unwrap();
        self.keep(&kept);
    }

    fn keep(&mut self, kept: &watch::Receiver<Option<Anchor>>) {
        let anchor = kept.borrow().clone().unwrap();
        self.known.retain(|a| a.log != anchor.log);
        self.known.push(anchor);
    }

    /// What the next start says.
    fn refuses(&self, place: &Place) -> String {
        match self.open(place, None).0 {
            Ok(_) => "nothing".into(),
            Err(error) => {
                assert!(matches!(error, AuditError::Behind { .. }), "{error}");
                assert!(error.to_string().contains("audit restored --because"));
                error.to_string()
            }
        }
    }

    fn verify(&self, place: &Place) -> Verification {
        let (keys, checkpoints) = ([public()], place.checkpoints());
        let trust = Trust {
            checkpoints: Some(&checkpoints),
            keys: &keys,
            anchors: Some(Anchors {
                place: HERE,
                known: &self.known,
            }),
            ..Trust::default()
        };
        verify(&place.log(), &trust).unwrap()
    }
}

type Opened = (Result<Log, AuditError>, watch::Receiver<Option<Anchor>>);

/// Keeps so many lines of all files of a family together, and deletes files that have none left.
fn cut(folder: &Path, family: &str, keep: usize) {
    let mut left = keep;
    for file in files(folder, family) {
        let all = lines(&file);
        let kept = all.len().min(left);
        left -= kept;
        match kept {
            0 => fs::remove_file(&file).unwrap(),
            kept => fs::write(&file, all[..kept].concat()).unwrap(),
        }
    }
}

/// The last checkpoint of the first `keep`, and the record that it names.
fn checkpoint(place: &Place, keep: usize) -> u64 {
    let all: Vec<Vec<u8>> = files(&place.checkpoints(), "checkpoints-")
        .iter()
        .flat_map(|f| lines(f))
        .collect();
    let statement: serde_json::Value = serde_json::from_slice(&all[keep - 1]).unwrap();
    statement["sequence"].as_u64().unwrap()
}

#[test]
fn both_tails_cut_alike_hold_by_themselves_and_not_against_the_third_place() {
    let original = Place::new();
    let mut third = Third::default();
    third.write(&original, 60);
    for keep in [1, 2, 5] {
        let place = original.copy();
        let records = checkpoint(&place, keep);
        cut(&place.log(), "audit-", usize::try_from(records).unwrap());
        cut(&place.checkpoints(), "checkpoints-", keep);
        // This is the hole: without a third place it is intact, signatures and all.
        let alone = place.verify();
        assert!(alone.intact, "{keep}: {}", told(&alone));

        let found = third.verify(&place);
        assert!(
            told(&found).contains("its tail was truncated"),
            "{}",
            told(&found)
        );
        assert!(third.refuses(&place).contains("its tail was truncated"));
    }
    assert!(third.verify(&original).intact);
    assert_eq!(third.refuses(&original), "nothing");
}

#[test]
fn an_older_copy_of_both_is_refused() {
    let place = Place::new();
    let mut third = Third::default();
    third.write(&place, 20);
    let old = place.copy();
    third.write(&place, 20);
    assert!(old.verify().intact);
    assert!(third.refuses(&old).contains("an older copy"));
}

#[test]
fn a_log_that_is_gone_with_its_checkpoints_is_no_fresh_start() {
    let place = Place::new();
    let mut third = Third::default();
    third.write(&place, 20);
    fs::remove_dir_all(place.log()).unwrap();
    fs::remove_dir_all(place.checkpoints()).unwrap();
    assert!(third.refuses(&place).contains("it was removed"));

    // Another one in its place is no better.
    let other = Place::new();
    other.write(3);
    assert!(third.refuses(&other).contains("removed or replaced"));
    let found = third.verify(&other);
    assert!(
        told(&found).contains("removed or replaced"),
        "{}",
        told(&found)
    );

    // A server elsewhere begins a log of its own.
    for anchor in &mut third.known {
        anchor.place = "there:/log".into();
    }
    assert_eq!(third.refuses(&Place::new()), "nothing");
}

#[test]
fn a_log_that_was_rewritten_or_lost_its_checkpoints_alone_is_refused() {
    let original = Place::new();
    let mut third = Third::default();
    third.write(&original, 20);
    let place = original.copy();
    cut(&place.checkpoints(), "checkpoints-", 1);
    // Its own records name checkpoints that are gone, or the catalog does.
    assert!(third.open(&place, None).0.is_err());

    let place = original.copy();
    fs::remove_dir_all(place.checkpoints()).unwrap();
    let told = third.refuses(&place);
    assert!(told.contains("the last checkpoint is 0"), "{told}");

    let mut other = Third {
        known: third.known.clone(),
    };
    other.known[0].head = "0".repeat(64);
    assert!(other.refuses(&original).contains("was rewritten"));
    assert!(!other.verify(&original).intact);
}

#[test]
fn a_crash_between_record_checkpoint_and_anchor_is_no_cut() {
    let place = Place::new();
    let mut third = Third::default();
    third.write(&place, 8);
    // Whatever the third place has missed: it is behind, and the log goes on.
    let old = third.known.clone();
    third.write(&place, 50);
    let behind = Third { known: old };
    assert_eq!(behind.refuses(&place), "nothing");
    assert!(behind.verify(&place).intact);
    // One that knows nothing, as after an upgrade or with a new catalog.
    assert_eq!(Third::default().refuses(&place), "nothing");
}

#[test]
fn a_log_without_checkpoints_is_anchored_too() {
    let place = Place::new();
    let options = |known: &[Anchor]| {
        let mut options = glovebox_audit::Options::new(place.log());
        let (anchorage, kept) = Anchorage::new(HERE.into(), known.to_vec());
        options.anchorage = Some(anchorage);
        (options, kept)
    };
    let (first, kept) = options(&[]);
    let log = Log::open(first).unwrap();
    for n in 0..5 {
        log.record_blocking(event(n)).unwrap();
    }
    log.close().unwrap();
    let anchor = kept.borrow().clone().unwrap();
    assert_eq!((anchor.sequence, anchor.checkpoint), (7, 0));
    cut(&place.log(), "audit-", 6);
    let refused = Log::open(options(&[anchor]).0).unwrap_err();
    assert!(matches!(refused, AuditError::Behind { .. }), "{refused}");
}

#[test]
fn a_log_that_was_restored_goes_on_and_says_so() {
    let place = Place::new();
    let mut third = Third::default();
    third.write(&place, 20);
    let backup = place.copy();
    third.write(&place, 20);
    let ahead = third.known[0].clone();

    let because = "backup of Monday, restored by ann";
    // Of one that is not behind there is nothing to say.
    let refused = third.open(&place, Some(because)).0.unwrap_err();
    assert!(matches!(refused, AuditError::NotBehind { .. }), "{refused}");

    let (log, kept) = third.open(&backup, Some(because));
    let log = log.unwrap();
    assert_eq!(log.restored(), Some(&ahead));
    log.close().unwrap();
    third.keep(&kept);
    let all: String = backup
        .segments()
        .iter()
        .map(|s| fs::read_to_string(s).unwrap())
        .collect();
    let record = all
        .lines()
        .find(|l| l.contains("\"log-restored\""))
        .unwrap();
    let record: serde_json::Value = serde_json::from_str(record).unwrap();
    assert_eq!(record["event.reason"], because);
    assert_eq!(record["user.id"], "uid:7");
    assert_eq!(record["labels.anchored"][1], ahead.sequence.to_string());
    let found = third.verify(&backup);
    assert!(found.intact, "{}", told(&found));
    let note = found
        .notes
        .iter()
        .any(|n| n.contains("was declared restored from a backup"));
    assert!(note, "{:?}", found.notes);
    third.write(&backup, 3);
}
