//! A line of the log as JSON in the field names of the Elastic Common Schema, as the audit log's records
//! are. What the schema has no field for is a label.

use serde_json::{Map, Value, json};

/// The version of ECS whose field names these are.
const VERSION: &str = "8.17.0";

/// A line: its level, which part of the program says it, and what.
pub(super) fn line(level: &str, logger: &str, said: Map<String, Value>) -> Value {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let mut fields = json!({
        "@timestamp": now,
        "ecs.version": VERSION,
        "event.dataset": "glovebox.log",
        "log.level": level.to_ascii_lowercase(),
        "log.logger": logger,
        "process.pid": std::process::id(),
        "service.name": "glovebox",
    });
    if let Some(fields) = fields.as_object_mut() {
        for (name, value) in said {
            add(fields, &name, value);
        }
    }
    fields
}

fn add(fields: &mut Map<String, Value>, name: &str, value: Value) {
    // What is not known of a request is empty.
    if value == "" || value.is_null() {
        return;
    }
    let field = match name {
        "message" => "message",
        "error" => "error.message",
        "method" => "http.request.method",
        "request" => "http.request.id",
        "status" => "http.response.status_code",
        "problem" => "event.reason",
        "user" => "user.name",
        "micros" => {
            let nanos = value.as_u64().unwrap_or(0).saturating_mul(1000);
            fields.insert("event.duration".into(), nanos.into());
            return;
        }
        name => return label(fields, name, value),
    };
    fields.insert(field.into(), value);
}

/// Labels are flat, and each has one value.
fn label(fields: &mut Map<String, Value>, name: &str, value: Value) {
    match value {
        Value::Object(inner) => {
            for (part, value) in inner {
                label(fields, &format!("{name}_{part}"), value);
            }
        }
        Value::Array(_) => {
            fields.insert(format!("labels.{name}"), value.to_string().into());
        }
        value => {
            fields.insert(format!("labels.{}", name.replace(['-', '.'], "_")), value);
        }
    }
}
