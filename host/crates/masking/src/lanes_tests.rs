//! Every path of this machine against the published vectors and against the `pbkdf2` crate.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

fn plain(value: &[u8], salt: &[u8], iterations: u32) -> Mask {
    pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(value, salt, iterations)
}

/// RFC 7914 §11, the first 32 of their 64 bytes, which are PBKDF2's first block.
const VECTORS: [(&[u8], &[u8], u32, Mask); 2] = [
    (
        b"passwd",
        b"salt",
        1,
        [
            0x55, 0xac, 0x04, 0x6e, 0x56, 0xe3, 0x08, 0x9f, 0xec, 0x16, 0x91, 0xc2, 0x25, 0x44,
            0xb6, 0x05, 0xf9, 0x41, 0x85, 0x21, 0x6d, 0xde, 0x04, 0x65, 0xe6, 0x8b, 0x9d, 0x57,
            0xc2, 0x0d, 0xac, 0xbc,
        ],
    ),
    (
        b"Password",
        b"NaCl",
        80_000,
        [
            0x4d, 0xdc, 0xd8, 0xf6, 0x0b, 0x98, 0xbe, 0x21, 0x83, 0x0c, 0xee, 0x5e, 0xf2, 0x27,
            0x01, 0xf9, 0x64, 0x1a, 0x44, 0x18, 0xd0, 0x4c, 0x04, 0x14, 0xae, 0xff, 0x08, 0x87,
            0x6b, 0x34, 0xab, 0x56,
        ],
    ),
];

#[test]
fn published_vectors_hold_in_every_lane_of_every_path() {
    for (value, salt, iterations, expected) in VECTORS {
        for path in Path::all() {
            let masks = path.derive(&vec![value; path.width()], salt, iterations);
            assert_eq!(masks, vec![expected; path.width()], "{path}");
        }
        assert_eq!(derive(&[value], salt, iterations), [expected]);
    }
}

/// A processor's features as the kernel lists them: a path that is not found would be a path
/// that is not tested.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn every_path_of_the_processor_is_found() {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let flags = info.lines().find(|line| line.starts_with("flags")).unwrap();
    let has = |flag: &str| flags.split_whitespace().any(|word| word == flag);
    let found = |name: &str| {
        Path::all()
            .iter()
            .filter(|p| p.name.starts_with(name))
            .count()
    };
    assert_eq!(found("SHA-NI"), if has("sha_ni") { 3 } else { 0 });
    assert_eq!(found("AVX2"), usize::from(has("avx2")));
    assert_eq!(found("AVX-512"), usize::from(has("avx512f")));
    assert_eq!(found("`pbkdf2`"), 1);
}

/// Lengths on both sides of HMAC's block and of SHA-256's padding, and numbers of values on both
/// sides of every width, each value in each lane.
#[test]
fn lengths_and_numbers_of_values_around_every_edge_equal_the_crate() {
    for length in [0, 1, 31, 32, 33, 55, 56, 63, 64, 65, 119, 128, 129, 200] {
        let owned: Vec<Vec<u8>> = (0..35_u8)
            .map(|n| (0..length).map(|i| n.wrapping_mul(31) ^ i).collect())
            .collect();
        let values: Vec<&[u8]> = owned.iter().map(Vec::as_slice).collect();
        let expected: Vec<_> = values.iter().map(|v| plain(v, b"salt", 3)).collect();
        for path in Path::all() {
            for n in 0..=values.len() {
                let masks = path.derive(&values[..n], b"salt", 3);
                assert_eq!(masks, expected[..n], "{path}, {n} of {length} bytes");
            }
        }
    }
}

/// A lane that is late by an iteration would be seen here, and so would a lane that is mixed up.
#[test]
fn every_number_of_iterations_from_one_on_equals_the_crate() {
    let owned: Vec<String> = (0..16).map(|n| format!("cust{n}")).collect();
    let values: Vec<&[u8]> = owned.iter().map(String::as_bytes).collect();
    for iterations in (1..=50).chain([1_000]) {
        let expected: Vec<_> = values
            .iter()
            .map(|v| plain(v, b"pepper", iterations))
            .collect();
        for path in Path::all() {
            let masks = path.derive(&values, b"pepper", iterations);
            assert_eq!(masks, expected, "{path}, {iterations} iterations");
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 200, ..Config::default() })]

    #[test]
    fn every_path_equals_the_crate(
        values in vec(vec(any::<u8>(), 0..200), 0..40),
        salt in vec(any::<u8>(), 0..150),
        iterations in 1_u32..50,
    ) {
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let expected: Vec<_> = values.iter().map(|v| plain(v, &salt, iterations)).collect();
        for path in Path::all() {
            let masks = path.derive(&values, &salt, iterations);
            prop_assert_eq!(&masks, &expected, "{}", path);
        }
        prop_assert_eq!(derive(&values, &salt, iterations), expected);
    }
}

#[test]
fn wide_paths_are_chosen_for_many_values_and_narrow_ones_for_few() {
    for values in 1..100 {
        let path = Path::best(values);
        assert!(
            path.pays_from.is_some_and(|least| least <= values),
            "{path}"
        );
        assert!(path.width <= widest());
        // Never so wide that most of it would run empty while something narrower is there.
        assert!(
            path.width <= 2 * values || Path::all().iter().all(|p| p.name != "SHA-NI, 1 lane"),
            "{path} for {values}"
        );
    }
}
