//! Pins in every form of text, with all around them left as it was.

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const ONES: &str = "1111111111111111111111111111111111111111111111111111111111111111";

const HEAD: &str = "name: small
source: { csv: { path: in.csv } }
columns: { a: { type: text } }
sink: { jsonl: { path: out.jsonl } }
steps:
";

fn places(text: &str) -> Vec<Pinnable> {
    pinnable(&crate::load(Path::new("m.yaml"), text).unwrap())
}

fn pinned(text: &str, digest: &str) -> Written {
    let places = places(text);
    let pins: Vec<(&Pinnable, &str)> = places.iter().map(|p| (p, digest)).collect();
    write(Path::new("m.yaml"), text, &pins).unwrap()
}

/// The steps become these, byte for byte, and stay so when they are pinned again.
#[track_caller]
fn becomes(before: &str, after: &str) {
    let written = pinned(&format!("{HEAD}{before}"), ONES);
    assert_eq!(written.text, format!("{HEAD}{after}"));
    assert!(written.done.iter().all(|done| *done));
    for place in places(&written.text) {
        assert_eq!(place.pinned.as_deref(), Some(ONES));
    }
    assert_eq!(pinned(&written.text, ONES).text, written.text);
}

#[test]
fn a_path_becomes_a_file_and_its_digest() {
    becomes(
        "  # why\n  - validate: ./x.wasm   # theirs\n    reads: [a]\n",
        &format!(
            "  # why\n  - validate: {{ file: ./x.wasm, sha256: \"{ONES}\" }}   # theirs\n    reads: [a]\n"
        ),
    );
    becomes(
        "  - { validate: './x, y.wasm', reads: [a] }",
        &format!("  - {{ validate: {{ file: './x, y.wasm', sha256: \"{ONES}\" }}, reads: [a] }}"),
    );
}

#[test]
fn a_path_that_means_something_else_within_braces_is_quoted() {
    becomes(
        "  - validate: ./größe {x}, y.wasm\n    reads: [a]\n",
        &format!(
            "  - validate: {{ file: \"./größe {{x}}, y.wasm\", sha256: \"{ONES}\" }}\n    reads: [a]\n"
        ),
    );
}

#[test]
fn a_file_gets_a_digest_beside_it() {
    becomes(
        "  - validate: { file: x.wasm }\n    reads: [a]\n",
        &format!("  - validate: {{ file: x.wasm, sha256: \"{ONES}\" }}\n    reads: [a]\n"),
    );
    becomes(
        "  - validate:\n      file: \"x.wasm\"  # theirs\n    reads: [a]\n",
        &format!(
            "  - validate:\n      file: \"x.wasm\"  # theirs\n      sha256: \"{ONES}\"\n    reads: [a]\n"
        ),
    );
    becomes(
        "  - reads: [a]\r\n    validate:\r\n        file: x.wasm\r\n",
        &format!(
            "  - reads: [a]\r\n    validate:\r\n        file: x.wasm\r\n        sha256: \"{ONES}\"\r\n"
        ),
    );
    becomes(
        "  - reads: [a]\n    validate:\n      file: x.wasm",
        &format!("  - reads: [a]\n    validate:\n      file: x.wasm\n      sha256: \"{ONES}\""),
    );
}

#[test]
fn quotes_end_where_they_close_and_comments_stay() {
    becomes(
        "  - validate:\n      file: 'it''s.wasm'   # it's \"mine\"\n    reads: [a]\n",
        &format!(
            "  - validate:\n      file: 'it''s.wasm'   # it's \"mine\"\n      sha256: \"{ONES}\"\n    reads: [a]\n"
        ),
    );
    becomes(
        "  - validate: \"a\\\"b\\\\.wasm\"   # \"\n    reads: [a]\n",
        &format!(
            "  - validate: {{ file: \"a\\\"b\\\\.wasm\", sha256: \"{ONES}\" }}   # \"\n    reads: [a]\n"
        ),
    );
}

#[test]
fn a_digest_is_replaced_where_it_stands() {
    becomes(
        &format!(
            "  - validate: {{ sha256: '{A}', file: x.wasm }} # 1\n    reads: [a]\n  - validate:\n      sha256: {A}   # 2\n      file: x.wasm\n    reads: [a]\n"
        ),
        &format!(
            "  - validate: {{ sha256: \"{ONES}\", file: x.wasm }} # 1\n    reads: [a]\n  - validate:\n      sha256: \"{ONES}\"   # 2\n      file: x.wasm\n    reads: [a]\n"
        ),
    );
}

#[test]
fn standard_plugins_have_no_pin() {
    let text = format!("{HEAD}  - {{ validate: required, reads: [a] }}\n");
    assert_eq!(places(&text), []);
}

#[test]
fn what_cannot_be_pinned_in_place_is_left_alone_and_said() {
    let block = "  - validate: >-\n      ./x.wasm\n    reads: [a]\n";
    let plain = "  - validate: ./y.wasm\n    reads: [a]\n";
    let written = pinned(&format!("{HEAD}{block}{plain}"), A);
    assert_eq!(written.done, [false, true]);
    let pinned = format!(
        "{HEAD}{block}  - validate: {{ file: ./y.wasm, sha256: \"{A}\" }}\n    reads: [a]\n"
    );
    assert_eq!(written.text, pinned);
}

#[test]
fn a_text_that_is_no_manifest_is_refused() {
    let text = format!("{HEAD}  - validate: ./x.wasm\n    reads: [a]\n");
    let places = places(&text);
    let pins: Vec<(&Pinnable, &str)> = places.iter().map(|p| (p, A)).collect();
    assert!(write(Path::new("m.yaml"), "name: [", &pins).is_err());
}
