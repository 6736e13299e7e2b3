//! The description of datasets: each with its columns, their filters, and every format.

use glovebox_core::DataType;
use glovebox_datasets::Column;
use serde_json::{Map, Value, json};

use super::super::config::{Database, ROWS, View};
use super::super::datasets::Dataset;

/// A path for each.
pub(super) fn paths(datasets: &[(&Dataset, View)]) -> Vec<(String, Value)> {
    let item = |(d, view): &(&Dataset, View)| (d.path.clone(), item(d, view));
    datasets.iter().map(item).collect()
}

fn item(dataset: &Dataset, view: &View) -> Value {
    let config = &dataset.config;
    let columns = view.columns.iter();
    let columns: Vec<_> = columns
        .filter_map(|c| config.table.columns.get(*c))
        .collect();
    // SQLite has decimals as text, whose order is not that of numbers.
    let sqlite = matches!(config.database, Database::Sqlite(_));
    let ordered =
        |column: &Column| !(sqlite && matches!(column.data_type, DataType::Decimal { .. }));
    let mut parameters = parameters(&columns, view.rows_at_most, &ordered);
    let mut properties = Map::new();
    for column in &columns {
        let schema = schema(column.data_type);
        parameters.extend(filters(&column.name, column.data_type, ordered(column)));
        properties.insert(column.name.clone(), nullable(schema, column.not_null));
    }
    let row = json!({ "type": "object", "properties": properties });
    let lines = json!({ "type": "string" });
    let header = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    let headers = json!({
        "ETag": header("Of these rows in this format."),
        "Link": header("The next page, if there is one (RFC 8288)."),
        "X-Next-Cursor": header("The `cursor` of the next page, if there is one."),
    });
    json!({ "get": {
        "operationId": format!("read_{}", config.name.replace('-', "_")),
        "tags": ["Datasets"],
        "summary": format!("Read {}", config.name),
        "description": config.about,
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "Rows, as the caller's roles see them.",
                "headers": headers.clone(),
                "content": {
                    "application/json": { "schema": { "type": "array", "items": row } },
                    "application/x-ndjson": { "schema": lines.clone() },
                    "text/csv": { "schema": lines.clone() },
                    "application/vnd.apache.arrow.stream": { "schema": lines },
                },
            },
            "304": { "description": "Nothing has changed since `If-None-Match`.", "headers": headers },
        },
    } })
}

/// The parameters that every dataset has.
fn parameters(columns: &[&Column], most: usize, ordered: &dyn Fn(&Column) -> bool) -> Vec<Value> {
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let sortable = columns.iter().filter(|c| ordered(c));
    let sortable: Vec<&str> = sortable.map(|c| c.name.as_str()).collect();
    let parameter = |name: &str, about: String, schema: Value| json!({ "name": name, "in": "query", "description": about, "schema": schema });
    let list = |name: &str, about: &str, words: Value, most: usize, once: bool| {
        json!({
            "name": name, "in": "query", "description": about, "style": "form", "explode": false,
            "schema": { "type": "array", "items": { "type": "string", "enum": words },
                "minItems": 1, "maxItems": most, "uniqueItems": once },
        })
    };
    vec![
        list(
            "columns",
            "The columns to return, separated by commas.",
            json!(names),
            names.len(),
            true,
        ),
        list(
            "sort",
            "The columns to sort by, separated by commas; `-` in front sorts in descending order.",
            json!(
                sortable
                    .iter()
                    .flat_map(|n| [(*n).to_owned(), format!("-{n}")])
                    .collect::<Vec<_>>()
            ),
            8,
            false,
        ),
        parameter(
            "limit",
            "The most rows to return.".into(),
            json!({ "type": "integer", "minimum": 1, "maximum": most, "default": ROWS.min(most) }),
        ),
        parameter(
            "cursor",
            "Where the page begins: `X-Next-Cursor` of the previous page.".into(),
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 4096 }),
        ),
    ]
}

/// Every filter of a column, under the name that it has in a query.
fn filters(name: &str, data_type: DataType, ordered: bool) -> Vec<Value> {
    // A name that ends before its operator begins would be another column's.
    if name.contains('[') {
        return Vec::new();
    }
    let value = schema(data_type);
    let parameter = |operator: &str, about: &str, schema: Value| {
        let name = match operator {
            "eq" if !["columns", "sort", "limit", "cursor"].contains(&name) => name.to_owned(),
            operator => format!("{name}[{operator}]"),
        };
        json!({ "name": name, "in": "query", "description": about, "schema": schema })
    };
    let mut all = vec![
        parameter(
            "eq",
            &format!("Rows whose `{name}` is this."),
            value.clone(),
        ),
        parameter("ne", "A value other than this; not null.", value.clone()),
    ];
    if ordered {
        for (operator, about) in [
            ("lt", "Less than this."),
            ("lte", "Less than or equal to this."),
            ("gt", "Greater than this."),
            ("gte", "Greater than or equal to this."),
        ] {
            all.push(parameter(operator, about, value.clone()));
        }
    }
    if data_type == DataType::Text {
        all.push(parameter(
            "starts-with",
            "Text that starts with this.",
            value.clone(),
        ));
    }
    let list = json!({ "type": "array", "items": value, "minItems": 1, "maxItems": 100 });
    all.push(parameter(
        "in",
        "One of these; repeat the parameter for each value.",
        list,
    ));
    all.push(parameter(
        "null",
        "Whether it is null.",
        json!({ "type": "boolean" }),
    ));
    all
}

/// How a cell looks in JSON: docs/api.md says why decimals are strings.
fn schema(data_type: DataType) -> Value {
    match data_type {
        DataType::Boolean => json!({ "type": "boolean" }),
        DataType::Int64 => json!({ "type": "integer", "format": "int64",
            "minimum": i64::MIN, "maximum": i64::MAX }),
        DataType::Float64 => json!({ "type": "number", "format": "double" }),
        DataType::Decimal { .. } => {
            json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$" })
        }
        DataType::Text => json!({ "type": "string", "pattern": r"^[^\x00]*$" }),
        DataType::Bytes | DataType::Opaque => {
            json!({ "type": "string", "pattern": r"^\\x([0-9a-f]{2})*$" })
        }
        DataType::Date => json!({ "type": "string", "format": "date" }),
        DataType::Timestamp => json!({ "type": "string", "format": "date-time" }),
    }
}

fn nullable(schema: Value, not_null: bool) -> Value {
    let mut schema = schema;
    if !not_null {
        schema["type"] = json!([schema["type"], "null"]);
    }
    schema
}
