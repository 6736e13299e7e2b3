//! The root over a run's chunks: a Merkle tree hash (RFC 6962, section 2.1) with a leaf for each chunk.
//!
//! Leaves are chunks and not rows: a row has so few possible values that its digest could be found by trying.

use glovebox_core::{ChunkRecord, Digest as ChunkDigest, hex};
use sha2::{Digest, Sha256};

/// A leaf before it is hashed.
pub type Leaf = Vec<u8>;

/// The leaf of a stored chunk: its place, its counts, the digest of its lines, and that of its stored rows
/// if it was taken.
pub fn leaf(chunk: &ChunkRecord, stored: Option<&ChunkDigest>) -> Leaf {
    let rows = chunk.rows;
    let stored = stored.map_or_else(|| "-".to_owned(), hex);
    format!(
        "glovebox-chunk-1 {} {} {} {} {} {} {} {stored}",
        chunk.index,
        chunk.first_row,
        rows.read,
        rows.stored,
        rows.filtered,
        rows.rejected,
        hex(chunk.digest)
    )
    .into_bytes()
}

/// The root over leaves.
pub fn root(leaves: &[Leaf]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => {
            let mut hash = Sha256::new();
            hash.update([0]);
            hash.update(leaf);
            hash.finalize().into()
        }
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            let mut hash = Sha256::new();
            hash.update([1]);
            hash.update(root(left));
            hash.update(root(right));
            hash.finalize().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use glovebox_core::RowCounts;

    use super::*;

    #[test]
    fn a_leaf_says_all_that_the_journal_has_of_a_chunk() {
        let chunk = ChunkRecord {
            index: 3,
            first_row: 40,
            rows: RowCounts {
                read: 10,
                stored: 7,
                filtered: 2,
                rejected: 1,
            },
            digest: [0xab; 32],
            ..ChunkRecord::default()
        };
        let (lines, rows) = ("ab".repeat(32), "cd".repeat(32));
        assert_eq!(
            leaf(&chunk, Some(&[0xcd; 32])),
            format!("glovebox-chunk-1 3 40 10 7 2 1 {lines} {rows}").as_bytes()
        );
        assert_eq!(
            leaf(&chunk, None),
            format!("glovebox-chunk-1 3 40 10 7 2 1 {lines} -").as_bytes()
        );
    }

    /// The vectors of Certificate Transparency's reference implementations.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let leaves: Vec<Leaf> = [
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f",
        ]
        .iter()
        .map(|leaf| {
            let digits = leaf.as_bytes().chunks(2);
            digits
                .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
                .collect()
        })
        .collect();
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (count, expected) in roots.iter().enumerate() {
            assert_eq!(hex(root(&leaves[..count])), *expected, "{count} leaves");
        }
    }
}
