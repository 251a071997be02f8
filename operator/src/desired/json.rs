//! Small steps on raw JSON. What has not the expected form is left as it is: it is the user's, and
//! the API server says what is wrong with it.

use serde_json::{Map, Value};

/// Sets a field that is not there.
pub(super) fn default(object: &mut Map<String, Value>, field: &str, value: Value) {
    let slot = object.entry(field).or_insert(Value::Null);
    if slot.is_null() {
        *slot = value;
    }
}

/// Appends to a list, which is made if it is not there.
pub(super) fn append(
    object: &mut Map<String, Value>,
    field: &str,
    values: impl IntoIterator<Item = Value>,
) {
    default(object, field, Value::Array(Vec::new()));
    if let Some(Value::Array(list)) = object.get_mut(field) {
        list.extend(values);
    }
}

/// Puts items before those of a list, which is made if it is not there.
pub(super) fn prepend(object: &mut Map<String, Value>, field: &str, values: Vec<Value>) {
    default(object, field, Value::Array(Vec::new()));
    if let Some(Value::Array(list)) = object.get_mut(field) {
        list.splice(0..0, values);
    }
}

/// Puts fields into a mapping, which is made if it is not there.
pub(super) fn merge(object: &mut Map<String, Value>, field: &str, values: Value) {
    default(object, field, Value::Object(Map::new()));
    if let (Some(Value::Object(map)), Value::Object(values)) = (object.get_mut(field), values) {
        map.extend(values);
    }
}

/// Whether a list has an item of that name.
pub(super) fn has_named(object: &Map<String, Value>, list: &str, name: &str) -> bool {
    let items = object.get(list).and_then(Value::as_array).into_iter().flatten();
    items.into_iter().any(|item| item.get("name").is_some_and(|found| found == name))
}
