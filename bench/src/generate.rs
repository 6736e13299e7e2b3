//! The benchmark's file: seven columns, 73 bytes a row on average, the same for the same number of
//! rows.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

const FIRST: [&str; 8] = [
    "Ann",
    "Bartholomew",
    "Chioma",
    "Dmitri",
    "Eva",
    "Farida",
    "Giovanni",
    "Ines",
];
const LAST: [&str; 8] = [
    "Abara",
    "Brown",
    "Castellano",
    "Dubois",
    "Evans",
    "Fischer",
    "Gonzalez",
    "Haddad",
];

/// Writes `rows` rows under a header.
pub(crate) fn people(path: &Path, rows: u64) -> std::io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "id,first,last,email,ssn,amount,joined")?;
    // A linear congruential generator (Knuth's MMIX constants); quality does not matter here.
    let mut state: u64 = 42;
    for id in 0..rows {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let r = state >> 33;
        let (first, last) = (pick(&FIRST, r), pick(&LAST, r >> 3));
        writeln!(
            out,
            "{id},{first},{last},{first}.{last}@mail.net,{:03}-{:02}-{:04},{}.{:02},20{:02}-{:02}-{:02}",
            r % 900 + 1,
            r / 7 % 99 + 1,
            r / 11 % 9_999 + 1,
            r % 10_000,
            r / 13 % 100,
            r % 26,
            r % 12 + 1,
            r % 28 + 1,
        )?;
    }
    out.flush()
}

fn pick<'a>(of: &[&'a str; 8], r: u64) -> &'a str {
    of.get((r % 8) as usize).copied().unwrap_or_default()
}
