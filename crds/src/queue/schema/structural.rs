//! From what schemars writes to a structural schema (Kubernetes, CustomResourceDefinition,
//! "Specifying a structural schema"). It must not know any field.

use serde_json::{Map, Value, json};

/// What schemars says and a CRD must not, or should not: defaults of types, and a `null` that only
/// stands for a field that was left out.
const NOISE: [&str; 4] = ["$schema", "title", "default", "nullable"];

/// Makes `schema` and all below it structural.
pub(super) fn make(schema: &mut Value) {
    if schema == &Value::Bool(true) {
        *schema = json!({});
    }
    let Some(object) = schema.as_object_mut() else { return };
    for keyword in NOISE {
        object.remove(keyword);
    }
    unwrap_option(object);
    merge_choices(object);
    plain_type(object);
    // An API server warns of formats that it does not know.
    if object.get("format").and_then(Value::as_str).is_some_and(|it| it.starts_with("uint")) {
        object.remove("format");
    }
    if let Some(text) = object.get("description").and_then(Value::as_str) {
        let text = one_paragraph(text);
        object.insert("description".to_owned(), text.into());
    }
    if let Some(fields) = object.get_mut("properties").and_then(Value::as_object_mut) {
        fields.values_mut().for_each(make);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(inner) {
            make(inner);
        }
    }
}

/// `anyOf: [X, null]` is X; what is said of the field goes before what is said of its type.
fn unwrap_option(object: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = object.remove("anyOf") else { return };
    let some = choices.into_iter().find(|choice| choice.get("type") != Some(&json!("null")));
    let Some(Value::Object(some)) = some else { return };
    for (keyword, value) in some {
        object.entry(keyword).or_insert(value);
    }
}

/// A list of described constants is an `enum`; their descriptions go to the end of the field's.
fn merge_choices(object: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = object.remove("oneOf") else { return };
    let mut text = object.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut values = Vec::new();
    for choice in &choices {
        let Some(Value::String(value)) = choice.get("const") else { continue };
        let description = choice.get("description").and_then(Value::as_str).unwrap_or_default();
        text = format!("{text} {value}: {description}");
        values.push(Value::from(value.as_str()));
    }
    object.insert("type".to_owned(), json!("string"));
    object.insert("description".to_owned(), text.into());
    object.insert("enum".to_owned(), values.into());
}

/// A structural schema has one type.
fn plain_type(object: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = object.get("type") else { return };
    if let Some(some) = types.iter().find(|name| *name != "null").cloned() {
        object.insert("type".to_owned(), some);
    }
}

/// Doc comments are wrapped, descriptions are not.
fn one_paragraph(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use schemars::generate::SchemaSettings;

    use super::*;

    /// Some
    /// things.
    #[derive(JsonSchema)]
    #[serde(default)]
    struct Things {
        /// A number.
        number: Option<u32>,
        /// A choice.
        choice: Option<Choice>,
        /// Anything.
        anything: Vec<Value>,
    }

    impl Default for Things {
        fn default() -> Self {
            Self { number: Some(1), choice: None, anything: Vec::new() }
        }
    }

    /// What there is.
    #[derive(JsonSchema)]
    enum Choice {
        /// The first.
        #[expect(dead_code, reason = "only its schema is looked at")]
        A,
        /// The second.
        #[expect(dead_code, reason = "only its schema is looked at")]
        B,
    }

    #[test]
    fn options_choices_and_anything() {
        let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true);
        let mut schema = settings.into_generator().into_root_schema_for::<Things>().to_value();
        make(&mut schema);
        let expected = json!({
            "description": "Some things.",
            "type": "object",
            "properties": {
                "number": {"type": "integer", "minimum": 0, "description": "A number."},
                "choice": {
                    "type": "string",
                    "enum": ["A", "B"],
                    "description": "A choice. A: The first. B: The second.",
                },
                "anything": {"type": "array", "items": {}, "description": "Anything."},
            },
        });
        assert_eq!(schema, expected);
    }
}
