//! The description as one page of plain HTML. It has no scripts and fetches nothing: it works
//! behind any firewall and under the strictest policy.

use std::fmt::Write;

use serde_json::Value;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem;color:#1a1a1a;background:#fff}h2{margin-top:2.5rem}section{border-top:1px solid #ccc;\
margin-top:1.5rem}code,pre{font:14px ui-monospace,monospace;background:#f3f3f3;padding:.1em .3em}\
pre{padding:.8em;overflow:auto}table{border-collapse:collapse;width:100%}td,th{text-align:left;\
vertical-align:top;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #eee}\
.m{display:inline-block;min-width:4.5rem;font-weight:700}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}code,pre{background:#262626}\
td,th{border-color:#333}a{color:#8bf}}";

/// The page.
pub(super) fn html(document: &Value) -> String {
    let mut out = String::with_capacity(32 << 10);
    let text = |pointer: &str| {
        document
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
    };
    let _ = write!(
        out,
        "<!doctype html><html lang=en><meta charset=utf-8><title>Glovebox API</title>\
         <meta name=viewport content=\"width=device-width,initial-scale=1\"><style>{STYLE}</style>\
         <h1>Glovebox API {}</h1><p>{}</p><p>For programs: <a href=openapi.json>openapi.json</a> \
         (OpenAPI 3.1).</p>",
        escape(text("/info/version")),
        code(text("/info/description")),
    );
    let server = text("/servers/0/url");
    let _ = write!(
        out,
        "<pre>curl -X POST {0}/token -d \"username=NAME&amp;password=…\"\n\
         curl -H \"Authorization: Bearer …\" {0}/datasets</pre>",
        escape(server)
    );
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            operation_of(&mut out, document, path, method, operation);
        }
    }
    out
}

fn operation_of(out: &mut String, document: &Value, path: &str, method: &str, operation: &Value) {
    let text = |name: &str| operation[name].as_str().unwrap_or("");
    let _ = write!(
        out,
        "<section><h2 id=\"{}\"><span class=m>{}</span> <code>{}</code></h2><p><b>{}</b> {}</p>\
         <p>For: {}.</p>",
        escape(text("operationId")),
        escape(&method.to_uppercase()),
        escape(path),
        escape(text("summary")),
        code(text("description")),
        code(text("x-rule")),
    );
    let parameters = operation["parameters"].as_array();
    let mut rows = String::new();
    for parameter in parameters.into_iter().flatten() {
        row(
            &mut rows,
            &parameter["name"],
            &parameter["schema"],
            &parameter["description"],
        );
    }
    table(out, "Parameters", &rows);
    for (media, body) in operation["requestBody"]["content"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let schema = follow(document, &body["schema"]);
        let mut rows = String::new();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            row(
                &mut rows,
                &Value::String(name.clone()),
                property,
                &property["description"],
            );
        }
        table(out, &format!("Body: {media}"), &rows);
        example(out, body);
    }
    let mut rows = String::new();
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let media: Vec<&str> = response["content"]
            .as_object()
            .map(|c| c.keys().map(String::as_str).collect())
            .unwrap_or_default();
        let _ = write!(
            rows,
            "<tr><td>{}<td>{}<td>{}",
            escape(status),
            code(response["description"].as_str().unwrap_or("")),
            escape(&media.join(", "))
        );
    }
    table(out, "Answers", &rows);
    let answers = operation["responses"].as_object().into_iter().flatten();
    let good = answers
        .filter(|(status, _)| status.starts_with('2'))
        .find_map(|(_, response)| response["content"].as_object()?.values().next());
    if let Some(media) = good {
        example(out, media);
    }
    out.push_str("</section>");
}

fn example(out: &mut String, media: &Value) {
    let text = match media.get("example") {
        None => return,
        Some(Value::String(text)) => text.clone(),
        Some(value) => format!("{value:#}"),
    };
    let _ = write!(
        out,
        "<details><summary>Example</summary><pre>{}</pre></details>",
        escape(&text)
    );
}

fn table(out: &mut String, title: &str, rows: &str) {
    if !rows.is_empty() {
        let _ = write!(out, "<h3>{}</h3><table>{rows}</table>", escape(title));
    }
}

fn row(out: &mut String, name: &Value, schema: &Value, about: &Value) {
    let kind = match &schema["type"] {
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        _ => String::new(),
    };
    let _ = write!(
        out,
        "<tr><td><code>{}</code><td>{}<td>{}",
        escape(name.as_str().unwrap_or("")),
        escape(&kind),
        code(about.as_str().unwrap_or("")),
    );
}

/// What a reference means.
fn follow<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    let target = schema["$ref"].as_str().and_then(|r| r.strip_prefix('#'));
    target.and_then(|t| document.pointer(t)).unwrap_or(schema)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Escaped, with backticks as code.
fn code(text: &str) -> String {
    let mut out = String::new();
    for (i, part) in escape(text).split('`').enumerate() {
        match i % 2 {
            0 => out.push_str(part),
            _ => {
                let _ = write!(out, "<code>{part}</code>");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_on_the_page_runs_or_is_fetched() {
        let (routes, sight) = (super::super::tests::routes(), Default::default());
        let mut document = super::super::document(&routes, &sight, "http://here");
        document["info"]["description"] = Value::String("<script>alert(1)</script> `a`".into());
        let page = html(&document);
        assert!(
            !page.contains("<script") && !page.contains("src="),
            "{page}"
        );
        assert!(page.contains("&lt;script&gt;") && page.contains("<code>a</code>"));
        assert!(page.contains("/.well-known/jwks.json"));
        assert!(page.contains("<summary>Example</summary><pre>{\n  &quot;days&quot;: 90"));
    }
}
