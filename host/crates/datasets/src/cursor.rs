//! Cursors: where the next page begins, encrypted, since a cursor may contain cells of columns that
//! its bearer may not see. A cursor is valid only for its user, dataset, order and filters, and its
//! length does not reveal that of the cells.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glovebox_core::DataType;
use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};
use sha2::{Digest, Sha256};

use super::{Cell, Query, Table};

/// Cursors longer than this are not looked at.
const MAX_LENGTH: usize = 4096;
/// Bytes that a place is filled up to: the first size that it fits into, nearly always the first at
/// all. Somebody who sees cursors of the second learns that the cells of the place are that long.
const SIZES: [usize; 2] = [512, MAX_LENGTH / 4 * 3 - NONCE_LEN - TAG];
/// What ChaCha20-Poly1305 adds.
const TAG: usize = 16;

/// Who asks what, for whom alone a cursor is good.
#[derive(Clone, Copy)]
pub struct Bound<'a> {
    /// The user's id.
    pub user: &'a str,
    /// The dataset's name.
    pub dataset: &'a str,
    /// What is asked, without where it begins.
    pub query: &'a Query,
}

impl Bound<'_> {
    fn digest(&self) -> Vec<u8> {
        let Bound {
            user,
            dataset,
            query,
        } = self;
        let said = format!("{user:?}\n{dataset}\n{:?}\n{:?}", query.sort, query.filters);
        Sha256::digest(said.as_bytes()).to_vec()
    }
}

/// Seals a place; none if it is too long, or the system has no random bytes.
pub fn seal(key: &LessSafeKey, bound: Bound<'_>, place: &[Cell]) -> Option<String> {
    let texts: Vec<Option<String>> = place.iter().map(Cell::text).collect();
    let mut sealed = serde_json::to_vec(&texts).ok()?;
    let size = SIZES.into_iter().find(|size| sealed.len() <= *size)?;
    // JSON does not mind.
    sealed.resize(size, b' ');
    let mut nonce = [0u8; NONCE_LEN];
    getrandom::fill(&mut nonce).ok()?;
    let aad = Aad::from(bound.digest());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
        .ok()?;
    let cursor = URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat());
    (cursor.len() <= MAX_LENGTH).then_some(cursor)
}

/// Opens a cursor; none unless one of the keys sealed it for this query.
pub fn open<'k>(
    keys: impl Iterator<Item = &'k LessSafeKey>,
    bound: Bound<'_>,
    table: &Table,
    cursor: &str,
) -> Option<Vec<Cell>> {
    if cursor.len() > MAX_LENGTH {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
    for key in keys {
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(bound.digest());
        let mut sealed = sealed.to_vec();
        let Ok(plain) = key.open_in_place(nonce, aad, &mut sealed) else {
            continue;
        };
        let texts: Vec<Option<String>> = serde_json::from_slice(plain).ok()?;
        let types = table.place_types(&bound.query.sort);
        if texts.len() != types.len() {
            return None;
        }
        return texts.iter().zip(types).map(|(t, d)| cell(t, d)).collect();
    }
    None
}

fn cell(text: &Option<String>, data_type: DataType) -> Option<Cell> {
    match text {
        None => Some(Cell::Null),
        Some(text) if text == "NaN" && data_type == DataType::Float64 => {
            Some(Cell::Float64(f64::NAN))
        }
        Some(text) => Cell::parse(text, data_type),
    }
}

#[cfg(test)]
mod tests {
    use ring::aead::{CHACHA20_POLY1305, UnboundKey};

    use super::super::{Column, Key, Sort};
    use super::*;

    fn key(byte: u8) -> LessSafeKey {
        LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &[byte; 32]).unwrap())
    }

    fn table() -> Table {
        Table {
            schema: None,
            name: "sales".into(),
            columns: vec![Column {
                name: "price".into(),
                data_type: DataType::Float64,
                not_null: false,
            }],
            key: Key::RowId,
        }
    }

    fn query(descending: bool) -> Query {
        Query {
            columns: vec![0],
            filters: Vec::new(),
            sort: vec![Sort {
                column: 0,
                descending,
            }],
            after: None,
            limit: 3,
        }
    }

    #[test]
    fn a_cursor_opens_for_its_own_query_and_key_only() {
        let (one, two) = (key(1), key(2));
        let (query, other) = (query(true), super::tests::query(false));
        let bound = |user, dataset| Bound {
            user,
            dataset,
            query: &query,
        };
        let ours = bound("usr_a", "sales");
        let open = |keys: &[&LessSafeKey], bound: Bound<'_>, c: &str| {
            super::open(keys.iter().copied(), bound, &table(), c)
        };
        for place in [
            vec![Cell::Float64(9.99), Cell::Int64(7)],
            vec![Cell::Null, Cell::Int64(-1)],
            vec![Cell::Float64(f64::INFINITY), Cell::Int64(0)],
        ] {
            let cursor = seal(&one, ours, &place).unwrap();
            assert_eq!(open(&[&two, &one], ours, &cursor), Some(place));
            assert_eq!(open(&[&two], ours, &cursor), None);
            for bound in [
                bound("usr_a", "other"),
                bound("usr_b", "sales"),
                Bound {
                    query: &other,
                    ..ours
                },
            ] {
                assert_eq!(open(&[&one], bound, &cursor), None);
            }
            let mut bent = cursor.clone().into_bytes();
            bent[20] ^= 1;
            let bent = String::from_utf8(bent).unwrap();
            assert_eq!(open(&[&one], ours, &bent), None);
        }
        for nonsense in ["", "a", "AAAA", &"A".repeat(5000), "ä"] {
            assert_eq!(open(&[&one], ours, nonsense), None);
        }
    }

    #[test]
    fn its_length_does_not_follow_its_cells() {
        let query = query(true);
        let bound = Bound {
            user: "usr_a",
            dataset: "sales",
            query: &query,
        };
        let sealed = |length: usize| {
            let place = [Cell::Text("x".repeat(length)), Cell::Int64(7)];
            seal(&key(1), bound, &place).map(|c| c.len())
        };
        let lengths: std::collections::BTreeSet<_> = (0..500).map(sealed).collect();
        assert_eq!(lengths.len(), 1, "{lengths:?}");
        assert_eq!(sealed(600), Some(MAX_LENGTH));
        assert_eq!(sealed(3000), Some(MAX_LENGTH));
        assert_eq!(sealed(3100), None);
    }
}
