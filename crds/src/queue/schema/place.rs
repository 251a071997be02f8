//! Places in a schema, written as a user writes a field: `spec.streams[].ingress[].name`.
//! It must not know any of them.

use serde_json::{Map, Value};

/// The schema at `place` below `root`, which is at the empty place.
pub(super) fn find<'a>(
    root: &'a mut Map<String, Value>,
    place: &str,
) -> Option<&'a mut Map<String, Value>> {
    let mut steps = place.split('.').filter(|step| !step.is_empty());
    steps.try_fold(root, |schema, step| {
        let (name, inside) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
        let field = schema.get_mut("properties")?.get_mut(name)?;
        let found = if inside { field.get_mut("items")? } else { field };
        found.as_object_mut()
    })
}

/// Adds `keywords`, an object, to the schema at `place`; a test sees to it that there is one.
pub(super) fn add(root: &mut Map<String, Value>, place: &str, keywords: Value) {
    if let (Some(schema), Value::Object(keywords)) = (find(root, place), keywords) {
        schema.extend(keywords);
    }
}

/// Adds `item` to the list `keyword` of the schema at `place`.
pub(super) fn push(root: &mut Map<String, Value>, place: &str, keyword: &str, item: Value) {
    let Some(schema) = find(root, place) else { return };
    let list = schema.entry(keyword).or_insert_with(|| Value::Array(Vec::new()));
    if let Some(list) = list.as_array_mut() {
        list.push(item);
    }
}
