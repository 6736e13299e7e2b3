//! Whole columns through the ring: the reference values, equality with the plain computation,
//! and what is said when something does not fit.

use std::sync::{Arc, Barrier};
use std::thread;

use ::hmac::{Hmac, KeyInit, Mac};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, StringArray};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use glovebox_core::{Form, Spans, StepKey};
use sha2::Sha256;

use super::*;

const CANARY: &str = "canary-0d4e";

fn keys(keys: &[(&str, &[u8])]) -> StepKeys {
    let keys = keys
        .iter()
        .map(|(name, key)| StepKey::new(*name, Secret::new(key.to_vec())));
    StepKeys {
        keys: keys.collect(),
        domain: None,
        tokens: None,
    }
}

fn ring(key: &str) -> Ring {
    Ring::new(keys(&[("pseudonym", key.as_bytes())])).unwrap()
}

fn mask(
    ring: &Ring,
    key: &str,
    method: &Method,
    target: &Target,
    column: &ArrayRef,
) -> Result<ArrayRef, KeyError> {
    let masking = Masking {
        key,
        method,
        target,
        column,
        name: "column",
        entity: None,
    };
    let computed = ring.mask(&masking)?;
    assert_eq!(computed.refused, []);
    Ok(computed.column)
}

fn text(cells: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

fn cells(column: &ArrayRef) -> Vec<&str> {
    column
        .as_string::<i32>()
        .iter()
        .map(Option::unwrap)
        .collect()
}

const fn pbkdf2(iterations: u32) -> Method {
    Method::Pbkdf2Sha256 { iterations }
}

#[test]
fn the_reference_values_are_met() {
    let column = text(&["cust0", "cust1", "cust2", "customer123", "cust1"]);
    let masked = mask(
        &ring("salt"),
        "pseudonym",
        &pbkdf2(100_000),
        &Target::Cells,
        &column,
    )
    .unwrap();
    assert_eq!(
        cells(&masked),
        [
            "IDqw0ufI5mdmEhyz3XRkODwQPhsMHnbj3ei7kLYEIZc=",
            "_WZU5qAvYek7ckQMqoo1a949VT5o_UeVNVk8Sq-vNk0=",
            "OViAmfMozeS4Qac7UpQRKD4VwlI83NDteGWpAbO3KPQ=",
            "SS3l6b2KQzFXikah7zM_K8bNY_wdmErYsM1K9nF3akY=",
            "_WZU5qAvYek7ckQMqoo1a949VT5o_UeVNVk8Sq-vNk0=",
        ]
    );
}

#[test]
fn a_hundred_thousand_codes_equal_the_plain_computation() {
    let values: Vec<_> = (0..100_000)
        .map(|i| match i % 3 {
            0 => format!("cust{i}"),
            1 => format!("Łódź {i} ✓"),
            _ => format!("{i:0width$}", width = i % 200 + 1),
        })
        .collect();
    let column: ArrayRef = Arc::new(StringArray::from(values.clone()));
    let masked = mask(
        &ring("pepper"),
        "pseudonym",
        &Method::HmacSha256,
        &Target::Cells,
        &column,
    )
    .unwrap();
    assert_eq!(masked.len(), values.len());
    for (masked, value) in masked.as_string::<i32>().iter().zip(&values) {
        let mut plain = Hmac::<Sha256>::new_from_slice(b"pepper").unwrap();
        plain.update(value.as_bytes());
        let plain = URL_SAFE.encode(plain.finalize().into_bytes());
        assert_eq!(masked, Some(&*plain));
    }
}

#[test]
fn pbkdf2_through_workers_and_memo_equals_the_plain_computation() {
    const WORKERS: usize = 4;
    let ring = ring("salt");
    let values: Vec<_> = (0..500).map(|i| format!("ünï{}", i % 180)).collect();
    let column: ArrayRef = Arc::new(StringArray::from(values.clone()));
    let start = Barrier::new(WORKERS);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                start.wait();
                let masked =
                    mask(&ring, "pseudonym", &pbkdf2(20), &Target::Cells, &column).unwrap();
                for (masked, value) in cells(&masked).into_iter().zip(&values) {
                    let plain =
                        ::pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(value.as_bytes(), b"salt", 20);
                    assert_eq!(masked, URL_SAFE.encode(plain));
                }
            });
        }
    });
}

/// HMAC takes a key and the same key with a NUL behind it for one; PBKDF2 does not.
#[test]
fn keys_that_hmac_takes_for_one_do_not_share_a_remembered_result() {
    let two = Ring::new(keys(&[("a", b"one"), ("b", b"one\0")])).unwrap();
    let column = text(&["value"]);
    let masked = |ring: &Ring, key: &str| {
        let masked = mask(ring, key, &pbkdf2(3), &Target::Cells, &column);
        cells(&masked.unwrap())[0].to_owned()
    };
    let alone = Ring::new(keys(&[("b", b"one\0")])).unwrap();
    let first = masked(&two, "a");
    assert_eq!(masked(&two, "b"), masked(&alone, "b"));
    assert_ne!(first, masked(&two, "b"));
}

#[test]
fn keys_iterations_and_methods_never_share_a_remembered_result() {
    let ring = Ring::new(keys(&[("a", b"one"), ("b", b"two")])).unwrap();
    let column = text(&["value"]);
    let mut results = HashSet::new();
    for key in ["a", "b"] {
        for method in [pbkdf2(1), pbkdf2(2), pbkdf2(256), Method::HmacSha256] {
            for _ in 0..2 {
                let masked = mask(&ring, key, &method, &Target::Cells, &column).unwrap();
                results.insert((key, method.clone(), cells(&masked)[0].to_owned()));
            }
        }
    }
    let texts: HashSet<_> = results.iter().map(|(.., text)| text.clone()).collect();
    assert_eq!((results.len(), texts.len()), (8, 8));
}

#[test]
fn a_ring_that_may_remember_nothing_still_masks() {
    let forgetful = Ring::with_memo(keys(&[("pseudonym", b"salt")]), 0).unwrap();
    let column = text(&["a", "b", "a"]);
    let masked =
        |ring: &Ring| mask(ring, "pseudonym", &pbkdf2(3), &Target::Cells, &column).unwrap();
    assert_eq!(&masked(&forgetful), &masked(&ring("salt")));
}

#[test]
fn rows_and_spans_get_the_same_mask_as_a_whole_cell() {
    let ring = ring("salt");
    for method in [Method::HmacSha256, pbkdf2(5)] {
        let mask = |target: Target, column: ArrayRef| {
            super::tests::mask(&ring, "pseudonym", &method, &target, &column).unwrap()
        };
        let whole = mask(Target::Cells, text(&["42"]));
        let whole = cells(&whole)[0];
        let marks = BooleanArray::from(vec![true, false]);
        let rows = mask(Target::Rows(marks), text(&["42", "42"]));
        assert_eq!(cells(&rows), [whole, "42"]);
        let spans = Target::Spans(Spans {
            rows: vec![1],
            starts: vec![3],
            ends: vec![5],
        });
        let spans = mask(spans, text(&["42", "nr 42."]));
        assert_eq!(cells(&spans), ["42", &format!("nr {whole}.")]);
        let number = mask(Target::Cells, Arc::new(Int64Array::from(vec![42])));
        assert_eq!(cells(&number), [whole]);
    }
}

#[test]
fn what_does_not_fit_is_refused_in_words() {
    let ring = ring("salt");
    let column = text(&["a"]);
    let told = |key: &str, method: &Method, column: &ArrayRef| {
        mask(&ring, key, method, &Target::Cells, column)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        told("other", &Method::HmacSha256, &column),
        "key `other` is not in the step's `keys:` block; grant it with: keys: { other: \
         NAME-OF-SECRET }"
    );
    let ff1 = |alphabet: &str| {
        Method::Ff1(Form {
            alphabet: alphabet.into(),
            keep_first: 0,
            keep_last: 0,
            luhn: false,
        })
    };
    let words = super::tests::ring("a salt");
    assert_eq!(
        mask(
            &words,
            "pseudonym",
            &ff1("0123456789"),
            &Target::Cells,
            &column
        )
        .unwrap_err()
        .to_string(),
        "key `pseudonym`: ff1 takes a key of 16, 24 or 32 bytes, or the URL-safe base64 that `glovebox \
         secret set --generate` makes"
    );
    let key = URL_SAFE.encode([7; 32]);
    let good = super::tests::ring(&key);
    assert_eq!(
        mask(&good, "pseudonym", &ff1("00"), &Target::Cells, &column)
            .unwrap_err()
            .to_string(),
        "key `pseudonym`: a character is listed twice in the alphabet; name each once"
    );
    for iterations in [0, 10_000_001] {
        assert_eq!(
            told("pseudonym", &pbkdf2(iterations), &column),
            format!(
                "pbkdf2-sha256 takes 1 to 10000000 iterations, not {iterations}; 100000 is usual"
            )
        );
    }
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    assert_eq!(
        told("pseudonym", &Method::HmacSha256, &flags),
        "hmac-sha256 cannot mask boolean cells"
    );
}

#[test]
fn an_empty_key_and_a_doubled_name_are_refused() {
    assert_eq!(
        Ring::new(keys(&[("a", b"x"), ("b", b"")])).unwrap_err(),
        KeyError::Parameters("key `b` is empty, which would mask nothing; set its secret".into())
    );
    let doubled = Ring::new(keys(&[("a", CANARY.as_bytes()), ("a", b"y")])).unwrap_err();
    assert_eq!(doubled.to_string(), "key `a` is named twice");
    assert!(!format!("{doubled:?}").contains(CANARY));
}

#[test]
fn a_ring_shows_names_and_nothing_else() {
    let shown = format!("{:?}", ring(CANARY));
    assert_eq!(shown, r#"Ring { keys: ["pseudonym"] }"#);
}

#[test]
fn only_slow_methods_have_a_cost() {
    let ring = ring("salt");
    assert_eq!(ring.cost_of_one(&Method::HmacSha256), None);
    let cost = ring.cost_of_one(&pbkdf2(100_000)).unwrap();
    assert!(cost > Duration::from_millis(1), "{cost:?}");
}

#[test]
fn a_check_value_tells_keys_and_their_names_apart() {
    let check = |name: &str, key: &[u8]| Ring::new(keys(&[(name, key)])).unwrap().check_value();
    assert_eq!(check("a", b"key"), check("a", b"key"));
    let values: HashSet<_> = (0_u8..50).map(|i| check("a", &[i])).collect();
    assert!(values.len() > 45, "{}", values.len());
    assert_ne!(check("a", b"key"), check("b", b"key"));
}

#[test]
fn masks_are_alike_within_a_domain_and_nowhere_else() {
    let of = |domain: Option<&str>| {
        let domain = domain.map(Into::into);
        let key = URL_SAFE.encode([7; 32]);
        let keys = keys(&[("k", key.as_bytes())]).keys;
        Ring::new(StepKeys {
            keys,
            domain,
            tokens: None,
        })
        .unwrap()
    };
    let ff1 = Method::Ff1(Form {
        alphabet: "0123456789".into(),
        keep_first: 0,
        keep_last: 0,
        luhn: false,
    });
    for method in [Method::HmacSha256, pbkdf2(2), ff1] {
        let masked = |domain: Option<&str>, name: &str| {
            let masking = Masking {
                key: "k",
                method: &method,
                target: &Target::Cells,
                column: &text(&["123456789"]),
                name,
                entity: None,
            };
            cells(&of(domain).mask(&masking).unwrap().column)[0].to_owned()
        };
        assert_eq!(masked(Some("ids"), "a"), masked(Some("ids"), "b"));
        assert_ne!(masked(Some("ids"), "a"), masked(Some("id"), "a"));
        assert_ne!(masked(Some("ids"), "a"), masked(None, "a"));
        let by_name = masked(None, "a") != masked(None, "b");
        assert_eq!(by_name, method.is_undone(), "{}", method.name());
    }
}

#[test]
fn a_cell_that_cannot_be_masked_is_refused_alone() {
    let key = URL_SAFE.encode([7; 32]);
    let ring = ring(&key);
    let method = Method::Ff1(Form {
        alphabet: "0123456789".into(),
        keep_first: 0,
        keep_last: 0,
        luhn: false,
    });
    let column = text(&["123-45-6789", "12345", "", "1234567x"]);
    let masking = Masking {
        key: "pseudonym",
        method: &method,
        target: &Target::Cells,
        column: &column,
        name: "ssn",
        entity: None,
    };
    let computed = ring.mask(&masking).unwrap();
    assert_eq!(
        computed.refused,
        [(1, Refusal::Domain), (3, Refusal::Alphabet)]
    );
    let masked: Vec<_> = computed.column.as_string::<i32>().iter().collect();
    assert_eq!(masked.get(1..), Some(&[None, None, None][..]));
    let revealing = Revealing {
        key: "pseudonym",
        method: &method,
        name: "ssn",
        cells: DataType::Text,
        version: None,
        private: None,
    };
    let revealed = ring.reveal(&revealing, &[masked[0].unwrap()]).unwrap();
    assert_eq!(revealed[0].as_ref().unwrap().expose(), b"123-45-6789");
    let revealing = Revealing {
        method: &Method::HmacSha256,
        ..revealing
    };
    assert_eq!(
        ring.reveal(&revealing, &["x"]).err(),
        Some(KeyError::OneWay("hmac-sha256"))
    );
}

/// Whoever adds a row to a column that is masked without a domain chooses what is hashed under the key itself.
#[test]
fn no_cell_has_the_key_of_a_domain_for_its_mask() {
    let key = URL_SAFE.encode([7; 32]);
    let ring = ring(&key);
    let of_domain = Ring::new(StepKeys {
        domain: Some("email".into()),
        ..keys(&[("pseudonym", key.as_bytes())])
    });
    let of_domain = of_domain.unwrap();
    let secret = of_domain.key("pseudonym").unwrap().secret.clone();
    for cell in [
        b"email".as_slice(),
        b"glovebox domain",
        b"glovebox domain\0email",
    ] {
        let column: ArrayRef = Arc::new(arrow_array::BinaryArray::from(vec![cell]));
        let masked = mask(
            &ring,
            "pseudonym",
            &Method::HmacSha256,
            &Target::Cells,
            &column,
        );
        let mask = URL_SAFE.decode(cells(&masked.unwrap())[0]).unwrap();
        assert_ne!(mask, secret.expose());
    }
}

/// A key on a server that fails when it is told to, and says what it was asked.
#[derive(Debug, Default)]
struct Elsewhere {
    asked: std::sync::Mutex<Vec<Vec<u8>>>,
    fails: std::sync::atomic::AtomicBool,
}

impl glovebox_core::RemoteKey for Elsewhere {
    fn version(&self) -> u32 {
        4
    }

    fn longest(&self) -> usize {
        16
    }

    fn hmac_sha256(&self, values: &[&[u8]]) -> Result<Vec<[u8; 32]>, KeyError> {
        if self.fails.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(KeyError::Remote("it is away".into()));
        }
        let mut asked = self.asked.lock().unwrap();
        asked.extend(values.iter().map(|value| value.to_vec()));
        let keyed = Keyed::new(b"salt").unwrap();
        Ok(values.iter().map(|value| keyed.mask(value)).collect())
    }
}

fn elsewhere(domain: Option<Arc<str>>) -> Result<(Ring, Arc<Elsewhere>), KeyError> {
    let server = Arc::new(Elsewhere::default());
    let key = StepKey {
        name: "pseudonym".into(),
        held: HeldKey::Remote(Arc::clone(&server) as Arc<dyn glovebox_core::RemoteKey>),
    };
    let ring = Ring::new(StepKeys {
        keys: vec![key],
        domain,
        tokens: None,
    })?;
    Ok((ring, server))
}

#[test]
fn a_key_that_is_elsewhere_masks_like_one_that_is_here_and_is_asked_once_for_a_value() {
    let (remote, server) = elsewhere(None).unwrap();
    let here = ring("salt");
    assert_eq!(remote.check_value(), here.check_value());
    let column = text(&["cust0", "cust1", "cust0", "", "Łódź"]);
    let rows = Target::Rows(BooleanArray::from(vec![true, false, true, true, true]));
    let spans = Target::Spans(Spans {
        rows: vec![0, 4],
        starts: vec![0, 0],
        ends: vec![4, 2],
    });
    for target in [Target::Cells, rows, spans] {
        let masked = |ring| mask(ring, "pseudonym", &Method::HmacSha256, &target, &column);
        let (there, here) = (masked(&remote).unwrap(), masked(&here).unwrap());
        assert_eq!(&there, &here);
    }
    let mut asked = server.asked.lock().unwrap().clone();
    asked.sort();
    let expected: [&[u8]; 6] = [
        b"check-valuepseudonym",
        b"cust",
        b"cust0",
        b"cust1",
        "Ł".as_bytes(),
        "Łódź".as_bytes(),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_cell_that_is_too_long_for_the_server_is_refused_and_not_sent() {
    let (remote, server) = elsewhere(None).unwrap();
    let column = text(&["cust0", CANARY, "canary-of-seventeen"]);
    let masking = Masking {
        key: "pseudonym",
        method: &Method::HmacSha256,
        target: &Target::Cells,
        column: &column,
        name: "column",
        entity: None,
    };
    let computed = remote.mask(&masking).unwrap();
    assert_eq!(computed.refused, [(2, Refusal::Length)]);
    assert!(computed.column.is_null(2));
    let asked = server.asked.lock().unwrap();
    assert!(!asked.iter().any(|value| value.ends_with(b"seventeen")));
}

#[test]
fn a_server_that_fails_masks_nothing_and_its_failure_is_told_from_a_plugins() {
    let (remote, server) = elsewhere(None).unwrap();
    let masked = |cells: &[&str]| {
        let column = text(cells);
        mask(
            &remote,
            "pseudonym",
            &Method::HmacSha256,
            &Target::Cells,
            &column,
        )
    };
    assert!(masked(&["cust0"]).is_ok());
    server
        .fails
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let away = KeyError::Remote("it is away".into());
    assert_eq!(masked(&["cust0", "cust1"]).err(), Some(away));
    assert!(masked(&["cust0"]).is_ok());
    let other = mask(
        &remote,
        "pseudonym",
        &pbkdf2(1000),
        &Target::Cells,
        &text(&["cust0"]),
    );
    assert!(
        other
            .unwrap_err()
            .to_string()
            .contains("by hmac-sha256 only")
    );
    let domain = elsewhere(Some("people".into())).err().unwrap().to_string();
    assert!(domain.contains("delete `domain:`"), "{domain}");
}
