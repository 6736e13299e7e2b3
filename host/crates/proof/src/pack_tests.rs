use glovebox_core::{RowCounts, Secret};

use super::*;
use crate::statement::{Counts, Predicate, Subject};

const SEED: &str = "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs=";
const OTHER: &str = "ya_YRbp1FmtcIVdnsdaTTlDD2zbom5EreZi6IrEg9nI=";

fn key(format: PackFormat) -> SigningKey {
    SigningKey::from_secret(&Secret::new(SEED.into()), format).unwrap()
}

fn statement() -> Statement {
    let rows = RowCounts {
        read: 5,
        stored: 3,
        filtered: 1,
        rejected: 1,
    };
    let predicate = Predicate {
        rows: Counts::of(rows, true),
        ..Predicate::default()
    };
    Statement::new(
        vec![Subject::file("clean.csv".into(), "00".repeat(32))],
        predicate,
    )
}

#[test]
fn a_pack_gives_its_statement_back() {
    for format in [PackFormat::Sigstore, PackFormat::Dsse] {
        let key = key(format);
        let pack = seal(&statement(), &key).unwrap();
        let opened = open(pack.as_bytes(), key.public()).unwrap();
        assert_eq!((&opened.statement, opened.format), (&statement(), format));
        assert_eq!(opened.key, key.public().id());
        assert_eq!(read(pack.as_bytes()), Ok(opened));
    }
}

#[test]
fn every_bit_of_a_pack_counts() {
    for format in [PackFormat::Sigstore, PackFormat::Dsse] {
        let key = key(format);
        let mut pack = seal(&statement(), &key).unwrap().into_bytes();
        for bit in 0..pack.len() * 8 {
            pack[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&pack, key.public()).is_err(), "bit {bit}");
            pack[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(open(&pack, key.public()).is_ok());
        pack.push(b'\n');
        assert_eq!(open(&pack, key.public()), Err(ProofError::Spelling));
        for end in 0..pack.len() - 1 {
            assert!(open(&pack[..end], key.public()).is_err(), "{end} bytes");
        }
    }
}

#[test]
fn another_key_is_told_from_a_changed_pack() {
    let pack = seal(&statement(), &key(PackFormat::Sigstore)).unwrap();
    let other = Secret::new(OTHER.into());
    let other = SigningKey::from_secret(&other, PackFormat::Sigstore).unwrap();
    assert!(matches!(
        open(pack.as_bytes(), other.public()),
        Err(ProofError::OtherKey { .. })
    ));
    assert!(matches!(
        open(pack.as_bytes(), key(PackFormat::Dsse).public()),
        Err(ProofError::KeyKind { .. })
    ));
    // Signed by the one, in the name of the other.
    let parts = Parts::read(pack.as_bytes()).unwrap();
    let id = other.public().id();
    let forged = spell(&parts.body, &parts.signature, &id, parts.format).unwrap();
    assert_eq!(
        open(forged.as_bytes(), other.public()),
        Err(ProofError::Signature)
    );
}

#[test]
fn a_statement_that_contradicts_itself_is_not_signed() {
    let mut wrong = statement();
    wrong.predicate.rows.stored += 1;
    let refused = |statement: &Statement| seal(statement, &key(PackFormat::Dsse)).unwrap_err();
    assert!(matches!(refused(&wrong), ProofError::Contradiction(_)));
    let mut wrong = statement();
    wrong.predicate.rows.read = None;
    assert!(matches!(refused(&wrong), ProofError::Contradiction(_)));
    let mut wrong = statement();
    wrong.subject.clear();
    assert!(matches!(refused(&wrong), ProofError::Contradiction(_)));
}

#[test]
fn counts_are_told_all_or_none() {
    let rows = RowCounts {
        read: 107,
        stored: 100,
        filtered: 4,
        rejected: 3,
    };
    let untold = serde_json::to_string(&Counts::of(rows, false)).unwrap();
    assert_eq!(untold, r#"{"stored":100}"#);
    assert_eq!(Counts::of(rows, true).filtered, Some(4));
}
