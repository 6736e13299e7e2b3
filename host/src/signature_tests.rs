//! The vectors that minisign's own libraries publish, whole and damaged in every byte.

use super::*;

/// rust-minisign-verify's tests: the key, and its signatures of `test`.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const NUMBER: &str = "E7620F1842B4E81F";
const LEGACY: &str = "untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966\tfile:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==
";
const PREHASHED: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1556193335\tfile:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
";

fn keys() -> Vec<PublicKey> {
    vec![public_key(&TrustedKey::Base64(KEY.to_owned())).unwrap()]
}

fn vouched_by(signature: &[u8], content: &[u8]) -> Result<Option<SignedBy>, PluginError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.wasm");
    std::fs::write(beside(&path), signature).unwrap();
    vouched(&path, content, &keys())
}

#[test]
fn published_signatures_hold_in_both_forms() {
    for (signature, time) in [(LEGACY, 1_555_779_966), (PREHASHED, 1_556_193_335)] {
        let signed = vouched_by(signature.as_bytes(), b"test").unwrap().unwrap();
        assert_eq!(signed.key, NUMBER);
        assert_eq!(signed.comment, format!("timestamp:{time} file:test"));
        let windows = signature.replace('\n', "\r\n");
        assert!(vouched_by(windows.as_bytes(), b"test").is_ok());
    }
}

#[test]
fn no_damaged_signature_holds() {
    for signature in [LEGACY, PREHASHED] {
        for content in [&b"Test"[..], b"test ", b"", b"tes"] {
            let refused = vouched_by(signature.as_bytes(), content).unwrap_err();
            assert!(refused.to_string().contains("was signed"), "{refused}");
        }
        // The first line is nobody's word, and the end of the last one is padding.
        let from = signature.find('\n').unwrap() + 1;
        for at in from..signature.len() - 3 {
            let mut damaged = signature.as_bytes().to_vec();
            damaged[at] ^= 1;
            assert!(vouched_by(&damaged, b"test").is_err(), "byte {at}");
        }
        for length in 0..signature.len() - 1 {
            let cut = &signature.as_bytes()[..length];
            assert!(vouched_by(cut, b"test").is_err(), "{length} bytes");
        }
    }
}

#[test]
fn keys_are_read_from_text_and_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pub");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        public_key(&TrustedKey::File(path.clone()))
    };
    let comment = "untrusted comment: minisign public key E7620F1842B4E81F";
    for good in [
        format!("{comment}\n{KEY}\n"),
        format!("{comment}\r\n{KEY}\r\n"),
        KEY.to_owned(),
    ] {
        assert_eq!(read(&good), Ok(PublicKey(KEY.to_owned())));
    }
    for bad in [
        String::new(),
        comment.to_owned(),
        format!("{KEY}\n{KEY}\n"),
        format!("{KEY}AAAA"),
        KEY.replacen("RW", "XX", 1),
        "x".repeat(20_000),
    ] {
        let problem = read(&bad).unwrap_err();
        assert!(problem.contains("minisign.pub"), "{problem}");
        assert!(!problem.contains(KEY), "{problem}");
    }
    let missing = TrustedKey::File(folder.path().join("none.pub"));
    assert!(public_key(&missing).unwrap_err().contains("cannot be read"));
}

#[test]
fn a_comment_cannot_write_on_a_terminal() {
    assert_eq!(
        comment("a\tb\u{1b}[2J\u{202e}\r"),
        "a b\u{fffd}[2J\u{fffd}\u{fffd}"
    );
    assert_eq!(comment(&"x".repeat(5000)).len(), MAX_COMMENT_LEN);
}
