//! The description of a run's report, from the type that is written.

use glovebox_core::report::RunReport;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::upgrade;

const ANSWER: &str = "/paths/~1runs~1{id}~1report/get/responses/200/content";

/// Puts the report's schemas among the others, and names it as what `GET /runs/{id}/report` answers.
pub(super) fn add(document: &mut Value) {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let reference = generator.subschema_for::<RunReport>();
    let mut made = Value::Object(generator.take_definitions(true));
    upgrade::to_3_1(&mut made);
    let schemas = document["components"]["schemas"].as_object_mut();
    if let (Some(schemas), Value::Object(made)) = (schemas, made) {
        schemas.extend(made);
    }
    let content = document.pointer_mut(ANSWER).and_then(Value::as_object_mut);
    for (_, media) in content.into_iter().flatten() {
        media["schema"] = json!(reference);
    }
}
