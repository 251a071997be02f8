//! The named features, and which of them this version has. The validator refuses by these names,
//! and `/v1/status` and `lifeboat version --json` list them, so that an operator can tell whether
//! a sidecar of another version will take a queue.
//!
//! A feature's name is the field's place in the schema, without list positions, and the value
//! where the field is a choice: `ingress.curve`, `retention.onFull.Reject`.

/// What this version does.
const SUPPORTED: &[&str] = &[
    "delivery.protocol.Credit",
    "delivery.socket.PUSH",
    "delivery.socket.ROUTER",
    "durability.sync.Always",
    "ingress.protocol.Receipt",
    "ingress.socket.PULL",
    "ingress.socket.ROUTER",
    "retention.onDamage.Stop",
    "retention.onFull.Block",
    "retention.policy.WorkQueue",
];

/// What the design has and this version does not.
const PLANNED: &[&str] = &[
    "delivery.connect",
    "delivery.curve",
    "delivery.deadLetter",
    "delivery.filters",
    "delivery.from",
    "delivery.protocol.Majordomo",
    "delivery.protocol.Pirate",
    "delivery.protocol.Pzq",
    "delivery.routingId",
    "delivery.socket.DEALER",
    "delivery.socket.PUB",
    "durability.interval",
    "durability.sync.Interval",
    "durability.sync.None",
    "ingress.connect",
    "ingress.curve",
    "ingress.dedup",
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
    "retention.maxAge",
    "retention.maxMessages",
    "retention.onDamage.SkipWithGap",
    "retention.onFull.DropOldest",
    "retention.onFull.Reject",
    "retention.policy.Latest",
    "retention.policy.Limits",
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
    let value = |name: &&'static str| name.strip_prefix(field)?.strip_prefix('.');
    SUPPORTED.iter().chain(PLANNED).filter_map(value).collect()
}

/// The values of the choice `field` that this version takes.
pub(crate) fn supported_values(field: &str) -> Vec<&'static str> {
    let value = |name: &&'static str| name.strip_prefix(field)?.strip_prefix('.');
    SUPPORTED.iter().filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_apart() {
        assert!(SUPPORTED.is_sorted());
        assert!(PLANNED.is_sorted());
        assert!(PLANNED.iter().all(|name| !is_supported(name)));
    }

    #[test]
    fn a_choice_lists_its_values() {
        assert_eq!(values("ingress.socket"), ["PULL", "ROUTER", "SUB"]);
        assert_eq!(supported_values("ingress.socket"), ["PULL", "ROUTER"]);
    }
}
