//! Where objects end, wherever the bytes are cut.

use super::*;

fn records(text: &str) -> Vec<&str> {
    Brackets::records(text.as_bytes())
        .map(|(_, record)| std::str::from_utf8(record).unwrap())
        .collect()
}

#[test]
fn objects_are_found_in_arrays_and_over_lines() {
    assert_eq!(
        records(r#"[{"a":1},{"a":[{"b":2}]} , {}]"#),
        [r#"{"a":1}"#, r#"{"a":[{"b":2}]}"#, "{}"]
    );
    assert_eq!(
        records("{\n \"a\": {\"b\": 1}\n}\n{\"a\": \"}{\\\"\"}"),
        ["{\n \"a\": {\"b\": 1}\n}", "{\"a\": \"}{\\\"\"}"]
    );
    assert_eq!(records("[]"), [""; 0]);
    assert_eq!(records(" \n"), [""; 0]);
    let lines: Vec<u32> = Brackets::records(b"[\n{\n},\n\n{}\n]")
        .map(|(line, _)| line)
        .collect();
    assert_eq!(lines, [1, 4]);
}

#[test]
fn what_is_no_object_is_a_record_too() {
    assert_eq!(
        records(r#"[1, "a,{", {"a":1}, null]"#),
        ["1", r#""a,{""#, r#"{"a":1}"#, "null"]
    );
    assert_eq!(
        records(r#"{"a":1} x {"a":2}}"#),
        [r#"{"a":1}"#, "x ", r#"{"a":2}"#, "}"]
    );
    assert_eq!(records(r#"[[{"a":1}],[2]]"#), [r#"{"a":1}"#, "2"]);
}

#[test]
fn a_broken_object_is_one_record_and_the_next_is_whole() {
    let next = r#"{"a":2}"#;
    for broken in [
        r#"{"a":}"#,
        r#"{"a":tru, "b":{"a":5}}"#,
        r#"{"a":1"#,
        r#"{"a":[1}"#,
        r#"{"a":{"b":1}"#,
        r#"{"a":1]"#,
        r#"{{"#,
        r#""a":1, "b":{"a":5}, "c":[{"a":6}]}"#,
        "{\"a\":\"x\n}",
        "{\"a:1}\n",
    ] {
        let found = records(&format!("[{{\"a\":0}},{broken},{next},{{\"a\":3}}]"))
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        assert_eq!(
            found.first().map(String::as_str),
            Some("{\"a\":0}"),
            "{broken}"
        );
        assert!(
            found.iter().any(|r| r == "{\"a\":3}"),
            "{broken}: {found:?}"
        );
        assert!(found.iter().any(|r| r == next), "{broken}: {found:?}");
    }
    // Without its line, a lost quote takes one object with it, and no more.
    for broken in [r#"{"a":"x}"#, r#"{"a":x"}"#, r#"{"a:1}"#] {
        let text = format!("[{broken},{next},{{\"a\":3}},{{\"a\":4}}]");
        assert_eq!(records(&text).last(), Some(&"{\"a\":4}"), "{text}");
        assert!(records(&text).len() >= 2, "{text}");
    }
}

#[test]
fn brackets_deeper_than_their_kinds_are_counted() {
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(1000), "]".repeat(1000));
    assert_eq!(records(&format!("{deep}{{}}")), [deep.as_str(), "{}"]);
}

#[test]
fn records_are_counted_alike_however_they_come() {
    let alphabet = b"{}[],:\"x\n";
    for len in 0..=5u32 {
        for code in 0..9usize.pow(len) {
            let text: Vec<u8> = (0..len)
                .map(|i| alphabet[code / 9usize.pow(i) % 9])
                .collect();
            let mut whole = Brackets::new();
            let seen = whole.scan(&text);
            let all = seen.rows + u64::from(whole.within_record());
            assert_eq!(Brackets::records(&text).count() as u64, all, "{text:?}");
            for at in 0..=text.len() {
                let (a, b) = text.split_at(at);
                let mut halves = Brackets::new();
                let rows = halves.scan(a).rows + halves.scan(b).rows;
                assert_eq!(rows, seen.rows, "{text:?}");
            }
            // What is cut off is what it was, and the rest goes on as if nothing had been cut.
            let cut = seen.cut.unwrap_or(0);
            let (before, behind) = text.split_at(cut);
            assert_eq!(
                Brackets::records(before).count() as u64,
                seen.rows,
                "{text:?}"
            );
            let mut rest = whole.behind().unwrap();
            assert_eq!(rest.scan(behind).rows, 0, "{text:?}");
            assert_eq!(rest.around, whole.around, "{text:?}");
            let mut first = Brackets::new();
            let end = first.first_end(&text);
            let expected = Brackets::records(&text).next().filter(|_| seen.rows > 0);
            let place = |r: &[u8]| r.as_ptr() as usize - text.as_ptr() as usize + r.len();
            assert_eq!(end, expected.map(|(_, r)| place(r)), "{text:?}");
        }
    }
}

/// A bracket too few, of any kind and at any place, costs its own object and no other.
#[test]
fn an_object_that_lacks_a_bracket_is_alone() {
    let objects = [
        r#"{"id":1,"t":["x","y"],"o":{"k":[1,2]}}"#,
        r#"{"id":2,"t":[{"k":1},{"k":2}],"m":[[1,2],[3]]}"#,
        r#"{"t":[1,2,3]}"#,
        r#"{"a":[]}"#,
        r#"{"a":[{"b":{"c":[1]}}]}"#,
        r#"{"a":[{"b":1},{"c":2}],"z":"s"}"#,
    ];
    let pretty = |object: &str| {
        let object: serde_json::Value = serde_json::from_str(object).unwrap();
        serde_json::to_string_pretty(&object).unwrap()
    };
    let compact = str::to_owned;
    let forms: [&dyn Fn(&str) -> String; 2] = [&compact, &pretty];
    let mut lacking = 0;
    for form in forms {
        let others = [r#"{"id":0}"#, r#"{"id":9,"t":["n"]}"#, r#"{"id":10}"#].map(form);
        for object in objects.map(form) {
            for (at, bracket) in object.char_indices().filter(|(_, c)| "[]{}".contains(*c)) {
                let mut broken = object.clone();
                broken.remove(at);
                for between in [",", ",\n", "\n", ""] {
                    let [before, next, last] = &others;
                    let all = [before, &broken, next, last].map(String::as_str);
                    let all = all.join(between);
                    for text in [format!("[{all}]"), all] {
                        let found = records(&text);
                        let whole = |object| found.iter().any(|record| record.trim() == object);
                        assert!(
                            others.iter().all(&whole),
                            "without {bracket}: {text}: {found:?}"
                        );
                        lacking += 1;
                    }
                }
            }
        }
    }
    println!("{lacking} texts");
}
