//! Steps that fill what is missing: what becomes of rows and cells, and what is said of a step that cannot.

use glovebox_tests::pipeline::Pipeline;

const HEAD: &str = "name: fill
source: { csv: { path: in.csv } }
columns:
  shop: { type: text }
  day: { type: date }
  price: { type: \"decimal(8,2)\" }
  count: { type: int64 }
  mail: { type: text, personal: true }
  open: { type: boolean }
";

const ROWS: &str = "shop,day,price,count,mail,open
a,2024-01-01,10,1,a@x,true
a,2024-01-03,,,b@x,
b,2024-01-01,5,3,c@x,
a,2024-01-02,30,4,,
b,2024-01-05,,,e@x,false
,2024-01-09,9,,f@x,
a,2024-01-05,20,1,g@x,
";

fn fill(how: &str, more: &str) -> Pipeline {
    let manifest = format!(
        "{HEAD}steps:\n  - {how}\n  - {{ mask: redact, masks: [mail] }}\n{more}\
         sink: {{ csv: {{ path: out.csv }} }}\nrejects: {{ path: rejects.jsonl }}\n"
    );
    Pipeline::new(&manifest).file("in.csv", ROWS)
}

#[test]
fn each_column_is_filled_in_its_way_and_rows_keep_their_order() {
    let pipeline = fill(
        "missing:\n      mail: reject\n      shop: drop\n      open: { value: false }\n      \
         price: { interpolate: linear, by: [shop], order: day }\n      count: mean",
        "  - sql: SELECT shop, day, price, count, open FROM rows\n",
    );
    let ran = pipeline.run().ends_with(0);
    assert_eq!(
        pipeline.read("out.csv"),
        "shop,day,price,count,open\n\
         a,2024-01-01,10.00,1,true\n\
         a,2024-01-03,15.00,2,false\n\
         b,2024-01-01,5.00,3,false\n\
         b,2024-01-05,,2,false\n\
         a,2024-01-05,20.00,1,false\n"
    );
    assert!(
        ran.stdout
            .contains("7 read = 5 taken by missing + 1 filtered + 1 rejected"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        pipeline.read("rejects.jsonl"),
        "{\"row\":3,\"line\":5,\"violations\":[{\"step\":\"missing (1)\",\"column\":\"mail\",\"rule\":\"required\",\
         \"message\":\"`mail` is missing\"}]}\n"
    );
}

#[test]
fn what_needs_no_other_row_does_not_wait_and_goes_on() {
    let pipeline = fill(
        "missing: { shop: { value: \"it's\" }, count: { value: -1 }, price: { value: 0.5 } }",
        "",
    );
    let ran = pipeline.run().ends_with(0);
    assert!(ran.report.get("gathers").is_none());
    let out = pipeline.read("out.csv");
    assert!(
        out.contains("it's,2024-01-09,9.00,-1,[redacted],\n")
            && out.contains("a,2024-01-03,0.50,-1,"),
        "{out}"
    );
}

#[test]
fn a_filled_column_is_as_personal_as_it_was() {
    let manifest = format!(
        "{HEAD}steps:\n  - missing: {{ mail: mode }}\nsink: {{ csv: {{ path: out.csv }} }}\n\
         rejects: {{ path: rejects.jsonl }}\n"
    );
    let told = Pipeline::new(&manifest)
        .file("in.csv", ROWS)
        .call(&["check", "manifest.yaml"])
        .ends_with(2)
        .stderr;
    assert!(
        told.contains("`mail` is personal and reaches the sink unmasked"),
        "{told}"
    );
}

#[test]
fn a_step_that_cannot_fill_is_told_where_and_why() {
    for (how, told) in [
        ("{ prize: reject }", "`prize`"),
        ("{ prize: { value: 1 } }", "did you mean `price`?"),
        ("{ count: { value: many } }", "this value is no int64"),
        (
            "{ price: { value: 1.234 } }",
            "this value is no decimal(8,2)",
        ),
        ("{ day: { value: today } }", "holds values like 2024-05-17"),
        (
            "{ open: { value: yes please } }",
            "this value is no boolean",
        ),
        ("{ shop: mean }", "`shop` is text, and a mean is of numbers"),
        (
            "{ price: { interpolate: linear, order: shop } }",
            "how far apart its values are is not known",
        ),
        (
            "{ price: { previous: true } }",
            "which row is before another is not said",
        ),
        (
            "{ price: { mean: true, order: day } }",
            "it is the same in any order",
        ),
        (
            "{ price: { mean: true, mode: true } }",
            "a missing cell is filled in one way",
        ),
        ("{ price: { by: [shop] } }", "nothing says what becomes"),
        ("{ price: { mean: false } }", "`false` fills nothing"),
        ("{ price: nothing }", "this is no way to fill"),
        (
            "{ price: { value: 1, by: [shop] } }",
            "one value is for all rows",
        ),
        (
            "{ price: { mean: true, by: [shap] } }",
            "did you mean `shop`?",
        ),
        ("{}", "no column is named"),
        (
            "{ price: mean }\n    tables: { t: { source: { csv: { path: t.csv } }, columns: { a: { type: text } } } }",
            "a query has no use for `tables`",
        ),
        (
            "{ price: { value: 1 } }\n    memory: 64MiB",
            "only steps that need all rows take it",
        ),
    ] {
        let said = fill(&format!("missing: {how}"), "")
            .call(&["check", "manifest.yaml"])
            .ends_with(2)
            .stderr;
        assert!(said.contains(told), "{how}: {said}");
    }
}
