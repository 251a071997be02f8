//! The named features, and which of them this version has. The validator refuses by these names,
//! and `/v1/status` and `lifeboat version --json` list them, so that an operator can tell whether
//! a sidecar of another version will take a queue.
//!
//! A feature's name is the field's place in the schema, without list positions, and the value
//! where the field is a choice: `ingress.curve`, `retention.onFull.Reject`.

/// What this version does.
const SUPPORTED: &[&str] = &[
    "delivery.connect",
    "delivery.from",
    "delivery.protocol.Credit",
    "delivery.socket.DEALER",
    "delivery.socket.PUSH",
    "delivery.socket.ROUTER",
    "durability.interval",
    "durability.sync.Always",
    "durability.sync.Interval",
    "durability.sync.None",
    "ingress.connect",
    "ingress.dedup",
    "ingress.protocol.Receipt",
    "ingress.socket.PULL",
    "ingress.socket.ROUTER",
    "retention.maxAge",
    "retention.maxMessages",
    "retention.onDamage.SkipWithGap",
    "retention.onDamage.Stop",
    "retention.onFull.Block",
    "retention.onFull.DropOldest",
    "retention.onFull.Reject",
    "retention.policy.Limits",
    "retention.policy.WorkQueue",
];

/// What is planned and this version does not do.
const PLANNED: &[&str] = &[
    "delivery.curve",
    "delivery.deadLetter",
    "delivery.filters",
    "delivery.protocol.Majordomo",
    "delivery.protocol.Pirate",
    "delivery.protocol.Pzq",
    "delivery.routingId",
    "delivery.socket.PUB",
    "ingress.curve",
    "ingress.filters",
    "ingress.protocol.Clone",
    "ingress.protocol.Freelance",
    "ingress.protocol.Majordomo",
    "ingress.protocol.Pirate",
    "ingress.protocol.Pzq",
    "ingress.protocol.Request",
    "ingress.routingId",
    "ingress.socket.SUB",
    "ingress.topics",
    "retention.frame",
    "retention.key",
    "retention.policy.Latest",
];

/// The features that this version supports, sorted.
pub fn supported_features() -> &'static [&'static str] {
    SUPPORTED
}

/// Whether this version does what `feature` names.
pub(crate) fn is_supported(feature: &str) -> bool {
    SUPPORTED.contains(&feature)
}

/// Every value of the choice `field` (such as `ingress.socket`), those of this version first.
pub(crate) fn values(field: &str) -> Vec<&'static str> {
    SUPPORTED.iter().chain(PLANNED).filter_map(|name| value_of(field, name)).collect()
}

/// The values of the choice `field` that this version takes.
pub(crate) fn supported_values(field: &str) -> Vec<&'static str> {
    SUPPORTED.iter().filter_map(|name| value_of(field, name)).collect()
}

/// The feature that the value `text` of the choice `field` is; `None` where it is no value.
pub(crate) fn of_value(field: &str, text: &str) -> Option<&'static str> {
    let mut all = SUPPORTED.iter().chain(PLANNED).copied();
    all.find(|name| value_of(field, name) == Some(text))
}

fn value_of(field: &str, name: &'static str) -> Option<&'static str> {
    name.strip_prefix(field)?.strip_prefix('.')
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};
    use serde_json::Value;

    use super::*;
    use crate::resource;

    #[test]
    fn the_lists_are_sorted_and_apart() {
        assert!(SUPPORTED.is_sorted());
        assert!(PLANNED.is_sorted());
        assert!(PLANNED.iter().all(|name| !is_supported(name)));
    }

    /// The values of an enumeration of `resource/`.
    fn of<T: JsonSchema>() -> Vec<String> {
        let schema = schema_for!(T);
        let variants = schema.as_value()["oneOf"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut found: Vec<_> = variants.iter().map(|variant| text(&variant["const"])).collect();
        found.sort();
        found
    }

    #[test]
    fn the_choices_are_those_of_the_types() {
        let sorted = |field| {
            let mut found = values(field);
            found.sort_unstable();
            found
        };
        assert_eq!(sorted("ingress.socket"), of::<resource::IngressSocket>());
        assert_eq!(sorted("ingress.protocol"), of::<resource::IngressProtocol>());
        assert_eq!(sorted("delivery.socket"), of::<resource::DeliverySocket>());
        assert_eq!(sorted("delivery.protocol"), of::<resource::DeliveryProtocol>());
        assert_eq!(sorted("durability.sync"), of::<resource::Sync>());
        assert_eq!(sorted("retention.policy"), of::<resource::Policy>());
        assert_eq!(sorted("retention.onFull"), of::<resource::OnFull>());
        assert_eq!(sorted("retention.onDamage"), of::<resource::OnDamage>());
    }

    /// What the schema says of a feature: of the field, or of the value of a choice.
    fn description(feature: &str) -> String {
        let words: Vec<&str> = feature.split('.').collect();
        let schema = match words[0] {
            "ingress" => schema_for!(resource::Ingress),
            "delivery" => schema_for!(resource::Delivery),
            "retention" => schema_for!(resource::Retention),
            _ => schema_for!(resource::Durability),
        };
        let field = &schema.as_value()["properties"][words[1]];
        let described = words.get(2).map_or(field, |value| {
            let types = schema.as_value()["$defs"].as_object().unwrap();
            let refers = |name: &str| field.to_string().contains(&format!("/{name}\""));
            let (_, choice) = types.iter().find(|(name, _)| refers(name)).unwrap();
            choice["oneOf"].as_array().unwrap().iter().find(|it| it["const"] == **value).unwrap()
        });
        described["description"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_planned_and_only_that_is_described_as_refused() {
        for feature in SUPPORTED.iter().chain(PLANNED) {
            let description = description(feature);
            let is_refused = description.starts_with("Planned, refused by this version.");
            assert_eq!(is_refused, !is_supported(feature), "{feature}: {description}");
        }
    }

    #[test]
    fn a_choice_lists_its_values() {
        assert_eq!(values("ingress.socket"), ["PULL", "ROUTER", "SUB"]);
        assert_eq!(supported_values("ingress.socket"), ["PULL", "ROUTER"]);
    }
}
