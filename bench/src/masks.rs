//! Each masker in a whole run: from a file into a file, and tokens into PostgreSQL.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE as BASE64;
use glovebox_masking::methods::Opener;
use glovebox_tests::postgres::Postgres;

use crate::{generate, glovebox, median};

const ROWS: u64 = 2_000_000;
const TURNS: usize = 3;

/// Options of the step that masks `ssn`, which nearly every row has another of.
const MASKERS: [(&str, &str); 11] = [
    ("`partial`", "mask: partial, with: { mask-last: 4 }"),
    ("`redact`", "mask: redact"),
    (
        "`pseudonym`, `hmac-sha256`",
        "mask: pseudonym, with: { method: hmac-sha256 }, keys: { pseudonym: key }",
    ),
    (
        "`encrypt`, `aes-siv`",
        "mask: encrypt, with: { method: aes-siv }, keys: { encrypt: key }",
    ),
    (
        "`encrypt`, `fernet`",
        "mask: encrypt, with: { method: fernet }, keys: { encrypt: key }",
    ),
    (
        "`encrypt`, `seal` to X25519",
        "mask: encrypt, with: { method: seal }, keys: { encrypt: recipient }",
    ),
    (
        "`format-preserving`, 9 digits",
        "mask: format-preserving, keys: { encrypt: key }",
    ),
    (
        "`fake`, `full-name`",
        "mask: fake, with: { kind: full-name }, keys: { fake: key }",
    ),
    (
        "`fake`, `card`",
        "mask: fake, with: { kind: card }, keys: { fake: key }",
    ),
    (
        "`date-shift` by `id`",
        "mask: date-shift, reads: [id], with: { entity: id, days: 180 }, keys: { shift: key }",
    ),
    ("`partial` again", "mask: partial, with: { mask-last: 4 }"),
];

/// From CSV to CSV, a run a masker and turn.
pub(crate) fn files() -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    generate::people(&folder.path().join("people.csv"), ROWS)?;
    let manifest = folder.path().join("people.yaml");
    let recipient = BASE64.encode(Opener::new(&[7; 32])?.public_key());
    let secrets = [
        ("GLOVEBOX_SECRET_KEY", BASE64.encode([7; 32])),
        ("GLOVEBOX_SECRET_RECIPIENT", format!("x25519:{recipient}")),
    ];
    let secrets: Vec<_> = secrets.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let mut lines = Vec::new();
    for (name, masker) in MASKERS {
        let column = if masker.contains("date-shift") {
            "joined"
        } else {
            "ssn"
        };
        write(
            &manifest,
            column,
            masker,
            "{ csv: { path: out.csv, mode: replace } }",
        )?;
        let (mut rates, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            let ran = glovebox::run_with(&manifest, &[], &secrets)?;
            rates.push(stored(&ran)? / ran.wall.as_secs_f64());
            memory.push(ran.mebibytes());
        }
        lines.push(format!(
            "| {name}, CSV → CSV | {:.2} M rows/s, {:.0} MiB | ≤ 200 MiB |",
            median(rates) / 1e6,
            median(memory)
        ));
    }
    Ok(lines)
}

/// Into PostgreSQL: cells that nobody has had before, the same again, and without tokens.
pub(crate) fn tokens() -> anyhow::Result<Vec<String>> {
    let server = Postgres::start_with("fsync = on\nmax_wal_size = 4GB\nshared_buffers = 512MB\n");
    let database = server.database("tokens");
    let folder = tempfile::tempdir()?;
    generate::people(&folder.path().join("people.csv"), ROWS)?;
    let manifest = folder.path().join("people.yaml");
    let officer = |seed: u8| {
        let public = Opener::new(&[seed; 32])?.public_key();
        anyhow::Ok(format!("x25519:{}", BASE64.encode(public)))
    };
    let tokenize = format!(
        "mask: tokenize, keys: {{ tokenize: key }}, tokens: {{ officers: [\"{}\", \"{}\"] }}",
        officer(1)?,
        officer(2)?
    );
    let hmac = "mask: pseudonym, with: { method: hmac-sha256 }, keys: { pseudonym: key }";
    let sink = |table: &str| {
        format!(
            "{{ postgres: {{ {}, table: public.{table}, mode: append }} }}",
            server.place(&database),
        )
    };
    let key = BASE64.encode([7; 32]);
    let secrets = [
        ("GLOVEBOX_SECRET_KEY", key.as_str()),
        ("GLOVEBOX_SECRET_PASSWORD", server.password()),
    ];
    let turns = [
        ("`hmac-sha256`, for comparison", hmac, "aliases", ""),
        (
            "`tokenize`, every cell new",
            tokenize.as_str(),
            "first",
            "≥ 50,000 new/s",
        ),
        (
            "`tokenize`, every cell known",
            tokenize.as_str(),
            "second",
            "≥ 500,000 known/s",
        ),
    ];
    let mut lines = Vec::new();
    for (name, masker, table, goal) in turns {
        server.query(&database, "CHECKPOINT");
        server.query(
            &database,
            &format!(
                "CREATE TABLE public.{table} (id bigint, first text, last text, email text, \
                 ssn text, amount double precision, joined date)"
            ),
        );
        write(&manifest, "ssn", masker, &sink(table))?;
        let ran = glovebox::run_with(&manifest, &["--again"], &secrets)?;
        lines.push(format!(
            "| {name}, CSV → PostgreSQL over TLS | {:.0} rows/s, {:.0} MiB | {goal} |",
            stored(&ran)? / ran.wall.as_secs_f64(),
            ran.mebibytes()
        ));
    }
    let kept = server.query(&database, "SELECT count(*)::text FROM glovebox.token");
    let kept = kept.into_iter().flatten().flatten().next();
    lines.push(format!(
        "| tokens that are kept after both | {} | |",
        kept.unwrap_or_default()
    ));
    Ok(lines)
}

/// The job, with one step.
fn write(manifest: &Path, column: &str, masker: &str, sink: &str) -> std::io::Result<()> {
    let personal = |name: &str| {
        if name == column {
            ", personal: true"
        } else {
            ""
        }
    };
    std::fs::write(
        manifest,
        format!(
            "name: people\nsource: {{ csv: {{ path: people.csv }} }}\ncredentials: [env]\n\
             columns:\n  id: {{ type: int64 }}\n  first: {{ type: text }}\n  last: {{ type: text }}\n  \
             email: {{ type: text }}\n  ssn: {{ type: text{} }}\n  amount: {{ type: float64 }}\n  \
             joined: {{ type: date{} }}\n\
             steps:\n  - {{ name: mask, masks: [{column}], {masker} }}\nsink: {sink}\n",
            personal("ssn"),
            personal("joined"),
        ),
    )
}

fn stored(ran: &glovebox::Ran) -> anyhow::Result<f64> {
    let stored = ran.number("/rows/stored");
    anyhow::ensure!(
        stored == Some(ROWS as f64),
        "stored {stored:?} of {ROWS} rows"
    );
    Ok(ROWS as f64)
}
