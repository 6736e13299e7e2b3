use proptest::prelude::*;

use super::*;

const SECRET: &str = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
/// 1985-10-26T01:20:00-07:00, the time of the specification's vectors.
const TIME: u64 = 499_162_800;

fn fernet() -> Fernet {
    Fernet::new(SECRET.as_bytes()).unwrap()
}

fn opened(token: &str, age: Option<MaxAge>) -> Result<Vec<u8>, Refusal> {
    let mut buffer = FernetBuffer::default();
    fernet()
        .decrypt(token, age, &mut buffer)
        .map(<[u8]>::to_vec)
}

fn within(seconds: u64, now: u64) -> Option<MaxAge> {
    Some(MaxAge { seconds, now })
}

/// `generate.json` and `verify.json` of the specification, one case each.
#[test]
fn valid_vectors_of_the_specification_hold() {
    let token = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7Jcbm\
                 rR64jVmpU4IwqDA==";
    let iv = std::array::from_fn(|n| n as u8);
    let mut buffer = FernetBuffer::default();
    assert_eq!(
        fernet().encrypt_with(iv, TIME, b"hello", &mut buffer),
        Ok(token)
    );
    assert_eq!(opened(token, within(60, TIME + 1)), Ok(b"hello".to_vec()));
    println!("fernet: 1 of 1 to generate, 1 of 1 to verify");
}

/// `invalid.json` of the specification, all eight: what is wrong, the token, seconds after `TIME`.
#[test]
fn invalid_vectors_of_the_specification_do_not_open() {
    let cases = [
        (
            "incorrect mac",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUF\
             BQUFBQUFBQQ==",
            1,
        ),
        (
            "too short",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==",
            1,
        ),
        (
            "invalid base64",
            "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtf\
             sH-p1YsUD2Q==",
            1,
        ),
        (
            "payload size not multiple of block size",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPOm73QeoCk9uGib28Xe5vz6oxq5nmxbx_v7\
             mrfyudzUm",
            1,
        ),
        (
            "payload padding error",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0ODz4LEpdELGQAad7aNEHbf-JkLPIpuiYRLQ3RtXatOYREu2FWke6CnJN\
             YIbkuKNqOhw==",
            1,
        ),
        (
            "far-future TS (unacceptable clock skew)",
            "gAAAAAAdwStRAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAnja1xKYyhd-Y6mSkTOyTGJmw2Xc2a6kBd\
             -iX9b_qXQcw==",
            1,
        ),
        (
            "expired TTL",
            "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykRtf\
             sH-p1YsUD2Q==",
            91,
        ),
        (
            "incorrect IV (causes padding error)",
            "gAAAAAAdwJ6xBQECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAkLhFLHpGtDBRLRTZeUfWgHSv49TF2AUEZ\
             1TIvcZjK1zQ==",
            1,
        ),
    ];
    for (wrong, token, after) in cases {
        assert_eq!(
            opened(token, within(60, TIME + after)),
            Err(Refusal::Closed),
            "{wrong}"
        );
    }
    // Without their times, two of them are tokens like any other.
    assert_eq!(
        cases
            .iter()
            .filter(|(_, token, _)| opened(token, None).is_ok())
            .count(),
        2
    );
    println!("fernet: {} of 8 invalid ones refused", cases.len());
}

#[test]
fn age_is_judged_to_the_second() {
    let mut buffer = FernetBuffer::default();
    let token = fernet()
        .encrypt_with([1; 16], TIME, b"v", &mut buffer)
        .unwrap();
    for (now, seconds, opens) in [
        (TIME, 0, true),
        (TIME + 1, 0, false),
        (TIME + 60, 60, true),
        (TIME + 61, 60, false),
        (TIME - 60, 60, true),
        (TIME - 61, 60, false),
        (u64::MAX, u64::MAX, true),
    ] {
        assert_eq!(
            opened(token, within(seconds, now)).is_ok(),
            opens,
            "{now} {seconds}"
        );
    }
}

#[test]
fn keys_are_32_bytes_or_their_text() {
    let bytes = URL_SAFE.decode(SECRET).unwrap();
    let mut buffer = FernetBuffer::default();
    let token = fernet()
        .encrypt_with([1; 16], TIME, b"v", &mut buffer)
        .unwrap();
    let mut back = FernetBuffer::default();
    let other = Fernet::new(&bytes).unwrap();
    assert_eq!(other.decrypt(token, None, &mut back), Ok(&b"v"[..]));
    for bad in [
        &b"short"[..],
        &[0; 31],
        &[0; 64],
        &[0; 44],
        &SECRET.as_bytes()[..43],
    ] {
        let error = Fernet::new(bad).err().map(|error| error.to_string());
        let wanted = "fernet takes a key of 32 bytes";
        assert!(error.is_some_and(|error| error.starts_with(wanted)));
    }
}

#[test]
fn any_value_comes_back_never_twice_the_same_and_one_sign_closes_it() {
    proptest!(|(value: Vec<u8>, place: prop::sample::Index)| {
        let (mut random, fernet) = (Random::new().unwrap(), fernet());
        let mut buffer = FernetBuffer::default();
        let mut token = || {
            let token = fernet.encrypt(&mut random, TIME, &value, &mut buffer);
            token.unwrap().to_owned()
        };
        let (one, two) = (token(), token());
        prop_assert_ne!(&one, &two);
        prop_assert_eq!(opened(&one, None), Ok(value));
        let mut altered = one.into_bytes();
        let place = place.index(altered.len());
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        prop_assert_eq!(opened(&altered, None), Err(Refusal::Closed));
        prop_assert_eq!(opened(&two[..two.len() - 4], None), Err(Refusal::Closed));
    });
}
