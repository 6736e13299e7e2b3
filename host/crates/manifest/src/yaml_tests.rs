//! What the YAML reader promises: places in bytes whatever the text holds, core rules for
//! scalars, refusals with a sentence.

use serde_json::Number;

use super::*;

fn root(text: &str) -> Node {
    let parsed = parse(text);
    assert_eq!(parsed.problems, [], "{text}");
    parsed.root.unwrap()
}

fn messages(text: &str) -> Vec<String> {
    parse(text)
        .problems
        .into_iter()
        .map(|d| d.message)
        .collect()
}

/// Every scalar of a tree with the text at its place.
fn scalars<'t>(node: &Node, text: &'t str, out: &mut Vec<&'t str>) {
    match &node.kind {
        Kind::List(items) => items.iter().for_each(|n| scalars(n, text, out)),
        Kind::Map(entries) => entries.iter().for_each(|e| {
            out.push(&text[e.key.span.clone()]);
            scalars(&e.value, text, out);
        }),
        _ => out.push(&text[node.span.clone()]),
    }
}

#[test]
fn places_are_bytes_whatever_the_text_holds() {
    for text in [
        "# Größenänderung 数据 🦀\nname: übel   # 数\nlist:\n  - 'ä: ö'\n  - { größe: \"🦀\", x: y }\nlast: one\n",
        "\u{feff}# Größe\r\nname: übel   # 数\r\nlist:\r\n  - 'ä: ö'\r\n  - { größe: \"🦀\", x: y }\r\nlast: one\r\n",
    ] {
        let mut found = Vec::new();
        scalars(&root(text), text, &mut found);
        assert_eq!(
            found,
            [
                "name", "übel", "list", "'ä: ö'", "größe", "\"🦀\"", "x", "y", "last", "one"
            ]
        );
    }
}

#[test]
fn places_survive_what_the_parser_miscounts() {
    let text = "a: &änker b\nc: dä\ne: f\n";
    let parsed = parse(text);
    let mut found = Vec::new();
    scalars(&parsed.root.unwrap(), text, &mut found);
    assert_eq!(found, ["a", "&änker b", "c", "dä", "e", "f"]);
}

#[test]
fn blocks_end_where_their_last_value_does() {
    let text = "a:\n  b: 1\n  c: [x,\n    y ]\n\n# more\nd: |\n  one\n  two\n\ne:\n";
    let Kind::Map(entries) = root(text).kind else {
        panic!()
    };
    let spans: Vec<&str> = entries
        .iter()
        .map(|e| &text[e.value.span.clone()])
        .collect();
    assert_eq!(spans[0], "b: 1\n  c: [x,\n    y ]");
    assert!(spans[1].ends_with("two"), "{:?}", spans[1]);
    assert_eq!(spans[2], "e", "the place of nothing is its key");
}

#[test]
fn unquoted_scalars_follow_the_core_rules() {
    let kind = |text: &str| {
        let Kind::List(mut items) = root(&format!("- {text}\n")).kind else {
            panic!()
        };
        items.remove(0).kind
    };
    let text = |t: &str| Kind::Text(t.to_owned());
    for word in [
        "no",
        "yes",
        "on",
        "off",
        "y",
        "2027-01-31",
        "1_000",
        "12:30:45",
        "1.2.3",
        "0b1",
        "1e",
        ".",
    ] {
        assert_eq!(kind(word), text(word), "{word}");
    }
    for quoted in ["'1'", "\"1\""] {
        assert_eq!(kind(quoted), text("1"));
    }
    assert_eq!(kind("True"), Kind::Bool(true));
    assert_eq!(kind("~"), Kind::Null);
    assert_eq!(kind("-17"), Kind::Number((-17).into()));
    assert_eq!(kind("+17"), Kind::Number(17.into()));
    assert_eq!(kind("0x1F"), Kind::Number(31.into()));
    assert_eq!(kind("0o17"), Kind::Number(15.into()));
    assert_eq!(kind("18446744073709551615"), Kind::Number(u64::MAX.into()));
    for (float, value) in [("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("-2e3", -2000.0)] {
        assert_eq!(kind(float), Kind::Number(Number::from_f64(value).unwrap()));
    }
}

#[test]
fn numbers_that_json_cannot_hold_are_refused() {
    for number in ["1e999", ".inf", "-.inf", ".nan", "18446744073709551616"] {
        assert_eq!(
            messages(&format!("a: {number}\n")),
            ["this number is too large"],
            "{number}"
        );
    }
}

#[test]
fn what_a_manifest_may_not_use_is_refused_with_a_sentence() {
    for (text, message) in [
        ("a: &x 1\n", "a manifest may not use YAML anchors (`&name`)"),
        ("a: !!str 1\n", "a manifest may not use YAML tags (`!name`)"),
        (
            "a: 1\n---\nb: 2\n",
            "a manifest is one YAML document; a second one starts here",
        ),
        ("a: 1\na: 2\n", "duplicate key `a`"),
        ("[a]: 1\n", "a key must be text"),
        (
            "a: \u{0}\nb: 1\n",
            "the text contains the control character U+0000",
        ),
    ] {
        assert_eq!(messages(text), [message], "{text:?}");
    }
    assert_eq!(
        messages("a: &x 1\nb: *x\n"),
        [
            "a manifest may not use YAML anchors (`&name`)",
            "a manifest may not use YAML aliases (`*name`)"
        ]
    );
}

#[test]
fn too_much_is_refused() {
    let deep = "[".repeat(MAX_DEPTH + 1) + &"]".repeat(MAX_DEPTH + 1);
    assert_eq!(messages(&deep), ["more than 64 nested blocks"]);
    let fits = "[".repeat(MAX_DEPTH) + &"]".repeat(MAX_DEPTH);
    assert_eq!(messages(&fits), [""; 0]);
    let huge = "#".repeat(MAX_BYTES + 1);
    assert_eq!(
        messages(&huge),
        ["a manifest may have 1MiB; this file has 1048577 bytes"]
    );
    assert_eq!(messages(&huge[..MAX_BYTES]), [""; 0]);
}

#[test]
fn text_that_is_no_yaml_says_where() {
    let text = "größe:\n\tx: 1\n";
    let parsed = parse(text);
    assert_eq!(parsed.root, None);
    let problem = &parsed.problems[0];
    assert!(
        problem.message.starts_with("this is not YAML: "),
        "{problem:?}"
    );
    assert_eq!(
        problem.help.as_deref(),
        Some("YAML is indented with spaces; replace the tab")
    );
}
